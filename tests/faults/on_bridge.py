# SPDX-License-Identifier: Apache-2.0
"""The same world, with all disks of its guest in Ceph, and a bridge that reads them and uploads.

The bridge is a host with a view of its own of the file system: its own directories of VMs and states, and
no libvirt."""

import json
import os
import signal
import subprocess
from pathlib import Path

from in_ceph import InCeph
from proc import fill_up, pids
from world import FIXTURES, PASSWORD

START = '''
mount -t tmpfs -o size=256m vmvault-faults "$3"
mount -t tmpfs -o size=64m vmvault-faults "$4"
mount -t tmpfs none "$5"
exec "$1" start "$2" "${@:6}"
'''
SSH = '''#!/bin/bash
for ((n = 1; n < $#; n++)); do [ "${!n}" != -- ] || break; done
n=$((n + 1))
[ "${!n}" = bridge-1 ] || exec 'sshd/bin/ssh' "$@"
exec 'far/bin/ssh' "$@"
'''


def space_of(pid):
    try:
        return os.readlink(f'/proc/{pid}/ns/mnt')
    except OSError:  # it has ended
        return None


class OnBridge(InCeph):
    """A mixin, before World."""

    images = {0: 'one/one-6', 1: 'one/one-7'}
    more_config = '<LAST_BRIDGE>bridge-1</LAST_BRIDGE>'
    far_sshd, far_space = None, None

    def make_disks(self):
        disks = super().make_disks()
        far, place = self.dir / 'far', self.dir / 'bin'
        for one in (place, self.dir / 'var'):
            one.mkdir()
        self.run('unshare', '-m', '--propagation', 'private', 'bash', '-euc', START, '_', FIXTURES / 'sshd', far,
                 self.vm_dir.parent, self.dir / 'var', self.dir / 'virt', *self.accepted, '--owner', os.getpid())
        self.accept(far)
        self.far_sshd = int((far / 'pid').read_text())
        self.far_space = space_of(self.far_sshd)
        # By the host that is behind --.
        (place / 'ssh').write_text(SSH.replace("'sshd", f"'{self.dir}/sshd").replace("'far", f"'{far}"))
        (place / 'ssh').chmod(0o755)
        self.env['PATH'] = f'{place}:{self.env["PATH"]}'
        return disks

    def machines(self):
        return [*super().machines(), ('on the bridge: ', self.far_sshd)]

    def is_far(self, pid):
        return self.far_space is not None and space_of(pid) == self.far_space

    def far_places(self):
        root = Path(f'/proc/{self.far_sshd}/root')
        return [root / one.relative_to('/') for one in (self.vm_dir.parent, self.dir / 'var')]

    def fill_bridge(self):
        for place in self.far_places():
            fill_up(place)

    def result(self):
        """The bridge keeps nothing; it is in the backup, too."""
        found = json.loads(self.restic('snapshots', '--json', 'latest'))[0]
        return self.restic('dump', found['id'], f'{self.vm_dir}/backup/vmvault.json')

    def restic(self, *words):
        env = self.env | {'RESTIC_PASSWORD': PASSWORD, 'RESTIC_REPOSITORY': str(self.repository())}
        return subprocess.run(['restic', '--no-lock', *words], env=env, stdin=subprocess.DEVNULL, timeout=300,
                              stdout=subprocess.PIPE, check=True).stdout.decode()

    def repository(self):
        return next((self.target / 'repository').glob('**/config')).parent

    def destroy(self):
        for pid in filter(self.is_far, pids()):  # what keeps it, and its mounts
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        super().destroy()
