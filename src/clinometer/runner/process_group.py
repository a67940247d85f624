"""Process groups: a worker leads one, and a guardian kills all of it once the worker or the command has ended.

A worker may have children of its own, such as a DataLoader's, and may be stopped, ignore signals or be deep in C code
when it has to end. So nothing is asked of it: the guardian is a process beside it that only waits, and then SIGKILLs
the group. It is no child of the worker, whose `os.wait` would find it otherwise.
"""

import contextlib
import functools
import os
import select
import signal
import time
from collections.abc import Iterable

from clinometer.training.orphan import fork_orphan

WORKERS: set[int] = set()  # the leaders of the groups of this process's workers
_REAP_SECONDS = 1.0
_POLL_SECONDS = 0.5  # between looks at the worker where the system has no pidfd


def lead_group(command: int) -> None:
    """Make this process the leader of a session and group of its own, which ends with it and with the command.

    It must have no threads yet. Signals of the terminal, such as Ctrl-C, no longer reach it.

    Args:
        command: A file descriptor that becomes readable when the command's process ends.
    """
    os.setsid()
    fork_orphan(functools.partial(_guard, os.getpid(), command))


def suspend() -> None:
    """Stop this process's workers and the process itself, as Ctrl-Z asks for; all go on when it is continued.

    Of a worker's group the leader alone is stopped: the guardian must see the end of a command that is killed now.
    """
    stopped = list(WORKERS)
    _signal(stopped, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    _signal(stopped, signal.SIGCONT)


def kill_group(leader: int) -> None:
    """SIGKILL all processes of a worker's group; nothing happens where there are none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter where all of them have ended already
        os.killpg(leader, signal.SIGKILL)


def reap_group(leader: int) -> None:
    """Take the exit statuses of a group that has ended, where this process has inherited its processes.

    The first process of a container inherits every orphan, such as a guardian, and keeps what it does not take.
    """
    end = time.monotonic() + _REAP_SECONDS
    with contextlib.suppress(ChildProcessError):  # none is left, or none is this process's
        while time.monotonic() < end:
            if os.waitpid(-leader, os.WNOHANG)[0] == 0:
                time.sleep(0.005)


def _guard(worker: int, command: int) -> None:
    """Wait for the end of the worker or the command, then kill the group, this process included."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _close_all_but(command)
    try:
        select.select([os.pidfd_open(worker), command], [], [])
    except ProcessLookupError:
        pass  # it has ended
    except (AttributeError, OSError):  # macOS, and systems that imitate Linux
        while _lives(worker) and not select.select([command], [], [], 0)[0]:
            time.sleep(_POLL_SECONDS)
    kill_group(worker)


def _signal(processes: Iterable[int], number: int) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _close_all_but(kept: int) -> None:
    """Close all other files, so that no pipe seems to be in use because of this process."""
    os.closerange(0, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
