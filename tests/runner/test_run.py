import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from properties import assert_same
from stored import ended

from clinometer import Store
from clinometer.analysis.learning_progress import final_accuracy, left_chance
from clinometer.papers.santurkar2018.configs import vgg
from clinometer.results.run_table import RunTable
from clinometer.runner.records import read_record
from clinometer.runner.scheduler import Progress, run_all
from clinometer.training.config import RunConfig, grid
from clinometer.training.data.datasets import digits
from clinometer.training.from_config import build_model, build_training, data_of
from clinometer.training.parts import batches_of
from clinometer.training.run import run
from clinometer.training.run_folder import is_done, run_folder

TINY = vgg(width=1 / 16, steps=12, measure_every=4, test_every=6, batch_size=32)


def read(folder: Path) -> dict[str, object]:
    store = Store(folder / "rows.sqlite", read_only=True)
    return {probe: store.read(probe) for probe in store.probes()}


def test_a_run_is_what_its_config_says_and_no_more(tmp_path: Path) -> None:
    """Two runs of one config, in two processes, agree in every byte of every row."""
    run(TINY, tmp_path / "here")
    assert not run_all([TINY], tmp_path / "study")
    assert_same(read(tmp_path / "here"), read(run_folder(tmp_path / "study", TINY)))
    config = json.loads((tmp_path / "here" / "config.json").read_text())
    assert RunConfig(**config) == TINY


def test_measuring_does_not_change_the_training(tmp_path: Path) -> None:
    """The same training measured at every step and at none but the first gives the same losses, bit for bit."""
    for every in (1, 100):
        run(TINY.vary(norm="noisy_batch", measure_every=every), tmp_path / str(every))
    often, seldom = (Store(tmp_path / name / "rows.sqlite", read_only=True).read("train") for name in ("1", "100"))
    assert_same(often, seldom)


def test_the_landscape_rows_belong_to_the_training_steps(tmp_path: Path) -> None:
    """The loss at the walk's origin is the step's own loss, whatever the norm draws or tracks."""
    for norm in ("batch", "noisy_batch", "none", "linf"):
        folder = tmp_path / norm
        run(TINY.vary(norm=norm), folder)
        store = Store(folder / "rows.sqlite", read_only=True)
        rows, train = store.read("landscape"), store.read("train")
        assert rows["loss"].tolist() == train["loss"][rows["step"]].tolist()


def test_batches_are_epochs_in_the_seeds_order() -> None:
    """Each epoch holds no image twice, and equal seeds give equal batches whatever the network."""
    data = digits()
    samples = data_of(vgg()).train
    config = vgg(batch_size=300, steps=6)
    seen = list(batches_of(samples, config, "cpu"))
    assert len(seen) == 6
    first_epoch = torch.cat([images.flatten(1) for images, _ in seen[:5]])
    assert len(first_epoch.unique(dim=0)) == len(data.normalized(data.train_images).flatten(1).unique(dim=0))
    again = list(batches_of(samples, config.vary(norm="none", lr=0.7), "cpu"))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(seen, again, strict=True))
    other = next(iter(batches_of(samples, config.vary(seed=1), "cpu")))
    assert not torch.equal(seen[0][0], other[0])


def test_paired_networks_start_alike() -> None:
    """The pairing of every comparison over seeds."""
    none, batch = (build_model(TINY.vary(norm=norm)) for norm in ("none", "batch"))
    assert torch.equal(none.features.layer1.conv.weight, batch.features.layer1.conv.weight)


def test_a_run_that_diverges_is_recorded_as_such(tmp_path: Path) -> None:
    """At lr 1e30 the standard network's loss leaves the floats within a few steps: a result, not a crash."""
    config = TINY.vary(norm="none", lr=1e30, steps=40, measure_every=1)
    assert not run_all([config, config.vary(seed=1, lr=0.1)], tmp_path)
    folder = run_folder(tmp_path, config)
    store = Store(folder / "rows.sqlite", read_only=True)
    assert is_done(folder)
    at = store.meta["diverged_at"]
    train = store.read("train")
    assert train["step"][-1] == at
    assert not np.isfinite(train["loss"][-1])
    runs = RunTable.read(tmp_path, [config])
    assert runs.diverged(config) == 1
    assert final_accuracy(runs, config).tolist() == [0.1], "that of chance"
    assert final_accuracy(runs, config, classes=None).tolist() == [0.0]
    padded = runs.values(config, "train", "loss")
    assert padded.shape == (1, 40)
    assert np.isnan(padded[0, at + 1 :]).all()


def test_a_second_call_makes_nothing_again(tmp_path: Path) -> None:
    """Told by the progress, and by the files' times."""
    configs = grid(TINY, seed=range(2))
    run_all(configs, tmp_path)
    stamps = [run_folder(tmp_path, c).joinpath("rows.sqlite").stat().st_mtime_ns for c in configs]
    seen: list[Progress] = []
    more = [*configs, TINY.vary(seed=2), configs[0]]
    assert not run_all(more, tmp_path, report=seen.append)
    assert (seen[-1].total, seen[-1].found, seen[-1].done) == (3, 2, 3)
    assert [run_folder(tmp_path, c).joinpath("rows.sqlite").stat().st_mtime_ns for c in configs] == stamps


def test_a_killed_run_costs_only_itself_and_is_made_again(tmp_path: Path) -> None:
    """One of two runs is killed with SIGKILL in mid-training; the other ends, and the next call makes up for it."""
    slow = TINY.vary(steps=100_000)
    quick = TINY.vary(seed=1)
    killed: list[int] = []

    def kill_the_slow_one(_now: Progress) -> None:
        while not killed:
            rows = run_folder(tmp_path, slow) / "rows.sqlite"
            if rows.is_file() and rows.stat().st_size:
                killed.extend(pid for pid in children() if holds(pid, rows))
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    failures = run_all([slow, quick], tmp_path, jobs=2, retries=0, report=kill_the_slow_one)
    assert [f.config for f in failures] == [slow]
    assert "killed" in failures[0].reason
    assert is_done(run_folder(tmp_path, quick))
    assert not is_done(run_folder(tmp_path, slow))
    again = slow.vary(steps=12)
    run_folder(tmp_path, slow).rename(run_folder(tmp_path, again))  # the half-made folder in a new run's place
    assert not run_all([again], tmp_path)
    run(again, tmp_path / "clean")
    assert_same(read(run_folder(tmp_path, again)), read(tmp_path / "clean"))


def test_a_damaged_run_is_made_again(tmp_path: Path) -> None:
    """The store is cut short; what is left cannot be trusted, and the config says how to make it."""
    run_all([TINY], tmp_path)
    rows = run_folder(tmp_path, TINY) / "rows.sqlite"
    whole = read(rows.parent)
    assert not list(rows.parent.glob("*-wal")), "a finished run is one file"
    rows.write_bytes(rows.read_bytes()[:9000])
    said: list[str] = []
    assert not run_all([TINY], tmp_path, notify=said.append)
    assert f"{rows.parent} is damaged: rows.sqlite" in said[0]
    assert_same(read(rows.parent), whole)


def test_jobs_must_be_positive(tmp_path: Path) -> None:
    """None at a time would wait for ever."""
    with pytest.raises(ValueError, match="jobs must be at least 1; found -1"):
        run_all([TINY], tmp_path, jobs=-1)


def test_a_run_that_raises_is_named_with_its_reason(tmp_path: Path) -> None:
    """Five poolings of 8×8 images leave nothing: the child's error must reach the parent, its traceback the disk."""
    config = TINY.vary(plan="vgg11")
    (failure,) = run_all([config], tmp_path, retries=2)
    assert "Output size is too small" in failure.reason
    assert "Traceback" in failure.log.read_text()
    record = read_record(tmp_path, config.key)
    assert (record.state, record.starts, record.failures) == ("failed", 3, 3)
    assert record.error == failure.log.read_text()


def test_testing_leaves_the_network_in_training() -> None:
    """The next step would otherwise train with running statistics, and the recorder measure that."""
    training = build_training(TINY)
    model = training.model
    before = model.features.layer1.norm.running_mean.clone()
    found = training.test()
    assert model.training
    assert torch.equal(model.features.layer1.norm.running_mean, before)
    assert 0 <= found["accuracy"] <= 1


def test_runs_end_with_their_parent(tmp_path: Path) -> None:
    """The parent is killed with SIGKILL; an orphan would go on writing where the next study begins."""
    code = (
        "import dataclasses, sys\n"
        "from pathlib import Path\n"
        "from clinometer.papers.santurkar2018.configs import vgg\n"
        "from clinometer.runner.scheduler import run_all\n"
        "print('imported')\n"  # without a guard: no run may import the script again
        "run_all([vgg(width=1 / 16, steps=100_000)], Path(sys.argv[1]), jobs=1)\n"
    )
    script = tmp_path / "study.py"
    script.write_text(code)
    out = (tmp_path / "out").open("w+")
    parent = subprocess.Popen([sys.executable, "-u", script, tmp_path / "study"], stdout=out)
    rows = run_folder(tmp_path / "study", vgg(width=1 / 16, steps=100_000)) / "rows.sqlite"

    def writers() -> list[int]:
        return [pid for pid in children() if holds(pid, rows)]

    wait_for(lambda: rows.is_file() and writers(), seconds=60)
    parent.kill()
    parent.wait()
    wait_for(lambda: not writers(), seconds=20)
    out.seek(0)
    assert out.read() == "imported\n"
    out.close()


def test_left_chance_counts_steps(tmp_path: Path) -> None:
    """By hand on a made table: accuracy 0.1 for 20 steps, then 0.5; nine-step means first exceed 0.2 at step 18.

    The window at step 18 holds steps 14 to 22: six at 0.1 and three at 0.5, mean 0.233; at 17 it is 0.189.
    """
    config = TINY.vary(steps=40)
    store = Store(run_folder(tmp_path, config) / "rows.sqlite")
    for step in range(40):
        store.append(step, {"train": {"accuracy": 0.1 if step < 20 else 0.5}})
    ended(store, config)
    runs = RunTable.read(tmp_path, [config])
    assert left_chance(runs, config).tolist() == [18]
    assert left_chance(runs, config, classes=2).tolist() == [np.inf]


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    """Until the condition holds; an assertion if it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def children() -> Iterator[int]:
    """Every process of this user that multiprocessing's server forked."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"forkserver" in (path / "cmdline").read_bytes():
                yield int(path.name)
        except OSError:
            continue


def holds(pid: int, file: Path) -> bool:
    """Whether a process has a file open."""
    try:
        return any(link.resolve() == file.resolve() for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
