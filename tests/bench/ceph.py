# SPDX-License-Identifier: Apache-2.0
"""What a backup of a disk in Ceph reads and how long it takes, beside Ceph's and qemu's own programs."""

import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

from common import BUILD, FIXTURES, GUEST, MIB, disk_usage, figure, run, seconds

GIB = 1 << 30
IMAGE = 'one/bench'
INCREMENTS = 6


class Disk:
    """An image of 4 GiB in a cluster of its own: one of noise, half a one of text, the rest holes."""

    def __init__(self, work):
        self.work = work
        self.dir = work / 'vm'
        self.dir.mkdir()
        said = run(FIXTURES / 'ceph', 'start', work / 'ceph', '--owner', os.getpid(), '--disk', 12, '--pool', 'one')
        os.environ['CEPH_CONF'] = dict(line.split('=', 1) for line in said.split())['CEPH_CONF']
        raw = work / 'data.raw'
        run(GUEST / 'guest_workload', 'fill', raw, 1024, 3)
        line = b''.join(b'%08d the quick brown fox jumps over the lazy dog\n' % n for n in range(20000))
        with open(raw, 'r+b') as out:
            out.seek(2 * GIB)
            for n in range(512):
                out.write((b'%d' % n * 8 + line)[:MIB])
            out.truncate(4 * GIB)
        run('rbd', 'import', '--no-progress', raw, IMAGE)
        raw.unlink()

    def name(self, snapshot=''):
        return f'rbd:{IMAGE}{snapshot and "@" + snapshot}:conf={os.environ["CEPH_CONF"]}'

    def scatter(self, piece, seed):
        """1 % rewritten, in pieces of that size."""
        chosen = random.Random(seed).sample(range(4 * GIB // piece), 4 * GIB // piece // 100)
        lines = ''.join(f'write -q -P {seed + 1} {n * piece} {piece}\n' for n in chosen)
        run('qemu-io', '-f', 'raw', '-t', 'writeback', self.name(), input=lines.encode())

    def step(self, name, parent):
        document = (
            f'<VM><ID>12</ID><LCM_STATE>70</LCM_STATE><TEMPLATE><DISK><DISK_ID>0</DISK_ID><TARGET>vda</TARGET>'
            f'<TYPE>RBD</TYPE><SOURCE>{IMAGE}</SOURCE><CEPH_CONF>{os.environ["CEPH_CONF"]}</CEPH_CONF></DISK></TEMPLATE>'
            f'<BACKUPS><BACKUP_CONFIG><MODE>INCREMENT</MODE><LAST_INCREMENT_ID>{parent}</LAST_INCREMENT_ID>'
            '</BACKUP_CONFIG></BACKUPS></VM>')
        run(BUILD / 'tm/ceph' / name, f'localhost:{self.dir}', '0', '', '-', '12', '0', input=document.encode())

    def backup(self, parent):
        """Read to its end, as an uploader does."""
        self.step('prebackup', parent)
        run('cat', self.dir / f'backup/disk.0.{parent + 1}', stdout=subprocess.DEVNULL)
        self.step('postbackup', parent)

    def bytes_read(self):
        """As the OSD counts them."""
        socket = self.work / 'ceph/run/osd.asok'
        return json.loads(run('ceph', '--admin-daemon', socket, 'perf', 'dump'))['osd']['op_r_out_bytes']

    def changed(self, parent):
        said = run('rbd', 'diff', '--format', 'json', f'{IMAGE}@one_backup_{parent + 1}', '--from-snap',
                   f'one_backup_{parent}')
        return sum(one['length'] for one in json.loads(said) if one['exists'] == 'true')


def chain(disk, first, piece):
    """Seconds, bytes read and bytes changed of six increments."""
    total = [0.0, 0, 0]
    for parent in range(first, first + INCREMENTS):
        disk.scatter(piece, parent)
        before = disk.bytes_read()
        total[0] += seconds(disk.backup, parent)
        total[1] += disk.bytes_read() - before
        total[2] += disk.changed(parent)
    return total


def measure():
    with tempfile.TemporaryDirectory(prefix='vmvault-bench.') as work:
        disk = Disk(Path(work))
        try:
            figures_of(disk)
        finally:
            run(FIXTURES / 'ceph', 'stop', Path(work) / 'ceph')


def figures_of(disk):
    disk.backup(-1)  # now it is in the memory of the OSD, for all that follows
    ours = seconds(disk.backup, -1)
    snapshot = f'{IMAGE}@one_backup_0'
    theirs = seconds(run, 'rbd', 'export-diff', '--no-progress', snapshot, '-', stdout=subprocess.DEVNULL)
    figure('full of a disk in Ceph, 1.5 of 4 GiB used, read to its end', ours, 's',
           'rbd export-diff to /dev/null', theirs)
    convert = seconds(run, 'qemu-img', 'convert', '-n', '-m', '16', '-W', '-f', 'raw', '--target-image-opts',
                      disk.name('one_backup_0'), f'driver=null-co,size={4 * GIB}')
    figure('the same', ours, 's', 'qemu-img convert -m 16 to nothing', convert)
    took, read, changed = chain(disk, 0, 65536)
    figure('six increments of 1 % in 64 KiB: read from Ceph', read / MIB, 'MiB', 'what rbd diff names',
           changed / MIB, ('<=', 1.1))
    theirs = sum(seconds(run, 'rbd', 'export-diff', '--no-progress', '--from-snap', 'one_backup_5',
                         f'{IMAGE}@one_backup_6', '-', stdout=subprocess.DEVNULL) for _ in range(INCREMENTS))
    figure('the same: time', took, 's', 'rbd export-diff to /dev/null', theirs)
    took, read, changed = chain(disk, INCREMENTS, 4096)
    figure('six increments of 1 % in 4 KiB: read from Ceph', read / MIB, 'MiB', 'what rbd diff names',
           changed / MIB, ('<=', 1.1))
    last = 2 * INCREMENTS
    theirs = sum(seconds(run, 'rbd', 'export-diff', '--no-progress', '--from-snap', f'one_backup_{last - 1}',
                         f'{IMAGE}@one_backup_{last}', '-', stdout=subprocess.DEVNULL) for _ in range(INCREMENTS))
    figure('the same: time', took, 's', 'rbd export-diff to /dev/null', theirs)
    figure('left in the directory of the VM', disk_usage(disk.dir) / 1024, 'KiB', goal=('<=', 64))
