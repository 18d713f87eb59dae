# SPDX-License-Identifier: Apache-2.0
"""What can happen, and when: the boundaries between the steps of a backup, and the faults."""

import os
from dataclasses import dataclass

CEPH = bool(os.environ.get('CEPH'))
BRIDGE = CEPH and bool(os.environ.get('BRIDGE'))

STEPS = {  # and the program of each that the orchestrator runs
    'prebackup_live': 'tm/qcow2/prebackup_live',
    'upload': 'datastore/restic/backup',
    'postbackup_live': 'tm/qcow2/postbackup_live',
    'restore': 'datastore/restic/downloader',
}


@dataclass(frozen=True)
class Point:
    name: str
    step: str
    shim: str              # where tests/faults/shim.c stops a process
    holds: frozenset       # what there is then: host, exporter, job (that the guest feeds), ssh, target
    freeze: str = 'AGENT'
    export: str = 'view'
    late: bool = False     # whose death is then no reason to fail any more

    def must_say(self, fault):
        """Has a failure to say that the guard has died?"""
        return fault in ('kill-guard', 'kill-bridge-guard') and self.step == 'prebackup_live' and not self.late


def _point(step, name, shim, holds, **more):
    return Point(name, step, shim, frozenset(holds.split()), **more)


# host: a backup_host that somebody waits for.  still: the guest is frozen or paused.  scratch: there
# is, or will be, a job that needs it.  target: something is still to be written there.
POINTS = [
    _point('prebackup_live', 'journal-begun', 'backup_host begin:rename(backup.journal):after',
           'host guard scratch target ssh'),
    _point('prebackup_live', 'before-freeze', 'backup_host begin:virDomainFSFreeze:before',
           'host guard scratch target ssh'),
    _point('prebackup_live', 'after-freeze', 'backup_host begin:virDomainFSFreeze:after',
           'host guard scratch target ssh still'),
    _point('prebackup_live', 'after-suspend', 'backup_host begin:virDomainSuspend:after',
           'host guard scratch target ssh still', freeze='SUSPEND'),
    _point('prebackup_live', 'after-begin-job', 'backup_host begin:virDomainBackupBegin:after',
           'host guard scratch target ssh still job'),
    _point('prebackup_live', 'after-thaw', 'backup_host begin:virDomainFSThaw:after',
           'host guard scratch target ssh job'),
    _point('prebackup_live', 'before-mount', 'backup_host:fuse_mount:before',
           'host guard scratch target ssh job exporter'),
    _point('prebackup_live', 'after-mount', 'backup_host:fuse_mount:after',
           'host guard scratch target ssh job exporter'),
    _point('prebackup_live', 'handed-over', 'backup_host begin:main:after',
           'host guard scratch target ssh job exporter', late=True),
    _point('prebackup_live', 'mid-copy', 'backup_host begin:nbd_aio_pread:after:25',
           'host guard scratch target ssh job', export='copy'),
    # A disk in Ceph is read before there is an exporter, too: begin looks for zeros.
    *([_point('prebackup_live', 'zero-look', 'backup_host begin:nbd_aio_pread(begin):before',
              'host guard scratch target ssh job')] if CEPH else []),
    _point('upload', 'before-upload', 'restic/backup:main:before', 'guard scratch target job exporter'),
    _point('upload', 'first-read', 'backup_host:nbd_aio_pread(exporter):before',
           'guard scratch target ssh job exporter'),
    _point('upload', 'mid-upload', 'backup_host:nbd_aio_pread(exporter):after:25',
           'guard scratch target ssh job exporter'),
    _point('upload', 'stored', 'restic/backup:remove(restic-run):before', 'guard scratch job exporter'),
    _point('upload', 'after-upload', 'restic/backup:main:after', 'guard scratch job exporter'),
    _point('postbackup_live', 'before-end', 'backup_host end:main:before',
           'host guard scratch ssh job exporter'),
    _point('postbackup_live', 'before-unmount', 'backup_host:umount2(/backup):before',
           'host guard scratch ssh job exporter'),
    _point('postbackup_live', 'after-unmount', 'backup_host:umount2(/backup):after',
           'host guard scratch ssh job exporter'),
    _point('postbackup_live', 'before-abort-job', 'backup_host:virDomainAbortJob:before',
           'host guard scratch ssh job exporter'),
    _point('postbackup_live', 'after-abort-job', 'backup_host:virDomainAbortJob:after',
           'host guard ssh exporter'),
    _point('postbackup_live', 'journal-gone', 'backup_host:unlink(backup.journal):after',
           'host guard ssh exporter'),
    _point('postbackup_live', 'after-end', 'postbackup_live:main:after', ''),
    _point('restore', 'before-restore', 'downloader:main:before', 'target'),
    _point('restore', 'mid-restore', 'downloader:write:after:30', 'target ssh'),
    _point('restore', 'after-restore', 'downloader:main:after', ''),
]

# Where a bridge reads the disks.  bridge: a backup_host there, which somebody waits for.  ssh: to the bridge.
ON_BRIDGE = [
    _point('prebackup_live', 'bridge-begun', 'backup_host begin:rename(backup.journal):after',
           'bridge bridge-guard target ssh'),
    _point('prebackup_live', 'journal-begun', 'backup_host still:rename(backup.journal):after',
           'host guard bridge bridge-guard target ssh'),
    _point('prebackup_live', 'before-freeze', 'backup_host still:virDomainFSFreeze:before',
           'host guard bridge bridge-guard target ssh'),
    _point('prebackup_live', 'after-freeze', 'backup_host still:virDomainFSFreeze:after',
           'host guard bridge bridge-guard target ssh still'),
    _point('prebackup_live', 'after-suspend', 'backup_host still:virDomainSuspend:after',
           'host guard bridge bridge-guard target ssh still', freeze='SUSPEND'),
    _point('prebackup_live', 'before-snapshot', 'rbd snap create:main:before',
           'host guard bridge bridge-guard target ssh still'),
    _point('prebackup_live', 'after-snapshot', 'rbd snap create:main:after',
           'host guard bridge bridge-guard target ssh still'),
    _point('prebackup_live', 'after-thaw', 'backup_host still:virDomainFSThaw:after',
           'host guard bridge bridge-guard target ssh'),
    _point('prebackup_live', 'guest-free', 'backup_host still:main:after',
           'host bridge bridge-guard target ssh'),
    _point('prebackup_live', 'zero-look', 'backup_host begin:nbd_aio_pread(begin):before',
           'bridge bridge-guard target ssh'),
    _point('prebackup_live', 'before-mount', 'backup_host:fuse_mount:before',
           'bridge bridge-guard target ssh exporter'),
    _point('prebackup_live', 'after-mount', 'backup_host:fuse_mount:after',
           'bridge bridge-guard target ssh exporter'),
    _point('prebackup_live', 'handed-over', 'backup_host begin:main:after',
           'bridge bridge-guard target ssh exporter', late=True),
    _point('prebackup_live', 'mid-copy', 'backup_host begin:nbd_aio_pread:after:25',
           'bridge bridge-guard target ssh', export='copy'),
    _point('upload', 'before-upload', 'restic/backup:main:before', 'bridge-guard target exporter'),
    _point('upload', 'first-read', 'backup_host:nbd_aio_pread(exporter):before',
           'bridge-guard target ssh exporter'),
    _point('upload', 'mid-upload', 'backup_host:nbd_aio_pread(exporter):after:5',
           'bridge-guard target ssh exporter'),
    _point('upload', 'stored', 'restic/backup:remove(restic-run):before', 'bridge-guard exporter'),
    _point('upload', 'after-upload', 'restic/backup:main:after', 'bridge-guard exporter'),
    _point('postbackup_live', 'before-end', 'backup_host end:main:before',
           'bridge bridge-guard ssh exporter'),
    _point('postbackup_live', 'before-unmount', 'backup_host:umount2(/backup):before',
           'bridge bridge-guard ssh exporter'),
    _point('postbackup_live', 'journal-gone', 'backup_host:unlink(bridge/backup.journal):after',
           'bridge bridge-guard ssh exporter'),
    _point('postbackup_live', 'after-end', 'postbackup_live:main:after', ''),
]
if BRIDGE:
    POINTS = ON_BRIDGE

# Each with what it needs, and why it makes no sense without that.
FAULTS = {
    'kill-step': (None, ''),
    'kill-front': (None, ''),  # the step, and the orchestrator that would undo it
    'kill-host': ('host', 'no backup_host is waited for: its exporter and its guard are alone'),
    'kill-guard': ('guard', 'there is no guard'),
    'kill-exporter': ('exporter', 'there is no exporter'),
    'kill-qemu': (None, ''),
    **({} if BRIDGE else {'full-scratch': ('scratch', 'no scratch file is in use any more')}),
    'full-target': ('target', 'nothing is written to the target any more'),
    'cut-ssh': ('host' if BRIDGE else 'ssh', 'no connection is open'),
    'shutdown': (None, ''),
    **({'stop-osd': (None, '')} if CEPH else {}),
    **({'kill-bridge': ('bridge', 'no backup_host is waited for there: its exporter and its guard are alone'),
        'kill-bridge-guard': ('bridge-guard', 'there is no guard'),
        'full-bridge': ('bridge-guard', 'nothing is written on the bridge any more'),
        'cut-bridge': ('ssh', 'no connection is open'),
        'reboot-bridge': ('bridge-guard', 'nothing is left there')} if BRIDGE else {}),
}


def nonsense(point, fault):
    """Why this combination makes no sense; '' if it does."""
    if point.step == 'restore' and fault in ('kill-host', 'kill-guard', 'kill-exporter', 'kill-qemu',
                                             'full-scratch', 'shutdown', 'stop-osd'):
        return 'a restore has nothing to do with the guest, nor with its hypervisor'
    if point.step == 'restore' and fault == 'kill-front':
        return 'a restore has no orchestrator'
    need, reason = FAULTS[fault]
    return reason if need and need not in point.holds else ''


COMBINATIONS = [(point, fault) for point in POINTS for fault in FAULTS]

# Each step and each fault, in about four minutes.
SPREAD = """
    after-freeze:kill-step after-suspend:kill-guard after-begin-job:kill-front after-thaw:full-scratch
    mid-upload:kill-exporter mid-upload:cut-ssh mid-copy:kill-host
    before-unmount:kill-qemu after-abort-job:shutdown mid-restore:full-target
""".split()
if CEPH:
    SPREAD = """
        before-freeze:stop-osd after-freeze:stop-osd after-begin-job:kill-front after-thaw:kill-guard mid-copy:kill-host
        first-read:stop-osd before-upload:kill-exporter stored:stop-osd before-unmount:kill-qemu journal-gone:stop-osd
    """.split()
if BRIDGE:
    SPREAD = """
        bridge-begun:cut-bridge after-freeze:kill-host after-freeze:reboot-bridge after-suspend:kill-front
        before-snapshot:kill-bridge after-snapshot:kill-bridge-guard after-thaw:cut-ssh mid-copy:full-bridge
        mid-upload:kill-exporter before-unmount:stop-osd journal-gone:kill-step
    """.split()
