# SPDX-License-Identifier: Apache-2.0
"""A datastore with a chain in it, and what its actions are asked for."""

import base64
import filecmp
import subprocess

from sandbox import BUILD, FIXTURES, Sandbox, Wrong

CLUSTERS = 6


class Store(Sandbox):
    """A full and two increments of VM 12; the files of a third lie in its backup directory.

    Whoever is one says what prepare(), datastore(), names() and debts() are.
    """

    driver, disks = '', (0,)

    def build(self):
        for place in ('var', 'core/datastores', 'tmp', 'scratch', 'base', 'expected'):
            (self.live / place).mkdir(parents=True)
        self.files.mkdir(parents=True)
        self.prepare()
        store = self.live / 'core/datastores/100.xml'
        store.write_text(self.datastore())
        store.chmod(0o600)
        self.chain = []
        for n in range(3):
            self.increment(n)
            self.chain.append(self.insist(self.backup(n - 1)).out.split()[0].decode())
        self.increment(3)
        self.furnish()
        self.keep()

    def furnish(self):
        """What trials need beside the chain."""

    def prepare(self):
        """What the first backup needs."""

    def datastore(self):
        """Its element DATASTORE."""
        raise NotImplementedError

    def names(self):
        """Of the backups in it, oldest first."""
        raise NotImplementedError

    def debts(self):
        """What is left in it and on this machine of actions that have ended."""
        raise NotImplementedError

    def vm(self, last):
        disks = ''.join(f'<DISK><DISK_ID>{disk}</DISK_ID><SIZE>77</SIZE></DISK>' for disk in self.disks)
        return (f'<VM><ID>12</ID><TEMPLATE>{disks}</TEMPLATE><BACKUPS><BACKUP_CONFIG><MODE>INCREMENT</MODE>'
                f'<LAST_INCREMENT_ID>{last}</LAST_INCREMENT_ID></BACKUP_CONFIG></BACKUPS></VM>')

    def image(self, chain=None):
        parts = ''.join(f'<INCREMENT><ID>{n}</ID><SOURCE>{one}</SOURCE></INCREMENT>'
                        for n, one in (chain or enumerate(self.chain)))
        return (f'<IMAGE><ID>57</ID><FORMAT>raw</FORMAT><VMS><ID>12</ID></VMS><TEMPLATE/>'
                f'<BACKUP_INCREMENTS>{parts}</BACKUP_INCREMENTS></IMAGE>')

    @staticmethod
    def request(*parts):
        return f'<DS_DRIVER_ACTION_DATA>{"".join(parts)}</DS_DRIVER_ACTION_DATA>'

    def increment(self, n):
        """The files of this increment, and in expected/ what the disks are with it."""
        for old in self.files.iterdir():
            old.unlink()
        for disk in self.disks:
            words = [f'{(n + disk) % (CLUSTERS - 1)}={"abcdef"[n]}'] + (['5=zero'] if n else ['1=x', '5=y'])
            subprocess.run([FIXTURES / 'sequential_qcow2', self.files / f'disk.{disk}.{n}', str(CLUSTERS), *words],
                           check=True)
            raw = self.expected(disk, n)
            if n:
                raw.write_bytes(self.expected(disk, n - 1).read_bytes())
            with open(raw, 'r+b' if n else 'wb') as to:
                to.truncate(CLUSTERS << 16)
                for where, _, what in (word.partition('=') for word in words):
                    to.seek(int(where) << 16)
                    to.write((b'\0' if what == 'zero' else what.encode()) * 65536)
        (self.files / 'vm.xml').write_text(base64.b64encode(self.vm(n - 1).encode()).decode())

    def expected(self, disk, n):
        """A raw file."""
        return self.live / f'expected/{disk}.{n}'

    def program(self, name):
        return BUILD / 'datastore' / self.driver / name

    def backup(self, last, env=None):
        return self.run([self.program('backup'), f'localhost:{self.live}/system/12', ':'.join(map(str, self.disks)),
                         'one-12', '-', 12, 0], self.request(self.datastore(), self.vm(last)), env)

    def discard(self, run):
        return self.run([self.program('discard'), f'localhost:{self.live}/system/12', run, '-', 12],
                        self.request(self.datastore(), self.vm(2)))

    def notes(self):
        """Of backups that may have left something."""
        return [one for one in (self.live / 'var').glob(f'{self.driver}-run.*') if one.read_text()]

    def action(self, name, *parts, words=('57',), env=None):
        text = self.request(*parts, self.datastore())
        if name != 'ls':
            text = base64.b64encode(text.encode()).decode()
        return self.run([self.program(name), *words], text, env)

    def url(self, chain):
        joined = ','.join(f'{n}:{one}' for n, one in chain)
        return f'{self.driver}://100//{joined}{self.files}/disk.0.{chain[-1][0]}'

    def download(self, chain, env=None):
        return self.run([self.program('downloader'), '--stream', self.url(chain)], '', env)

    # --- what must be true ---

    def restores(self, chain):
        """Every increment of it, byte for byte."""
        for end in range(1, len(chain) + 1):
            got, raw = self.live / 'got.qcow2', self.live / 'got'
            got.write_bytes(self.insist(self.download(chain[:end])).out)
            subprocess.run(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', got, raw], check=True)
            if not filecmp.cmp(raw, self.expected(0, chain[end - 1][0]), shallow=False):
                raise Wrong(f'increment {chain[end - 1][0]} is not what it was')
            got.unlink()
            raw.unlink()

    def at_rest(self):
        """No lock, no note, no file of a while, wherever we may leave one."""
        self.alone()
        left = [*self.debts(), *self.live.glob('tmp/*'), *self.live.glob('scratch/*'),
                *self.live.glob('var/running/*.*'), *self.files.glob('.*')]
        if left:
            raise Wrong(f'left behind: {" ".join(str(one.relative_to(self.live)) for one in left)}')
