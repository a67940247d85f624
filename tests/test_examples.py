"""The examples are tests: each is short and runs whole, and its networks train as they would have unmeasured."""

import ast
import contextlib
import io
import re
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import warm
from properties import assert_same, traces
from torch import Tensor

from clinometer import Recorder, at
from clinometer.recorder.schedules import Schedule

EXAMPLES = Path(__file__).parent.parent / "examples"
NETWORKS = sorted((EXAMPLES / "networks").glob("*.py"))
ROW = re.compile(r"^ *\d+(  +(\d+\.\d+|inf))+$")  # of a table: a step, and what was found there
MEASURED = (0, 1, 2, 40)  # before the optimizer has a state, once it has, and in the midst of training

Run = tuple[Recorder, list[Tensor]]  # and the losses that the loop itself saw


@dataclass(frozen=True)
class Pair:
    """An example trained whole, measured and unmeasured: both runs' ends, and what was measured."""

    measured: list[Run]
    ends: tuple[list[dict[str, Any]], list[dict[str, Any]]]
    printed: str


def ran(example: Path, folder: Path, *words: str) -> str:
    """What the example prints: run from elsewhere, on one thread, with warnings as errors."""
    done = warm.run(["-W", "error", example, *words], cwd=folder, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def trained(network: Path, when: Schedule) -> Any:
    """What an example's `train` returns: a run, or a list of them where it has several recorders."""
    return runpy.run_path(str(network))["train"](when)


def table(network: Path, returned: Any) -> str:
    """What the lines below the script's guard print of a training that is over, instead of one more."""
    guard = ast.parse(network.read_text()).body[-1]
    assert isinstance(guard, ast.If)
    namespace = runpy.run_path(str(network)) | {"train": lambda _when: returned}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(guard.body, []), str(network), "exec"), namespace)
    return printed.getvalue()


def end(run: Run) -> dict[str, Any]:
    """All that a run consists of when it is over, random streams too."""
    recorder, losses = run
    found = traces(recorder.model, recorder.optimizers[0]) | {"losses": losses}
    return {name: value for name, value in found.items() if name != "identities"}


@pytest.mark.parametrize("example", sorted(EXAMPLES.rglob("*.py")), ids=lambda p: p.stem)
def test_an_example_can_be_read_at_a_glance(example: Path) -> None:
    """A limit on the file itself, and what its docstring must say: how to run it."""
    text = example.read_text()
    assert len(text.splitlines()) < 60
    command = f"python examples/{example.relative_to(EXAMPLES).as_posix()}"
    if example.parent.name == "own_study":  # run by test_own_studies.py
        command = "clinometer run examples/own_study/study.yaml"
    assert f"\n    {command}" in text


LONG = {"learning_rate"}  # three optimizers, eight rates, three seeds
APART = {"edge_of_stability"}  # whose numbers are tested below


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(p, marks=[pytest.mark.long] * (p.stem in LONG))
        for p in sorted(EXAMPLES.glob("*.py"))
        if p.stem not in APART
    ],
    ids=lambda p: p.stem,
)
def test_an_example_runs(example: Path, tmp_path: Path) -> None:
    """A process of its own in an empty folder, as a reader would run it, ends well and prints something."""
    assert ran(example, tmp_path)


@pytest.mark.parametrize("steps", [600, pytest.param(3000, marks=pytest.mark.long)])
def test_training_comes_to_the_edge_of_stability(steps: int, tmp_path: Path) -> None:
    """Cohen et al. (2021, 2022): λ within 10% of 2/η, 2(1 + μ)/η and 38/η; batches of 4 keep it below."""
    asked = [] if steps == 3000 else [str(steps), "edge.png"]  # its own number of steps, and no picture
    printed = ran(EXAMPLES / "edge_of_stability.py", tmp_path, *asked)
    found = re.findall(r"^(.+?)  +(\d\.\d+)  \((\d\.\d+) to (\d\.\d+)\)$", printed, re.MULTILINE)
    median, lowest, highest = ({name: float(row[at]) for name, *row in found} for at in range(3))
    assert 0.9 < median["descent"] < 1.1
    assert 0.9 < median["heavy ball"] < 1.1
    assert median["batches of 4"] < 0.7
    assert (0.9 if steps == 3000 else 0.7) < median["Adam"] < 1.1, "it comes to its edge near step 900"
    if steps == 3000:
        assert min(lowest["descent"], lowest["heavy ball"]) > 0.9
        assert max(highest["descent"], highest["heavy ball"]) < 1.1
    assert [file.name for file in tmp_path.iterdir()] == asked[1:]
    assert all(file.stat().st_size > 1000 for file in tmp_path.iterdir())


def assert_is_a_table(printed: str) -> None:
    """Numbers stand under their names, and none is NaN."""
    lines = printed.splitlines()
    rows = [line for line in lines if ROW.match(line)]
    headers = [line for line in lines if re.search(r"step +loss +β", line)]
    assert len(headers) >= 1
    assert len(rows) >= 4 * len(headers)
    assert {len(line) for line in headers + rows} == {len(headers[0])}
    assert "nan" not in "".join(lines)


@pytest.mark.long
@pytest.mark.parametrize("network", NETWORKS, ids=lambda p: p.stem)
def test_a_network_runs_as_a_script(network: Path, tmp_path: Path) -> None:
    """A process of its own in an empty folder, as a reader would run it, prints its table and leaves nothing behind."""
    assert_is_a_table(ran(network, tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda p: p.stem)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """An example trained whole, measured and unmeasured, in an empty folder where it may leave nothing."""
    with contextlib.chdir(tmp_path_factory.mktemp("empty")):
        measured, unmeasured = (trained(request.param, when) for when in (at(*MEASURED), at()))
        both = tuple(found if isinstance(found, list) else [found] for found in (measured, unmeasured))
        assert all(recorder.store.last_step() is None for recorder, _ in both[1])
        ends = tuple([end(run) for run in runs] for runs in both)
        printed = table(request.param, measured)
        assert not list(Path.cwd().iterdir())
    return Pair(both[0], ends, printed)


def test_a_network_prints_its_table(pair: Pair) -> None:
    """The script's own lines print it, of the run that was measured here."""
    assert_is_a_table(pair.printed)


def test_a_network_trains_as_it_would_have_unmeasured(pair: Pair) -> None:
    """The truth is the same training, never measured, in every bit: weights, buffers, optimizer, streams, losses."""
    assert_same(*pair.ends)


def test_what_is_measured_is_the_loss_that_was_trained(pair: Pair) -> None:
    """The loop knows its own loss; the walk must start from it bit for bit, and find a landscape around it."""
    for recorder, losses in pair.measured:
        rows = recorder.read(next(name for name in recorder.probes if name.startswith("landscape")))
        assert tuple(rows["step"]) == MEASURED
        assert_same(torch.from_numpy(rows["loss"]), torch.stack([losses[step] for step in MEASURED]))
        assert (np.isfinite(rows["beta"]) & (rows["beta"] > 0)).all()
        assert np.isfinite(rows["losses"]).all()
        assert (recorder.read("headroom")["loss"] >= 0).all(), "infinite where it never ends, but a number"
