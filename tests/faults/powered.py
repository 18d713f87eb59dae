# SPDX-License-Identifier: Apache-2.0
"""A machine of a private libvirt with a chain in a restic datastore, whose backup runs all of our programs.

What must be true of it is what tests/model knows.
"""

import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'model'))

from chain import MIB, Chain  # noqa: E402
from machine import Machine  # noqa: E402
from sandbox import Wrong  # noqa: E402
from scenarios import Scenario  # noqa: E402


class Known(Chain):
    """Of a machine that is given; the call that fails is given, too."""

    def __init__(self, machine):
        self.machine, self.points, self.pending, self.dying, self.settled = machine, {}, [], set(), True
        self.fault, self.done = None, None

    def trouble(self, dice, command):
        return (self.fault, f'with a fault in {self.fault["CALLS_PROGRAM"]}') if self.fault else ({}, '')

    def command(self, dice, name, *words):
        self.done, said = super().command(dice, name, *words)
        return self.done, said


class Powered(Machine):
    """Off; a full and an increment of its two disks are stored, which have changed since."""

    def build(self):
        super().build()
        self.attach('qcow2', 8 * MIB)
        self.attach('raw', 3 * MIB)
        self.chain = Known(self)
        for n in range(2):
            self.change(n)
            self.chain.backup(None)
        self.change(2)
        self.points = dict(self.chain.points)
        self.keep()

    def change(self, n):
        for disk in self.disks:
            self.write(disk, [f'write -P {n + 1} {n * 200}k 300k', f'write -z {n * 64}k 64k'])

    def renew(self):
        if self.is_on:
            self.power_off()
        self.end_all()  # of a trial that failed
        self.unmount()
        super().renew()
        self.chain = Known(self)
        self.chain.points = dict(self.points)

    def at_rest(self):
        self.alone()
        self.chain.check(random.Random(0))


class Command(Scenario):
    """Of vmvault, in the state in which Powered is."""

    def do(self, env=None):
        chain = self.world.chain
        chain.fault = env
        self.change(chain)
        chain.fault = None
        return chain.done

    def change(self, chain):
        raise NotImplementedError

    def again(self):
        """A backup settles whatever is owed, and then all that is listed is right."""
        chain = self.world.chain
        chain.backup(None)
        for point in chain.sound():
            chain.restores(*point)


class Backup(Command):
    name = 'vmvault-backup'
    programs = ('cli/vmvault', 'kvm/backup', 'qcow2/prebackup', 'qcow2/postbackup', 'host/backup_host begin',
                'host/backup_host end')

    def change(self, chain):
        chain.backup(None)


class BackupLive(Backup):
    """Of a machine that is on."""

    name = 'vmvault-backup-live'
    programs = ('qcow2/prebackup_live', 'qcow2/postbackup_live', 'host/backup_host begin', 'host/backup_host end')

    def change(self, chain):
        if not self.world.is_on:
            self.world.power_on()
        super().change(chain)


class Delete(Command):
    name, programs = 'vmvault-delete', ('cli/vmvault',)

    def change(self, chain):
        chain.settled = False
        image = chain.images()[0]
        chain.command(None, 'delete', image)
        chain.dying.add(image)
        chain.may_go(chain.done, list(chain.points))
        if chain.done.status == 0:
            chain.dying.discard(image)

    def again(self):
        chain = self.world.chain
        if chain.dying & set(chain.images()):  # it was killed before the record was gone
            self.change(chain)
            self.world.insist(chain.done)
        super().again()


class Restore(Command):
    """To files; nothing of one that failed is there."""

    name, programs = 'vmvault-restore', ('cli/vmvault', 'restic/downloader')

    def change(self, chain):
        image, increment = chain.sound()[-1]
        disks = self.world.listed()[image][1][increment]
        chain.done, got = self.world.restored(image, increment, disks, chain.fault)
        if chain.done.status == 0 and not chain.same(chain.points[image, increment], got):
            raise Wrong('it was restored to other bytes')
        if chain.done.status < 0:
            self.world.alone()
            shutil.rmtree(self.world.live / 'to', ignore_errors=True)  # nobody could tidy up

    def again(self):
        self.change(self.world.chain)
        self.world.insist(self.world.chain.done)


MACHINE = [Backup, BackupLive, Delete, Restore]
