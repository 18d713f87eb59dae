# SPDX-License-Identifier: Apache-2.0
"""What a machine, its chain and their store may be, whatever is done to them; and what is done."""

import random
import signal
import subprocess
import time

from machine import AILS, Machine
from sandbox import BUILD, FAULTS, Calls, Wrong

MIB, DAY = 1 << 20, 86400
PROGRAMS = {
    'backup': ('cli/vmvault', 'kvm/backup', 'qcow2/prebackup', 'qcow2/postbackup', 'qcow2/prebackup_live',
               'qcow2/postbackup_live', 'host/backup_host begin', 'host/backup_host end', 'restic/backup', 'host/run'),
    'flatten': ('cli/vmvault', 'restic/increment_flatten', 'host/run'),
    'delete': ('cli/vmvault', 'restic/rm', 'host/run'),
    'restore': ('cli/vmvault', 'restic/downloader', 'host/run'),
}


class Chain:
    NAMES = ['write'] * 5 + ['backup'] * 5 + ['full', 'refused', 'flatten', 'flatten', 'delete', 'restore', 'attach', 'detach', 'grow',
                                              'redefine', 'flip', 'verify', 'cancel', 'recover', 'power', 'power', 'crash',
                                              'clock']

    def __init__(self, seed):
        self.machine = self.build(seed)
        self.points = {}     # (image, increment): {target: content}
        self.pending = []    # contents of backups that failed: they may turn out to be stored
        self.dying = set()   # images whose removal has begun
        self.settled = True  # is nothing owed by the one before?

    @staticmethod
    def build(seed):
        machine = Machine()
        machine.attach('qcow2', 8 * MIB)
        machine.attach('raw' if seed % 3 == 0 else 'qcow2', 3 * MIB)
        return machine

    # --- steps: each has a random number generator of its own, so that others can be left out ---

    def step(self, dice):
        """Does one; what it was, in words."""
        name = dice.choice(self.NAMES)
        self.begun = time.monotonic()
        said = getattr(self, name)(dice)
        self.check(dice)
        return f'{name} {said or ""}'.rstrip()

    def trouble(self, dice, command):
        """(environment, words): nothing, a store that ails, or a call that fails."""
        kind = dice.random()
        if kind < 0.4:
            return {}, ''
        if kind < 0.6:
            how = dice.choice(AILS)
            self.machine.ails(how)
            return {}, f'while the store {how}'
        program, fault = dice.choice(PROGRAMS[command]), dice.choice(FAULTS)
        n = int(1.5 ** dice.uniform(0, 13))
        self.calls = Calls(self.machine, program, (fault, n))
        return self.calls.env, f'with {fault} at call {n} of {program}'

    def command(self, dice, name, *words):
        """(Done, words).  Whatever comes of it, it ends well or with one line of why."""
        env, what = self.trouble(dice, name)
        done = self.machine.vmvault(name, *words, env=env)
        self.machine.ails(None)
        self.machine.alone()
        if what:
            self.settled = False
        elif name == 'backup':
            self.settled = True
        if done.status not in (0, 1) and not (done.status == -signal.SIGKILL and 'cli/vmvault' in what):
            raise Wrong(f'{name} {what}: status {done.status}: {done.err}')
        if done.status != 0 and not what:
            raise Wrong(f'{name} failed without a cause: {done.err}')
        return done, f'{what} -> {done.status} {done.err.strip().splitlines()[-1] if done.status and done.err else ""}'

    def write(self, dice):
        disk = dice.choice(self.machine.disks)
        size, commands = self.machine.size(disk), []
        for _ in range(dice.randint(1, 4)):
            length = min(dice.choice((512, 4096, 65536, 200 * 1024)), size)
            at = dice.randrange(0, size - length + 1, 512)
            kind = dice.random()
            commands.append(f'write -P {dice.randint(1, 255)} {at} {length}' if kind < 0.7 else
                            f'write -z {at} {length}' if kind < 0.85 else f'discard {at} {length}')
        self.machine.write(disk, commands)
        return f'{disk.target}: {"; ".join(commands)}'

    def backup(self, dice, *words):
        now = self.machine.contents()
        done, said = self.command(dice, 'backup', 'model', *words)
        self.stored(done, now)
        return said

    def full(self, dice):
        return self.backup(dice, '--full')

    def refused(self, dice):
        """A new chain that its store does not take: the one that there is goes on."""
        now = self.machine.contents()
        self.machine.ails('refuses')
        done = self.machine.vmvault('backup', 'model', '--full')
        self.machine.ails(None)
        self.machine.alone()
        if done.status != 1:
            raise Wrong(f'the store refuses it, and it ends with {done.status}: {done.err}')
        self.settled = False
        self.stored(done, now)
        return f'{self.write(dice)}, and then {self.backup(dice)}'

    def stored(self, done, now):
        """After a backup of disks that hold this."""
        if done.status != 0:
            self.pending.append(now)  # it may be stored, and settled by a later one
            self.learn()
            return
        image, increment = (int(word.strip(',:')) for word in done.out.decode().split()[1:4:2])
        if (image, increment) not in self.listed_points():
            raise Wrong(f'it said {done.out!r}, which is not listed')
        self.points[image, increment] = now
        self.learn()
        self.pending = []

    def learn(self):
        """Takes up what is listed now and came of a backup that failed."""
        for image, increment in self.unknown():
            disks = self.machine.listed()[image][1][increment]
            done, got = self.machine.restored(image, increment, disks)
            if done.status != 0 or not any(self.same(one, got) for one in self.pending):
                raise Wrong(f'{image}, {increment} is there, and nobody made it: {got} {done.err}')
            self.points[image, increment] = got

    def unknown(self):
        return sorted(one for one in self.listed_points() - set(self.points) if one[0] not in self.dying)

    def cancel(self, dice):
        now, machine = self.machine.contents(), self.machine
        process = subprocess.Popen([str(BUILD / 'drivers/cli/vmvault'), 'backup', 'model'], env=machine.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        after = dice.uniform(0, 2)
        time.sleep(after)
        if kill := dice.random() < 0.3:
            process.kill()
        else:
            process.terminate()
        out, err = process.communicate()
        machine.alone()
        if process.returncode not in (0, 143) and not kill:
            raise Wrong(f'cancelled: status {process.returncode}: {err.decode()}')
        done = type('Done', (), {'status': process.returncode, 'out': out})
        self.stored(done, now)
        self.settled = not kill
        return f'{"killed" if kill else "stopped"} after {after:.2f} s -> {process.returncode}'

    def flatten(self, dice):
        ready = [image for image in self.images() if image not in self.dying]
        if not ready:
            return 'nothing'
        image = dice.choice(ready)
        increments = sorted(n for one, n in self.points if one == image)
        keep = dice.randint(1, len(increments))
        done, said = self.command(dice, 'flatten', image, '--keep', keep)
        self.may_go(done, [(image, n) for n in increments[:-keep]])
        return f'{image} to {keep} {said}'

    def delete(self, dice):
        if not self.images() or (len(self.points) < 4 and not self.dying):
            return 'nothing'
        image = dice.choice(sorted(self.dying) or self.images())
        done, said = self.command(dice, 'delete', image)
        self.dying.add(image)
        self.may_go(done, [point for point in self.points if point[0] == image])
        if done.status == 0:
            self.dying.discard(image)
        return f'{image} {said}'

    def may_go(self, done, points):
        listed = self.listed_points()
        for point in points:
            if point in listed and done.status == 0:
                raise Wrong(f'{point} is still listed')
            if point not in listed:
                self.points.pop(point, None)

    def restore(self, dice):
        if not self.sound():
            return 'nothing'
        image, increment = dice.choice(self.sound())
        env, what = self.trouble(dice, 'restore')
        disks = self.machine.listed()[image][1][increment]
        done, got = self.machine.restored(image, increment, disks, env)
        self.machine.ails(None)
        if done.status == 0 and not self.same(self.points[image, increment], got):
            raise Wrong(f'{image}, {increment} {what} was restored to other bytes')
        if done.status != 0 and not what:
            raise Wrong(f'it failed without a cause: {done.err}')
        self.machine.alone()
        to = self.machine.live / 'to'
        if to.exists():  # killed, so that nobody could tidy up
            subprocess.run(['rm', '-r', to], check=True)
        return f'{image}, {increment} {what} -> {done.status}'

    def power(self, _):
        if self.machine.is_on:
            self.machine.power_off()
            return 'off'
        self.machine.power_on()
        return 'on'

    def crash(self, _):
        if not self.machine.is_on:
            return 'nothing'
        self.machine.crash()
        return ''

    def clock(self, dice):
        """From now on it goes wrong by so much."""
        off = dice.choice((0, 0, 3600, -3600, 400 * DAY, -400 * DAY))
        self.machine.clock(off)
        return f'{off} s'

    def attach(self, dice):
        if len(self.machine.disks) > 2 or self.machine.is_on:  # a stopped processor takes no new device
            return 'nothing'
        self.machine.attach(dice.choice(('qcow2', 'qcow2', 'raw')), dice.choice((1, 3, 8)) * MIB)
        return self.machine.disks[-1].target

    def detach(self, dice):
        if len(self.machine.disks) < 2 or self.machine.is_on:
            return 'nothing'
        disk = dice.choice(self.machine.disks)
        self.machine.detach(disk)
        return disk.target

    def grow(self, dice):
        disk = dice.choice(self.machine.disks)
        size = self.machine.size(disk) + dice.choice((512, 65536, MIB))
        if size > 16 * MIB:
            return 'nothing'
        self.machine.grow(disk, size)
        return f'{disk.target} to {size}'

    def redefine(self, _):
        if self.machine.is_on:
            return 'nothing'
        self.machine.forget()
        self.machine.define()
        return ''

    def recover(self, _):
        self.machine.insist(self.machine.vmvault('recover'))
        self.settled = True

    def flip(self, dice):
        """A bit in a pack: no disk is ever restored to other bytes, and verify sees it, or it does not matter."""
        packs = sorted(one for one in (self.machine.repository / 'data').glob('*/*'))
        if not packs or not self.sound():
            return 'nothing'
        pack = dice.choice(packs)
        bytes_, at = bytearray(pack.read_bytes()), 0
        at = dice.randrange(len(bytes_))
        good = bytes(bytes_)
        bytes_[at] ^= 1 << dice.randrange(8)
        pack.chmod(0o600)
        pack.write_bytes(bytes_)
        image, increment = dice.choice(self.sound())
        told = self.machine.vmvault('verify', image, '--read-data', '--increment', increment)
        done, got = self.machine.restored(image, increment, self.machine.listed()[image][1][increment])
        pack.write_bytes(good)
        if done.status == 0 and not self.same(self.points[image, increment], got):
            raise Wrong(f'{image}, {increment} was restored to other bytes, and called good')
        if told.status == 0 and done.status != 0:
            raise Wrong(f'{image}, {increment} was called sound, and cannot be restored: {done.err}')
        self.machine.insist(self.machine.vmvault('verify', image, '--read-data', '--increment', increment))
        return f'{pack.name[:8]} at {at}: verify {told.status}, restore {done.status}'

    def verify(self, dice):
        if not self.sound():
            return 'nothing'
        image, increment = dice.choice(self.sound())
        self.machine.insist(self.machine.vmvault('verify', image, '--read-data', '--increment', increment))
        return f'{image}, {increment}'

    # --- what must hold ---

    @staticmethod
    def same(known, got):
        return known == got

    def images(self):
        return sorted({image for image, _ in self.points})

    def sound(self):
        return sorted(point for point in self.points if point[0] not in self.dying)

    def listed_points(self):
        return {(image, n) for image, (_, increments) in self.machine.listed().items() for n in increments}

    def check(self, dice):
        listed = self.listed_points()
        if lost := [point for point in self.sound() if point not in listed]:
            raise Wrong(f'these are gone: {lost}')
        if made := self.unknown():
            raise Wrong(f'these are there, and nobody made them: {made}')
        if strays := [name for name, why in self.machine.strays().items() if not why]:
            raise Wrong(f'these are stored, and nobody knows: {strays}')
        if self.settled and (left := self.machine.left()):
            raise Wrong(f'left behind: {" ".join(left)}')
        if self.sound():
            self.restores(*dice.choice(self.sound()))

    def restores(self, image, increment):
        disks = self.machine.listed()[image][1][increment]
        done, got = self.machine.restored(image, increment, disks)
        if done.status != 0:
            raise Wrong(f'{image}, {increment} cannot be restored: {done.err}')
        if not self.same(self.points[image, increment], got):
            raise Wrong(f'{image}, {increment} is restored to {got}, and was {self.points[image, increment]}')

    def end(self):
        """All of it, and then nothing is left."""
        dice = random.Random(0)
        dice.random = lambda: 0
        self.backup(dice)
        for point in self.sound():
            self.restores(*point)
        self.check(dice)
        # All that backups owe has been paid: what a merge owes is left.
        if any(why != 'merge' for why in self.machine.strays().values()):
            raise Wrong(f'these are stored, and in no list: {self.machine.strays()}')
        if not self.dying:
            if set(self.machine.collected('--dry-run')) != set(self.machine.strays()):
                raise Wrong(f'gc finds {self.machine.collected("--dry-run")}, and there is {self.machine.strays()}')
            kept = {name for name, why in self.machine.collected().items() if why}
            if set(self.machine.strays()) != kept:
                raise Wrong(f'gc has kept {kept}, and there is {self.machine.strays()}')
            for point in self.sound():
                self.restores(*point)
        self.machine.insist(self.machine.vmvault('datastore', 'prune', '--all'))
        if locks := self.machine.locks():
            raise Wrong(f'locks that nobody holds: {locks}')
