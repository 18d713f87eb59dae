# SPDX-License-Identifier: Apache-2.0
"""A machine of a private libvirt, and the store that keeps its backups.

It runs no system: when it is on, its processor is stopped, and qemu itself writes to its disks.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import uuid

from sandbox import BUILD, FIXTURES, PASSWORD, SHIM, Sandbox, Wrong

VM = 1000000  # the first machine's number
LETTERS = 'abcdefghijklmnopqrstuvwxyz'

# Stands before restic; what `ails` says happens to whatever it does next.
RESTIC = '''#!/bin/bash
# The machine's store is well, or it is not: $VMVAULT_VAR/../ails
ail=$(cat '{ails}' 2>/dev/null)
case $ail:" $* " in
    refuses:*) echo 'Fatal: the server has no time' >&2; exit 1 ;;
    slow:*) sleep 0.4 ;;
    full:*' backup '* | full:*' forget '* | full:*' prune '*) ulimit -f 24 ;;
    short:*' dump '*) '{real}' "$@" | head -c 70000; exit 0 ;;
    short:*' ls '*) '{real}' "$@" | head -n 2; exit 0 ;;
    dies:*) exec timeout -s KILL 0.3 '{real}' "$@" ;;
esac
exec '{real}' "$@"
'''
AILS = ('refuses', 'slow', 'full', 'short', 'dies')


class Disk:
    def __init__(self, file, target, kind):
        self.file, self.target, self.kind = file, target, kind


class Machine(Sandbox):
    def build(self):
        (self.live / 'tmp').mkdir(parents=True)
        (self.live / 'scratch').mkdir()
        (self.live / 'bin').mkdir()
        subprocess.run([FIXTURES / 'libvirtd', 'start', self.dir / 'virt', '--owner', str(os.getpid())], check=True)
        said = subprocess.run([FIXTURES / 'libvirtd', 'uri', self.dir / 'virt'], stdout=subprocess.PIPE, check=True)
        self.env['LIBVIRT_DEFAULT_URI'] = said.stdout.decode().strip()
        var = self.live / 'var'
        var.mkdir(mode=0o700)
        (var / 'restic.password').write_text(PASSWORD + '\n')
        (var / 'restic.password').chmod(0o600)
        self.insist(self.vmvault('init'))  # beside repositories it is not made
        self.repository = var / 'repo' / str(VM)
        subprocess.run([FIXTURES / 'restic_repository', self.repository, PASSWORD], env=self.env, check=True)
        real = subprocess.run(['bash', '-c', 'command -v restic'], stdout=subprocess.PIPE, check=True).stdout.decode()
        wrapper = self.live / 'bin/restic'
        wrapper.write_text(RESTIC.format(real=real.strip(), ails=self.live / 'ails'))
        wrapper.chmod(0o755)
        self.plain_env, self.env = self.env, self.env | {'PATH': f'{self.live}/bin:{self.env["PATH"]}'}
        self.uuid, self.disks, self.used, self.is_on = str(uuid.UUID(int=random.getrandbits(128))), [], 0, False

    def destroy(self):
        subprocess.run([FIXTURES / 'libvirtd', 'stop', self.dir / 'virt'], stderr=subprocess.DEVNULL, check=False)
        self.end_all()
        self.unmount()
        super().destroy()

    def unmount(self):
        for place in self.mounts():
            subprocess.run(['umount', '-l', place], stderr=subprocess.DEVNULL, check=False)

    def mounts(self):
        with open('/proc/self/mountinfo', encoding='utf-8') as file:
            return [line.split()[4] for line in file if line.split()[4].startswith(f'{self.live}/')]

    def ails(self, how):
        if how:
            (self.live / 'ails').write_text(how)
        else:
            (self.live / 'ails').unlink(missing_ok=True)

    def clock(self, off):
        """By so many seconds ours is wrong, the store's is not."""
        self.env |= {'LD_PRELOAD': str(SHIM), 'CALLS_CLOCK': str(off), 'ASAN_OPTIONS': 'verify_asan_link_order=0'}

    # --- the machine ---

    def define(self):
        disks = ''.join(
            f"<disk type='file' device='disk'><driver name='qemu' type='{one.kind}'/><source file='{one.file}'/>"
            f"<target dev='{one.target}' bus='virtio'/></disk>" for one in self.disks)
        text = (f"<domain type='qemu'><name>model</name><uuid>{self.uuid}</uuid><memory unit='MiB'>64</memory>"
                f"<vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os><devices>{disks}</devices></domain>")
        self.insist(self.run(['virsh', '-q', 'define', '/dev/stdin'], text))

    def forget(self):
        """libvirt does; the files stay."""
        self.virsh('undefine', 'model', '--checkpoints-metadata')

    def virsh(self, *words):
        return self.insist(self.run(['virsh', '-q', *words])).out.decode()

    def power_on(self):
        self.virsh('start', 'model', '--paused')
        self.is_on = True

    def power_off(self):
        self.virsh('destroy', 'model')
        self.is_on = False

    def crash(self):
        """As if the power of its host were gone: qemu writes nothing any more."""
        pid = int((self.dir / 'virt/run/qemu/model.pid').read_text())
        os.kill(pid, signal.SIGKILL)
        self.is_on = False
        self.wait('it was killed', lambda: self.virsh('domstate', 'model').strip().replace('shut off', ''))

    def attach(self, kind, size):
        self.used += 1
        taken = {one.target for one in self.disks}
        target = next(name for n in range(26) if (name := f'vd{LETTERS[(self.used - 1 + n) % 26]}') not in taken)
        disk = Disk(self.live / f'{self.used}.{kind}', target, kind)
        subprocess.run(['qemu-img', 'create', '-q', '-f', kind, disk.file, str(size)], check=True)
        self.disks.append(disk)
        self.define()

    def detach(self, disk):
        self.disks.remove(disk)
        self.define()
        disk.file.unlink()

    def size(self, disk):
        said = subprocess.run(['qemu-img', 'info', '-U', '--output=json', disk.file], stdout=subprocess.PIPE, check=True)
        return json.loads(said.stdout)['virtual-size']

    def grow(self, disk, size):
        if self.is_on:
            self.virsh('blockresize', 'model', disk.target, f'{size}B')
        else:
            subprocess.run(['qemu-img', 'resize', '-q', '-f', disk.kind, disk.file, str(size)], check=True)

    def write(self, disk, commands):
        if self.is_on:
            device = f'/machine/peripheral/virtio-disk{LETTERS.index(disk.target[-1])}/virtio-backend'
            for one in (*commands, 'flush'):
                said = self.virsh('qemu-monitor-command', 'model', '--hmp', f'qemu-io -d {device} "{one}"')
                if 'rror' in said or 'ailed' in said:
                    raise Wrong(f'{one}: {said}')
            return
        words = [word for one in commands for word in ('-c', one)]
        subprocess.run(['qemu-io', '-f', disk.kind, '-d', 'unmap', *words, disk.file], stdout=subprocess.DEVNULL,
                       check=True)

    # --- what disks hold: qemu says it, not we ---

    def content(self, file, kind):
        raw = self.dir / 'content'
        subprocess.run(['qemu-img', 'convert', '-U', '-f', kind, '-O', 'raw', file, raw], check=True)
        with open(raw, 'rb') as got:
            return hashlib.file_digest(got, 'sha256').hexdigest()[:16] if hasattr(hashlib, 'file_digest') else \
                hashlib.sha256(got.read()).hexdigest()[:16]

    def judged(self, files):
        """What these disks hold, by target; files: {target: (path, format)}."""
        return {target: self.content(*file) for target, file in files.items()}

    def contents(self):
        return self.judged({one.target: (one.file, one.kind) for one in self.disks})

    # --- the command ---

    def vmvault(self, *words, env=None):
        return self.run([BUILD / 'drivers/cli/vmvault', *words], env=env)

    def listed(self):
        """{image: (state, {increment: {disk id: target}})}"""
        out = {}
        for one in json.loads(self.insist(self.vmvault('list', '--json')).out):
            shown = json.loads(self.insist(self.vmvault('show', one['id'], '--json')).out)
            out[one['id']] = (one['state'], {n['id']: {disk['id']: disk['target'] for disk in n['disks']}
                                             for n in shown['increments']})
        return out

    def restored(self, image, increment, disks, env=None):
        """Done, and what the restored disks hold, by target."""
        to = self.live / 'to'
        done = self.vmvault('restore', image, '--increment', increment, '--to', to, env=env)
        got = {}
        if done.status == 0:
            got = self.judged({target: (to / f'disk.{n}.qcow2', 'qcow2') for n, target in disks.items()})
            for file in to.iterdir():
                file.unlink()
            to.rmdir()
        elif done.status > 0 and to.exists():
            raise Wrong(f'a restore that failed left {[one.name for one in to.iterdir()]}')
        return done, got

    def snapshots(self):
        """{id: tags}"""
        done = self.run(['restic', '--no-cache', '--no-lock', '-q', '-r', self.repository, 'snapshots', '--json'],
                        env=self.plain_env | {'RESTIC_PASSWORD': PASSWORD})
        return {one['short_id']: one.get('tags') or [] for one in json.loads(self.insist(done).out or '[]') or []}

    def strays(self):
        """{id: who sees to it that it goes, or is needed} of the snapshots that no record knows."""
        known = {n['source'] for one in json.loads(self.insist(self.vmvault('list', '--json')).out)
                 for n in json.loads(self.insist(self.vmvault('show', one['id'], '--json')).out)['increments']}
        stored = self.snapshots()
        merged = {name: tag[13:].split('-') for name, tags in stored.items() for tag in tags
                  if tag.startswith('vmvault-flat-')}
        notes = ' '.join(one.read_text() for one in [*self.live.glob('var/restic-run.*'), *self.live.glob('var/vmm/*.json')])
        replies = ' '.join(one.read_text() for one in self.live.glob('var/vms/*/backup.reply.*'))
        out = {}
        for name, tags in stored.items():
            if name in known:
                continue
            runs = [tag.removeprefix('vmvault-run-') for tag in tags if tag.startswith('vmvault-run-')]
            out[name] = ('merge' if name in merged or any(name in old for old in merged.values()) else
                         'backup' if name in replies or any(run in notes for run in runs) else '')
        return out

    def collected(self, *words):
        """{id: why it is kept} of what `gc` finds."""
        found = json.loads(self.insist(self.vmvault('gc', '--json', *words)).out)
        return {one['name'][:8]: one['kept'] for one in found['orphans']}

    def locks(self):
        return [one.name for one in (self.repository / 'locks').glob('*') if '-tmp-' not in one.name]

    def left(self):
        """What no backup should leave.  (The lock of a restic that was killed is left until it is in the way.)"""
        out = []
        for pattern in ('tmp/*', 'scratch/*', 'var/restic-run.*', 'var/restic-flatten.*', 'var/running/*.*', 'var/vmm/*',
                        'var/vms/*/backup/*', 'var/vms/*/tmp/*', 'var/vms/*/backup.journal', 'var/vms/*/*.sock'):
            out += self.live.glob(pattern)
        return sorted({str(one.relative_to(self.live)) for one in out}) + self.mounts()
