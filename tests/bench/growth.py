# SPDX-License-Identifier: Apache-2.0
"""How cost grows: with the size of a disk, with what changed in it, and with the length of a chain.

The machines are powered off, so that nothing but the backup is measured: qemu's emulation is not, where
there is no KVM.  Repositories and disks lie on a tmpfs: no hard disk is measured.
"""

import contextlib
import json
import os
import random
import shutil
import tempfile
import threading
import unittest.mock
from pathlib import Path

from common import BUILD, FIXTURES, MIB, disk_usage, figure, run, say, seconds, vmvault

GIB, TIB = 1 << 30, 1 << 40
CLUSTER = 64 << 10
SIZES = [(GIB, '1 GiB'), (64 * GIB, '64 GiB'), (TIB, '1 TiB'), (16 * TIB, '16 TiB')]
SHARES = [0.1, 1, 10, 50]  # percent
LENGTHS = [1, 4, 16, 64]


class Memory:
    """The most that our processes together hold, without those of others, sampled; in MiB."""

    def __enter__(self):
        self.mark = f'VMVAULT_VAR={os.environ["VMVAULT_VAR"]}'.encode()
        self.most, self.ended = 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def watch(self):
        while not self.ended.wait(0.05):
            self.most = max(self.most, sum(self.held(pid) for pid in os.listdir('/proc') if pid.isdigit()))

    def held(self, pid):
        try:
            if not os.readlink(f'/proc/{pid}/exe').startswith(str(BUILD)):
                return 0
            if self.mark not in Path(f'/proc/{pid}/environ').read_bytes().split(b'\0'):
                return 0
            lines = Path(f'/proc/{pid}/smaps_rollup').read_text(encoding='ascii').splitlines()
            return sum(int(line.split()[1]) for line in lines if line.startswith('Pss:')) / 1024
        except OSError:  # it has ended
            return 0


class Machine:
    """A powered-off one with one disk, and what it and its backups need below `work`."""

    def __init__(self, work, size):
        self.work, self.size, self.file = work, size, work / 'disk.qcow2'
        self.written = []
        os.environ['VMVAULT_VAR'] = str(work / 'var')
        shutil.rmtree(work / 'var', ignore_errors=True)
        self.file.unlink(missing_ok=True)
        run('qemu-img', 'create', '-q', '-f', 'qcow2', self.file, size)
        xml = (f"<domain type='qemu'><name>growth</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm"
               f"</type></os><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source "
               f"file='{self.file}'/><target dev='vda' bus='virtio'/></disk></devices></domain>")
        run('virsh', '-q', 'define', '/dev/stdin', input=xml.encode())

    def forget(self):
        run('virsh', '-q', 'undefine', 'growth', '--checkpoints-metadata')

    def write(self, places):
        """A cluster of noise at each, everywhere another."""
        for batch in (places[n:n + 256] for n in range(0, len(places), 256)):
            with tempfile.TemporaryDirectory(dir=self.work) as noise:
                lines = ''
                for place in batch:
                    (Path(noise) / str(place)).write_bytes(random.randbytes(CLUSTER))
                    lines += f'write -q -s {noise}/{place} {place * CLUSTER} {CLUSTER}\n'
                run('qemu-io', '-f', 'qcow2', self.file, input=lines.encode())

    def fill(self, clusters):
        """So many, spread evenly."""
        self.written = [n * (self.size // CLUSTER // clusters) for n in range(clusters)]
        self.write(self.written)

    def backup(self):
        """Seconds and MiB."""
        with Memory() as memory:
            took = seconds(vmvault, 'backup', 'growth')
        return took, memory.most

    def image(self):
        return json.loads(vmvault('list', '--json'))[-1]['id']

    def by_hand(self):
        """What somebody would do without us, each time: a copy of the disk, given to restic.  The first
        makes the repository, as our first backup of a machine does."""
        env = {**os.environ, 'RESTIC_PASSWORD': 'bench'}
        plain, copy = self.work / 'plain', self.work / 'copy'

        def steps():
            if not plain.exists():
                run('restic', '-q', '--no-cache', '-r', plain, 'init', env=env)
            run('qemu-img', 'convert', '-O', 'qcow2', self.file, copy)
            run('restic', '-q', '--no-cache', '-r', plain, 'backup', copy, env=env)
        try:
            return seconds(steps)
        finally:
            copy.unlink(missing_ok=True)


BY_HAND = 'qemu-img convert, then restic backup'


def sizes(work):
    for size, name in SIZES:
        machine = Machine(work, size)
        machine.fill(4096)
        took, held = machine.backup()
        base = machine.by_hand()
        figure(f'full of {name} with 256 MiB in it', took, 's', BY_HAND, base)
        figure(f'full of {name}: memory of our processes', held, 'MiB')
        machine.write(machine.written[::100])
        took, held = machine.backup()
        base = machine.by_hand()
        figure(f'increment of {name}, 41 clusters changed', took, 's', BY_HAND, base)
        figure(f'increment of {name}: memory of our processes', held, 'MiB')
        machine.forget()
        shutil.rmtree(work / 'plain')


def shares(work):
    for percent in SHARES:
        machine = Machine(work, 2 * GIB)
        machine.fill(2 * GIB // CLUSTER)
        machine.backup()
        machine.by_hand()
        changed = random.sample(machine.written, int(len(machine.written) * percent / 100))
        machine.write(changed)
        before = disk_usage(work / 'var/repo')
        took, _ = machine.backup()
        grown = (disk_usage(work / 'var/repo') - before) / MIB
        figure(f'increment of 2 GiB, {percent} % changed', took, 's', BY_HAND, machine.by_hand())
        figure(f'increment of 2 GiB, {percent} % changed: growth of the repository', grown, 'MiB')
        machine.forget()
        shutil.rmtree(work / 'plain')


def lengths(work):
    machine = Machine(work, GIB)
    machine.fill(GIB // CLUSTER)
    machine.backup()
    for n in range(1, max(LENGTHS) + 1):
        if n > 1:
            machine.write(random.sample(machine.written, len(machine.written) // 100))
            took, _ = machine.backup()
        if n in LENGTHS:
            if n > 1:
                figure(f'backup {n} of a chain, 1 % changed', took, 's')
            with Memory() as memory:
                took = seconds(vmvault, 'restore', machine.image(), '--to', work / 'to')
            run('qemu-img', 'compare', '-q', machine.file, work / 'to/disk.0.qcow2')
            shutil.rmtree(work / 'to')
            figure(f'restore of 1 GiB from a chain of {n}', took, 's')
            figure(f'restore of 1 GiB from a chain of {n}: memory of our processes', memory.most, 'MiB')
    figure(f'flatten of a chain of {max(LENGTHS)} to one', seconds(vmvault, 'flatten', machine.image(), '--keep', 1), 's',
           BY_HAND, machine.by_hand())
    machine.forget()


def measure():
    random.seed(5)
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='vmvault-bench.', dir='/dev/shm')))
        run(FIXTURES / 'libvirtd', 'start', work / 'virt', '--owner', os.getpid())
        stack.callback(run, FIXTURES / 'libvirtd', 'stop', work / 'virt')
        uri = run(FIXTURES / 'libvirtd', 'uri', work / 'virt').strip()
        stack.enter_context(unittest.mock.patch.dict(os.environ, {'LIBVIRT_DEFAULT_URI': uri}))
        run('virsh', '-q', 'capabilities')  # a new libvirtd starts each qemu for the first one that asks
        say('disks from 1 GiB to 16 TiB')
        sizes(work)
        say('0.1 to 50 % changed')
        shares(work)
        say(f'a chain of {max(LENGTHS)}')
        lengths(work)
