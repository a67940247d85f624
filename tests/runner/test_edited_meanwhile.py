"""Code and data that are edited while a study runs: no run is made of what the study was not planned with."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clinometer import Store
from clinometer.runner.scheduler import Failure, Progress, run_all
from clinometer.runner.staleness import StaleRunsError
from clinometer.training.config import RunConfig, grid
from clinometer.training.imports import FOLDER, look_in
from clinometer.training.run_folder import is_done, run_folder

NETS = """
from torch import nn
import helper_{name}

def net(width):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), helper_{name}.Scaled(), nn.Linear(width, 10))
"""
HELPER = """
from torch import nn

class Scaled(nn.Module):
    def forward(self, x):
        return 1.0 * x
"""
DATA = """
from pathlib import Path
import torch

def numbers():
    generator = torch.Generator().manual_seed(int(Path(__file__).with_name("seed_{name}.txt").read_text()))
    return torch.rand(256, 64, generator=generator), torch.randint(10, (256,), generator=generator)
"""
LATE = """
import torch

class Late(torch.optim.SGD):
    seen = 0

    def step(self, closure=None):
        from helper_{name} import FACTOR
        Late.seen += 1
        self.param_groups[0]["lr"] = 0.1 * FACTOR
        return super().step(closure)
"""


class Study:
    """A study of four runs whose modules lie in a folder of their own."""

    def __init__(self, folder: Path, name: str, **paths: str) -> None:
        self.modules, self.name, self.study = folder / "modules", name, folder / "study"
        self.modules.mkdir()
        self.write("helper", HELPER)
        self.write("nets", NETS)
        self.write("numbers", DATA)
        (self.modules / f"seed_{name}.txt").write_text("1")
        base = RunConfig(
            f"nets_{name}:net",
            f"numbers_{name}:numbers",
            settings={"lr": 0.1, "width": 8},
            steps=6,
            measure_every=3,
            test_every=6,
            **{key: path.format(name=name) for key, path in paths.items()},
        )
        self.configs = grid(base, seed=range(4))

    def write(self, module: str, text: str) -> Path:
        file = self.modules / f"{module}_{self.name}.py"
        file.write_text(text.replace("{name}", self.name))
        return file

    def run(self, at_two: Callable[[], object], stale: str = "refuse") -> list[Failure]:
        """Make its runs, one at a time; when two are done, do something."""

        def report(now: Progress) -> None:
            if now.done == 2 and not now.failed and not done:
                done.append(now)
                at_two()

        done: list[Progress] = []
        return run_all(self.configs, self.study, jobs=1, retries=0, report=report, stale=stale)  # type: ignore[arg-type]

    def losses(self) -> dict[int, list[float]]:
        folders = {config.seed: run_folder(self.study, config) for config in self.configs}
        return {
            seed: Store(folder / "rows.sqlite", read_only=True).read("train")["loss"].tolist()
            for seed, folder in folders.items()
            if is_done(folder)
        }


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "")
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    look_in(tmp_path / "modules")


def _edit_quietly(file: Path, text: str) -> None:
    """So that neither the size nor the times of the file tell, and a .pyc seems to be fresh."""
    before = file.stat()
    assert len(text) == before.st_size
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("what", ["a module", "a module, with its old time", "data"])
def test_what_is_edited_meanwhile_is_named_and_makes_no_run(what: str, tmp_path: Path) -> None:
    """The truth: whoever makes a run has what the first had; put back, all four end as in a study left alone."""
    name = {"a module": "one", "a module, with its old time": "two", "data": "three"}[what]
    study = Study(tmp_path, name)
    helper, seed = study.modules / f"helper_{name}.py", study.modules / f"seed_{name}.txt"
    edits = {
        "a module": lambda: helper.write_text(HELPER.replace("1.0", "1.5")),
        "a module, with its old time": lambda: _edit_quietly(helper, HELPER.replace("1.0", "1.5")),
        "data": lambda: seed.write_text("2"),
    }
    failures = study.run(edits[what])
    named = f"data: numbers_{name}:numbers" if what == "data" else f"code: helper_{name}"
    assert 1 <= len(failures) <= 2, "a third may have begun when it was edited"
    assert all(f"changed since the study was begun: {named}. This run would not belong" in f.reason for f in failures)
    assert len(study.losses()) == 4 - len(failures)
    helper.write_text(HELPER)
    seed.write_text("1")
    assert study.run(lambda: None) == []
    alone = study.losses()
    study.study = tmp_path / "alone"
    assert study.run(lambda: None) == []
    assert alone == study.losses()
    assert len(alone) == 4


def test_an_edit_is_found_when_the_command_is_given_again(tmp_path: Path) -> None:
    """The fingerprints of what is finished and of what is there now differ: said before any work."""
    study = Study(tmp_path, "four")
    study.run(lambda: study.write("helper", HELPER.replace("1.0", "1.5")))
    with pytest.raises(StaleRunsError, match=r"([23]) of the \1 finished runs"):
        study.run(lambda: None)


def test_a_comment_ends_no_run(tmp_path: Path) -> None:
    """It decides no number."""
    study = Study(tmp_path, "five")
    assert study.run(lambda: study.write("helper", f"# a remark\n{HELPER}")) == []
    assert len(study.losses()) == 4


def test_a_module_that_is_imported_in_a_later_step_is_that_of_the_others(tmp_path: Path) -> None:
    """Each run edits it before it imports it: those that have begun as planned train with what was planned."""
    study = Study(tmp_path, "six", optimizer="late_{name}:Late")
    study.write("helper", f"FACTOR = 1\n{HELPER}")
    study.write("nets", NETS.replace("import helper_{name}", "").replace("helper_{name}.Scaled(), ", ""))
    study.write("late", LATE)
    assert study.run(lambda: None) == []
    alone, study.study = study.losses(), tmp_path / "again"
    (study.modules / "late_six.py").write_text(
        f"from pathlib import Path\nHELPER = Path({str(study.modules / 'helper_six.py')!r})\n"
        + LATE.replace("{name}", "six").replace("        from", "        HELPER.write_text('FACTOR = 2')\n        from")
    )
    failures = study.run(lambda: None)
    assert failures
    assert all("code: helper_six" in failure.reason for failure in failures)
    assert study.losses().items() <= alone.items()


def test_a_module_whose_name_only_the_run_knows_counts_as_well(tmp_path: Path) -> None:
    """Its name is put together: no run is made with other code than a finished one, and the next command says it."""
    study = Study(tmp_path, "seven")
    study.write(
        "nets",
        NETS.replace("import helper_{name}", "import importlib\nmine = importlib.import_module('helper_' + '{name}')")
        .replace("helper_{name}.Scaled", "mine.Scaled"),
    )  # fmt: skip
    failures = study.run(lambda: study.write("helper", HELPER.replace("1.0", "1.5")))
    assert failures
    assert all("imported: helper_seven" in failure.reason for failure in failures)
    with pytest.raises(StaleRunsError, match="imported: helper_seven"):
        study.run(lambda: None)
    study.write("helper", f"# put back\n{HELPER}")
    assert study.run(lambda: None) == []
    assert len(study.losses()) == 4
