# SPDX-License-Identifier: Apache-2.0
"""Backups in an rsync datastore, beside the rsync program: same files, same sshd on loopback.

Files and server lie on a tmpfs where there is room, so that no disk is measured; otherwise ours has
to wait for its fsync, which rsync does not do.  BENCH_MIB: the size of the disk, for a short trial.
"""

import base64
import contextlib
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from common import BUILD, FIXTURES, MIB, figure, run, say

RUNS = 3
SIZE = int(os.environ.get('BENCH_MIB', '4096')) * MIB
WHOLE, IN_PLACE = ['-aS'], ['-aS', '--inplace', '--no-whole-file']


class Relay:
    """Passes connections on to a port of loopback, and counts the bytes of both directions."""

    def __init__(self, port):
        self.bytes = 0
        self.target = port
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near = self.listener.accept()[0]
            far = socket.create_connection(('127.0.0.1', self.target))
            for pair in [(near, far), (far, near)]:
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(1 << 18):
                self.bytes += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Used:
    def __init__(self, wall, cpu):
        self.wall, self.cpu = wall, cpu


class Bench:
    def __init__(self, work, stack):
        self.work, self.files = work, work / 'backup'
        self.files.mkdir()
        sshd = work / 'sshd'
        run(FIXTURES / 'sshd', 'start', sshd, '--owner', os.getpid())
        stack.callback(run, FIXTURES / 'sshd', 'stop', sshd)
        self.config = sshd / 'ssh_config'
        self.port = int(next(line.split()[1] for line in self.config.read_text().splitlines() if 'Port' in line))
        self.route(self.port)
        self.env = {**os.environ, 'PATH': f'{work}/bin:{os.environ["PATH"]}', 'VMVAULT_VAR': str(work / 'var')}
        (work / 'var').mkdir()

    def route(self, port):
        """From now on ssh goes through this port."""
        (self.work / 'bin').mkdir(exist_ok=True)
        ssh = self.work / 'bin/ssh'
        real = shutil.which('ssh')
        ssh.write_text(f'#!/bin/sh\nexec {real} -F {self.config} -o Port={port} "$@"\n')
        ssh.chmod(0o755)

    def measured(self, argv, line=None):
        begun = time.monotonic()
        with subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.env) as process:
            if line:
                process.stdin.write(line)
                process.stdin.flush()
            process.stdout.read()  # to the end
            said = process.stderr.read().decode(errors='replace')
            _, status, used = os.wait4(process.pid, 0)
            wall = time.monotonic() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f'bench: {argv[0]} ended with status {process.returncode}: {said}')
        return Used(wall, used.ru_utime + used.ru_stime)

    def ours(self, name, transport='auto', channels=4):
        files = [{'name': file.name, 'size': file.stat().st_size} for file in sorted(self.files.iterdir())]
        request = {'directory': str(self.files), 'files': files, 'host': 'server', 'base': str(self.work / 'base'),
                   'vm': 12, 'name': name, 'args': '-aS', 'transport': transport, 'channels': channels,
                   'server': {'argv': [str(BUILD / 'datastore/rsync/server')]}}
        return self.measured([BUILD / 'datastore/rsync/send'],
                             base64.b64encode(json.dumps(request).encode()) + b'\n')

    def theirs(self, target, *options):
        return self.measured(['rsync', *options, f'{self.files}/', f'server:{target}/'])

    def stored(self, name):
        return self.work / 'base/12' / name

    def require_same(self, place):
        for file in self.files.iterdir():
            run('cmp', file, place / file.name)

    def forget(self, *names):
        for name in names:
            shutil.rmtree(self.work / name, ignore_errors=True)

    def counted(self, action):
        relay = Relay(self.port)
        self.route(relay.port)
        action()
        self.route(self.port)
        return relay.bytes / MIB

    def noise(self, size, name='disk.0.0'):
        key = random.randbytes(16).hex()
        with open(self.files / name, 'wb') as out:
            with subprocess.Popen(['openssl', 'enc', '-aes-128-ctr', '-K', key, '-iv', '0' * 32, '-in', '/dev/zero'],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as source:
                for _ in range(size // MIB):
                    out.write(source.stdout.read(MIB))
                source.kill()

    def change(self, percent, unit):
        places = random.sample(range(SIZE // unit), SIZE * percent // 100 // unit)
        with open(self.files / 'disk.0.0', 'r+b') as disk:
            for place in places:
                disk.seek(place * unit)
                disk.write(os.urandom(unit))

    def wall(self, what, mine, base, baseline, goal):
        """The medians, as seconds; mine and base are Used."""
        for name, runs in [(what, mine), (baseline, base)]:
            say(f'{name}: {", ".join(f"{one.wall:.1f}" for one in runs)} s')
        figure(f'{what}, median of {len(mine)}', statistics.median(one.wall for one in mine), 's', baseline,
               statistics.median(one.wall for one in base), goal)

    def throughput(self, what, size, mine, base, goal):
        """The medians, as MiB/s."""
        mine, base = ([size / MIB / one.wall for one in runs] for runs in (mine, base))
        figure(f'{what}, median of {len(mine)}', statistics.median(mine), 'MiB/s', 'rsync -aS',
               statistics.median(base), goal)

    def cpu(self, what, mine, base, baseline):
        figure(f'{what}: processor time of the sending side', statistics.median(one.cpu for one in mine), 's',
               baseline, statistics.median(one.cpu for one in base))

    def first_full(self):
        used = {'libssh2': [], 'ssh': [], 'rsync': []}
        for _ in range(RUNS):
            for transport in ['libssh2', 'ssh']:
                self.forget('base', 'var')
                used[transport].append(self.ours('aaaaaa', transport))
                self.require_same(self.stored('aaaaaa'))
            self.forget('base', 'plain')
            used['rsync'].append(self.theirs(self.work / 'plain', *WHOLE))
            self.forget('plain')
        for transport, goal in [('libssh2', 0.6), ('ssh', 0.8)]:
            name = f'first full of {SIZE // MIB} MiB over {transport}'
            self.throughput(name, SIZE, used[transport], used['rsync'], ('>=', goal))
            self.cpu(name, used[transport], used['rsync'], 'rsync -aS')

    def second_full(self):
        self.forget('base', 'var')
        self.ours('aaaaaa')
        before = self.work / 'before'
        shutil.copytree(self.work / 'var', before)
        random.seed(7)
        os.rename(self.files / 'disk.0.0', self.work / 'disk')
        for unit in [64 << 10, 4 << 10]:
            shutil.copy(self.work / 'disk', self.files / 'disk.0.0')
            self.change(1, unit)
            self.delta(f'{unit >> 10} KiB changes of 1 %', before, unit)
        (self.work / 'disk').unlink()
        shutil.rmtree(before)

    def delta(self, what, before, unit):
        previous = self.stored('aaaaaa')
        copied = [*WHOLE, '--no-whole-file', f'--copy-dest={previous}']

        def ours():
            self.forget('base/12/bbbbbb', 'var')
            shutil.copytree(before, self.work / 'var')
            used = self.ours('bbbbbb')
            self.require_same(self.stored('bbbbbb'))
            self.forget('base/12/bbbbbb')
            return used

        def in_place():
            shutil.copytree(previous, self.work / 'plain')
            used = self.theirs(self.work / 'plain', *IN_PLACE)
            self.forget('plain')
            return used

        def beside():
            used = self.theirs(self.work / 'plain', *copied)
            self.forget('plain')
            return used

        mine, base, place = [], [], []
        for _ in range(RUNS):
            mine.append(ours())
            base.append(beside())
            place.append(in_place())
        figure(f'second full, {what}: over the wire', self.counted(ours), 'MiB', 'rsync --inplace --no-whole-file',
               self.counted(in_place), ('<=', 1.2 if unit > 4096 else 1))
        self.wall(f'second full, {what}', mine, base, 'rsync --copy-dest', ('<=', 1.1) if unit > 4096 else None)
        self.wall(f'second full, {what}', mine, place, 'rsync --inplace', None)
        self.cpu(f'second full, {what}', mine, base, 'rsync --copy-dest')

    @contextlib.contextmanager
    def delay(self):
        """The server is 20 ms away."""
        with subprocess.Popen([FIXTURES / 'proxy', str(self.port), '--delay', '20'], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as proxy:
            self.route(int(proxy.stdout.readline()))
            yield
            proxy.stdin.close()
        self.route(self.port)

    def far_away(self):
        size = SIZE // 16
        self.noise(size)
        used = {'libssh2': [], 'ssh': [], 'rsync': []}
        with self.delay():
            for _ in range(RUNS):
                for transport in ['libssh2', 'ssh']:
                    self.forget('base', 'var')
                    used[transport].append(self.ours('aaaaaa', transport))
                self.forget('base', 'plain')
                used['rsync'].append(self.theirs(self.work / 'plain', *WHOLE))
                self.forget('plain')
        for transport in ['libssh2', 'ssh']:
            self.throughput(f'{size // MIB} MiB with 20 ms of delay each way over {transport}', size, used[transport],
                            used['rsync'], ('>=', 0.8))

    def side_by_side(self):
        """Two disks over one connection, where a channel carries its window in a round trip."""
        disks = ['disk.0.0', 'disk.1.0']
        size = SIZE // 32
        for disk in disks:
            self.noise(size, disk)
        used = {4: [], 1: []}
        with self.delay():
            for _ in range(RUNS):
                for channels, runs in used.items():
                    self.forget('base', 'var')
                    runs.append(self.ours('aaaaaa', 'libssh2', channels))
                    self.require_same(self.stored('aaaaaa'))
        self.wall(f'two disks of {size // MIB} MiB with 20 ms of delay each way, side by side', used[4], used[1],
                  'RSYNC_CHANNELS=1', None)
        (self.files / disks[1]).unlink()


def place():
    """A tmpfs if the disk, two copies of it and what is written meanwhile fit into it."""
    info = os.statvfs('/dev/shm')
    return '/dev/shm' if info.f_bavail * info.f_frsize > 3.5 * SIZE else None


def measure(stack):
    work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='vmvault-bench.', dir=place())))
    bench = Bench(work, stack)
    bench.noise(SIZE)
    (bench.files / 'vm.xml').write_text('PFZNLz4=')
    say(f'{SIZE // MIB} MiB in {work}')
    bench.first_full()
    bench.second_full()
    bench.far_away()
    bench.side_by_side()
