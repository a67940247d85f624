"""Runs Python programs as `subprocess.run([sys.executable, *words])` does, forked from a process that has torch.

An interpreter spends four CPU seconds on importing torch and what its optimizers import at their first step, a command
another one on its own modules, and the tests need two hundred interpreters. Here one process per test session imports
them once and forks for each program, and a program that makes runs forks the server from which its runs are forked.
A program has a process, a folder, an environment, arguments, a `__main__` module and output files of its own, ends as
an interpreter ends, and shares with the others nothing but modules that were imported before it began.
"""

import atexit
import ctypes
import functools
import gc
import itertools
import json
import multiprocessing.util
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

IMPORTED = ("torch._dynamo", "torch.distributed", "scipy.stats")  # what is not installed is left out
COMMANDS = (
    "clinometer.cli.run_study",
    "clinometer.papers.santurkar2018.definition",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "pyarrow.parquet",
)  # where the command line is installed with all that it needs
LATE = 256  # no exit status of a process
_start = multiprocessing.util.spawnv_passfds
Done = subprocess.CompletedProcess[str]


class Server:
    """The process that forks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},  # read by OpenMP when torch is imported, and never again
        )

    def together(
        self,
        programs: Sequence[Sequence[str | Path]],
        *,
        cwd: Path,
        envs: Sequence[Mapping[str, str]],
        timeout: float,
        inside: int | None = None,
    ) -> list[Done]:
        """Run several programs at once; all of them are killed if one is not done in time."""
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory() as folder:
            requests = [
                {
                    "words": list(map(str, words)),
                    "cwd": str(cwd),
                    "env": dict(env),
                    "to": f"{folder}/{number}",
                    "inside": inside,
                }
                for number, (words, env) in enumerate(zip(programs, envs, strict=True))
            ]
            print(json.dumps({"programs": requests, "timeout": timeout}), file=self._process.stdin, flush=True)
            statuses = json.loads(self._process.stdout.readline())
            said = [[Path(f"{request['to']}.{name}").read_text() for name in ("out", "err")] for request in requests]
        if LATE in statuses:
            raise subprocess.TimeoutExpired(str(programs), timeout, str(said))
        return [Done(each["words"], status, *its) for each, status, its in zip(requests, statuses, said, strict=True)]

    def close(self) -> None:
        """It ends when its input does."""
        self._process.communicate()


def run(
    words: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
    inside: int | None = None,
) -> Done:
    """Run `python *words`, where words are `-W error`, then a script, `-m` and a module, or `-c` and code.

    Args:
        words: What follows `python`.
        cwd: The program's folder.
        env: Its environment; that of this process by default.
        timeout: Seconds after which it is killed.
        inside: A process into whose user and mount namespaces the program goes.
    """
    envs = [os.environ if env is None else env]
    return _server().together([words], cwd=cwd, envs=envs, timeout=timeout, inside=inside)[0]


def together(
    programs: Sequence[Sequence[str | Path]], *, cwd: Path, envs: Sequence[Mapping[str, str]], timeout: float = 300
) -> list[Done]:
    """As `Server.together`, by the one of this session."""
    return _server().together(programs, cwd=cwd, envs=envs, timeout=timeout)


@functools.cache
def _server() -> Server:
    server = Server()
    atexit.register(server.close)
    return server


def fork_servers() -> None:
    """Let multiprocessing fork its servers from this process, which has torch, where it would start interpreters."""
    multiprocessing.util.spawnv_passfds = _forked_server


def _forked_server(executable: bytes, words: Sequence[str], keep: Sequence[int]) -> int:
    """Fork where multiprocessing would start `python -c PROGRAM`, and run that program in the child."""
    if words[-2] != "-c":  # of a process that is spawned, not of a server
        return _start(executable, words, keep)
    pid = os.fork()
    if pid:
        return pid
    try:
        edges = [2, *sorted(keep), os.sysconf("SC_OPEN_MAX")]  # a program that is started inherits no other files
        for before, after in itertools.pairwise(edges):
            os.closerange(before + 1, after)
        exec(words[-1], {})
    finally:
        os._exit(0)


def _serve() -> dict[str, Any] | None:
    """Fork for each program that is asked for; return its request in the fork, and nothing at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in IMPORTED:
            if find_spec(name.partition(".")[0]):
                import_module(name)
        exec("from clinometer import *", {})
        if all(map(find_spec, ("cyclopts", "rich", "scipy", "matplotlib", "jinja2", "safetensors", "pyarrow"))):
            for name in COMMANDS:
                import_module(name)
    gc.freeze()  # a million objects that no program has to look through, or to copy by counting
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        pids = []
        for program in asked["programs"]:
            pid = os.fork()
            if not pid:
                answers.close()
                return program
            pids.append(pid)
        end = time.monotonic() + asked["timeout"]
        print(json.dumps([_status(pid, end) for pid in pids]), file=answers, flush=True)
    return None


def _status(pid: int, end: float) -> int:
    """The exit status of a process, which is killed with all that it started if it is not done in time."""
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return LATE
        time.sleep(0.005)


def _become(request: dict[str, Any]) -> None:
    """Be the interpreter that was asked for, but for its modules, and run the program."""
    os.setsid()
    if request["inside"] is not None:
        _enter(request["inside"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for stream, path in enumerate([os.devnull, f"{request['to']}.out", f"{request['to']}.err"]):
        held = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(held, stream)
        os.close(held)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the server's has read ahead
    words = request["words"]
    if words[:2] == ["-W", "error"]:
        sys.warnoptions[:] = ["error"]
        warnings.simplefilter("error")
        words = words[2:]
    first = {"-m": request["cwd"], "-c": ""}.get(words[0], str(Path(words[0]).parent))
    theirs = os.environ.get("PYTHONPATH", "")
    sys.path[:] = [first, *filter(None, theirs.split(os.pathsep)), *sys.path[1:]]
    sys.argv[:] = words
    fork_servers()
    _leave_libraries()
    if words[0] == "-m":
        sys.argv[:] = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    code = words[1] if words[0] == "-c" else Path(words[0]).read_text()
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if words[0] != "-c":
        main.__file__ = words[0]
    else:
        sys.argv[:] = ["-c", *words[2:]]
    exec(compile(code, main.__dict__.get("__file__", "<string>"), "exec"), main.__dict__)


def _enter(pid: int) -> None:
    """Go where the process is, as `nsenter --user --mount` does."""
    library = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/user").open() as user, Path(f"/proc/{pid}/ns/mnt").open() as mount:
        for namespace in (user, mount):
            if library.setns(namespace.fileno(), 0):
                raise OSError(ctypes.get_errno(), f"cannot enter {namespace.name}")


def _leave_libraries() -> None:
    """End at once when the interpreter has ended: what C++ does after that frees torch, and takes 0.1 seconds."""
    library = ctypes.CDLL(None)
    if hasattr(library, "on_exit"):  # of glibc: it hands the exit status on
        library.on_exit(library._exit, None)


if __name__ == "__main__":
    asked = _serve()
    if asked:
        _become(asked)
