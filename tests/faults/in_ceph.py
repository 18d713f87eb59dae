# SPDX-License-Identifier: Apache-2.0
"""The same world, with the second disk of its guest in a Ceph of its own."""

import json
import os
import signal
import subprocess

from world import FIXTURES, Wrong

IMAGE = 'one/one-7'
# Less than the OSD stands still for, so that some calls are late.
SETTINGS = {'VMVAULT_CEPH_DEADLINE': '5', 'VMVAULT_READ_DEADLINE': '8'}


class InCeph:
    """A mixin, before World."""

    # Who has an image open needs some seconds until he is back after its OSD.
    patience = dict.fromkeys(SETTINGS, '60')

    def make_disks(self):
        said = self.run(FIXTURES / 'ceph', 'start', self.dir / 'ceph', '--owner', os.getpid(), '--pool', 'one', '--client',
                        'libvirt', 'profile rbd', 'profile rbd')
        self.env |= {'CEPH_CONF': dict(line.split('=', 1) for line in said.split())['CEPH_CONF'], **SETTINGS}
        self.disks[1] = IMAGE
        self.shell(f'guest_copy {self.disks[0]} root; '
                   f'qemu-img convert -f qcow2 -O raw "$GUEST/second.qcow2" {self.readable(1)[-1]}')
        return [self.disks[0], f'rbd:{IMAGE}']

    def disk_document(self, n):
        if n == 0:
            return super().disk_document(n)
        return (f'<TYPE>RBD</TYPE><SOURCE>{IMAGE}</SOURCE><CLONE>NO</CLONE><TM_MAD>ceph</TM_MAD>'
                f'<CEPH_USER>libvirt</CEPH_USER><CEPH_CONF>{self.env["CEPH_CONF"]}</CEPH_CONF>')

    def readable(self, n):
        return super().readable(n) if n == 0 else ['-f', 'raw', f'rbd:{IMAGE}:conf={self.env["CEPH_CONF"]}']

    def snapshots(self):
        return [one['name'] for one in json.loads(self.run('rbd', 'snap', 'ls', '--format', 'json', IMAGE))]

    def check_chain(self):
        """Of the snapshots there are those of the last backup and of the one before."""
        last = len(self.chain) - 1
        good = [f'one_backup_{n}' for n in (last - 1, last) if n >= 0]
        if self.snapshots() != good:
            raise Wrong(f'the disk in Ceph has the snapshots {self.snapshots()}, and should have {good}')

    def osd(self, number):
        self.run(FIXTURES / 'ceph', 'osd', self.dir / 'ceph', signal.Signals(number).name[3:])

    def evidence(self):
        ops = ['ceph', '--admin-daemon', self.dir / 'ceph/run/osd.asok', 'ops']
        asked = [['rbd', 'status', IMAGE], ['rbd', 'lock', 'ls', IMAGE], ['ceph', 'osd', 'blocklist', 'ls'], ops]
        return '\n'.join(self.run('timeout', 10, *words, check=False) for words in asked)

    def destroy(self):
        subprocess.run([FIXTURES / 'ceph', 'stop', self.dir / 'ceph'], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        super().destroy()
