# SPDX-License-Identifier: Apache-2.0
"""A powered-off machine with two disks in a private Ceph and one in a file, and a server with its chain."""

import hashlib
import json
import os
import shlex
import signal
import subprocess
import threading
import time

from sandbox import BUILD, FIXTURES, Sandbox, Wrong

VM = 77
IMAGES = ['one/one-7-77-0', 'one/one-sys-77-1']  # a clone, and a volatile disk
# Less than the OSD stands still for.
SETTINGS = {'VMVAULT_CEPH_DEADLINE': '3', 'VMVAULT_READ_DEADLINE': '3'}

# Stands before rbd and qemu-nbd: whoever makes the N-th call of them is killed, and the call goes on.
KILLER = '''#!/bin/bash
exec 9>>'{bin}/lock'
flock 9
n=$(($(<'{bin}/count') + 1))
echo $n >'{bin}/count'
[ $n != {n} ] || kill -KILL $PPID
exec 9>&-
exec '{real}' "$@"
'''


class Cluster(Sandbox):
    def build(self):
        self.vm_dir, self.base = self.live / 'vm', self.live / 'server'
        self.file = self.vm_dir / 'disk.2'
        for place in ('vm', 'tmp', 'bin', f'server/{VM}'):
            (self.live / place).mkdir(parents=True)
        owner = ['--owner', str(os.getpid())]
        for fixture, words in (('ceph', ['--pool', 'one', '--client', 'libvirt', 'profile rbd', 'profile rbd']), ('oned', [])):
            # Not in our environment, by which those are known that a command has left.
            said = subprocess.run([FIXTURES / fixture, 'start', self.dir / fixture, *owner, *words], check=True,
                                  stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
            for word in shlex.split(said.stdout.decode()):
                name, equals, value = word.partition('=')
                if equals:
                    self.env[name] = value.rstrip(';')
        self.env['LIBVIRT_URI'] = 'test:///default'
        del self.env['VMVAULT_CORE_DIR']  # tests/fixtures/oned is the core
        self.conf = self.env['CEPH_CONF']
        self.rbd('create', '--size', '12M', 'one/one-7')
        self.write('one/one-7', ['write -P 1 0 3M'])
        self.rbd('snap', 'create', '--no-progress', 'one/one-7@snap')
        self.rbd('snap', 'protect', 'one/one-7@snap')
        self.rbd('clone', 'one/one-7@snap', IMAGES[0])
        self.rbd('create', '--size', '9M', IMAGES[1])
        self.insist(self.run(['qemu-img', 'create', '-q', '-f', 'qcow2', self.file, '3M']))
        server = (f'<DATASTORE><ID>103</ID><DS_MAD>rsync</DS_MAD><BASE_PATH>{self.base}</BASE_PATH><TEMPLATE>'
                  '<RSYNC_HOST>localhost</RSYNC_HOST><RSYNC_USER>root</RSYNC_USER></TEMPLATE></DATASTORE>')
        (self.dir / 'oned/datastores/103.xml').write_text(server)

    def destroy(self):
        for fixture in ('oned', 'ceph'):
            subprocess.run([FIXTURES / fixture, 'stop', self.dir / fixture], stderr=subprocess.DEVNULL, check=False)
        super().destroy()

    # --- disks: Ceph's and qemu's own programs say what they hold ---

    def rbd(self, *words):
        return self.insist(self.run(['rbd', *words])).out

    def size(self, disk):
        return json.loads(self.rbd('info', '--format', 'json', IMAGES[disk]))['size'] if disk < 2 else 3 << 20

    def name(self, disk):
        return IMAGES[disk] if disk < 2 else self.file

    def write(self, name, commands):
        target = ['-f', 'qcow2', name] if name == self.file else ['-f', 'raw', f'rbd:{name}:conf={self.conf}']
        words = [word for one in commands for word in ('-c', one)]
        self.insist(self.run(['qemu-io', '-d', 'unmap', *words, *target]))

    def convert(self, kind, file):
        raw = self.dir / 'content'
        self.insist(self.run(['qemu-img', 'convert', '-f', kind, '-O', 'raw', file, raw]))
        return hashlib.sha256(raw.read_bytes()).hexdigest()[:16]

    def contents(self):
        return [hashlib.sha256(self.rbd('export', '--no-progress', one, '-')).hexdigest()[:16] for one in IMAGES] + [
            self.convert('qcow2', self.file)]

    def snapshots(self, disk):
        return [one['name'] for one in json.loads(self.rbd('snap', 'ls', '--format', 'json', IMAGES[disk]))]

    def is_free(self, disk):
        return not json.loads(self.rbd('status', '--format', 'json', IMAGES[disk])).get('watchers')

    # --- what the core asks for ---

    def document(self, last, mode):
        kinds = [f'<TYPE>RBD</TYPE><SOURCE>one/one-7</SOURCE><CLONE>YES</CLONE><TM_MAD>ceph</TM_MAD>',
                 '<TYPE>fs</TYPE><DISK_TYPE>RBD</DISK_TYPE><POOL_NAME>one</POOL_NAME><TM_MAD>ceph</TM_MAD>',
                 '<TYPE>FILE</TYPE><FORMAT>qcow2</FORMAT><TM_MAD>qcow2</TM_MAD>']
        disks = ''.join(f'<DISK><DISK_ID>{n}</DISK_ID><TARGET>vd{"abc"[n]}</TARGET>{kind}<CEPH_USER>libvirt</CEPH_USER>'
                        f'<CEPH_CONF>{self.conf}</CEPH_CONF><SIZE>16</SIZE></DISK>' for n, kind in enumerate(kinds))
        return (f'<VM><ID>{VM}</ID><DEPLOY_ID/><LCM_STATE>69</LCM_STATE><TEMPLATE>{disks}</TEMPLATE><BACKUPS>'
                f'<BACKUP_CONFIG><MODE>{mode}</MODE><LAST_INCREMENT_ID>{last}</LAST_INCREMENT_ID></BACKUP_CONFIG>'
                '</BACKUPS></VM>')

    def step(self, name, last, mode='INCREMENT', env=None):
        return self.run([BUILD / 'tm/ceph' / name, f'localhost:{self.vm_dir}', '0:1:2', 'lab', '-', VM, 0],
                        self.document(last, mode), env)

    def restore(self, chain, increment, env=None):
        parts = ''.join(f'<INCREMENT><ID>{n}</ID><SOURCE>{name}</SOURCE></INCREMENT>' for n, name in chain)
        (self.dir / 'oned/vms/77.xml').write_text(self.document(-1, 'INCREMENT'))
        (self.dir / 'oned/images/57.xml').write_text(
            f'<IMAGE><ID>57</ID><FORMAT>raw</FORMAT><VMS><ID>{VM}</ID></VMS><DATASTORE_ID>103</DATASTORE_ID><TEMPLATE/>'
            f'<BACKUP_INCREMENTS>{parts}</BACKUP_INCREMENTS></IMAGE>')
        return self.run([BUILD / 'tm/ceph/restore', f'localhost:{self.vm_dir}', VM, 57, increment, -1], env=env)

    def recover(self):
        return self.run([BUILD / 'tm/host/backup_host', 'recover', '--all'])

    # --- trouble ---

    def killer(self, n):
        """The environment in which the n-th call kills its caller."""
        bin_dir = self.live / 'bin'
        (bin_dir / 'count').write_text('0')
        for name in ('rbd', 'qemu-nbd'):
            real = self.insist(self.run(['bash', '-c', f'command -v {name}'])).out.decode().strip()
            (bin_dir / name).write_text(KILLER.format(bin=bin_dir, n=n, real=real))
            (bin_dir / name).chmod(0o755)
        return {'PATH': f'{bin_dir}:{self.env["PATH"]}'}

    def osd_stops(self, after, seconds):
        """(environment, what ends it)"""
        pid = int((self.dir / 'ceph/osd.pid').read_text())

        def stop():
            time.sleep(after)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)
        thread = threading.Thread(target=stop)
        thread.start()
        return SETTINGS, thread.join

    # --- what must be true ---

    def left(self):
        out = [*self.vm_dir.glob('*.journal'), *self.vm_dir.glob('backup'), *self.vm_dir.glob('*vmvault*'),
               *self.live.glob('tmp/*')]
        out = [str(one.relative_to(self.live)) for one in out]
        with open('/proc/self/mountinfo', encoding='utf-8') as file:
            out += [line.split()[4] for line in file if line.split()[4].startswith(f'{self.live}/')]
        names = self.rbd('ls', 'one').decode().split()
        return out + [one for one in names if 'vmvault' in one]

    def restored(self, chain):
        """What the disks hold with the last of these, by qemu-img alone, as OpenNebula's own drivers do it (contract 4.8)."""
        out, work = [], self.dir / 'chain'
        for disk in range(3):
            self.insist(self.run(['rm', '-rf', work]))
            work.mkdir()
            before = None
            for n, name in chain:
                file = work / f'disk.{disk}.{n}'
                file.write_bytes((self.base / str(VM) / name / file.name).read_bytes())
                if before:
                    self.insist(self.run(['qemu-img', 'rebase', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', before, file]))
                before = file
            out.append(self.convert('qcow2', before))
        return out
