# SPDX-License-Identifier: Apache-2.0
"""What the parts of the bench share: figures, and a guest."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('BUILD', ROOT / 'build'))
FIXTURES = ROOT / 'tests/fixtures'
GUEST = ROOT / 'build/fixtures/guest'
MIB = 1 << 20
figures = []


def run(*argv, **options):
    """Its output; a failure ends the bench and shows what was said."""
    if 'input' not in options:
        options['stdin'] = subprocess.DEVNULL
    options.setdefault('stdout', subprocess.PIPE)
    done = subprocess.run([str(word) for word in argv], stderr=subprocess.PIPE, check=False, **options)
    if done.returncode != 0:
        sys.exit(f'bench: {argv[0]} ended with status {done.returncode}: {done.stderr.decode(errors="replace")}')
    return (done.stdout or b'').decode(errors='replace')


def seconds(action, *args, **options):
    begun = time.monotonic()
    action(*args, **options)
    return time.monotonic() - begun


def figure(name, value, unit, baseline=None, baseline_value=None, goal=None):
    """goal: ('<=' or '>=', a ratio to the baseline, or without one a value); None: only told."""
    measured = value if baseline_value is None else value / baseline_value
    met = None if goal is None else measured <= goal[1] if goal[0] == '<=' else measured >= goal[1]
    figures.append({'name': name, 'value': round(value, 2), 'unit': unit, 'baseline': baseline,
                    'baseline_value': None if baseline_value is None else round(baseline_value, 2),
                    'ratio': None if baseline_value is None else round(measured, 3),
                    'goal': goal and f'{goal[0]} {goal[1]}', 'met': met})
    text = f'{name}: {value:.2f} {unit}'
    if baseline is not None:
        text += f'; {baseline}: {baseline_value:.2f} {unit}; ratio {measured:.3f}'
    if goal is not None:
        text += f', goal {goal[0]} {goal[1]}: {"met" if met else "NOT MET"}'
    print(text, flush=True)


def say(text):
    print(f'# {text}', flush=True)


def shell(text, **env):
    """A line for the functions of tests/fixtures/guest.bash."""
    script = f'set -eu; ROOT={ROOT}; . {FIXTURES}/guest.bash; {text}'
    return run('bash', '-c', script, env={**os.environ, **env})


def disk_usage(path):
    return sum(file.stat().st_size for file in Path(path).rglob('*') if file.is_file())


def vmvault(*args):
    return run(BUILD / 'drivers/cli/vmvault', *args)


class Domain:
    """A guest of two disks: its own, and <work>/<name>.qcow2, which must be there."""

    def __init__(self, work, name):
        self.work = work
        self.name = name
        self.disks = [work / f'{name}-root.qcow2', work / f'{name}.qcow2']
        shell(f'guest_copy {self.disks[0]}; guest_define {name} {work}/{name}.console '
              f'{self.disks[0]} {self.disks[1]}; guest_start {name}')

    def stop(self):
        shell(f'guest_remove {self.name}')

    def guest_exec(self, *words, limit=600):
        return shell(f'guest_exec {self.name} {" ".join(str(word) for word in words)}', EVENTUALLY=str(limit))

    def write(self, percent, seed):
        self.guest_exec('/usr/bin/guest_workload', 'scatter', '/dev/vdb', percent, seed)
        self.guest_exec('/bin/sync')

    def dirty_bytes(self):
        """What the newest checkpoint's bitmaps count, in qemu's own words."""
        newest = run('virsh', '-q', 'checkpoint-list', self.name, '--name', '--topological').split()[-1]
        xml = run('virsh', '-q', 'checkpoint-dumpxml', self.name, newest, '--no-domain', '--size')
        return sum(int(size) for size in re.findall(r"<disk [^>]*\bsize='(\d+)'", xml))

    def job(self, mode, where):
        """A backup job of libvirt's own: pull or push."""
        where.mkdir()
        disks = ''.join(
            f"<disk name='vd{letter}' type='file'><driver type='qcow2'/>"
            f"<{kind} file='{where}/vd{letter}.qcow2'/></disk>"
            for letter in 'ab' for kind in ['scratch' if mode == 'pull' else 'target'])
        server = f"<server transport='unix' socket='{where}/nbd'/>" if mode == 'pull' else ''
        xml = f"<domainbackup mode='{mode}'>{server}<disks>{disks}</disks></domainbackup>"
        (where / 'job.xml').write_text(xml)
        run('virsh', '-q', 'backup-begin', self.name, where / 'job.xml')

    def wait_for_job(self):
        while 'None' not in run('virsh', '-q', 'domjobinfo', self.name):
            time.sleep(0.05)


class Steps:
    """prebackup_live, datastore/restic/backup and postbackup_live of a full, as the orchestrator
    calls them."""

    def __init__(self, domain, base, backend='<RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>'):
        self.vm = domain.work / f'{domain.name}-vm'
        self.vm.mkdir(exist_ok=True)
        disks = ''
        for n, disk in enumerate(domain.disks):
            link = self.vm / f'disk.{n}'
            if not link.is_symlink():
                link.symlink_to(disk)
            disks += (f'<DISK><DISK_ID>{n}</DISK_ID><TARGET>vd{"ab"[n]}</TARGET><TYPE>FILE</TYPE>'
                      '<FORMAT>qcow2</FORMAT><TM_MAD>qcow2</TM_MAD></DISK>')
        self.document = (
            f'<VM><ID>12</ID><LCM_STATE>69</LCM_STATE><DEPLOY_ID>{domain.name}</DEPLOY_ID>'
            f'<TEMPLATE>{disks}</TEMPLATE><BACKUPS><BACKUP_CONFIG><MODE>FULL</MODE><FS_FREEZE>NONE</FS_FREEZE>'
            '<LAST_INCREMENT_ID>-1</LAST_INCREMENT_ID></BACKUP_CONFIG></BACKUPS></VM>')
        self.store = (
            f'<DS_DRIVER_ACTION_DATA><DATASTORE><ID>100</ID><DS_MAD>restic</DS_MAD><BASE_PATH>{base}</BASE_PATH>'
            f'<TEMPLATE><RESTIC_PASSWORD>bench</RESTIC_PASSWORD>{backend}</TEMPLATE></DATASTORE>'
            f'{self.document}</DS_DRIVER_ACTION_DATA>')
        self.words = [f'localhost:{self.vm}', '0:1', domain.name, '-', '12', '0']

    def command(self, step):
        """The program and its arguments, and its stdin."""
        folder = 'datastore/restic' if step == 'backup' else 'tm/qcow2'
        return [BUILD / folder / step, *self.words], (self.store if step == 'backup' else self.document).encode()

    def step(self, name, **env):
        argv, given = self.command(name)
        return run(*argv, input=given, env={**os.environ, **env})

    @property
    def backup_dir(self):
        return self.vm / 'backup'
