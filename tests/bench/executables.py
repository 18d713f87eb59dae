# SPDX-License-Identifier: Apache-2.0
"""What each executable of ours costs in processor time for a real request, without the programs of others.

The requests are those that were recorded (tests/one/recorded).  The account of a process that has ended is its
own time and that of all children that it waited for; each program that is not ours is started through a
stand-in that notes what it has used altogether, and that is taken off.  Disks are small, and copied: what
remains grows with them.  OpenNebula's own executables, in Ruby, need 350 to 900 ms each; they cannot run here.
"""

import base64
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common import BUILD, FIXTURES, GUEST, ROOT, figure, run, say, shell

RUNS = 5
GOAL = 50  # ms
FOREIGN = ['true', 'restic', 'ssh', 'qemu-img', 'qemu-io', 'qemu-nbd', 'sudo']
STAND_IN = '''#!{python} -IS
import os, resource, sys
pid = os.fork()
if pid == 0:
    os.execv('{program}', sys.argv)
_, status = os.waitpid(pid, 0)
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
with open('{log}', 'a', encoding='ascii') as log:
    print(sum(one.ru_utime + one.ru_stime for one in used), file=log, flush=True)
os._exit(os.waitstatus_to_exitcode(status))
'''


class Core:
    """A front-end, a host and a backup server on this machine, and what the core asks of them."""

    def __init__(self, work):
        self.work, self.log, self.ids, self.unseen = work, work / 'used', {}, 0
        self.vm_dir, self.oned = work / 'datastores/101/2', work / 'oned'
        (work / 'bin').mkdir()
        for name in FOREIGN:
            if program := shutil.which(name):
                stand_in = work / 'bin' / name
                stand_in.write_text(STAND_IN.format(python=sys.executable, program=program, log=self.log))
                stand_in.chmod(0o755)
        (self.vm_dir / 'disk.0.snap').mkdir(parents=True)
        run('qemu-img', 'create', '-q', '-f', 'qcow2', self.vm_dir / 'disk.0.snap/0', '1G')
        run('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 7 1M 1M', self.vm_dir / 'disk.0.snap/0')
        (self.vm_dir / 'disk.0').symlink_to('disk.0.snap/0')
        run(FIXTURES / 'restic_repository', work / 'datastores/102/2', 's3same')
        (work / 'datastores/103').mkdir()
        said = run(FIXTURES / 'oned', 'start', self.oned, '--owner', os.getpid())
        self.env = {**os.environ, 'PATH': f'{work}/bin:{os.environ["PATH"]}', 'VMVAULT_VAR': str(work / 'var'),
                    'LIBVIRT_DEFAULT_URI': 'test:///default', 'VMVAULT_EXPORT': 'copy', 'REMOTES': str(BUILD),
                    'XDG_CACHE_HOME': str(work / 'cache'),
                    **dict(re.findall(r"(ONE_\w+)='?([^ '\n]+)", said))}
        for number, flow in [(102, '03-restic-off-full'), (103, '15-rsync-off-full')]:
            (self.oned / f'datastores/{number}.xml').write_text(self.part(flow, 'BACKUP', 'DATASTORE'))

        # Of a stand-in, what it cannot see itself: its end.
        self.unseen = sum(self.own(work / 'bin/true')[0] for _ in range(20)) / 20

    def document(self, flow, verb):
        text = (ROOT / 'tests/one/recorded' / flow).read_text()
        text = re.search(rf'^\w+> {verb}  \d+ (<.*)$', text, re.M)[1].replace('\\n', '\n')
        user = run('id', '-un').strip()
        text = re.sub('<RESTIC_SFTP_SERVER>.*?</RESTIC_SFTP_SERVER>', '<RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>', text)
        text = re.sub('<RSYNC_USER>.*?</RSYNC_USER>', f'<RSYNC_USER>{user}</RSYNC_USER>', text)
        for then, now in self.ids.items():
            text = text.replace(then, now)
        return text.replace('node1', 'localhost').replace('bkp1', 'localhost').replace('/var/lib/one', str(self.work))

    def part(self, flow, verb, *names):
        """These children of a document's root, alone or as a document for a datastore's driver."""
        text = self.document(flow, verb)
        parts = [run('xmllint', '--xpath', f'/*/{name}', '-', input=text.encode()) for name in names]
        return parts[0] if len(parts) == 1 else f'<DS_DRIVER_ACTION_DATA>{"".join(parts)}</DS_DRIVER_ACTION_DATA>'

    def words(self):
        return [f'localhost:{self.work}//datastores/101/2', '0', '23401b18-2886-42e0-8639-73a62b52342b', '-', '2', '101']

    def own(self, name, *words, text='', status=0):
        """Milliseconds of ours, and what it said."""
        self.log.write_text('')
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([BUILD / name, *words], input=text.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.env, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != status:
            sys.exit(f'bench: {name} ended with status {done.returncode}: {done.stderr.decode()}')
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        others = [1000 * float(one) for one in self.log.read_text().split()]
        return 1000 * used - sum(others) - len(others) * self.unseen, done.stdout.decode()


def coded(text):
    return base64.b64encode(text.encode()).decode()


def backups(core, mad, flow, times):
    """The steps of one backup, and the whole of it; the repository has two of them then."""
    vm, both = core.part(flow, 'BACKUP', 'VM'), core.part(flow, 'BACKUP', 'DATASTORE', 'VM')
    for n in range(RUNS):
        for name, text in [('tm/qcow2/prebackup', vm), (f'datastore/{mad}/backup', both),
                           (f'datastore/{mad}/backup_cancel', vm), ('tm/qcow2/postbackup', vm)]:
            words = core.words() if not name.endswith('cancel') else [core.words()[0], core.words()[2]]
            used, said = core.own(name, *words, text=text)
            times.setdefault(name, []).append(used)
            if name.endswith('/backup'):
                core.ids[('ddeb2625', '765afb')[mad == 'rsync']] = said.split()[0]
    # It runs the same steps.
    steps = ['tm/qcow2/prebackup', f'datastore/{mad}/backup', 'tm/qcow2/postbackup']
    whole = [core.own('vmm/kvm/backup', '2', text=coded(core.document(flow, 'BACKUP')))[0] for _ in range(RUNS)]
    mine = sum(whole) / RUNS - sum(sum(times[step][-RUNS:]) / RUNS for step in steps)
    times.setdefault('vmm/kvm/backup (without its steps)', []).append(max(mine, 0))


def images(core, mad, times):
    """What is asked of an image with three increments."""
    chain = {'restic': ['8c634d5e', 'c6833468', '8ad4b4bb'], 'rsync': ['3e6959', '3867ea', 'cd400e']}[mad]
    restore, number = {'restic': ('10-restic-restore', 102), 'rsync': ('22-rsync-restore', 103)}[mad]
    full = core.ids[('ddeb2625', '765afb')[mad == 'rsync']]
    files = core.vm_dir / 'backup'
    first = {'restic': 2, 'rsync': 1}[mad]
    for n, then in enumerate(chain, first):
        files.mkdir(exist_ok=True)
        for file in files.iterdir():
            file.unlink()
        run(FIXTURES / 'sequential_qcow2', files / f'disk.0.{n}', '16', f'{n}=x')
        (files / 'vm.xml').write_text(coded(core.part('03-restic-off-full', 'BACKUP', 'VM')))
        if mad == 'restic':
            said = run('restic', '--no-cache', '-r', core.work / 'datastores/102/2', 'backup', '--json', '--tag=one-2',
                       files / f'disk.0.{n}', files / 'vm.xml', env={**os.environ, 'RESTIC_PASSWORD': 's3same'})
            core.ids[then] = said.split('"snapshot_id":"')[1][:8]
        else:
            shutil.copytree(files, core.work / 'datastores/103/2' / then)
    shutil.rmtree(files)
    image = core.part(restore, 'RESTORE', 'IMAGE')
    (core.oned / f'images/{6 if mad == "restic" else 12}.xml').write_text(image)
    (core.oned / 'vms/2.xml').write_text(core.part('03-restic-off-full', 'BACKUP', 'VM'))
    listed = core.part(restore, 'RESTORE', 'DATASTORE', 'IMAGE')
    url = re.search('<PATH>(.*?)</PATH>', core.document(restore, 'STAT'))[1]
    requests = [('monitor', [str(number)], coded(core.part(restore, 'STAT', 'DATASTORE', 'IMAGE'))),
                ('ls', ['-i', '-1'], listed), ('stat', ['3'], coded(core.document(restore, 'STAT'))),
                ('downloader', [url], ''), ('restore', ['2'], coded(core.document(restore, 'RESTORE'))),
                ('cp', ['5'], coded(core.document(restore, 'CP')))]
    for name, words, text in requests:
        times[f'datastore/{mad}/{name}'] = [core.own(f'datastore/{mad}/{name}', *words, text=text,
                                                     status=name == 'cp')[0] for _ in range(RUNS)]
    words = [core.words()[0], '2', '6' if mad == 'restic' else '12', '-1', '-1']
    times['tm/qcow2/restore'] = [core.own('tm/qcow2/restore', *words)[0] for _ in range(RUNS)]
    flat = core.part(restore, 'RESTORE', 'IMAGE', 'DATASTORE').replace(
        '</DS_DRIVER_ACTION_DATA>', '<EXTRA_DATA><KEEP_LAST>2</KEEP_LAST></EXTRA_DATA></DS_DRIVER_ACTION_DATA>')
    times[f'datastore/{mad}/increment_flatten'] = [core.own(f'datastore/{mad}/increment_flatten', '6', text=coded(flat))[0]]
    gone = core.part('13-restic-delete', 'RM', 'IMAGE', 'DATASTORE') if mad == 'restic' else \
        re.sub('<BACKUP_INCREMENTS>.*</BACKUP_INCREMENTS>', '', listed).replace('3e6959', full)
    times[f'datastore/{mad}/rm'] = [core.own(f'datastore/{mad}/rm', '4', text=coded(gone))[0]]


def live(core, times):
    """The steps for a guest that runs, and does nothing: a full, and increments."""
    if subprocess.run([FIXTURES / 'libvirtd', 'can'], stdout=subprocess.DEVNULL, check=False).returncode != 0:
        say('no libvirtd of our own can be started here: nothing live is measured')
        return
    virt, definition = core.work / 'virt', core.work / 'domain.xml'
    shell('guest_build')
    run(FIXTURES / 'libvirtd', 'start', virt, '--owner', os.getpid())
    try:
        core.env['LIBVIRT_DEFAULT_URI'] = run(FIXTURES / 'libvirtd', 'uri', virt).strip()
        definition.write_text(run(FIXTURES / 'domain', '--guest', GUEST, '--uuid', core.words()[2], '--no-agent',
                                  'one-2', core.work / 'console', core.vm_dir / 'disk.0'))
        run('virsh', '-q', 'create', '--paused', definition, env=core.env)
        for flow in ['05-restic-increment-0'] + ['06-restic-increment-1'] * RUNS:
            vm = core.part(flow, 'BACKUP', 'VM')
            for name in ['tm/qcow2/prebackup_live', 'tm/qcow2/postbackup_live']:
                times.setdefault(name, []).append(core.own(name, *core.words(), text=vm)[0])
        run('virsh', '-q', 'destroy', 'one-2', env=core.env)
    finally:
        run(FIXTURES / 'libvirtd', 'stop', virt)


def drivers(core, times):
    """A driver that is asked something, and ends."""
    core.env['ONE_LOCATION'] = str(core.work / 'one')
    (core.work / 'one/var').mkdir(parents=True)
    (core.work / 'one/var/remotes').symlink_to(BUILD)
    core.env['VMVAULT_STOCK_VMM_MAD'] = str(core.work / 'stock')
    (core.work / 'stock').write_text('#!/bin/sh\nexec cat\n')
    (core.work / 'stock').chmod(0o755)
    ask = f'MONITOR  102 {coded(core.part("10-restic-restore", "STAT", "DATASTORE", "IMAGE"))}\n'
    script = core.work / 'transfer.0.restore'
    script.write_text('# nothing\n')
    for name, words, text in [('datastore/one_datastore', '-t 15 -d restic', ask),
                              ('tm/one_tm', '-t 15 -d qcow2', f'TRANSFER  2 {script}\n'),
                              ('vmm/one_vmm_exec', '-t 15 kvm', '')]:
        lines = f'INIT\n{text}FINALIZE\n'
        times[f'drivers/{name}'] = [core.own(f'drivers/{name}', words, text=lines)[0] for _ in range(RUNS)]


def measure():
    times = {}
    with tempfile.TemporaryDirectory(prefix='vmvault-bench.', ignore_cleanup_errors=True) as name:
        core = Core(Path(name))
        try:
            for mad, flow in [('restic', '03-restic-off-full'), ('rsync', '15-rsync-off-full')]:
                backups(core, mad, flow, times)
                images(core, mad, times)
            live(core, times)
            drivers(core, times)
        finally:
            run(FIXTURES / 'oned', 'stop', core.oned)
    for name, used in sorted(times.items()):
        figure(f'{name}: processor time of our own', sum(used) / len(used), 'ms', goal=('<=', GOAL))
