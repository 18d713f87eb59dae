# SPDX-License-Identifier: Apache-2.0
"""The faults: what is done while a process stands still at a point."""

import os
import signal
import subprocess
import threading
import time

from proc import Wrong, exe_of, fill_up, pids, read_proc, wait_until
from table import BRIDGE, STEPS
from world import BUILD, DOMAIN


def kill(found, what):
    """The processes are dead and collected, whatever they were doing."""
    if not found:
        raise Wrong(f'there is no {what} to be killed')
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # with the one before it
            pass
    for pid in found:
        wait_until(f'{what} {pid} is dead', lambda pid=pid: not exe_of(pid), 30)


def programs(world, path):
    return [pid for pid in world.ours() if exe_of(pid) == str((BUILD / path).resolve())]


def verbs(world, far):
    """(pid, verb, does somebody hold its stdin?) of every backup_host there."""
    out = []
    for pid in programs(world, 'tm/host/backup_host'):
        if world.is_far(pid) != far:
            continue
        words = read_proc(pid, 'cmdline').split(b'\0')
        try:
            held = os.readlink(f'/proc/{pid}/fd/0') != '/dev/null'
        except OSError:  # it has just ended
            continue
        out.append((pid, words[1].decode() if len(words) > 1 else '', held))
    return out


def hosts(world, far=False):
    """The backup_host that somebody waits for, on the VM's host or on its bridge."""
    return [pid for pid, verb, held in verbs(world, far) if verb in ('begin', 'still', 'end') and held]


def guard(world, far=False):
    return [pid for pid, verb, _ in verbs(world, far) if verb == 'guard']


def exporter(world):
    """A fork of begin that nobody waits for."""
    return [pid for pid, verb, held in verbs(world, bool(BRIDGE)) if verb == 'begin' and not held]


def qemu(world):
    file = world.dir / f'virt/run/qemu/{DOMAIN}.pid'
    return [int(file.read_text())] if file.exists() else []


def parent(pid):
    stat = read_proc(pid, 'stat').rpartition(b')')[2].split()
    return int(stat[1]) if len(stat) > 1 else 0


def sessions(sshd):
    """The processes of one of ours that hold a connection."""
    family = {sshd}
    every = [pid for pid in pids() if read_proc(pid, 'comm').startswith(b'sshd')]
    while grown := [pid for pid in every if pid not in family and parent(pid) in family]:
        family.update(grown)
    return sorted(family - {sshd})


def fill_scratch(world, point):
    """The guest writes on, and qemu has nowhere to put what it overwrites."""
    fill_up(world.scratch)
    if 'job' not in point.holds or 'still' in point.holds:
        return None

    # Not while an exporter stands still: qemu cannot end a job whose client does not read.
    def noticed():
        job = world.virsh('domjobinfo', DOMAIN, check=False)
        return 'I/O error' in world.state('--reason') or 'None' in job
    return lambda: wait_until('qemu has paused the guest, or the job has ended', noticed, 60)


def shut_down(world):
    """Asks until the guest listens: frozen, it does not."""
    script = 'for i in $(seq 300); do virsh -q shutdown "$1" --mode agent && exit; sleep 0.2; done; exit 1'
    asking = subprocess.Popen(['bash', '-c', script, '_', DOMAIN], env=world.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asking.wait(5)
    except subprocess.TimeoutExpired:
        pass

    def accepted():
        if asking.wait(120) != 0:
            raise Wrong('the guest could not be asked to shut down')
    return accepted


def stop_osd(world):
    """For longer than what reads from it, or makes snapshots, waits."""
    world.osd(signal.SIGSTOP)
    world.healing = threading.Timer(12, world.osd, (signal.SIGCONT,))
    return world.healing.start


def reboot_bridge(world):
    """All that runs there is gone at the same moment, and so are its mounts; its files are not."""
    found = {pid for pid in world.ours() if world.is_far(pid)} | set(sessions(world.far_sshd))
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    kill(sorted(found), 'process on the bridge')
    for place in world.mounts('fuse', world.far_sshd):
        world.run('nsenter', '-m', '-t', world.far_sshd, 'umount', '-l', place)


def do(world, point, fault):
    """Does it; what to wait for as soon as everybody goes on, if anything."""
    if fault == 'kill-step':
        kill(programs(world, STEPS[point.step]), point.step)
    elif fault == 'kill-front':
        kill(programs(world, 'vmm/kvm/backup') + programs(world, STEPS[point.step]), 'orchestrator')
    elif fault == 'kill-host':
        kill(hosts(world), 'backup_host')
    elif fault == 'kill-guard':
        kill(guard(world), 'guard')
    elif fault == 'kill-exporter':
        kill(exporter(world), 'exporter')
    elif fault == 'kill-qemu':
        kill(qemu(world), 'qemu')
    elif fault == 'full-scratch':
        return fill_scratch(world, point)
    elif fault == 'full-target':
        fill_up(world.restored if point.step == 'restore' else world.target)
    elif fault == 'cut-ssh':
        kill(sessions(world.sshd_pid), 'connection')
    elif fault == 'kill-bridge':
        kill(hosts(world, far=True), 'backup_host on the bridge')
    elif fault == 'kill-bridge-guard':
        kill(guard(world, far=True), 'guard on the bridge')
    elif fault == 'full-bridge':
        world.fill_bridge()
    elif fault == 'cut-bridge':
        kill(sessions(world.far_sshd), 'connection')
    elif fault == 'reboot-bridge':
        reboot_bridge(world)
    elif fault == 'stop-osd':
        return stop_osd(world)
    elif fault == 'shutdown':
        return shut_down(world)
    return None


def undo(world):
    """There is space again, and the OSD answers."""
    if world.healing:
        world.healing.join()
        world.healing = None
    for place in (world.scratch, world.target, world.restored, *world.far_places()):
        (place / 'filler').unlink(missing_ok=True)


def seconds_since(begun):
    return round(time.monotonic() - begun)
