"""Any edit of a stored study is detected by whoever reads it, or harmless: no claim gets another number in silence.

A study of two arms with three seeds each lies on disk, and an edit of it is drawn: bytes are flipped, put in, deleted
or swapped; files and folders are exchanged, copied or deleted; JSON is written anew with another value, sealed or not.
The truth is what each reader said before the edit.
"""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import keep

from clinometer import load
from clinometer.results.compare import compare
from clinometer.results.export import export
from clinometer.results.finished_run import find_runs
from clinometer.results.merge import merge
from clinometer.results.run_table import RunTable
from clinometer.runner.status import status
from clinometer.training.config import RunConfig, grid
from clinometer.training.study_file import write_study

CONFIGS = grid(RunConfig("nets:mlp", settings={"lr": 0.1}, steps=4, measure_every=2), lr=[0.1, 0.2], seed=range(3))
FILES = ("config.json", "environment.json", "rows.sqlite", "done.json")


def make(study: Path) -> None:
    """A study whose numbers are told apart by config and step."""
    for config in CONFIGS:
        plain = json.loads(json.dumps(dataclasses.asdict(config)))
        rows = {s: {"train": {"loss": 10 * config["lr"] + config.seed + s / 8}} for s in range(4)}
        keep(study, plain, rows, environment={"python": "3", "fingerprint": {"code": {"nets": "1"}}})
    write_study(study, {"study": "mine", "scale": "own", "bases": {}})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("whole") / "study"
    make(study)
    return study


@pytest.fixture(scope="module")
def truths(whole: Path) -> dict[str, dict[Any, list[float]]]:
    """What each reader says of the study as it was made."""
    return {name: read(whole) for name, read in READERS.items()}


def claimed(study: Path) -> dict[RunConfig, list[float]]:
    """What claims read: the losses by config; those of damaged runs are left out, which is said."""
    table = RunTable.read(study, CONFIGS)
    missing = [config for config in CONFIGS if not (study / "runs" / config.key / "done.json").is_file()]
    assert len(table.configs) + len(table.damaged) + len(missing) == len(CONFIGS)
    return {config: table.values(config, "train", "loss", [config.seed])[0].tolist() for config in table.configs}


def loaded(study: Path) -> dict[str, list[float]]:
    data = load(study, by="runs")
    return {str(run): data.train_loss.sel(run=run).values.tolist() for run in data.run.values}


def exported(study: Path) -> dict[str, list[float]]:
    to = study.with_name("tables")
    shutil.rmtree(to, ignore_errors=True)
    export(study, to, "csv")
    lines = [line.split(",") for line in (to / "train.csv").read_text().splitlines()]
    run, loss = lines[0].index("run"), lines[0].index("train/loss")
    found: dict[str, list[float]] = {}
    for line in lines[1:]:
        found.setdefault(line[run], []).append(float(line[loss]))
    return found


def merged(study: Path) -> dict[str, list[float]]:
    to = study.with_name("merged")
    shutil.rmtree(to, ignore_errors=True)
    merge([study], to)
    return {run.folder.name: run.column("train", "loss").tolist() for run in find_runs(to).intact()}


def one_by_one(study: Path) -> dict[str, list[float]]:
    """Each run's folder by itself; those that are refused are left out."""
    found: dict[str, list[float]] = {}
    for config in CONFIGS:
        with contextlib.suppress(ValueError, OSError):
            found[config.key] = load(study / "runs" / config.key).train_loss.values.tolist()
    return found


READERS: dict[str, Callable[[Path], dict[Any, list[float]]]] = {
    "claims": claimed, "load": loaded, "export": exported, "merge": merged, "load of a run": one_by_one,
}  # fmt: skip


def positions(file: Path) -> int:
    return max(1, file.stat().st_size)


@st.composite
def edits(draw: st.DrawFn) -> Callable[[Path], str]:
    """An edit, which returns what it did."""
    kind = draw(
        st.sampled_from(["flip", "insert", "cut", "zero", "swap bytes", "json", "files", "file", "folder", "lose"])
    )
    runs = draw(st.permutations([config.key for config in CONFIGS]))
    name = draw(st.sampled_from(FILES))
    at, size, byte = draw(st.floats(0, 0.999)), draw(st.integers(1, 64)), draw(st.integers(1, 255))
    key = draw(
        st.sampled_from(["seed", "steps", "lr", "measure_every", "model", "python", "rows.sqlite", "diverged_at"])
    )
    value = draw(st.sampled_from([0, 1, 2, 3, 0.1, 0.2, "nets:mlp", "nets:other", None]))

    def edit(study: Path) -> str:
        one, other = (study / "runs" / run for run in runs[:2])
        file = one / name
        data = bytearray(file.read_bytes())
        place = int(at * len(data))
        if kind == "flip":
            data[place] ^= byte
        elif kind == "insert":
            data[place:place] = bytes([byte]) * size
        elif kind == "cut":
            del data[place : place + size]
        elif kind == "zero":
            data[place : place + size] = bytes(len(data[place : place + size]))
        elif kind == "swap bytes":
            rest = int(((at + 0.37) % 1) * len(data))
            data[place], data[rest] = data[rest], data[place]
        elif kind == "json" and name != "rows.sqlite":
            held = json.loads(data)
            where = held["settings"] if key in held.get("settings", {}) else held.get("files", held)
            where[key] = value
            data = bytearray(json.dumps(held, indent=1, ensure_ascii=False).encode() + b"\n")
        if kind in ("flip", "insert", "cut", "zero", "swap bytes", "json"):
            file.write_bytes(data)
        elif kind == "files":  # several files of one run are those of another
            for each in draw_names:
                shutil.copy(other / each, one / each)
        elif kind == "file":
            theirs = (other / name).read_bytes()
            shutil.copy(file, other / name)
            file.write_bytes(theirs)
        elif kind == "folder":
            aside = study / "aside"
            one.rename(aside)
            if swapped:
                other.rename(one)
                aside.rename(other)
            else:
                shutil.copytree(other, one)
                shutil.rmtree(aside)
        elif kind == "lose":
            file.unlink()
        return f"{kind} {name} of {one.name}"

    draw_names = draw(st.lists(st.sampled_from(FILES), min_size=1, max_size=3, unique=True))
    swapped = draw(st.booleans())
    return edit


@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits())
def test_an_edit_is_detected_or_harmless(
    whole: Path,
    truths: dict[str, dict[Any, list[float]]],
    tmp_path_factory: pytest.TempPathFactory,
    edit: Callable[[Path], str],
) -> None:
    """Every reader refuses, leaves the run out and says so, or gives the numbers that were stored."""
    study = tmp_path_factory.mktemp("edited") / "study"
    shutil.copytree(whole, study)
    what = edit(study)
    for name, read in READERS.items():
        try:
            found = read(study)
        except (ValueError, OSError):
            continue
        truth = truths[name]
        assert found.keys() <= truth.keys(), (what, name)
        assert {key: truth[key] for key in found} == found, (what, name)
    states = {run.folder.name: run.state for run in status(study)[0]}
    changed = {config.key for config in CONFIGS} - {config.key for config in claimed(study)}
    assert {states.get(key, "waiting") for key in changed} <= {"damaged", "interrupted", "waiting"}, what
    for pair in compare(whole, study).pairs if not changed else ():
        assert pair.parts_at is None, what
    shutil.rmtree(study.parent)


def test_exchanged_folders_are_named_and_left_out(whole: Path, tmp_path: Path) -> None:
    """Two runs of two arms, exchanged whole: each file is what was written, and the names are those of the study."""
    shutil.copytree(whole, tmp_path / "study")
    one, other = (tmp_path / "study" / "runs" / CONFIGS[index].key for index in (0, 5))
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    table = RunTable.read(tmp_path / "study", CONFIGS)
    assert set(table.configs) == set(CONFIGS[1:5])
    assert len(table.damaged) == 2
    for folder, holds in ((one, other), (other, one)):
        assert any(
            f"the run in {folder} is damaged: its config.json is that of the run {holds.name}" in said
            for said in table.damaged
        )
    for read in (loaded, exported, merged):
        with pytest.raises(ValueError, match=r"is damaged: its config\.json is that of the run"):
            read(tmp_path / "study")
