"""Locks on runs. Whether a run is locked is judged by a process that knows nothing of this package, only of flock."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clinometer.papers.santurkar2018.configs import vgg
from clinometer.runner import locks
from clinometer.runner.locks import RunLocks, is_locked, lock_file
from clinometer.runner.ray import pool
from clinometer.runner.ray.actor import Place
from clinometer.runner.status import status
from clinometer.runner.worker import Task

KEY = "00ff00ff00ff00ff"
JUDGE = """
import fcntl, sys
with open(sys.argv[1]) as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("locked")
"""
HOLDER = """
import os, runpy, subprocess, sys, time
from pathlib import Path
module = runpy.run_path(sys.argv[1])
locks = module["RunLocks"](Path(sys.argv[2]))
assert locks.acquire(sys.argv[3])
ran = subprocess.Popen(["sleep", "60"], close_fds=False)
forked = os.fork()
if not forked:
    assert not locks.attempt(sys.argv[3]).__enter__()  # the lock is its parent's
    print("forked", os.getpid(), ran.pid, flush=True)
time.sleep(60)
"""


def judged_locked(study: Path, key: str = KEY) -> bool:
    """What another process finds."""
    found = subprocess.run([sys.executable, "-S", "-c", JUDGE, lock_file(study, key)], capture_output=True, check=False)
    assert found.stderr in (b"", b"locked\n"), found.stderr
    return found.returncode != 0


def test_looking_at_a_lock_keeps_it(tmp_path: Path) -> None:
    """A POSIX record lock was lost when its own process looked at it; status() looks at every run of a study."""
    (tmp_path / "runs" / KEY).mkdir(parents=True)
    own = RunLocks(tmp_path)
    assert own.acquire(KEY)
    assert is_locked(tmp_path, KEY)
    assert [run.state for run in status(tmp_path)[0]] == ["running"]
    assert judged_locked(tmp_path)
    own.release(KEY)
    assert not is_locked(tmp_path, KEY)
    assert [run.state for run in status(tmp_path)[0]] == ["interrupted"]
    assert not judged_locked(tmp_path)


def test_another_object_of_the_process_neither_gets_nor_drops_a_lock(tmp_path: Path) -> None:
    """As a scheduler and a cluster's pool have one each on one study; closing one leaves the other's locks."""
    own, other = RunLocks(tmp_path), RunLocks(tmp_path)
    assert own.acquire(KEY)
    assert not other.acquire(KEY)
    with other.attempt(KEY) as acquired:
        assert not acquired
    other.release(KEY)
    other.close()
    assert judged_locked(tmp_path)
    with own.attempt(KEY) as acquired:
        assert acquired
    assert judged_locked(tmp_path), "an attempt gives back only what it took"
    own.close()
    assert not judged_locked(tmp_path)
    assert other.acquire(KEY)
    other.close()


def test_a_look_at_a_lock_does_not_keep_others_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared lock, as `is_locked` takes for a moment, is there when the run is to be locked, and then is gone."""
    locks.RunLocks(tmp_path).close()
    looking = os.open(lock_file(tmp_path, KEY), os.O_RDONLY | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(locks.time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
    with RunLocks(tmp_path).attempt(KEY) as acquired:
        assert acquired
    os.close(looking)


def test_a_lock_that_is_in_use_is_not_collected(tmp_path: Path) -> None:
    """Nobody has to keep the object: a worker holds its locks until the process ends."""
    assert RunLocks(tmp_path).acquire(KEY)
    assert judged_locked(tmp_path)
    for held in list(locks._OPEN.values()):
        held.close()
    assert not judged_locked(tmp_path)


def test_children_do_not_keep_the_lock_of_a_process_that_was_killed(tmp_path: Path) -> None:
    """A forked one, as a DataLoader's worker is, and one that runs a program; both outlive the holder."""
    words = [sys.executable, "-S", "-c", HOLDER, locks.__file__, tmp_path, KEY]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        children = [int(pid) for pid in holder.stdout.readline().split()[1:]]
        assert len(children) == 2
        try:
            assert judged_locked(tmp_path), "the child has closed a copy of the lock, which releases nothing"
            holder.kill()
            holder.wait()
            for child in children:
                os.kill(child, 0)  # lives
            assert not judged_locked(tmp_path)
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)


def test_a_cluster_keeps_its_locks_until_a_job_ends_or_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Ray that only remembers what it was asked; status() is called while the driver holds the locks."""
    actor = SimpleNamespace(
        start=SimpleNamespace(remote=lambda *_: "answer"), stop=SimpleNamespace(remote=lambda: "stopped")
    )
    ray = SimpleNamespace(
        put=lambda _: None,
        remote=lambda _: SimpleNamespace(options=lambda **_: None),
        wait=lambda *_, **__: ([], []),
        kill=lambda _: None,
        exceptions=SimpleNamespace(RayError=OSError),
    )
    monkeypatch.setattr(pool, "connect", lambda *_: (ray, lambda: None))
    first, second = vgg(), vgg(seed=1)
    cluster = pool.RayPool()
    cluster._slots = [pool._SlotHandle(actor, None, Place("there", seed, "")) for seed in range(2)]
    for config in (first, second):
        assert cluster.start(Task((config,), tmp_path, {}))
    assert {run.state for run in status(tmp_path)[0]} == {"running"}
    assert judged_locked(tmp_path, first.key)
    assert judged_locked(tmp_path, second.key)
    cluster._slots[0].end_job()
    assert not judged_locked(tmp_path, first.key)
    assert not cluster.start(Task((second,), tmp_path, {})), "the other slot has it"
    cluster.close()
    assert not judged_locked(tmp_path, second.key)
