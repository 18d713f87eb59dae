# SPDX-License-Identifier: Apache-2.0
"""What a backup without a second copy costs: beside restic on the same bytes in plain files, on the
hypervisor's disk, and in the guest."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from common import FIXTURES, GUEST, MIB, ROOT, Domain, Steps, disk_usage, figure, run, say, seconds

GIB = 1 << 30
RUNS = 5
ENV = {'RESTIC_PASSWORD': 'bench', 'TMPDIR': '/dev/shm'}
TICKS = os.sysconf('SC_CLK_TCK')


def make_full_disk(work, file):
    """4 GiB without a hole: a half of noise, a half that compresses to half of its size."""
    raw, noise = work / 'full.raw', work / 'noise'
    run(GUEST / 'guest_workload', 'fill', raw, 2048, 3)
    run(GUEST / 'guest_workload', 'fill', noise, 1024, 4)
    with open(raw, 'ab') as out, open(noise, 'rb') as source:
        while piece := source.read(MIB):
            out.write(piece.hex().encode())
    noise.unlink()
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, file)
    raw.unlink()


def cpu_seconds(*pids):
    total = 0
    for pid in pids:
        fields = Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rsplit(')', 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def drop_cache(directory):
    """qemu reads past the page cache, so what it is compared with must not find anything there."""
    for file in directory.iterdir():
        with open(file, 'rb') as one:
            os.fsync(one.fileno())
            os.posix_fadvise(one.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Repositories:
    """Empty ones, all made alike, in memory: no run pays for `init`, nor for the disk."""

    def __init__(self, stack):
        needed = 5 * GIB
        info = os.statvfs('/dev/shm')
        if info.f_bavail * info.f_frsize < needed:
            sys.exit(f'bench: /dev/shm has less than {needed // GIB} GiB free')
        self.base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='vmvault-bench.', dir='/dev/shm')))
        run('restic', '-q', '-r', self.base / 'empty', 'init', env={**os.environ, **ENV})

    def fresh(self, name):
        shutil.rmtree(self.base / name, ignore_errors=True)
        shutil.copytree(self.base / 'empty', self.base / name)
        return self.base / name


class Bench:
    def __init__(self, work, stack):
        say('making a guest with a full 4 GiB disk')
        make_full_disk(work, work / 'full.qcow2')
        self.work, self.stack = work, stack
        self.domain = Domain(work, 'full')
        self.qemu = int((work / 'virt/run/qemu/full.pid').read_text(encoding='ascii'))
        self.repositories = Repositories(stack)

    def beside_restic(self):
        steps = Steps(self.domain, self.repositories.base)
        plain = self.work / 'plain'
        steps.step('prebackup_live')
        shutil.copytree(steps.backup_dir, plain)
        steps.step('postbackup_live')
        gib = disk_usage(plain) / GIB
        cpu, parts = [], {'prebackup_live': [], 'backup': [], 'postbackup_live': []}

        def ours():
            before = cpu_seconds(self.qemu)
            for name, times in parts.items():
                if name == 'postbackup_live':
                    journal = json.loads((steps.vm / 'backup.journal').read_text(encoding='utf-8'))
                    served = cpu_seconds(journal['exporter'], journal['guard'])
                times.append(seconds(steps.step, name))
            cpu.append(served + cpu_seconds(self.qemu) - before)

        def theirs():
            run('restic', '-q', '--no-cache', '-r', self.repositories.base / 'plain', 'backup', '--force', plain,
                env={**os.environ, **ENV})

        mine, base = [], []
        for _ in range(RUNS):
            self.repositories.fresh('12')
            mine.append(seconds(ours))
            shutil.rmtree(self.repositories.base / '12')
            self.repositories.fresh('plain')
            drop_cache(plain)
            base.append(seconds(theirs))
            shutil.rmtree(self.repositories.base / 'plain')
            say(f'{mine[-1]:.1f} s, beside {base[-1]:.1f} s; qemu and exporter {cpu[-1]:.1f} s of CPU')
        say('; '.join(f'{name} {statistics.median(times):.1f} s' for name, times in parts.items()))
        figure(f'backup of {gib:.1f} GiB, all three steps, median of {RUNS}', statistics.median(mine), 's',
               'restic backup of the same files', statistics.median(base), ('<=', 1.25))
        figure('processor time of qemu, exporter and guard', statistics.median(cpu) / gib, 's/GiB', goal=('<=', 3))
        shutil.rmtree(plain)

    def written(self):
        """To a server, so that restic has its cache: what the server writes is not the hypervisor's."""
        home = self.work / 'home'
        home.mkdir()
        check_account(self.work)
        sshd = self.work / 'sshd'
        line = run(FIXTURES / 'sshd', 'start', sshd, '--owner', os.getpid())
        self.stack.callback(run, FIXTURES / 'sshd', 'stop', sshd)
        user = run('id', '-un').strip()
        steps = Steps(self.domain, self.repositories.base,
                      f'<RESTIC_SFTP_SERVER>server</RESTIC_SFTP_SERVER><RESTIC_SFTP_USER>{user}</RESTIC_SFTP_USER>')
        self.repositories.fresh('12')
        script = f'set -eu; {line}\n'
        for name in ['prebackup_live', 'backup', 'postbackup_live']:
            argv, given = steps.command(name)
            (home / f'{name}.in').write_bytes(given)
            script += ' '.join(f"'{word}'" for word in argv) + f' <{home}/{name}.in\n'
        env = {**os.environ, 'HOME': str(home), 'TMPDIR': '/var/tmp'}
        env.pop('XDG_CACHE_HOME', None)
        done = subprocess.run([ROOT / 'tests/bench/accounted', 'bash', '-c', script], env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f'bench: a backup to a server failed: {done.stderr}')
        shutil.rmtree(self.repositories.base / '12')
        disk = self.domain.disks[1].stat().st_size
        figure('written on the hypervisor by a backup, all processes, without scratch files',
               int(done.stderr.split()[-1]) / MIB, 'MiB', 'the disk', disk / MIB, ('<=', 0.01))
        figure("of it, restic's cache", disk_usage(home / '.cache') / MIB, 'MiB')

    def latency(self):
        """4 KiB O_DSYNC writes spread over the disk that is backed up, 100 a second, in the guest."""
        def measure(length=30):
            said = self.domain.guest_exec('/usr/bin/guest_workload', 'latency', '/dev/vdb', 100, length)
            return {name: int(value) / 1000 for name, value in re.findall(r'(\w+)_us=(\d+)', said)}

        steps = Steps(self.domain, self.repositories.base, '<RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>'
                      '<RESTIC_BWLIMIT>4883</RESTIC_BWLIMIT>')  # KiB/s: 5 MB/s
        alone = measure()
        self.repositories.fresh('12')
        steps.step('prebackup_live')
        argv, given = steps.command('backup')
        peak, ended = [0], threading.Event()
        scratch = json.loads((steps.vm / 'backup.journal').read_text(encoding='utf-8'))['scratch']

        def watch():
            while not ended.wait(0.2):
                files = [Path(name) for name in scratch if name.endswith('.scratch')]
                peak[0] = max(peak[0], sum(one.stat().st_blocks * 512 for one in files if one.exists()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        with subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as upload:
            upload.stdin.write(given)
            upload.stdin.close()
            while disk_usage(self.repositories.base / '12/data') < 20 * MIB:
                time.sleep(0.1)
            beside = measure()
            still = upload.poll() is None
            ended.set()
            watcher.join()
            upload.terminate()
        if not still:
            sys.exit('bench: the throttled upload ended before it was measured')
        steps.step('postbackup_live')
        shutil.rmtree(self.repositories.base / '12')
        for which in ['p50', 'p99', 'max']:
            figure(f'guest write latency, {which}, while 5 MB/s are uploaded', beside[which], 'ms',
                   'without a backup', alone[which])
        figure('scratch space used meanwhile, at most', peak[0] / MIB, 'MiB')


def check_account(work):
    """An account that misses a daemon's writes would praise us for nothing."""
    daemon = f"setsid sh -c 'dd if=/dev/zero of={work}/known bs=1M count=16 conv=fsync 2>&1' >/dev/null & exit 0"
    done = subprocess.run([ROOT / 'tests/bench/accounted', 'sh', '-c', daemon], capture_output=True, text=True,
                          check=True)
    (work / 'known').unlink()
    if int(done.stderr.split()[-1]) < 16 * MIB:
        sys.exit('bench: this kernel does not account the writes of processes')
