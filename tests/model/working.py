# SPDX-License-Identifier: Apache-2.0
"""The chain of a real guest that goes on writing: what its disks hold is known when they have been restored once.

From then on it is those bytes.  The first time, the guest's own judge finds its files whole, both disks of one
moment, and all that the guest had acknowledged before the backup began.
"""

import re
import subprocess

from chain import Chain
from machine import Disk, Machine
from sandbox import BUILD, FIXTURES, ROOT, Wrong

GUEST = BUILD / 'fixtures/guest'


class Guest(Machine):
    def build(self):
        subprocess.run([FIXTURES / 'guest', 'build', GUEST], check=True)
        super().build()
        self.env |= {'ROOT': str(ROOT), 'GUEST': str(GUEST)}
        self.console = self.live / 'console'
        for name, target in ('root', 'vda'), ('second', 'vdb'):
            file = self.live / f'{name}.qcow2'
            self.insist(self.bash('guest_copy "$@"', file, name))
            self.disks.append(Disk(file, target, 'qcow2'))
        self.define()
        self.power_on()
        self.works()

    def bash(self, words, *arguments):
        """Of tests/fixtures/guest.bash."""
        script = f'source "$ROOT/tests/fixtures/guest.bash"; EVENTUALLY=600; {words}'
        return self.run(['bash', '-c', script, '-', *arguments])

    def define(self):
        files = [one.file for one in self.disks]
        done = self.run([FIXTURES / 'domain', '--guest', GUEST, '--rate', 50, '--uuid', self.uuid, 'model', self.console, *files])
        self.insist(self.run(['virsh', '-q', 'define', '/dev/stdin'], self.insist(done).out.decode()))

    def power_on(self):
        self.insist(self.bash('guest_start model'))
        self.is_on = True

    def power_off(self):
        self.insist(self.bash('guest_shutdown model'))
        self.is_on = False

    def works(self):
        self.insist(self.bash('guest_works "$1"', self.console))

    def acknowledged(self):
        return int(self.insist(self.bash('guest_acknowledged "$1"', self.console)).out)

    def contents(self):
        return {'acknowledged': self.acknowledged()}

    def judged(self, files):
        done = self.run([FIXTURES / 'guest', 'inspect', GUEST, *(file for file, _ in files.values())])
        newest = re.search(r'^VERIFY OK .*newest=(\d+) ', done.out.decode(), re.MULTILINE)
        if done.status != 0 or not newest:
            raise Wrong(f'the guest would not start from this: {done.out.decode()} {done.err}')
        return super().judged(files) | {'newest': int(newest[1])}


class Working(Chain):
    NAMES = ['works'] * 3 + ['backup'] * 6 + ['full', 'flatten', 'delete', 'restore', 'redefine', 'flip', 'verify', 'cancel',
                                              'recover', 'power', 'power', 'crash', 'clock']

    @staticmethod
    def build(seed):
        return Guest()

    def works(self, _):
        if self.machine.is_on:
            self.machine.works()

    def backup(self, dice, *words):
        freeze = dice.choice(('agent', 'suspend', 'none'))
        return f'frozen by {freeze} {super().backup(dice, *words, "--fs-freeze", freeze)}'

    def same(self, known, got):
        if 'acknowledged' not in known:
            return known == got
        if got['newest'] < known['acknowledged']:
            return False
        known |= got
        del known['acknowledged']
        return True

    def end(self):
        if self.machine.is_on:
            self.machine.works()  # whatever was done to it
        super().end()
