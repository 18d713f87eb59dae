# SPDX-License-Identifier: Apache-2.0
"""One combination of a point and a fault, and what has to be true after it."""

import os
import shutil
import signal
import time
from pathlib import Path

import harm
from proc import Wrong, read_proc, wait_until
from table import BRIDGE
from world import DOMAIN, SHIM

ALONE = 60  # seconds within which everything has to be well again
PATIENCE = 15  # seconds for a view that nobody reads any more: its lease is much longer


def first_line(text):
    return next((line for line in text.splitlines() if line.strip()), '')


def frozen(world):
    said = world.virsh('qemu-agent-command', DOMAIN, '--timeout', '5', '{"execute":"guest-fsfreeze-status"}',
                       check=False)
    return '"thawed"' not in said


def has_job(world):
    return world.state() != 'shut off' and 'None' not in world.virsh('domjobinfo', DOMAIN, check=False)


def waits_for_reader(world):
    """A view whose reader has gone is there until its lease ends, or the next backup comes."""
    return bool(harm.exporter(world) and harm.guard(world, far=bool(BRIDGE)))


def hurt(world):
    """What is wrong with the guest; empty when it runs as if there had never been a backup."""
    state = world.state()
    if state == 'shut off':
        return []
    out = []
    if state != 'running':
        out.append(f'the guest is {world.state("--reason")}')
    elif frozen(world):
        out.append('the guest is frozen, or its agent does not answer')
    if has_job(world) and not waits_for_reader(world):
        out.append('a job that nobody looks after')
    used = {line.split()[1] for line in world.virsh('domblklist', DOMAIN).splitlines() if line.strip()}
    if used != {str(disk) for disk in world.disks}:
        out.append(f'the guest runs on {sorted(used)}')
    return out


def left(world):
    """What there still is of a backup, outside of the guest."""
    out = []
    if has_job(world):
        out.append('a job')
    for pid in world.ours():
        words = b' '.join(read_proc(pid, 'cmdline').split(b'\0')[:2]).decode(errors='replace')
        out.append(f'process {pid} ({words})')
    for machine, seen_by in world.machines():
        root = Path(f'/proc/{seen_by}/root')
        out += [f'{machine}a mount on {one}' for one in world.mounts('fuse', seen_by)]
        out += [f'{machine}{name}' for name in ('backup.journal', 'backup', 'bridge', 'tmp')
                if os.path.lexists(root / world.vm_dir.relative_to('/') / name)]
        register = root / world.dir.relative_to('/') / 'var/host'
        out += [f'{machine}{one.name} in the register of backups' for one in register.glob('*')]
    out += [f'scratch {one.name}' for one in world.scratch.iterdir() if one.name != 'filler']
    return out


def notes(world):
    """What our programs have noted for the next ones about a backup that goes on."""
    return [machine + one.name for machine, seen_by in world.machines()
            for pattern in ('vmm/*', 'running/*.*', 'restic-run.*', 'hosts/[0-9]*')
            for one in Path(f'/proc/{seen_by}/root').joinpath(*world.dir.parts[1:], 'var').glob(pattern)]


class Combination:
    def __init__(self, world, point, fault, boot):
        self.world, self.point, self.fault, self.boot = world, point, fault, boot
        self.said = []
        self.restores = point.step == 'restore'

    def run(self):
        """What happened, in a line.  Throws Wrong."""
        world = self.world
        world.settle_in()
        for _ in range(3):
            job, pid = self.arrive()
            if pid:
                break
            self.said.clear()
        else:
            raise Wrong('nobody stays at this point')
        later = harm.do(world, self.point, self.fault)
        if harm.exe_of(pid):
            os.kill(pid, signal.SIGCONT)
        if later:
            later()
        self.outcome(job)
        self.alone()
        harm.undo(world)
        (world.restored / 'cut').unlink(missing_ok=True)
        world.next_backup(may_be_whole=self.fault == 'kill-qemu', boot=self.boot)
        if remains := left(world) + notes(world):
            raise Wrong(f'{self.so_far()}; even the next backup leaves: {", ".join(remains)}')
        return self.so_far()

    def arrive(self):
        """The job, and who stands at the point; or None, when he went on: a process that is asked to
        end is also continued, perhaps a moment after it has stopped there."""
        world = self.world
        file = world.dir / 'point'
        file.unlink(missing_ok=True)
        shim = {'LD_PRELOAD': str(SHIM), 'FAULT_POINT': self.point.shim, 'FAULT_FILE': str(file),
                'ASAN_OPTIONS': 'verify_asan_link_order=0'}  # the sanitizers insist on being first
        job = (world.start_restore(0, world.restored / 'cut', **shim) if self.restores
               else world.start_backup(self.point.freeze, **shim, VMVAULT_EXPORT=self.point.export))
        pid = self.arrival(job, file)
        if not pid:
            self.outcome(job)
            (world.restored / 'cut').unlink(missing_ok=True)
        return job, pid

    def so_far(self):
        return '; '.join(self.said)

    def arrival(self, job, file):
        def stands():
            if file.exists() and (text := file.read_text()).endswith('\n'):
                if b'\nState:\tT' in read_proc(int(text), 'status'):
                    return [int(text)]
                return job.ended() and [None]
            if job.ended():
                raise Wrong(f'it never came to this point: status {job.status()}, {job.why()}')
            return None
        return wait_until('somebody stands at the point', stands, 120)[0]

    def outcome(self, job):
        restores = self.restores
        status = job.status()
        if status == 0 and not restores:
            self.world.chain.append(job.out.read_text().split()[0])
        what = 'restore' if restores else 'backup'
        why = job.why()[:150] if status > 0 else 'it was killed'
        self.said.append(f'{what} good' if status == 0 else f'{what} failed ({why})')
        if self.point.must_say(self.fault) and 'guard' not in why:
            raise Wrong(f'{self.so_far()}, which does not say that the guard died')
        if status == 255:
            raise Wrong(f'{self.so_far()}: 255 is the status of ssh')

    def alone(self):
        """Well again, within a minute, by itself; of what is outside of the guest, the next backup may
        remove a part, which is said."""
        world, begun = self.world, time.monotonic()
        if self.fault in ('shutdown', 'kill-qemu'):
            wait_until('the guest is off', lambda: world.state() == 'shut off', 90)
            begun = time.monotonic()
        while (harmed := hurt(world)) or left(world):
            if time.monotonic() - begun > (PATIENCE if not harmed and waits_for_reader(world) else ALONE):
                break
            time.sleep(0.2)
        if harmed:
            raise Wrong(f'{self.so_far()}; after a minute: {", ".join(harmed + left(world))}')
        if waits_for_reader(world):
            self.said.append('the view waits for a reader; the next backup ended it')
        elif remains := left(world):
            self.said.append(f'the next backup removed {", ".join(remains)}')
        else:
            self.said.append(f'clean by itself in {harm.seconds_since(begun)} s')


class Checks:
    """What a world needs to prove that its guest and its chain are well; a mixin."""

    def settle_in(self):
        """The guest runs, and there is a chain that is neither long nor large."""
        harm.undo(self)
        if self.state() == 'shut off':
            self.start_guest()
        used = shutil.disk_usage(self.target)
        if not self.chain or len(self.chain) > 12 or used.used > used.total * 0.6:
            self.new_chain()
            self.next_backup(may_be_whole=True)
        self.writes(30)

    def next_backup(self, may_be_whole, boot=False):
        """The next one of the chain works, and restores to what the disks hold; what they hold is whole
        and up to date."""
        if self.state() == 'shut off':
            self.start_guest()
        self.writes(5)
        self.virsh('suspend', DOMAIN)  # its disks are the reference
        try:
            acknowledged = self.acknowledged()
            job = self.start_backup('NONE', **self.patience)
            if job.status() != 0:
                raise Wrong(f'the next backup failed: {job.why()}')
            self.chain.append(job.out.read_text().split()[0])
            result = self.result()
            if '"whole"' in result and not may_be_whole:
                raise Wrong(f'the next backup is whole, the track of changes was lost: {result}')
            copies = [self.restored / f'disk.{n}' for n in range(len(self.disks))]
            for n, copy in enumerate(copies):
                restore = self.start_restore(n, copy)
                if restore.status() != 0:
                    raise Wrong(f'the chain cannot be restored: {restore.why()}')
                self.run('qemu-img', 'compare', '-U', '-q', *self.readable(n), copy)
        finally:
            self.virsh('resume', DOMAIN, check=False)
        self.check_chain()
        newest = self.shell(f'guest_newest {copies[0]} {copies[1]}')
        if int(newest) < acknowledged:
            raise Wrong(f'record {acknowledged} was acknowledged, the disks end at {newest.strip()}')
        if boot:
            self.shell(f'guest_verify {copies[0]} {copies[1]}')
