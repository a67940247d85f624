"""`load` on a study: one labelled data set over all factors, read when it is used."""

import copy
import itertools
import json
import math
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from stored import BASES, StoredTable, keep, study

from clinometer import Store, load
from clinometer.training.config import grid
from clinometer.training.run_folder import finish
from clinometer.training.study_file import write_study


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> StoredTable:
    """Two norms at two rates, three seeds; those without a norm diverge at the larger rate."""
    folder = tmp_path_factory.mktemp("digits")
    write_study(folder, {"study": "mine", "scale": "smoke"})
    arms = grid(BASES["vgg"], norm=["none", "batch"], lr=[0.1, 0.5])
    return study(
        folder,
        arms,
        beta=lambda config, step: 100 * config["lr"] + config.seed + step / 1000,
        ends=lambda config: config["norm"] == "none" and config["lr"] == 0.5,
    )


def numbered(folder: Path, *configs: dict[str, Any]) -> list[Path]:
    """Runs that hold their own number."""
    return [keep(folder, config, {0: {"p": {"x": float(number)}}}) for number, config in enumerate(configs)]


def test_every_number_of_every_run_is_at_its_place(digits: StoredTable) -> None:
    """Against the arrays that claims read, which know nothing of axes: all probes, walks, layers and units."""
    data = load(digits.study)
    assert data.landscape_beta.dims == ("norm", "lr", "seed", "step")
    assert data.landscape_sizes.dims == ("norm", "lr", "seed", "step", "size")
    assert data.activations_mean.dims[3:] == ("activations_step", "activations_layer", "activations_unit")
    assert data.norm.values.tolist() == ["batch", "none"]
    for arm in digits.arms:
        here = data.sel(norm=arm["norm"], lr=arm["lr"])
        steps = {"landscape": {"step": digits.steps(arm, "landscape")}, "train": {"step": digits.steps(arm, "train")}}
        for probe, field in [("landscape", "beta"), ("landscape", "sizes"), ("train", "loss"), ("train", "accuracy")]:
            np.testing.assert_array_equal(here[f"{probe}_{field}"].sel(steps[probe]), digits.values(arm, probe, field))
        np.testing.assert_array_equal(here.activations_mean, digits.values(arm, "activations", "mean"))
    assert data.attrs["study"] == "mine"
    assert data.attrs["width"] == BASES["vgg"]["width"]
    assert (data.attrs["runs"], data.attrs["unfinished"]) == (12, 0)


def test_a_run_that_diverged_goes_on_as_nan(digits: StoredTable) -> None:
    """By hand: it wrote 45 steps, and says where it ended."""
    data = load(digits.study)
    dead = data.sel(norm="none", lr=0.5, seed=0)
    assert dead.diverged_at == 44
    assert dead.train_loss.notnull().values.tolist() == [True] * 45 + [False] * 105
    assert data.diverged_at.sel(norm="batch").isnull().all()
    assert data.run.sel(norm="none", lr=0.5, seed=0) == next(
        config.key for config in digits.configs if (config["norm"], config["lr"], config.seed) == ("none", 0.5, 0)
    )


@pytest.mark.parametrize("by", ["factors", "runs"])
def test_indexing_before_reading_is_indexing_after_it(digits: StoredTable, by: Any) -> None:
    """NumPy is the truth: every kind of index, one after another, gives what it gives on the array in memory."""
    lazy = load(digits.study, by=by).internal_shift_l2
    whole = lazy.copy(data=np.array(load(digits.study, by=by).internal_shift_l2))
    assert not lazy.variable._in_memory
    keys: list[Any] = [0, slice(None), slice(None, None, -1), [1, 0], slice(1, 2)]
    for key in itertools.product(keys, repeat=2):
        assert lazy[key].identical(whole[key])
        assert lazy[key][..., [2, 2, 0]].identical(whole[key][..., [2, 2, 0]])
    vectors = {dim: xarray.DataArray([0, 1], dims="point") for dim in lazy.dims[:2]}
    assert lazy.isel(vectors).identical(whole.isel(vectors))
    assert not lazy.variable._in_memory, "a part was asked for, so no more was kept"


def test_only_the_runs_that_are_used_are_read(tmp_path: Path) -> None:
    """The others' files are destroyed once the data set is there: what does not touch them cannot tell."""
    configs = [{"norm": norm, "seed": seed} for norm in ("batch", "none") for seed in range(2)]
    folders = numbered(tmp_path, *configs)
    data = load(tmp_path)
    for folder in folders[2:]:
        (folder / "rows.sqlite").write_bytes(b"gone")
    assert data.p_x.sel(norm="batch").mean("seed").values.tolist() == [0.5]
    with pytest.raises(ValueError, match=f"({folders[2].name}|{folders[3].name}) is damaged: rows.sqlite"):
        data.p_x.sel(norm="none").load()


def test_what_was_read_is_kept_and_writing_leaves_the_disk(tmp_path: Path) -> None:
    """As with a file that xarray opens: the second reading needs no file, and an assignment goes nowhere else."""
    [folder, other] = numbered(tmp_path, {"seed": 0}, {"seed": 1})
    before = (folder / "rows.sqlite").read_bytes()
    data = load(tmp_path)
    twin, sent = copy.deepcopy(data), pickle.dumps(data)
    data.p_x[0] = 7.0
    assert data.p_x.values.tolist() == [[7.0], [1.0]]
    assert twin.p_x.values.tolist() == [[0.0], [1.0]]
    assert (folder / "rows.sqlite").read_bytes() == before
    assert pickle.loads(sent).p_x.values.tolist() == [[0.0], [1.0]]
    (other / "rows.sqlite").unlink()
    assert twin.p_x.sum() == 1.0


def test_factors_that_go_together_get_one_axis_of_runs(tmp_path: Path) -> None:
    """By hand: 2 × 2 × 2 × 2 combinations of two runs are eight per run; of three factors, four, which is the limit."""
    runs = [{"data": "a", "model": "b", "lr": 0.1, "steps": 5}, {"data": "c", "model": "d", "lr": 0.2, "steps": 9}]
    numbered(tmp_path / "four", *runs)
    data = load(tmp_path / "four")
    assert data.p_x.dims == ("run", "step")
    assert sorted(data.sel(run=data.data == "c").model.values.tolist()) == ["d"]
    assert data.sel(run=data.lr == 0.2).p_x.values.tolist() == [[1.0]]
    asked = load(tmp_path / "four", by="factors")
    assert asked.p_x.sizes == {"data": 2, "model": 2, "lr": 2, "steps": 2, "step": 1}
    assert asked.p_x.sel(data="c", model="d", lr=0.2, steps=9).item() == 1.0
    assert asked.p_x.notnull().sum() == 2
    assert asked.run.sel(data="a", model="d", lr=0.2, steps=9) == ""
    numbered(tmp_path / "three", *({k: v for k, v in run.items() if k != "steps"} for run in runs))
    assert load(tmp_path / "three").p_x.dims == ("data", "model", "lr", "step")
    assert load(tmp_path / "three", by="runs").p_x.dims == ("run", "step")


def test_what_some_runs_lack_is_nan_or_empty(tmp_path: Path) -> None:
    """By hand: a probe, layers, a size and steps of one run only; integers become floats, text becomes ""."""
    row = {"layer": ["a", "b"], "w": [1, 2], "note": "up"}
    keep(tmp_path, {"seed": 0}, {0: {"q": row}, 5: {"q": row}})
    walk = {"p": {"sizes": {"axes": ["size"]}, "losses": {"axes": ["size"]}}}
    one = {0: {"q": {"layer": ["c"], "w": [3]}, "p": {"sizes": [1.0], "losses": [math.inf]}}}
    keep(tmp_path, {"seed": 1}, one, fields=walk)
    keep(tmp_path, {"seed": 3}, {0: {"p": {"sizes": [1.0, 2.0], "losses": [math.nan, -math.inf]}}}, fields=walk)
    data = load(tmp_path)
    nan = math.nan
    np.testing.assert_array_equal(data.q_w.sel(seed=0), [[1, 2, nan], [1, 2, nan]])
    np.testing.assert_array_equal(data.q_w.sel(step=0), [[1, 2, nan], [nan, nan, 3], [nan] * 3])
    assert data.q_note.values.tolist() == [["up", "up"], ["", ""], ["", ""]]
    np.testing.assert_array_equal(data.p_losses.sel(step=0), [[nan, nan], [math.inf, nan], [nan, -math.inf]])


def test_integers_stay_integers_where_none_is_missing(tmp_path: Path) -> None:
    """Beyond 2⁵³, where a float would not do."""
    for seed in range(2):
        keep(tmp_path, {"seed": seed}, {0: {"p": {"n": 2**53 + 1 + seed}}})
    data = load(tmp_path)
    assert data.p_n.dtype == np.int64
    assert data.p_n.values.tolist() == [[2**53 + 1], [2**53 + 2]]


def test_factors_of_any_kind_have_labels(tmp_path: Path) -> None:
    """Truth values, numbers of both types, text beside null and lists, a field that a run lacks, and names in use."""
    first = {"fast": True, "lr": 1, "norm": None, "sizes": [1, 2], "step": 3, "p_x": "a"}
    numbered(tmp_path, first, {"fast": False, "lr": 0.5, "norm": "batch", "sizes": "all", "step": 4, "extra": 1})
    data = load(tmp_path, by="factors")
    assert set(data.p_x.dims) == {"fast", "lr", "norm", "sizes", "config_step", "config_p_x", "extra", "step"}
    here = data.p_x.sel(fast=False, lr=0.5, norm="batch", sizes="all", config_step=4, config_p_x="", extra=1)
    assert here.values.tolist() == [1.0]
    there = data.p_x.sel(fast=True, lr=1.0, norm="", sizes="[1, 2]", config_step=3, config_p_x="a")
    assert there.sum() == 0.0
    assert there.notnull().sum() == 1


def test_unfinished_runs_are_left_out_and_counted(tmp_path: Path) -> None:
    """Killed before the store was made, before its first row, and in mid-run; a stray folder and a link are no runs."""
    [done] = numbered(tmp_path, {"seed": 0})
    runs = tmp_path / "runs"
    (runs / "0123456789abcdef").mkdir()
    (runs / "1123456789abcdef").mkdir()
    (runs / "1123456789abcdef" / "rows.sqlite").touch()
    Store(runs / "2123456789abcdef" / "rows.sqlite").append(0, {"p": {"x": 5.0}})
    (runs / "notes").mkdir()
    (runs / f"{done.name}.error.txt").write_text("an earlier attempt")
    (runs / "3123456789abcdef").symlink_to(done)
    data = load(tmp_path)
    assert (data.attrs["runs"], data.attrs["unfinished"]) == (1, 3)
    assert data.p_x.values.tolist() == [0.0]
    assert load(tmp_path, to="pandas")["p/x"].tolist() == [0.0]


def test_a_study_without_a_finished_run_is_empty(tmp_path: Path) -> None:
    """Not an error: it may have begun just now."""
    (tmp_path / "runs").mkdir()
    with pytest.raises(ValueError, match="no store at"):
        load(tmp_path)  # a folder called runs is no study
    write_study(tmp_path, {})
    assert load(tmp_path).sizes["step"] == 0
    assert load(tmp_path).attrs == {"runs": 0, "unfinished": 0}
    assert load(tmp_path, to="pandas").empty


@pytest.mark.parametrize("file", ["rows.sqlite", "config.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_damage_is_said_with_the_runs_folder(tmp_path: Path, file: str, damage: str) -> None:
    """A file that is lost, half of it, and another run's config, whose hash is not the folder's name."""
    [folder, _] = numbered(tmp_path, {"seed": 0}, {"seed": 1})
    path = folder / file
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        path.write_bytes(json.dumps({"seed": 7}).encode())
    with pytest.raises(ValueError, match=f"{folder.name}.*(is damaged|cannot be read)"):
        load(tmp_path).p_x.load()


@pytest.mark.parametrize(
    "config",
    ['{"a":' * 900 + "1" + "}" * 900, '{"a":' + "[" * 9**5 + "]" * 9**5 + "}", "[1]", '{"a": ' + "9" * 5000 + "}"],
)
def test_a_hostile_config_is_refused_by_name(tmp_path: Path, config: str) -> None:
    """Nested too deep for Python 3.11, and for any; no object; a number that takes forever: with a right digest."""
    [folder] = numbered(tmp_path, {"seed": 0})
    (folder / "config.json").write_text(config)
    finish(folder)
    with pytest.raises(ValueError, match=f"{folder.name}((/config.json)? is damaged| cannot be read)"):
        load(tmp_path)


def test_a_frame_has_a_row_per_run_and_step(digits: StoredTable) -> None:
    """Against the arrays that claims read."""
    frame = load(digits.study, to="pandas")
    assert list(frame.columns[:5]) == ["run", "norm", "lr", "seed", "step"]
    assert len(frame) == 9 * 150 + 3 * 45
    for arm in digits.arms:
        here = frame[(frame.norm == arm["norm"]) & (frame.lr == arm["lr"])].pivot(
            index="seed", columns="step", values="train/loss"
        )
        np.testing.assert_array_equal(here, digits.values(arm, "train", "loss")[:, : here.shape[1]])
    assert "landscape/sizes/3" in frame


def test_what_is_asked_for_is_checked(tmp_path: Path) -> None:
    """A wrong word for `by`; and a copy of a run under another name is no second run of its config."""
    [folder] = numbered(tmp_path, {"seed": 0})
    with pytest.raises(ValueError, match="by must be 'factors' or 'runs'; found 'run'"):
        load(tmp_path, by="run")  # type: ignore[arg-type]
    assert load(folder).p_x.dims == ("step",), "one run of a study is a run"
    shutil.copytree(folder, folder.with_name("0" * 16))
    with pytest.raises(ValueError, match=rf"0{{16}} is damaged: its config\.json is that of the run {folder.name}"):
        load(tmp_path)
