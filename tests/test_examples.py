"""The examples are tests: each is short and runs whole, and its networks train as they would have unmeasured."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from properties import assert_same, traces
from torch import Tensor

from clinometer import Recorder, at
from clinometer.recorder.schedules import Schedule

EXAMPLES = Path(__file__).parent.parent / "examples"
NETWORKS = sorted((EXAMPLES / "networks").glob("*.py"))
ROW = re.compile(r"^ *\d+(  +(\d+\.\d+|inf))+$")  # of a table: a step, and what was found there
MEASURED = (0, 1, 2, 40)  # before the optimizer has a state, once it has, and in the midst of training

Run = tuple[Recorder, list[Tensor]]  # and the losses that the loop itself saw


def ran(example: Path, folder: Path) -> str:
    """What the example prints: run from elsewhere, on one thread, with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", example],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def trained(network: Path, when: Schedule) -> list[Run]:
    """The runs of an example's `train`: one for each recorder."""
    runs: Run | list[Run] = runpy.run_path(str(network))["train"](when)
    return runs if isinstance(runs, list) else [runs]


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


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_an_example_runs(example: Path, tmp_path: Path) -> None:
    """As a reader would run it, in an empty folder."""
    assert ran(example, tmp_path)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda p: p.stem)
def test_a_network_prints_its_table(network: Path, tmp_path: Path) -> None:
    """As a reader would see it: numbers under their names, NaN nowhere."""
    lines = ran(network, tmp_path).splitlines()
    rows = [line for line in lines if ROW.match(line)]
    headers = [line for line in lines if re.search(r"step +loss +β", line)]
    assert len(headers) >= 1
    assert len(rows) >= 4 * len(headers)
    assert {len(line) for line in headers + rows} == {len(headers[0])}
    assert "nan" not in "".join(lines)
    assert not list(tmp_path.iterdir()), "an example of a network leaves nothing behind"


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda p: p.stem)
def pair(request: pytest.FixtureRequest) -> tuple[list[Run], list[Run]]:
    """An example trained whole, measured and unmeasured."""
    return trained(request.param, at(*MEASURED)), trained(request.param, at())


def test_a_network_trains_as_it_would_have_unmeasured(pair: tuple[list[Run], list[Run]]) -> None:
    """The truth is the same training, never measured, in every bit: weights, buffers, optimizer, streams, losses."""
    for measured, unmeasured in zip(*pair, strict=True):
        assert unmeasured[0].store.last_step() is None
        assert_same(end(measured), end(unmeasured))


def test_what_is_measured_is_the_loss_that_was_trained(pair: tuple[list[Run], list[Run]]) -> None:
    """The loop knows its own loss; the walk must start from it bit for bit, and find a landscape around it."""
    for recorder, losses in pair[0]:
        rows = recorder.read(next(name for name in recorder.probes if name.startswith("landscape")))
        assert tuple(rows["step"]) == MEASURED
        assert_same(torch.from_numpy(rows["loss"]), torch.stack([losses[step] for step in MEASURED]))
        assert (np.isfinite(rows["beta"]) & (rows["beta"] > 0)).all()
        assert np.isfinite(rows["losses"]).all()
        assert (recorder.read("headroom")["loss"] >= 0).all(), "infinite where it never ends, but a number"
