# SPDX-License-Identifier: Apache-2.0
"""Looking at processes, and waiting for what they do."""

import os
import time
from pathlib import Path


class Wrong(Exception):
    """What must not be."""


def wait_until(what, condition, limit):
    """Its result as soon as it is true."""
    end = time.monotonic() + limit
    while not (result := condition()):
        if time.monotonic() > end:
            raise Wrong(f'not within {limit} s: {what}')
        time.sleep(0.1)
    return result


def read_proc(pid, name):
    try:
        return Path(f'/proc/{pid}/{name}').read_bytes()
    except OSError:
        return b''


def exe_of(pid):
    try:
        return os.readlink(f'/proc/{pid}/exe')
    except OSError:
        return ''


def pids():
    return [int(name) for name in os.listdir('/proc') if name.isdigit()]


def fill_up(directory):
    """Not a block is left free there."""
    with open(directory / 'filler', 'ab', buffering=0) as out:
        for size in (1 << 22, 1 << 16, 1 << 12):
            try:
                while out.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
