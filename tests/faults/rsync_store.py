# SPDX-License-Identifier: Apache-2.0
"""An rsync datastore on a private SSH server, where our helper runs, or nothing but SFTP is allowed."""

import getpass
import os
import re
import shlex
import subprocess
from pathlib import Path

from sandbox import BUILD, FIXTURES
from store import Store

NAME = re.compile('[0-9a-f]{6}')


class Rsync(Store):
    driver, restrictions = 'rsync', ()

    def prepare(self):
        remote, server = self.dir / 'remote', self.dir / 'sshd'
        (remote / 'datastore/rsync').mkdir(parents=True)
        # The tree over there is ours, but for what is pushed into it.
        (remote / 'datastore/host').symlink_to(BUILD / 'datastore/host')
        (remote / 'datastore/rsync/send').symlink_to(BUILD / 'datastore/rsync/send')
        plain = {k: v for k, v in self.env.items() if not k.startswith('VMVAULT_')}  # it is not one of ours()
        started = subprocess.run([FIXTURES / 'sshd', 'start', server, *self.restrictions, '--owner', str(os.getpid())],
                                 env=plain, check=True, stdout=subprocess.PIPE, text=True).stdout
        path = shlex.split(started)[1].removeprefix('PATH=').split(':')[0]
        self.env |= {'PATH': f'{path}:{self.env["PATH"]}', 'VMVAULT_REMOTE_DIR': str(remote)}
        self.place = self.live / 'base/12'

    def destroy(self):
        subprocess.run([FIXTURES / 'sshd', 'stop', self.dir / 'sshd'], check=False)
        super().destroy()

    def datastore(self):
        return (f'<DATASTORE><ID>100</ID><DS_MAD>rsync</DS_MAD><BASE_PATH>{self.live}/base</BASE_PATH>'
                f'<TEMPLATE><RSYNC_HOST>bk1</RSYNC_HOST><RSYNC_USER>{getpass.getuser()}</RSYNC_USER></TEMPLATE>'
                f'</DATASTORE>')

    def ours(self):
        """What runs over there, too."""
        there, found = f'{self.dir}/remote/'.encode(), super().ours()
        for one in Path('/proc').glob('[0-9]*'):
            try:
                if (one / 'cmdline').read_bytes().startswith(there):
                    found.append(int(one.name))
            except OSError:  # it has ended
                pass
        return found

    def names(self):
        there = [one.name for one in self.place.glob('*') if NAME.fullmatch(one.name)]
        return sorted(there, key=lambda name: self.chain.index(name) if name in self.chain else len(self.chain))

    def notes(self):
        # What is claimed is noted until the next backup.
        return [one for one in super().notes() if any(line.endswith(' open') for line in one.read_text().splitlines())]

    def debts(self):
        return self.notes() + [one for one in self.place.glob('*') if not NAME.fullmatch(one.name)]


class Sftp(Rsync):
    restrictions = ('ForceCommand', 'internal-sftp')
