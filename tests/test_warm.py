"""A program that is forked from a warm process sees what it would see in an interpreter of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import warm

LOOK = """
import json, os, sys, warnings
main = sys.modules["__main__"]
print(json.dumps([sys.argv, sys.path[0], __name__, getattr(main, "__file__", ""), main.__dict__ is globals()]))
print(os.getcwd(), sys.stdin.read(), os.environ["SEEN"], "PATH" in os.environ, __doc__, sys.warnoptions)
print("to the other", file=sys.stderr)
import atexit, beside
atexit.register(print, "at the end", beside.NAME)
{}
"""
ENDS = {"peace": "", "status": "sys.exit(3)", "error": "1 / 0", "warning": "warnings.warn('one')", "kill": "os.abort()"}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("way", ["script", "-m", "-c"])
@pytest.mark.parametrize("flags", [[], ["-W", "error"]], ids=["plain", "strict"])
def test_a_program_is_as_in_an_interpreter_of_its_own(end: str, way: str, flags: list[str], tmp_path: Path) -> None:
    """The truth is `python` itself: what the program prints of its surroundings, how it ends, and its last words."""
    code = LOOK.format(ENDS[end])
    (tmp_path / "program.py").write_text(code)
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    words = [
        *flags,
        *{"script": [tmp_path / "program.py"], "-m": ["-m", "program"], "-c": ["-c", code]}[way],
        "an",
        "x",
    ]
    env = os.environ | {"SEEN": "this"}
    truth = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found = warm.run(words, cwd=tmp_path, env=env)
    assert (found.returncode, found.stdout) == (truth.returncode, truth.stdout)
    if end != "kill":  # of that faulthandler speaks, which pytest has switched on here
        assert found.stderr.splitlines()[:1] == truth.stderr.splitlines()[:1]
        assert found.stderr.splitlines()[-1:] == truth.stderr.splitlines()[-1:]


def test_a_program_that_takes_too_long_is_killed_and_the_next_one_runs(tmp_path: Path) -> None:
    """What it had printed is in the error."""
    code = "import time; print('begun', flush=True); time.sleep(600)"
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        warm.run(["-c", code], cwd=tmp_path, timeout=1)
    assert "begun" in str(caught.value.output)
    assert warm.run(["-c", "print(1)"], cwd=tmp_path).stdout == "1\n"


def test_a_server_of_a_program_has_what_the_program_has(tmp_path: Path) -> None:
    """An interpreter that multiprocessing starts has no torch; the server that the program forks has it."""
    (tmp_path / "program.py").write_text(
        "import multiprocessing as mp, sys\n"
        "def look():\n    print('torch' in sys.modules, flush=True)\n"
        "if __name__ == '__main__':\n"
        "    for method in ('forkserver', 'spawn'):\n"
        "        process = mp.get_context(method).Process(target=look)\n"
        "        process.start(), process.join()\n"
        "        assert process.exitcode == 0\n"
    )
    done = warm.run([tmp_path / "program.py"], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "True\nFalse\n"), done.stderr
