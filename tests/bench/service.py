# SPDX-License-Identifier: Apache-2.0
"""What lists cost where there is much: 10,000 machines, each with an image of two restore points."""

import os
import sqlite3
import tempfile
from pathlib import Path

from common import BUILD, figure, run, say, seconds, vmvault

MANY = 10_000
FIRST_VM = 1_000_000


def fill(file):
    """As backups would have, but in one transaction."""
    result = '{"schema":1,"live":true,"disks":[],"padding":"' + 'x' * 600 + '"}'
    with sqlite3.connect(file) as db:
        vms = [(FIRST_VM + n, f'{n:08x}-0000-4000-8000-000000000000', f'machine-{n}') for n in range(MANY)]
        db.executemany('INSERT INTO vms (id, uuid, name) VALUES (?, ?, ?)', vms)
        db.executemany("INSERT INTO images (id, vm, datastore, mode, disks, created) VALUES (?, ?, 100, 'INCREMENT', '0', ?)",
                       [(n + 1, FIRST_VM + n, 1_790_000_000 + n) for n in range(MANY)])
        db.executemany("INSERT INTO increments (image, id, source, size_mib, bytes, date, dir, result) "
                       "VALUES (?, ?, ?, 10, 10485760, ?, '/var/lib/vmvault/vms/1/backup', ?)",
                       [(n + 1, one, f'{n:06x}{one:02x}', 1_790_000_000 + n + one, result)
                        for n in range(MANY) for one in range(2)])
        db.execute('UPDATE vms SET active_image = id - ?', (FIRST_VM - 1,))


def measure():
    say(f'the lists of {MANY} machines and {MANY} images')
    with tempfile.TemporaryDirectory(prefix='vmvault-bench.') as work:
        os.environ['VMVAULT_VAR'] = str(Path(work) / 'var')
        vmvault('init')
        fill(Path(work) / 'var/state.db')

        def least(*words):
            command = [BUILD / 'drivers/cli/vmvault', *words]
            if run(*command, '--csv', '--no-header').count('\n') != MANY:
                raise SystemExit(f'bench: {words} does not list {MANY}')
            return min(seconds(run, *command) for _ in range(3))

        for kind in ['image', 'vm']:
            figure(f'vmvault {kind} list of {MANY}', least(kind, 'list'), 's', goal=('<=', 0.5))
        figure(f'vmvault image list --xml of {MANY}', seconds(run, BUILD / 'drivers/cli/vmvault', 'image', 'list', '--xml'), 's')
