"""Whether a run can be resumed is tried once: another process goes on from its first checkpoint, for one step.

That process is forked before this one has imported any of the run's code, so that globals and whatever else lives in a
process are there as a process that resumes the run would find them. It builds everything anew, loads the checkpoint,
takes one step and returns the digest of the state that it has come to, which must be the run's own after that step.
"""

import contextlib
import json
import os
import select
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinometer.training.orphan import fork_orphan

_SECONDS = 600.0  # for building the run, its data included, and for one step
_LONGEST = 500  # characters of a reason


class Trial:
    """A process that waits to try one checkpoint of a run.

    Args:
        attempt: Called in that process with the checkpoint's file and the folder of a copy of the run's store; returns
            the digest of the state after one more step.
    """

    def __init__(self, attempt: Callable[[Path, Path], str]) -> None:
        asked, self._asks = os.pipe()
        self._answers, answering = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking where there are threads
            fork_orphan(lambda: self._work(asked, answering, attempt))
        os.close(asked)
        os.close(answering)

    def _work(self, asked: int, answering: int, attempt: Callable[[Path, Path], str]) -> None:
        os.close(self._asks)  # or it would not see the end of the run, which closes them
        os.close(self._answers)
        _serve(asked, answering, attempt)

    def ask(self, checkpoint: Path, rows: Path) -> None:
        """Let it begin; nothing is waited for."""
        with contextlib.suppress(OSError):
            os.write(self._asks, json.dumps([str(checkpoint), str(rows)]).encode() + b"\n")

    def answer(self) -> dict[str, str]:
        """Wait for its `digest`, or the `reason` why there is none."""
        received = b""
        while not received.endswith(b"\n"):
            ready, _, _ = select.select([self._answers], [], [], _SECONDS)
            part = os.read(self._answers, 2**16) if ready else b""
            if not part:
                return {"reason": "trying it " + ("ended without an answer" if ready else "took too long")}
            received += part
        return json.loads(received)

    def close(self) -> None:
        """Let the process end, whatever it does."""
        for file in (self._asks, self._answers):
            with contextlib.suppress(OSError):
                os.close(file)
        self._asks = self._answers = -1


def _serve(asked: int, answering: int, attempt: Callable[[Path, Path], str]) -> None:
    """What the process does."""
    received = b""
    while not received.endswith(b"\n"):
        part = os.read(asked, 2**16)
        if not part:
            return  # the run has ended
        received += part
    checkpoint, rows = json.loads(received)
    folder = Path(tempfile.mkdtemp(prefix="clinometer-trial-"))
    try:
        _copy_store(Path(rows), folder / "rows.sqlite")
        found: dict[str, Any] = {"digest": attempt(Path(checkpoint), folder)}
    except BaseException as error:
        found = {"reason": f"{type(error).__name__}: {error}"[:_LONGEST]}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.write(answering, json.dumps(found).encode() + b"\n")


def _copy_store(rows: Path, to: Path) -> None:
    """Copy a store that another process writes to, as it is at one moment."""
    source = sqlite3.connect(f"{rows.absolute().as_uri()}?mode=ro", uri=True)
    with contextlib.closing(source), contextlib.closing(sqlite3.connect(to)) as copy:
        source.backup(copy)
