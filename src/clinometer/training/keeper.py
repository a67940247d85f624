"""Which checkpoints of a run are written, kept and found. The first is tried before it counts."""

import contextlib
import shutil
import time
import warnings
from collections.abc import Callable, Generator
from pathlib import Path

from clinometer.extras import need
from clinometer.store import DamagedError, Store
from clinometer.training.checkpoint import Checkpoint, digest_of_file, read_checkpoint
from clinometer.training.files import write_bytes
from clinometer.training.from_config import Data
from clinometer.training.trial import Trial

_KEPT = 2  # the last one, and the one before in case the last is damaged
_UNTRIED = ".untried"  # the suffix of a checkpoint that no run goes on from yet


class Keeper:
    """Writes and finds the checkpoints of one run.

    Args:
        folder: The run's folder.
        every: Seconds between checkpoints.
        data: What to train on, where it has been loaded.
        check: Called before a checkpoint is kept; it raises if the run must not go on from it.
        trial: What tries the first checkpoint; None where it is known that the run can be resumed.
    """

    def __init__(
        self,
        folder: Path,
        every: float = 60.0,
        data: Data | None = None,
        check: Callable[[], None] = lambda: None,
        trial: Trial | None = None,
    ) -> None:
        self.run, self.data = folder, data
        self._check, self._trial = check, trial
        self._tried: Path | None = None  # the checkpoint that is being tried
        self._refused = False  # whether the run cannot be resumed
        self.folder = folder / "checkpoint"
        self.found: Checkpoint | None = None  # the checkpoint that the run continues from
        self._every = every
        self._last = time.monotonic()

    @contextlib.contextmanager
    def rows(self) -> Generator[Store]:
        """The run's store, for a trainer without checkpoints: where the block ends without an error, so has the run."""
        with contextlib.closing(Store(self.run / "rows.sqlite")) as store:
            yield store
            store.set_meta(ended=True)
            store.seal()

    def due(self) -> bool:
        """Whether `every` seconds have passed since the last checkpoint, or since the start; or one is being tried."""
        return not self._refused and (self._tried is not None or self._is_time())

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint atomically, and delete all but the last two.

        The first one counts once it was tried, which takes one more step. A run that cannot go on from it goes on
        without checkpoints, with a warning that says why.
        """
        if self._refused:
            return
        self._check()
        if self._tried is not None:
            self._compare(checkpoint)
            if self._refused or not self._is_time():
                return
        try:
            tensors, facts = checkpoint.packed()
        except (TypeError, ValueError, RuntimeError) as error:
            self._refuse(str(error))
            return
        data: bytes = need("safetensors.torch", "studies").save(tensors, {"clinometer": facts})
        self.folder.mkdir(exist_ok=True)
        file = self.folder / f"{checkpoint.step:09d}-{digest_of_file(data)}.safetensors"
        if self._trial:
            self._tried = file.with_suffix(_UNTRIED)
            write_bytes(self._tried, data)
            self._trial.ask(self._tried, self.run / "rows.sqlite")
        else:
            write_bytes(file, data)
        for old in self._files()[_KEPT:]:
            old.unlink(missing_ok=True)
        self._last = time.monotonic()  # the time that writing takes does not count

    def close(self) -> None:
        """Let go of what would try a checkpoint."""
        if self._trial:
            self._trial.close()
            self._trial = None

    def _is_time(self) -> bool:
        return time.monotonic() - self._last >= self._every

    def _compare(self, checkpoint: Checkpoint) -> None:
        """Hold the state after the step that the run has taken against that after the step of the trial."""
        assert self._trial
        assert self._tried
        answer, file, self._tried = self._trial.answer(), self._tried, None
        self.close()
        if answer.get("digest") == checkpoint.digest():
            file.replace(file.with_suffix(".safetensors"))
        else:
            self._refuse(answer.get("reason", "its state after one more step is not that of the run"))

    def _refuse(self, reason: str) -> None:
        self._refused = True
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()
        warnings.warn(
            f"the run in {self.run} cannot be resumed from a checkpoint: {reason}. If it is interrupted, it is made "
            "again from its start. Keep what training changes in parameters, buffers, or plain attributes.",
            stacklevel=3,
        )

    def find(self) -> Checkpoint | None:
        """Return the newest intact checkpoint whose rows are in the store, if any; warn about those that it skips."""
        for file in self._files():
            try:
                self.found = read_checkpoint(file)
                self._check_rows(self.found, file)
                return self.found
            except ValueError as error:
                self.found = None
                warnings.warn(f"{error} The run goes on from an earlier checkpoint, or from its start.", stacklevel=2)
        return None

    def _check_rows(self, checkpoint: Checkpoint, file: Path) -> None:
        with contextlib.closing(Store(self.folder.parent / "rows.sqlite", read_only=True)) as store:
            store.verify()
            if store.digest(checkpoint.step) != checkpoint.rows:
                raise DamagedError(f"{store.path} is damaged: it does not hold the rows that {file.name} goes with.")

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"), reverse=True)


class TriedError(Exception):
    """Ends a trial: it holds the state after its step."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.checkpoint = checkpoint


class TrialKeeper(Keeper):
    """The keeper of a trial, in which one step is taken from a checkpoint.

    Args:
        folder: A folder with a copy of the run's store.
        file: The checkpoint.
    """

    def __init__(self, folder: Path, file: Path) -> None:
        super().__init__(folder)
        self.found = read_checkpoint(file)

    def due(self) -> bool:
        """At once."""
        return True

    def save(self, checkpoint: Checkpoint) -> None:
        """End the trial."""
        raise TriedError(checkpoint)
