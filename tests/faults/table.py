# SPDX-License-Identifier: Apache-2.0
"""What can happen, and when: the boundaries between the steps of a backup, and the faults."""

import os
from dataclasses import dataclass

CEPH = bool(os.environ.get('CEPH'))

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
           'host guard scratch target ssh job exporter'),
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

# Each with what it needs, and why it makes no sense without that.
FAULTS = {
    'kill-step': (None, ''),
    'kill-front': (None, ''),  # the step, and the orchestrator that would undo it
    'kill-host': ('host', 'no backup_host is waited for: its exporter and its guard are alone'),
    'kill-guard': ('guard', 'there is no guard'),
    'kill-exporter': ('exporter', 'there is no exporter'),
    'kill-qemu': (None, ''),
    'full-scratch': ('scratch', 'no scratch file is in use any more'),
    'full-target': ('target', 'nothing is written to the target any more'),
    'cut-ssh': ('ssh', 'no connection is open'),
    'shutdown': (None, ''),
    **({'stop-osd': (None, '')} if CEPH else {}),
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
