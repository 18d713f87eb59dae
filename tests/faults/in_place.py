# SPDX-License-Identifier: Apache-2.0
"""A backup takes the place of the disks of a machine that is off."""

import subprocess

from restic_store import Restic
from sandbox import BUILD, Wrong
from scenarios import Scenario

NOT_BACK = 'the disks of the VM are not back in their places yet'


class Off(Restic):
    """Its two disks have a layer each, and hold what no backup does."""

    disks = (0, 2)

    def furnish(self):
        self.machine = self.live / 'machine/12'
        core = self.live / 'core'
        for place in core / 'vms', core / 'images', self.machine:
            place.mkdir(parents=True)
        disks = ''.join(f'<DISK><DISK_ID>{one}</DISK_ID><TYPE>FILE</TYPE><DRIVER>qcow2</DRIVER><SAVE>NO</SAVE>'
                        f'<SIZE>1</SIZE></DISK>' for one in self.disks)
        (core / 'vms/12.xml').write_text(f'<VM><ID>12</ID><NAME>a</NAME><TEMPLATE>{disks}</TEMPLATE></VM>')
        (core / 'images/57.xml').write_text(
            self.image().replace('<VMS>', '<DATASTORE_ID>100</DATASTORE_ID><VMS>', 1))
        for one in self.disks:
            layers = self.machine / f'disk.{one}.snap'
            layers.mkdir()
            subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', layers / '0', '384K'], check=True)
            subprocess.run(['qemu-io', '-f', 'qcow2', '-c', 'write -P 77 0 384K', layers / '0'], check=True,
                           stdout=subprocess.DEVNULL)
            (layers / layers.name).symlink_to('.')
            subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', f'{layers.name}/0',
                            layers / '1'], check=True)
            (self.machine / f'disk.{one}').symlink_to(f'{layers.name}/1')
        self.old = [self.content(one) for one in self.disks]
        self.new = [self.expected(one, 2).read_bytes() for one in self.disks]

    def content(self, disk):
        raw = self.dir / 'content'
        done = subprocess.run(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', self.machine / f'disk.{disk}', raw],
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Wrong(f'disk {disk} cannot be read: {done.stderr.strip()}')
        return raw.read_bytes()

    def restore(self, env=None):
        return self.run([BUILD / 'tm/qcow2/restore', f'localhost:{self.machine}', 12, 57, -1, -1], '', env)

    def is_new(self, some_missing=False):
        """Throws Wrong if it is neither new nor old as a whole."""
        now = [self.content(one) for one in self.disks if not some_missing or (self.machine / f'disk.{one}').exists()]
        if some_missing and all(one in self.old for one in now):
            return False
        if now not in (self.old, self.new):
            raise Wrong('its disks are neither what they were nor what they should become')
        return now == self.new

    def debts(self):
        return [*super().debts(), *self.machine.rglob('*vmvault*'), *self.machine.rglob('restore.journal')]


class InPlace(Scenario):
    name, programs = 'restore-in-place', ('qcow2/restore', 'host/restore_host')

    def do(self, env=None):
        return self.world.restore(env)

    def check(self, done):
        # A file system on which no name can be changed any more: it is said, and there is no mixture.
        new = self.world.is_new(some_missing=NOT_BACK in done.err)
        if new != (done.status == 0) and done.status >= 0:
            raise Wrong('they are new, and it says that it failed' if new else 'they are old, and it is a success')

    def again(self):
        self.check(self.world.insist(self.do()))


IN_PLACE = [InPlace]
