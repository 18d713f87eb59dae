# SPDX-License-Identifier: Apache-2.0
"""What the chain of a machine with disks in Ceph may be, whatever is done to it; and what is done."""

import shutil
import time

from cluster import IMAGES, VM, Cluster
from sandbox import FAULTS, Calls, Wrong

PROGRAMS = ('ceph/prebackup', 'ceph/postbackup', 'host/backup_host begin', 'host/backup_host end')


class Stored:
    def __init__(self):
        self.machine = Cluster()
        self.chain = []   # (increment, its directory on the server), as the core has registered them
        self.points = {}  # of each: what the disks held
        self.taken = 0    # directories
        self.settled = True

    def step(self, dice):
        """Does one; what it was, in words."""
        names = ['write'] * 5 + ['backup'] * 6 + ['theirs', 'resize', 'full', 'reset', 'restore', 'lost']
        name = dice.choice(names)
        said = getattr(self, name)(dice)
        self.check(dice)
        return f'{name} {said or ""}'.rstrip()

    # --- the disks ---

    def write(self, dice):
        disk = dice.randrange(3)
        size, commands = self.machine.size(disk), []
        for _ in range(dice.randint(1, 4)):
            length = min(dice.choice((512, 4096, 65536, 200 * 1024, 3 << 20)), size)
            at = dice.randrange(0, size - length + 1, 512)
            kind = dice.random()
            commands.append(f'write -P {dice.randint(1, 255)} {at} {length}' if kind < 0.6 else
                            f'write -P 0 {at} {length}' if kind < 0.75 else
                            f'write -z {at} {length}' if kind < 0.85 else f'discard {at} {length}')
        self.machine.write(self.machine.name(disk), commands)
        return f'disk {disk}: {"; ".join(commands)}'

    def resize(self, dice):
        disk, size = dice.randrange(2), dice.randint(1, 16)
        if size << 20 == self.machine.size(disk):
            return 'nothing'
        self.machine.rbd('resize', '--no-progress', '--allow-shrink', '--size', f'{size}M', IMAGES[disk])
        return f'disk {disk} to {size} MiB'

    # --- backups ---

    def last(self):
        return self.chain[-1][0] if self.chain else -1

    def reset(self, _=None):
        self.chain, self.points = [], {}

    def trouble(self, dice):
        """(environment, words, what ends it)"""
        kind = dice.random()
        if kind < 0.4:
            return {}, '', lambda: None
        if kind < 0.6:
            n = dice.randint(1, 24)
            return self.machine.killer(n), f'whose call {n} of rbd or qemu-nbd kills', lambda: None
        if kind < 0.75:
            after, long = dice.uniform(0, 2), dice.uniform(1, 9)
            env, end = self.machine.osd_stops(after, long)
            return env, f'while the OSD stands still after {after:.1f} s for {long:.1f} s', end
        program, fault, n = dice.choice(PROGRAMS), dice.choice(FAULTS), int(1.5 ** dice.uniform(0, 14))
        return Calls(self.machine, program, (fault, n)).env, f'with {fault} at call {n} of {program}', lambda: None

    def attempt(self, dice, mode):
        """The uploaded directory, or None, and words."""
        if len(self.chain) > 5:
            self.reset()
        env, what, end = self.trouble(dice)
        machine, own, last = self.machine, None, self.last()
        try:
            before = machine.step('prebackup', last, mode, env)
            if before.status == 0:
                own = self.upload()
            elif not what:
                raise Wrong(f'it failed without a cause: {before.err}')
            after = machine.step('postbackup', last, mode, env)
        finally:
            end()
        if what and (after.status != 0 or after.err):  # a view that nobody ends waits for its lease, and that is long
            machine.insist(machine.step('postbackup', last, mode))
        if not what and (own is None or after.status != 0):
            raise Wrong(f'it failed without a cause: {before.err} {after.err}')
        self.settled = not what
        self.settle()
        return own, f'{what} -> {before.status} {"stored" if own else before.err.strip().splitlines()[-1:]}'

    def upload(self):
        """As an uploader does that reads all, or fails."""
        self.taken += 1
        name = f'aa{self.taken:04x}'
        try:
            shutil.copytree(self.machine.vm_dir / 'backup', self.machine.base / str(VM) / name,
                            ignore=lambda _, names: [one for one in names if not one.startswith(('disk.', 'vm.xml'))])
        except (OSError, shutil.Error):
            shutil.rmtree(self.machine.base / str(VM) / name, ignore_errors=True)
            return None
        return name

    def settle(self):
        """Whatever has died: somebody looks after it, and is not in the way."""
        self.machine.alone()
        end = time.monotonic() + 90
        while self.machine.recover().status != 0 or self.machine.left():
            if time.monotonic() > end:
                raise Wrong(f'left behind: {" ".join(self.machine.left())}')
            time.sleep(0.2)

    def backup(self, dice):
        now = self.machine.contents()
        parents = [f'one_backup_{self.last()}' in self.machine.snapshots(n) for n in range(2)]
        own, said = self.attempt(dice, 'INCREMENT')
        # An upload that nobody registers: the next one goes on from the same parent.
        if own and dice.random() < 0.85:
            self.chain.append((self.last() + 1, own))
            self.points[self.chain[-1]] = now
        elif self.chain and said:
            for n in range(2):
                if parents[n] and f'one_backup_{self.last()}' not in self.machine.snapshots(n):
                    raise Wrong(f'disk {n}: the snapshot of the last registered increment is gone')
        return said

    def full(self, dice):
        now = self.machine.contents()
        self.reset()
        own, said = self.attempt(dice, 'FULL')
        if own and self.machine.restored([(0, own)]) != now:
            raise Wrong('the full backup holds something else')
        if self.settled and any('one_backup' in one for n in range(2) for one in self.machine.snapshots(n)):
            raise Wrong(f'it leaves {self.machine.snapshots(0)}, {self.machine.snapshots(1)}')
        return said

    def theirs(self, _):
        """A full as OpenNebula's own driver makes it; ours has the file, and goes on."""
        machine = self.machine
        self.reset()
        own, _ = self.attempt(_NoTrouble(), 'INCREMENT')
        for n, image in enumerate(IMAGES):
            for one in machine.snapshots(n):
                machine.run(['rbd', 'snap', 'unprotect', f'{image}@{one}'])
                machine.rbd('snap', 'rm', '--no-progress', f'{image}@{one}')
            machine.rbd('snap', 'create', '--no-progress', f'{image}@one_backup_0')
            machine.rbd('snap', 'protect', f'{image}@one_backup_0')
            machine.insist(machine.run(['qemu-img', 'convert', '-O', 'qcow2', f'rbd:{image}@one_backup_0:conf={machine.conf}',
                                        machine.base / str(VM) / own / f'disk.{n}.0']))
        self.chain.append((0, own))
        self.points[self.chain[-1]] = machine.contents()

    def lost(self, dice):
        """Somebody removes the snapshots of a disk: what comes next is whole."""
        disk = dice.randrange(2)
        for one in self.machine.snapshots(disk):
            self.machine.run(['rbd', 'snap', 'unprotect', f'{IMAGES[disk]}@{one}'])
            self.machine.rbd('snap', 'rm', '--no-progress', f'{IMAGES[disk]}@{one}')
        return f'of disk {disk}'

    def restore(self, dice):
        if not self.chain:
            return 'nothing'
        machine, before = self.machine, self.machine.contents()
        end = time.monotonic() + 60
        while not all(machine.is_free(n) for n in range(2)):  # who was killed is remembered for half a minute
            if time.monotonic() > end:
                raise Wrong('somebody still has an image')
            time.sleep(0.5)
        upto = dice.randint(1, len(self.chain))
        n = dice.randint(1, 60)
        env = machine.killer(n) if dice.random() < 0.5 else {}
        done = machine.restore(self.chain, self.chain[upto - 1][0], env)
        self.settle()
        now, wanted = machine.contents(), self.points[self.chain[upto - 1]]
        if now != wanted and (done.status == 0 or now != before):
            raise Wrong(f'restored to {now}: it should be {wanted}, or as it was, {before}')
        if done.status != 0 and not env:
            raise Wrong(f'it failed without a cause: {done.err}')
        return f'{upto - 1} {"whose call " + str(n) + " kills " if env else ""}-> {done.status}'

    # --- what must hold ---

    def check(self, dice):
        if self.settled and (left := self.machine.left()):
            raise Wrong(f'left behind: {" ".join(left)}')
        if self.chain:
            self.restores(dice.randint(1, len(self.chain)))

    def restores(self, upto):
        got, wanted = self.machine.restored(self.chain[:upto]), self.points[self.chain[upto - 1]]
        if got != wanted:
            raise Wrong(f'increment {upto - 1} of {self.chain} is restored to {got}, and was {wanted}')

    def end(self):
        self.backup(_NoTrouble())
        for upto in range(1, len(self.chain) + 1):
            self.restores(upto)
        for n in range(2):
            if len([one for one in self.machine.snapshots(n) if one.startswith('one_backup')]) > 2:
                raise Wrong(f'disk {n} has the snapshots {self.machine.snapshots(n)}')


class _NoTrouble:
    @staticmethod
    def random():
        return 0
