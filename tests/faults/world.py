# SPDX-License-Identifier: Apache-2.0
"""A guest that works, its hypervisor, the front-end's side, and a repository behind SFTP: all of them
on this machine, in one directory, and gone with it."""

import base64
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from proc import Wrong, exe_of, pids, read_proc

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('BUILD') or ROOT / 'build').resolve()
FIXTURES = ROOT / 'tests/fixtures'
SHIM = BUILD / 'tests/faults/shim.so'
PASSWORD = 's3cret-word'
VM = 12
DOMAIN = 'faults'


class World:
    patience = {}  # settings of a backup that is not disturbed
    more_config = ''  # for BACKUP_CONFIG
    accepted = ('AcceptEnv', 'LD_PRELOAD FAULT_* ASAN_OPTIONS')  # by each sshd

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix='vmvault-faults.'))
        self.vm_dir = self.dir / f'vms/{VM}'
        self.disks = [self.dir / 'a.qcow2', self.dir / 'b.qcow2']
        self.scratch, self.target, self.restored = (self.dir / n for n in ('scratch', 'target', 'restored'))
        self.sshd_pid, self.healing = None, None
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(('VMVAULT_', 'LIBVIRT_', 'RESTIC_', 'MAKE', 'MFLAGS'))}
        self.chain = []
        self.watch()
        try:
            self.build()
        except BaseException:
            self.destroy()
            raise

    def watch(self):
        """Should we be killed, somebody removes this directory."""
        script = ('tail --pid="$1" -s 0.5 -f /dev/null; sleep 3; for i in 1 2 3; do '
                  """awk -v d="$2/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | """
                  'xargs -r umount -l; done; rm -rf "$2"')
        subprocess.Popen(['setsid', 'bash', '-c', script, '_', str(os.getpid()), str(self.dir)],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def build(self):
        for place in ('core/datastores', f'vms/{VM}'):
            (self.dir / place).mkdir(parents=True)
        # Before libvirtd: its mount namespace keeps what it began with.
        for place, size in ((self.scratch, 256), (self.target, 1500), (self.restored, 1500)):
            place.mkdir()
            self.run('mount', '-t', 'tmpfs', '-o', f'size={size}m', 'vmvault-faults', place)
        self.run(FIXTURES / 'guest', 'build', ROOT / 'build/fixtures/guest')
        self.run(FIXTURES / 'libvirtd', 'start', self.dir / 'virt', '--owner', os.getpid())
        self.run(FIXTURES / 'sshd', 'start', self.dir / 'sshd', *self.accepted, '--owner', os.getpid())
        self.accept(self.dir / 'sshd')
        self.sshd_pid = int((self.dir / 'sshd/pid').read_text())
        self.env |= {
            'PATH': f'{self.dir}/sshd/bin:{self.env["PATH"]}',
            'LIBVIRT_DEFAULT_URI': self.run(FIXTURES / 'libvirtd', 'uri', self.dir / 'virt').strip(),
            'VMVAULT_REMOTE_DIR': str(BUILD), 'VMVAULT_CORE_DIR': str(self.dir / 'core'),
            'VMVAULT_VAR': str(self.dir / 'var'), 'VMVAULT_SCRATCH_PATH': str(self.scratch),
            'VMVAULT_SCRATCH_FLOOR_MB': '8', 'VMVAULT_SCRATCH_FLOOR_PERCENT': '1'}
        store = self.dir / 'core/datastores/100.xml'
        store.write_text(self.datastore())
        store.chmod(0o600)
        disks = self.make_disks()
        self.shell(f'guest_define --rate 10 {DOMAIN} {self.dir}/console {" ".join(map(str, disks))}')
        for n, disk in enumerate(self.disks):
            if isinstance(disk, Path):
                (self.vm_dir / f'disk.{n}').symlink_to(disk)
        self.start_guest()

    def accept(self, sshd):
        with open(sshd / 'ssh_config', 'a', encoding='ascii') as config:
            config.write(f'    SendEnv {self.accepted[1]}\n')

    def destroy(self):
        """Whatever was going on."""
        for pid in self.ours():
            for number in (signal.SIGKILL, signal.SIGCONT):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
        for fixture in ('sshd', 'libvirtd'):
            subprocess.run([FIXTURES / fixture, 'stop', self.dir / {'libvirtd': 'virt'}.get(fixture, fixture)],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        for _ in range(3):  # one may lie over another
            for place in self.mounts(''):
                subprocess.run(['umount', '-l', place], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- disks ---

    def make_disks(self):
        """Their names for tests/fixtures/domain."""
        self.shell(f'guest_copy {self.disks[0]} root; guest_copy {self.disks[1]} second')
        return self.disks

    def disk_document(self, _):
        return '<TYPE>FILE</TYPE><FORMAT>qcow2</FORMAT><TM_MAD>qcow2</TM_MAD>'

    def readable(self, n):
        """Words for qemu-img, which reads it while the guest has it."""
        return [self.disks[n]]

    def check_chain(self):
        """What it needs where the disks are is there, and no more."""

    def evidence(self):
        """What else to keep when something has failed."""
        return ''

    # --- programs ---

    def run(self, *argv, check=True, limit=300):
        try:
            done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, env=self.env, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            raise Wrong(f'no answer within {limit} s: {" ".join(map(str, argv[:4]))}') from None
        out, err = (text.decode(errors='replace') for text in (done.stdout, done.stderr))
        if check and done.returncode != 0:
            raise Wrong(f'{argv[0]} {" ".join(map(str, argv[1:4]))}...: status {done.returncode}: '
                        f'{(err or out).strip()[-400:]}')
        return out if done.returncode == 0 else ''

    def shell(self, text):
        """A line for the functions of tests/fixtures/guest.bash."""
        return self.run('bash', '-c', f'set -euo pipefail; ROOT={ROOT}; . {FIXTURES}/guest.bash; {text}')

    def virsh(self, *words, check=True):
        return self.run('virsh', '-q', *words, check=check, limit=90).strip()

    def ours(self):
        """Pids of our programs, and of what they run, in this world."""
        mark = str(self.dir).encode()
        out = []
        for pid in pids():
            exe = exe_of(pid)
            if exe.startswith(f'{BUILD}/') or os.path.basename(exe) in ('restic', 'ssh', 'qemu-nbd', 'rbd'):
                if mark in read_proc(pid, 'environ'):
                    out.append(pid)
        return out

    def machines(self):
        """Of each that a backup uses: what to call it, and a process that sees its files."""
        return [('', 'self')]

    def far_places(self):
        """The disks of a bridge, as we see them."""
        return []

    def is_far(self, _):
        """Does this process run on a bridge?"""
        return False

    def mounts(self, kind, seen_by='self'):
        out = []
        for line in Path(f'/proc/{seen_by}/mountinfo').read_text(encoding='utf-8').splitlines():
            words = line.split()
            if words[4].startswith(f'{self.dir}/') and words[words.index('-') + 1].startswith(kind):
                out.append(words[4])
        return out[::-1]

    # --- the guest ---

    def start_guest(self):
        self.shell(f'guest_start {DOMAIN}')
        self.writes(5)

    def state(self, *options):
        return self.virsh('domstate', DOMAIN, *options)

    def acknowledged(self):
        return int(self.shell(f'guest_acknowledged {self.dir}/console'))

    def writes(self, records):
        self.shell(f'eventually guest_acknowledges {self.dir}/console {self.acknowledged() + records}')

    # --- backup and restore ---

    def datastore(self):
        return (f'<DATASTORE><ID>100</ID><NAME>backups</NAME><DS_MAD>restic</DS_MAD>'
                f'<BASE_PATH>{self.target}/repository</BASE_PATH><TEMPLATE><RESTIC_PASSWORD>{PASSWORD}'
                f'</RESTIC_PASSWORD><RESTIC_SFTP_SERVER>backup-server</RESTIC_SFTP_SERVER>'
                f'<RESTIC_SFTP_USER>root</RESTIC_SFTP_USER></TEMPLATE></DATASTORE>')

    def message(self, freeze):
        disks = ''.join(
            f'<DISK><DISK_ID>{n}</DISK_ID><TARGET>vd{"ab"[n]}</TARGET>{self.disk_document(n)}<SIZE>1024</SIZE></DISK>'
            for n in range(len(self.disks)))
        return (f'<VMM_DRIVER_ACTION_DATA><HOST>hypervisor-1</HOST><DEPLOY_ID>{DOMAIN}</DEPLOY_ID>'
                f'<TM_COMMAND><![CDATA[BACKUP qcow2 hypervisor-1:{self.vm_dir} 0:1 {DOMAIN} - {VM} 0\n]]>'
                f'</TM_COMMAND><VM><ID>{VM}</ID><NAME>web</NAME><LCM_STATE>69</LCM_STATE>'
                f'<DEPLOY_ID>{DOMAIN}</DEPLOY_ID><TEMPLATE>{disks}</TEMPLATE><BACKUPS><BACKUP_CONFIG>'
                f'<FS_FREEZE>{freeze}</FS_FREEZE><MODE>INCREMENT</MODE><INCREMENT_MODE>CBT</INCREMENT_MODE>'
                f'<LAST_INCREMENT_ID>{len(self.chain) - 1}</LAST_INCREMENT_ID>'
                f'<LAST_DATASTORE_ID>100</LAST_DATASTORE_ID>{self.more_config}</BACKUP_CONFIG></BACKUPS></VM>'
                f'{self.datastore()}</VMM_DRIVER_ACTION_DATA>')

    def url(self, disk):
        chain = ','.join(f'{n}:{one}' for n, one in enumerate(self.chain))
        return f'restic://100//{chain}/{self.vm_dir}/backup/disk.{disk}.{len(self.chain) - 1}'

    def start_backup(self, freeze, **env):
        return Job(self, [BUILD / 'vmm/kvm/backup', VM], base64.b64encode(self.message(freeze).encode()), env)

    def start_restore(self, disk, file, **env):
        return Job(self, [BUILD / 'datastore/restic/downloader', '--stream', self.url(disk)], b'', env, file)

    def result(self):
        """What the last backup says of itself."""
        return (self.vm_dir / 'backup.result').read_text()

    def new_chain(self):
        shutil.rmtree(self.target / 'repository', ignore_errors=True)
        self.chain = []


class Job:
    """A command of ours that runs by itself; what it says is kept."""

    def __init__(self, world, argv, text, env, out=None):
        base = Path(tempfile.mkdtemp(dir=world.dir))
        self.out, self.err = out or base / 'out', base / 'err'
        (base / 'in').write_bytes(text + b'\n')
        with open(base / 'in', 'rb') as stdin, open(self.out, 'wb') as stdout, open(self.err, 'wb') as stderr:
            self.process = subprocess.Popen([str(word) for word in argv], stdin=stdin, stdout=stdout,
                                            stderr=stderr, env=world.env | env, start_new_session=True)

    def ended(self):
        return self.process.poll() is not None

    def status(self, limit=240):
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Wrong(f'{self.process.args[0]} did not end within {limit} s; {self.why()}') from None

    def why(self):
        """Its last plain line, or the last one at all."""
        lines = self.err.read_text(errors='replace').splitlines()
        plain = [one for one in lines if not one.startswith(('ERROR:', 'WARN:', 'INFO:', 'DEBUG:'))]
        return (plain or lines or ['no word'])[-1].strip()


def can_run():
    """'' if a world can be made here."""
    if os.geteuid() != 0:
        return 'only root can mount the small file systems that it fills'
    if not SHIM.exists():
        return f'{SHIM} is missing: make faults'
    if not os.access('/dev/fuse', os.W_OK):
        return 'there is no /dev/fuse'
    done = subprocess.run([FIXTURES / 'libvirtd', 'can'], stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip() if done.returncode != 0 else ''


if __name__ == '__main__':
    sys.exit('this is a part of tests/faults/run')
