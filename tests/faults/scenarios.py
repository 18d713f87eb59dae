# SPDX-License-Identifier: Apache-2.0
"""What is done while a call fails, and what has to be true of it, and after it."""

import secrets

from sandbox import Wrong


class Scenario:
    """programs: those whose calls fail, one after the other; action: the first of them, in a datastore driver."""

    name, action, programs = '', '', ()

    def __init__(self, world):
        self.world = world

    def do(self, env=None):
        """The command; fails where a call does."""
        raise NotImplementedError

    def check(self, done):
        """After it, whatever came of it."""

    def again(self):
        """Without a fault it works, and what it leaves is right."""


class Reply(Scenario):
    """One that changes nothing: it says what it says without faults, or fails."""

    right = None

    def check(self, done):
        if self.right is None:
            self.right = done.out
        if done.status == 0 and done.out != self.right:
            raise Wrong(f'it was a success, and said {done.out[:80]!r}')
        if self.world.names() != self.world.chain:
            raise Wrong('there are other snapshots than before')

    def again(self):
        self.check(self.world.insist(self.do()))


class Ls(Reply):
    name = action = 'ls'

    def do(self, env=None):
        return self.world.action('ls', self.world.vm(2), self.world.image(), words=(), env=env)


class Stat(Reply):
    name = action = 'stat'

    def do(self, env=None):
        url = self.world.url(list(enumerate(self.world.chain)))
        return self.world.action('stat', f'<IMAGE><PATH>{url}</PATH><SIZE></SIZE></IMAGE>', words=('31',), env=env)


class Monitor(Reply):
    name = action = 'monitor'

    def do(self, env=None):
        return self.world.action('monitor', words=('100',), env=env)

    def check(self, done):
        if done.status == 0 and done.out.count(b'_MB=') != 3:
            raise Wrong(f'it was a success, and said {done.out!r}')


class Download(Reply):
    name = action = 'downloader'

    def do(self, env=None):
        return self.world.download(list(enumerate(self.world.chain)), env=env)


class Backup(Scenario):
    name = action = 'backup'
    made = run = None

    def do(self, env=None):
        self.run = secrets.token_hex(8)
        return self.world.backup(2, {'VMVAULT_RUN': self.run, **(env or {})})

    def check(self, done):
        new = [one for one in self.world.names() if one not in self.world.chain]
        # What it has answered counts, whatever ends it then.
        self.made = done.out.split()[0].decode() if done.out.endswith(b'\n') else None
        if self.made and new != [self.made]:
            raise Wrong(f'it said {self.made}, and there is {new}')
        if done.status > 0 and new:
            raise Wrong(f'it failed, and left {new}')

    def again(self):
        world = self.world
        if self.made:
            world.restores([*enumerate(world.chain), (3, self.made)])
        elif not world.notes():
            # A backup, of which nobody was told: who has started it knows its run.
            world.insist(world.discard(self.run))
        name = world.insist(self.do()).out.split()[0].decode()
        expected = {*world.chain, name, *([self.made] if self.made else [])}
        if set(world.names()) != expected:
            raise Wrong(f'there is {world.names()}, and not {expected}')
        world.restores([*enumerate(world.chain), (3, name)])


class Rm(Scenario):
    name = action = 'rm'

    def do(self, env=None):
        return self.world.action('rm', self.world.image(), env=env)

    def check(self, done):
        if done.status == 0 and self.world.names():
            raise Wrong(f'it was a success, and left {self.world.names()}')

    def again(self):
        self.check(self.world.insist(self.do()))
        self.world.increment(0)
        name = self.world.insist(self.world.backup(-1)).out.split()[0].decode()
        self.world.restores([(0, name)])


class Flatten(Scenario):
    name, action = 'flatten', 'increment_flatten'
    chain = None

    def do(self, env=None, keep=2):
        return self.world.action('increment_flatten', self.world.image(self.chain),
                                 f'<EXTRA_DATA><KEEP_LAST>{keep}</KEEP_LAST></EXTRA_DATA>', env=env)

    def check(self, done):
        if done.status == 0 and b':' in done.out:
            entries = done.out.split()[1].decode().split(',')
            self.chain = [(int(one.split(':')[0]), one.split(':')[1]) for one in entries]

    def again(self):
        self.check(self.world.insist(self.do()))
        if [n for n, _ in self.chain] != [1, 2] or not {one for _, one in self.chain} <= set(self.world.names()):
            raise Wrong(f'it said {self.chain}, and there is {self.world.names()}')
        self.world.restores(self.chain)
        # What could not be removed was told; the next one that has something to merge removes it.
        self.check(self.world.insist(self.do(keep=1)))
        if [one for _, one in self.chain] != self.world.names():
            raise Wrong(f'then it said {self.chain}, and there is {self.world.names()}')
        self.world.restores(self.chain)


def of_driver(driver, beside, name=''):
    """Of a datastore driver.  beside: the program that each of its actions runs."""
    return [type(kind.__name__, (kind,), {
        'name': f'{name or driver}-{kind.name}',
        'programs': (f'{driver}/{kind.action}', *([beside[kind.action]] if kind.action in beside else [])),
    }) for kind in (Backup, Flatten, Rm, Ls, Stat, Monitor, Download)]


RESTIC = of_driver('restic', {one: 'host/run' for one in ('backup', 'increment_flatten', 'rm', 'ls', 'stat',
                                                          'downloader')})
RSYNC = of_driver('rsync', {'backup': 'rsync/send'})
SFTP = of_driver('rsync', {'backup': 'rsync/send'}, 'sftp')
