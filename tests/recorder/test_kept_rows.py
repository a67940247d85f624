"""A store that is full, locked or deleted: the run goes on, and what was measured is there once it can be written."""

import shutil
import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clinometer import Recorder, Store, every
from clinometer.store import writer

WAIT = "They wait in memory"


class Run:
    """A run that measures every step, and can be trained on for a while."""

    def __init__(self, to: Path, size: int = 3) -> None:
        self.model = nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        probes = {"probe": lambda step: {"x": np.full(size, float(step.index))}}
        self.recorder = Recorder(self.model, self.loss, probes, every(1), optimizer=self.optimizer, to=to)

    @staticmethod
    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        return model(batch).square().mean()

    def train(self, steps: int) -> None:
        for _ in range(steps):
            batch = torch.ones(4, 2)
            with self.recorder.step(batch):
                self.loss(self.model, batch).backward()
                self.optimizer.step()

    def assert_has(self, steps: int) -> None:
        rows = self.recorder.read("probe")
        assert rows["step"].tolist() == list(range(steps))
        assert rows["x"][:, 0].tolist() == list(range(steps))


def assert_on_disk(folder: Path, steps: int) -> None:
    """As another process reads it."""
    with warnings.catch_warnings():
        store = Store(folder / "rows.sqlite", read_only=True)
    store.verify()
    assert store.read("probe")["x"][:, 0].tolist() == list(range(steps))
    assert "fields" not in store.meta or store.meta["fields"]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PATIENCE", 0.05)
    monkeypatch.setattr(writer, "_BRIEF", 0.01)


def test_a_locked_store_gets_its_rows_when_it_is_free(tmp_path: Path) -> None:
    """Another connection holds SQLite's own lock, over several measured steps."""
    run = Run(tmp_path)
    run.train(2)
    other = sqlite3.connect(tmp_path / "rows.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(UserWarning, match=rf"is locked.*{WAIT}") as caught:
        run.train(3)
    run.assert_has(5)
    assert len(caught) == 1
    assert_on_disk(tmp_path, 2)
    assert "5 steps measured" in run.recorder.summary()
    other.execute("COMMIT")
    run.train(1)
    assert_on_disk(tmp_path, 6)
    other.execute("BEGIN IMMEDIATE")
    run.train(1)  # said already
    other.execute("COMMIT")
    run.assert_has(7)
    assert_on_disk(tmp_path, 7)
    other.close()


def test_what_waits_is_written_when_the_store_is_closed(tmp_path: Path) -> None:
    """The lock is released after the last step."""
    run = Run(tmp_path)
    other = sqlite3.connect(tmp_path / "rows.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(UserWarning, match=WAIT):
        run.train(3)
    other.execute("COMMIT")
    run.recorder.store.close()
    assert_on_disk(tmp_path, 3)
    other.close()


def test_what_can_not_be_written_to_the_end_is_said(tmp_path: Path) -> None:
    """The folder is gone for good."""
    run = Run(tmp_path / "mine")
    run.train(1)
    shutil.rmtree(tmp_path / "mine")
    with pytest.warns(UserWarning, match=WAIT):
        run.train(2)
    with pytest.warns(UserWarning, match=r"the rows of 3 steps \(0 to 2\) are lost: .*rows.sqlite"):
        run.recorder.store.close()


def test_a_deleted_folder_is_filled_again_once_it_is_there(tmp_path: Path) -> None:
    """It is not made by us: whoever deleted it may have meant it. The rows from before are written as well."""
    folder = tmp_path / "mine"
    run = Run(folder)
    run.train(2)
    facts = run.recorder.store.meta
    shutil.rmtree(folder)
    with pytest.warns(UserWarning, match=rf"the folder .* was deleted or moved.*{WAIT}") as caught:
        run.train(2)
    assert len(caught) == 1
    assert not folder.exists()
    run.assert_has(4)
    folder.mkdir()
    run.train(1)
    run.assert_has(5)
    assert_on_disk(folder, 5)
    assert run.recorder.store.meta == facts
    (folder / "rows.sqlite").unlink()  # the file alone, and with no step in between
    run.train(1)
    assert_on_disk(folder, 6)


def test_a_folder_that_was_moved_away_and_back_has_each_row_once(tmp_path: Path) -> None:
    """The file has the rows of its time already."""
    folder = tmp_path / "mine"
    run = Run(folder)
    run.train(2)
    folder.rename(tmp_path / "elsewhere")
    with pytest.warns(UserWarning, match=WAIT):
        run.train(2)
    (tmp_path / "elsewhere").rename(folder)
    run.train(1)
    run.assert_has(5)
    assert_on_disk(folder, 5)


@pytest.mark.parametrize("foreign", [True, False])
def test_another_runs_file_in_its_place_is_left_alone(tmp_path: Path, foreign: bool) -> None:
    """Mixed rows of two runs could never be told apart."""
    run = Run(tmp_path / "mine")
    run.train(2)
    shutil.rmtree(tmp_path / "mine")
    if foreign:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "rows.sqlite").write_text("something else")
    else:
        other = Run(tmp_path / "mine", size=4)
        other.train(3)
    before = (tmp_path / "mine" / "rows.sqlite").read_bytes()
    with pytest.warns(UserWarning, match=rf"(not a clinometer store|rows of another run).*{WAIT}"):
        run.train(2)
    run.assert_has(4)
    if foreign:
        assert (tmp_path / "mine" / "rows.sqlite").read_bytes() == before
    else:
        other.assert_has(3)
    with pytest.warns(UserWarning, match="are lost"):
        run.recorder.store.close()


def test_what_waits_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Further rows are dropped like those of any measurement that fails; what was kept is kept."""
    monkeypatch.setattr(writer, "_MOST", 10_000)
    run = Run(tmp_path / "mine", size=500)  # 4,000 bytes a row
    run.train(1)
    shutil.rmtree(tmp_path / "mine")
    with warnings.catch_warnings(record=True, action="always") as caught:
        run.train(5)
    assert [WAIT in str(each.message) for each in caught] == [True, False]
    assert "a measurement failed" in str(caught[1].message)
    run.assert_has(2)
    (tmp_path / "mine").mkdir()
    assert run.recorder.read("probe")["step"].tolist() == [0, 1]
    run.train(1)
    assert run.recorder.read("probe")["step"].tolist() == [0, 1, 6]


def test_with_strict_it_is_raised(tmp_path: Path) -> None:
    """As a run of a study has it, which is resumed later."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probes = {"probe": lambda _step: {"x": 1.0}}
    recorder = Recorder(model, Run.loss, probes, every(1), optimizer=optimizer, to=tmp_path, strict=True)
    other = sqlite3.connect(tmp_path / "rows.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    recorder.store._db.patience = 0.05  # pyright: ignore[reportPrivateUsage]
    recorder.step(torch.ones(4, 2))
    Run.loss(model, torch.ones(4, 2)).backward()
    with pytest.raises(TimeoutError, match="locked"):
        optimizer.step()
    other.close()


FULL = """
import resource, sys, warnings
from pathlib import Path
sys.path.insert(0, {tests!r})
from recorder.test_kept_rows import Run, assert_on_disk

folder = Path({folder!r})
run = Run(folder, size=2000)  # 16 kB a row
run.train(2)
full = (folder / "rows.sqlite").stat().st_size
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (full + 20_000, unlimited[1]))  # no file may be longer
with warnings.catch_warnings(record=True, action="always") as caught:
    run.train(6)
    run.assert_has(8)
assert len(caught) == 1, [str(each.message) for each in caught]
assert "They wait in memory" in str(caught[0].message)
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
run.train(1)
run.assert_has(9)
assert_on_disk(folder, 9)
"""


def test_a_full_disk_costs_nothing_once_there_is_room(tmp_path: Path) -> None:
    """In a process of its own, whose files may not grow: the system refuses the write, as on a full disk."""
    program = FULL.format(tests=str(Path(__file__).parents[1]), folder=str(tmp_path / "mine"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
