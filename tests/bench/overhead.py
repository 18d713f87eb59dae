# SPDX-License-Identifier: Apache-2.0
"""What the small actions of a datastore cost in processes of ours: processor time, without restic's.

The account of a process that has ended is its own time and that of all children that it waited for.
So restic is started through a stand-in that notes what it has used altogether, and that is taken off.
"""

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import BUILD, FIXTURES, figure, run

RUNS = 20
STAND_IN = '''#!{python}
import os, resource, sys
pid = os.fork()
if pid == 0:
    os.execv('{restic}', sys.argv)
_, status = os.waitpid(pid, 0)
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
with open('{log}', 'a', encoding='ascii') as log:
    print(sum(one.ru_utime + one.ru_stime for one in used), file=log, flush=True)
os._exit(os.waitstatus_to_exitcode(status))
'''


def request(*elements):
    return base64.b64encode(f'<DS_DRIVER_ACTION_DATA>{"".join(elements)}</DS_DRIVER_ACTION_DATA>'.encode())


def own_seconds(argv, text, log, env):
    log.write_text('')
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=env)
    process.stdin.write(text)
    process.stdin.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f'bench: {argv[0]} ended with status {process.returncode}')
    return used.ru_utime + used.ru_stime - sum(map(float, log.read_text().split()))


def measure():
    with tempfile.TemporaryDirectory(prefix='vmvault-bench.') as name:
        work = Path(name)
        files, log = work / 'system/12/backup', work / 'used'
        for place in [files, work / 'bin', work / 'base', work / 'var']:
            place.mkdir(parents=True)
        restic = run('sh', '-c', 'command -v restic').strip()
        stand_in = work / 'bin/restic'
        stand_in.write_text(STAND_IN.format(python=sys.executable, restic=restic, log=log))
        stand_in.chmod(0o755)
        run(FIXTURES / 'restic_repository', work / 'base/12', 'secret')
        vm = '<VM><ID>12</ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID><SIZE>9</SIZE></DISK></TEMPLATE></VM>'
        (files / 'vm.xml').write_text(base64.b64encode(vm.encode()).decode())
        chain = []
        plain = {**os.environ, 'RESTIC_PASSWORD': 'secret'}
        for n in range(7):
            (files / f'disk.0.{n}').write_text(f'{n}')
            said = run('restic', '--no-cache', '-r', work / 'base/12', 'backup', '--json', '--tag=one-12',
                       files / f'disk.0.{n}', files / 'vm.xml', env=plain)
            chain.append(said.split('"snapshot_id":"')[1][:8])
        datastore = (f'<DATASTORE><ID>100</ID><BASE_PATH>{work}/base</BASE_PATH><TEMPLATE><RESTIC_PASSWORD>secret'
                     '</RESTIC_PASSWORD><RESTIC_BACKEND>LOCAL</RESTIC_BACKEND></TEMPLATE></DATASTORE>')
        increments = ''.join(f'<INCREMENT><ID>{n}</ID><SOURCE>{source}</SOURCE></INCREMENT>'
                             for n, source in enumerate(chain))
        image = f'<VMS><ID>12</ID></VMS><BACKUP_INCREMENTS>{increments}</BACKUP_INCREMENTS>'
        url = 'restic://100//' + ','.join(f'{n}:{source}' for n, source in enumerate(chain)) + f'{files}/disk.0.6'
        env = {**os.environ, 'PATH': f'{work}/bin:{os.environ["PATH"]}', 'VMVAULT_VAR': str(work / 'var')}
        for action, argv, text in [
                ('monitor', ['100'], request(datastore)),
                ('ls', ['-i', '6'], base64.b64decode(request(datastore, f'<IMAGE><ID>57</ID>{image}</IMAGE>'))),
                ('stat', ['31'], request(datastore, f'<IMAGE><PATH>{url}</PATH></IMAGE>'))]:
            program = [str(BUILD / 'datastore/restic' / action), *argv]
            own_seconds(program, text, log, env)
            times = [own_seconds(program, text, log, env) for _ in range(RUNS)]
            figure(f'{action}: processor time of our own processes', 1000 * sum(times) / RUNS, 'ms',
                   goal=('<=', 20))
