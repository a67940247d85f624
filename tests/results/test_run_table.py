"""The one reader of finished runs, and the table of arrays on top of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from stored import BASES, keep, study, table

from clinometer.results.finished_run import FinishedRun, find_runs
from clinometer.results.run_table import MissingRunsError, RunTable
from clinometer.training.run_folder import run_folder

ARM = BASES["vgg"]


def test_a_run_made_again_in_the_same_process_gives_its_new_rows(tmp_path: Path) -> None:
    """The disk is the truth: a loss of 1 is written and read, the run is made again with 7, and 7 is read."""
    study(tmp_path, [ARM], seeds=1, loss=lambda _c, _s: 1.0)
    before = RunTable.read(tmp_path, [ARM])
    assert set(before.values(ARM, "train", "loss").flat) == {1.0}
    shutil.rmtree(run_folder(tmp_path, ARM))
    study(tmp_path, [ARM], seeds=1, loss=lambda _c, _s: 7.0)
    again = RunTable.read(tmp_path, [ARM])
    assert set(again.values(ARM, "train", "loss").flat) == {7.0}
    assert again.row(ARM, "train")["loss"] == 7.0


def test_a_table_of_arrays_is_the_table_of_the_same_runs_on_disk(tmp_path: Path) -> None:
    """Written and read by the store, which knows nothing of arrays in memory: every field of every probe, bit for bit,
    with a run that diverged, and with arms, seeds and first rows."""
    curves = {"ends": lambda config: config["norm"] == "none" and config.seed == 1, "beta": lambda c, s: s + c.seed}
    arms = [ARM, ARM.vary(norm="none")]
    stored, memory = study(tmp_path, arms, 2, **curves), table(arms, 2, **curves)
    assert stored.arms == memory.arms
    for arm in arms:
        assert stored.seeds(arm) == memory.seeds(arm) == [0, 1]
        assert stored.diverged(arm) == memory.diverged(arm) == (arm["norm"] == "none")
        for probe, fields in memory.runs[arm].arrays.items():  # type: ignore[attr-defined]
            assert memory.row(arm, probe).keys() == stored.row(arm, probe).keys()
            for field in fields:
                np.testing.assert_array_equal(
                    memory.values(arm, probe, field, [0]), stored.values(arm, probe, field, [0])
                )
        both = [each.values(arm, "landscape", "beta") for each in (stored, memory)]
        np.testing.assert_array_equal(*both)
        assert np.isnan(both[0][1, -1]) == (arm["norm"] == "none")


def test_what_is_not_there_is_said() -> None:
    """An arm, a seed, a probe and a field: a claim that meets the first two is undecided."""
    memory = table([ARM], 2)
    other = ARM.vary(lr=3.0)
    for ask in (lambda: memory.values(other, "train", "loss"), lambda: memory.values(ARM, "train", "loss", [5])):
        with pytest.raises(MissingRunsError, match="a network has no finished run"):
            ask()
    assert memory.row(other, "train") == {}
    for probe, field in (("trian", "loss"), ("train", "lsos")):
        with pytest.raises(ValueError, match=f"no rows of {probe}.{field}; there are train"):
            memory.values(ARM, probe, field)


def test_a_field_that_some_rows_lack_is_never_stacked(tmp_path: Path) -> None:
    """Three rows of which the second lacks a field: stacked, the third's number would stand at the second's step."""
    folder = keep(tmp_path, {"seed": 0}, {s: {"p": {"x": 1.0} | ({"y": s} if s != 1 else {})} for s in range(3)})
    run = FinishedRun.read(folder)
    assert run.column("p", "x").tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match=r"p\.y differs in shape between steps of .*, or is missing at some"):
        run.column("p", "y")
    with pytest.raises(ValueError, match=r"no rows of p\.z in .*; there are x, y"):
        run.column("p", "z")
    with pytest.raises(ValueError, match=r"no rows of 'q' in .*; there are p"):
        run.column("q", "x")


def test_damaged_and_unfinished_runs_are_told_apart_by_name(tmp_path: Path) -> None:
    """Each file of one of two runs is cut in half in turn; files that change later are compared when they are read."""
    whole, damaged = (keep(tmp_path, {"seed": seed}, {0: {"p": {"x": 1.0}}}) for seed in range(2))
    (tmp_path / "runs" / ("0" * 16)).mkdir()
    for name in ("config.json", "environment.json", "rows.sqlite", "done.json"):
        data = (damaged / name).read_bytes()
        (damaged / name).write_bytes(data[: len(data) // 2])
        found = find_runs(tmp_path)
        assert [run.folder for run in found.finished] == [whole]
        assert found.unfinished == (tmp_path / "runs" / ("0" * 16),)
        assert list(found.damaged) == [damaged]
        with pytest.raises(ValueError, match=f"{damaged}.* is damaged"):
            found.intact()
        (damaged / name).write_bytes(data)
    run = FinishedRun.read(damaged)
    (damaged / "environment.json").write_text(json.dumps({"python": "2"}))
    with pytest.raises(ValueError, match=r"is damaged: environment\.json is not what was written"):
        _ = run.versions
