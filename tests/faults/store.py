# SPDX-License-Identifier: Apache-2.0
"""A restic datastore on this machine with a chain in it, and what its actions are asked for."""

import base64
import filecmp
import json
import subprocess

from sandbox import BUILD, FIXTURES, PASSWORD, Sandbox, Wrong

CLUSTERS = 6


class Restic(Sandbox):
    """A full and two increments of VM 12; the files of a third lie in its backup directory."""

    def __init__(self):
        super().__init__()
        for place in ('var', 'core/datastores', 'tmp', 'scratch', 'base', 'expected'):
            (self.live / place).mkdir(parents=True)
        self.files.mkdir(parents=True)
        self.repository = self.live / 'base/12'
        subprocess.run([FIXTURES / 'restic_repository', self.repository, PASSWORD], env=self.env, check=True)
        store = self.live / 'core/datastores/100.xml'
        store.write_text(self.datastore())
        store.chmod(0o600)
        self.chain = []
        for n in range(3):
            self.increment(n)
            self.chain.append(self.insist(self.backup(n - 1)).out.split()[0].decode())
        self.increment(3)
        self.keep()

    def datastore(self):
        return (f'<DATASTORE><ID>100</ID><DS_MAD>restic</DS_MAD><BASE_PATH>{self.live}/base</BASE_PATH>'
                f'<TEMPLATE><RESTIC_PASSWORD>{PASSWORD}</RESTIC_PASSWORD><RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>'
                f'</TEMPLATE></DATASTORE>')

    def vm(self, last):
        return (f'<VM><ID>12</ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID><SIZE>77</SIZE></DISK></TEMPLATE><BACKUPS>'
                f'<BACKUP_CONFIG><MODE>INCREMENT</MODE><LAST_INCREMENT_ID>{last}</LAST_INCREMENT_ID>'
                f'</BACKUP_CONFIG></BACKUPS></VM>')

    def image(self, chain=None):
        parts = ''.join(f'<INCREMENT><ID>{n}</ID><SOURCE>{one}</SOURCE></INCREMENT>'
                        for n, one in (chain or enumerate(self.chain)))
        return (f'<IMAGE><ID>57</ID><FORMAT>raw</FORMAT><VMS><ID>12</ID></VMS><TEMPLATE/>'
                f'<BACKUP_INCREMENTS>{parts}</BACKUP_INCREMENTS></IMAGE>')

    @staticmethod
    def request(*parts):
        return f'<DS_DRIVER_ACTION_DATA>{"".join(parts)}</DS_DRIVER_ACTION_DATA>'

    def increment(self, n):
        """The files of this increment, and in expected/ what the disk is with it."""
        for old in self.files.iterdir():
            old.unlink()
        words = [f'{n % CLUSTERS}={"abcdef"[n]}'] + (['5=zero'] if n else ['1=x', '5=y'])
        subprocess.run([FIXTURES / 'sequential_qcow2', self.files / f'disk.0.{n}', str(CLUSTERS), *words], check=True)
        (self.files / 'vm.xml').write_text(base64.b64encode(self.vm(n - 1).encode()).decode())
        disk = self.live / 'expected' / str(n)
        if n:
            disk.write_bytes((self.live / 'expected' / str(n - 1)).read_bytes())
        with open(disk, 'r+b' if n else 'wb') as raw:
            raw.truncate(CLUSTERS << 16)
            for where, _, what in (word.partition('=') for word in words):
                raw.seek(int(where) << 16)
                raw.write((b'\0' if what == 'zero' else what.encode()) * 65536)

    def backup(self, last, env=None):
        return self.run([BUILD / 'datastore/restic/backup', f'localhost:{self.live}/system/12', 0, 'one-12', '-',
                         12, 0], self.request(self.datastore(), self.vm(last)), env)

    def discard(self, run):
        return self.run([BUILD / 'datastore/restic/discard', f'localhost:{self.live}/system/12', run, '-', 12],
                        self.request(self.datastore(), self.vm(2)))

    def notes(self):
        """Of backups that may have left something."""
        return [one for one in (self.live / 'var').glob('restic-run.*') if one.read_text()]

    def action(self, name, *parts, words=('57',), env=None):
        text = self.request(*parts, self.datastore())
        if name != 'ls':
            text = base64.b64encode(text.encode()).decode()
        return self.run([BUILD / 'datastore/restic' / name, *words], text, env)

    def url(self, chain):
        joined = ','.join(f'{n}:{one}' for n, one in chain)
        return f'restic://100//{joined}{self.files}/disk.0.{chain[-1][0]}'

    def download(self, chain, env=None):
        return self.run([BUILD / 'datastore/restic/downloader', '--stream', self.url(chain)], '', env)

    # --- what must be true ---

    def restic(self, *words):
        done = self.run(['restic', '--no-cache', '--no-lock', '-q', '-r', self.repository, '--json', *words],
                        env={'RESTIC_PASSWORD': PASSWORD})
        return self.insist(done).out.decode()

    def names(self):
        """Short ids of the snapshots, oldest first."""
        return [one['short_id'] for one in sorted(json.loads(self.restic('snapshots') or '[]') or [],
                                                  key=lambda one: one['time'])]

    def restores(self, chain):
        """Every increment of it, byte for byte."""
        for end in range(1, len(chain) + 1):
            got, raw = self.live / 'got.qcow2', self.live / 'got'
            got.write_bytes(self.insist(self.download(chain[:end])).out)
            subprocess.run(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', got, raw], check=True)
            if not filecmp.cmp(raw, self.live / 'expected' / str(chain[end - 1][0]), shallow=False):
                raise Wrong(f'increment {chain[end - 1][0]} is not what it was')
            got.unlink()
            raw.unlink()

    def at_rest(self):
        """No lock, no note, no file of a while, wherever we may leave one."""
        self.alone()
        if any((self.repository / 'locks').iterdir()):
            # One of a restic that was killed is left until somebody is in its way, who removes it.
            self.insist(self.action('rm', self.image([(0, name) for name in self.names()[:1]])))
        left = [one for one in (self.repository / 'locks').glob('*') if '-tmp-' not in one.name]
        # That a repository is to be pruned is a debt, which is told, and paid by `datastore prune`.
        left += [one for one in self.live.glob('var/restic-*') if not one.name.startswith('restic-prune.')]
        left += [*self.live.glob('tmp/*'), *self.live.glob('scratch/*'), *self.live.glob('var/running/*.*'),
                 *self.files.glob('.*')]
        if left:
            raise Wrong(f'left behind: {" ".join(str(one.relative_to(self.live)) for one in left)}')
