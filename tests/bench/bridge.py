# SPDX-License-Identifier: Apache-2.0
"""How long a guest stands still whose disks are in Ceph: captured on its host, and over a bridge."""

import json
import os
import statistics
import tempfile
from pathlib import Path

from common import BUILD, FIXTURES, GUEST, figure, run, shell

IMAGES = ['one/one-7', 'one/one-8']
TIMES = 5


class Guest:
    """It writes all the time.  Its host and the bridge are this machine, which is reached by ssh."""

    def __init__(self, work):
        self.work = work
        self.dir = work / 'vms/12'
        self.dir.mkdir(parents=True)
        said = run(FIXTURES / 'ceph', 'start', work / 'ceph', '--owner', os.getpid(), '--pool', 'one')
        os.environ['CEPH_CONF'] = dict(line.split('=', 1) for line in said.split())['CEPH_CONF']
        run(FIXTURES / 'sshd', 'start', work / 'sshd', '--owner', os.getpid())
        os.environ['PATH'] = f'{work}/sshd/bin:{os.environ["PATH"]}'
        os.environ['VMVAULT_REMOTE_DIR'] = str(BUILD)
        for name, image in zip(('root', 'second'), IMAGES):
            run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', GUEST / f'{name}.qcow2',
                f'rbd:{image}:conf={os.environ["CEPH_CONF"]}')
        shell(f'guest_define --rate 50 bridged {work}/console {" ".join(f"rbd:{one}" for one in IMAGES)}; guest_start bridged')

    def end(self):
        shell('guest_remove bridged')
        for fixture in ('sshd', 'ceph'):
            run(FIXTURES / fixture, 'stop', self.work / fixture)

    def step(self, name, parent, bridge):
        disks = ''.join(f'<DISK><DISK_ID>{n}</DISK_ID><TARGET>vd{"ab"[n]}</TARGET><TYPE>RBD</TYPE><SOURCE>{image}</SOURCE>'
                        f'<CEPH_CONF>{os.environ["CEPH_CONF"]}</CEPH_CONF></DISK>' for n, image in enumerate(IMAGES))
        document = (f'<VM><ID>12</ID><LCM_STATE>69</LCM_STATE><DEPLOY_ID>bridged</DEPLOY_ID><TEMPLATE>{disks}</TEMPLATE>'
                    '<BACKUPS><BACKUP_CONFIG><MODE>INCREMENT</MODE><FS_FREEZE>AGENT</FS_FREEZE>'
                    f'<LAST_INCREMENT_ID>{parent}</LAST_INCREMENT_ID>{bridge and f"<LAST_BRIDGE>{bridge}</LAST_BRIDGE>"}'
                    '</BACKUP_CONFIG></BACKUPS></VM>')
        run(BUILD / 'tm/ceph' / name, f'kvm-1:{self.dir}', '0:1', 'bridged', '-', '12', '0', input=document.encode())

    def stands_still(self, parent, bridge):
        """Seconds."""
        self.step('prebackup_live', parent, bridge)
        freeze = json.loads((self.dir / 'backup/vmvault.json').read_text())['freeze']
        assert freeze['consistent'] and (self.dir / 'bridge').exists() == bool(bridge)
        self.step('postbackup_live', parent, bridge)
        return freeze['seconds']


def measure():
    with tempfile.TemporaryDirectory(prefix='vmvault-bench.') as work:
        guest = Guest(Path(work))
        try:
            for what, parents in [('a full', [-1] * TIMES), ('an increment', range(TIMES))]:
                took = {bridge: [] for bridge in ('', 'bridge-1')}
                for parent in parents:
                    # Of the second one the snapshots are the next one's parents.
                    for bridge, each in took.items():
                        each.append(guest.stands_still(parent, bridge))
                figure(f'{what} of two disks in Ceph over a bridge: the guest is frozen, median of {TIMES}',
                       statistics.median(took['bridge-1']), 's', 'captured on its host', statistics.median(took['']))
                figure('the same, at most', max(took['bridge-1']), 's', 'captured on its host', max(took['']))
        finally:
            guest.end()
