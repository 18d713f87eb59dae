# SPDX-License-Identifier: Apache-2.0
"""What lists cost where there is much: 10,000 machines, each with an image of two restore points."""

import os
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from common import BUILD, figure, run, say, seconds, vmvault

MANY = 10_000
FIRST_VM = 1_000_000


def fill(file):
    """As backups would have, but in one transaction."""
    result = '{"schema":1,"live":true,"disks":[],"padding":"' + 'x' * 600 + '"}'
    with sqlite3.connect(file) as db:
        vms = [(FIRST_VM + n, uuid(n), f'machine-{n}') for n in range(MANY)]
        db.executemany('INSERT INTO vms (id, uuid, name) VALUES (?, ?, ?)', vms)
        db.executemany("INSERT INTO images (id, vm, datastore, mode, disks, created) VALUES (?, ?, 100, 'INCREMENT', '0', ?)",
                       [(n + 1, FIRST_VM + n, 1_790_000_000 + n) for n in range(MANY)])
        db.executemany("INSERT INTO increments (image, id, source, size_mib, bytes, date, dir, result) "
                       "VALUES (?, ?, ?, 10, 10485760, ?, '/var/lib/vmvault/vms/1/backup', ?)",
                       [(n + 1, one, f'{n:06x}{one:02x}', 1_790_000_000 + n + one, result)
                        for n in range(MANY) for one in range(2)])
        db.execute('UPDATE vms SET active_image = id - ?', (FIRST_VM - 1,))


def uuid(n):
    return f'{n:08x}-0000-4000-8000-000000000000'


@contextmanager
def service(work):
    """On a libvirt that has all of them; nothing is to be backed up."""
    domain = "<domain type='test'><name>machine-{}</name><uuid>{}</uuid><memory>1024</memory><os><type>hvm</type></os></domain>"
    (work / 'node.xml').write_text('<node>' + ''.join(domain.format(n, uuid(n)) for n in range(MANY)) + '</node>')
    (work / 'mads').mkdir()
    for mad in ['vmm/one_vmm_exec', 'datastore/one_datastore']:
        (work / 'mads' / Path(mad).name).symlink_to(BUILD / 'drivers' / mad)
    (work / 'conf').write_text(f'PORT = 0\nRPO = 0\nLIBVIRT_URI = "test://{work}/node.xml"\n'
                               f'MADS_LOCATION = "{work}/mads"\n')
    with open(work / 'log', 'w', encoding='utf-8') as log:
        process = subprocess.Popen([BUILD / 'drivers/vmvaultd/vmvaultd', '--config', work / 'conf'],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def ask(work, method, *numbers):
    """The document that a method answers, as text."""
    session = (work / 'var/one_auth').read_text(encoding='utf-8').strip()
    values = [f'<string>{session}</string>', *(f'<i4>{n}</i4>' for n in numbers)]
    body = f'<methodCall><methodName>{method}</methodName><params>' + ''.join(
        f'<param><value>{one}</value></param>' for one in values) + '</params></methodCall>'
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(work / 'var/vmvaultd.socket'))
        client.sendall(f'POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}'.encode())
        answer = b''.join(iter(lambda: client.recv(1 << 20), b''))
    return answer.decode()


def measure_api(work):
    """A page, the whole pools, and the memory that the service has had at most after these."""
    def knows_all():
        return (work / 'var/one_auth').exists() and (work / 'var/vmvaultd.socket').exists() and \
            ask(work, 'one.vmpool.info', -2, -1, -1, -1).count('&lt;STATE&gt;3&lt;') == MANY

    def page(first):
        if ask(work, 'one.imagepool.info', -2, first, -100).count('&lt;IMAGE&gt;') != 100:
            raise SystemExit('bench: a page does not have 100 images')

    with service(work) as process:
        limit = time.monotonic() + 120
        while not knows_all():
            if process.poll() is not None or time.monotonic() > limit:
                raise SystemExit(f'bench: the service does not know its machines: {(work / "log").read_text()}')
            time.sleep(1)
        for first in [0, MANY // 2, MANY - 100]:
            figure(f'a page of one.imagepool.info (100 of {MANY}, from {first})',
                   min(seconds(page, first) for _ in range(3)), 's', goal=('<=', 0.2))
        figure(f'one.imagepool.info of {MANY}', seconds(ask, work, 'one.imagepool.info', -2, -1, -1), 's')
        for _ in range(3):
            ask(work, 'one.imagepool.info', -2, -1, -1)
        status = Path(f'/proc/{process.pid}/status').read_text(encoding='utf-8')
        most = int(status.split('VmHWM:')[1].split()[0]) / 1000
        figure(f'memory of the service with {MANY} machines and images', most, 'MB', goal=('<=', 200))


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
        measure_api(Path(work))
