# SPDX-License-Identifier: Apache-2.0
"""The same world, with disks of its guest in a Ceph of its own."""

import json
import os
import signal
import subprocess

from proc import Wrong
from world import FIXTURES

# Less than the OSD stands still for, so that some calls are late.
SETTINGS = {'VMVAULT_CEPH_DEADLINE': '5', 'VMVAULT_READ_DEADLINE': '8'}


class InCeph:
    """A mixin, before World."""

    images = {1: 'one/one-7'}
    # Who has an image open needs some seconds until he is back after its OSD.
    patience = dict.fromkeys(SETTINGS, '60')

    def make_disks(self):
        said = self.run(FIXTURES / 'ceph', 'start', self.dir / 'ceph', '--owner', os.getpid(), '--pool', 'one', '--client',
                        'libvirt', 'profile rbd', 'profile rbd')
        self.env |= {'CEPH_CONF': dict(line.split('=', 1) for line in said.split())['CEPH_CONF'], **SETTINGS}
        for n, name in enumerate(('root', 'second')):
            if n not in self.images:
                self.shell(f'guest_copy {self.disks[n]} {name}')
                continue
            self.disks[n] = self.images[n]
            self.shell(f'qemu-img convert -f qcow2 -O raw "$GUEST/{name}.qcow2" {self.readable(n)[-1]}')
        return [f'rbd:{one}' if n in self.images else one for n, one in enumerate(self.disks)]

    def disk_document(self, n):
        if n not in self.images:
            return super().disk_document(n)
        return (f'<TYPE>RBD</TYPE><SOURCE>{self.images[n]}</SOURCE><CLONE>NO</CLONE><TM_MAD>ceph</TM_MAD>'
                f'<CEPH_USER>libvirt</CEPH_USER><CEPH_CONF>{self.env["CEPH_CONF"]}</CEPH_CONF>')

    def readable(self, n):
        if n not in self.images:
            return super().readable(n)
        return ['-f', 'raw', f'rbd:{self.images[n]}:conf={self.env["CEPH_CONF"]}']

    def snapshots(self, image):
        return [one['name'] for one in json.loads(self.run('rbd', 'snap', 'ls', '--format', 'json', image))]

    def check_chain(self):
        """Of the snapshots there are those of the last backup and of the one before."""
        last = len(self.chain) - 1
        good = [f'one_backup_{n}' for n in (last - 1, last) if n >= 0]
        for image in self.images.values():
            if (found := self.snapshots(image)) != good:
                raise Wrong(f'{image} has the snapshots {found}, and should have {good}')

    def osd(self, number):
        self.run(FIXTURES / 'ceph', 'osd', self.dir / 'ceph', signal.Signals(number).name[3:])

    def evidence(self):
        ops = ['ceph', '--admin-daemon', self.dir / 'ceph/run/osd.asok', 'ops']
        asked = [['rbd', *words, image] for words in (['status'], ['lock', 'ls']) for image in self.images.values()]
        asked += [['ceph', 'osd', 'blocklist', 'ls'], ops]
        return '\n'.join(self.run('timeout', 10, *words, check=False) for words in asked)

    def destroy(self):
        subprocess.run([FIXTURES / 'ceph', 'stop', self.dir / 'ceph'], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        super().destroy()
