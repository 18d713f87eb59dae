# SPDX-License-Identifier: Apache-2.0
"""A restic datastore on this machine."""

import json
import subprocess

from sandbox import FIXTURES, PASSWORD
from store import Store


class Restic(Store):
    driver = 'restic'

    def prepare(self):
        self.repository = self.live / 'base/12'
        subprocess.run([FIXTURES / 'restic_repository', self.repository, PASSWORD], env=self.env, check=True)

    def datastore(self):
        return (f'<DATASTORE><ID>100</ID><DS_MAD>restic</DS_MAD><BASE_PATH>{self.live}/base</BASE_PATH>'
                f'<TEMPLATE><RESTIC_PASSWORD>{PASSWORD}</RESTIC_PASSWORD><RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>'
                f'</TEMPLATE></DATASTORE>')

    def restic(self, *words):
        done = self.run(['restic', '--no-cache', '--no-lock', '-q', '-r', self.repository, '--json', *words],
                        env={'RESTIC_PASSWORD': PASSWORD})
        return self.insist(done).out.decode()

    def names(self):
        """Short ids of the snapshots."""
        return [one['short_id'] for one in sorted(json.loads(self.restic('snapshots') or '[]') or [],
                                                  key=lambda one: one['time'])]

    def debts(self):
        if any((self.repository / 'locks').iterdir()):
            # One of a restic that was killed is left until somebody is in its way, who removes it.
            self.insist(self.action('rm', self.image([(0, name) for name in self.names()[:1]])))
        left = [one for one in (self.repository / 'locks').glob('*') if '-tmp-' not in one.name]
        # That a repository is to be pruned is a debt, which is told, and paid by `datastore prune`.
        return left + [one for one in self.live.glob('var/restic-*') if not one.name.startswith('restic-prune.')]
