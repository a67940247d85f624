"""`export`: tables that other tools read, holding what the store holds."""

import contextlib
import csv
import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars
import pyarrow.parquet as pq
import pytest
import torch
from stored import BASES, StoredTable, keep, study
from torch import nn

from clinometer import Recorder, Store, every, internal_shift, landscape, load
from clinometer.results.export import export
from clinometer.training.config import grid, key_of
from clinometer.training.study_file import write_study


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> StoredTable:
    """Two norms, three seeds; those without a norm diverge."""
    arms = grid(BASES["vgg"], norm=["none", "batch"])
    return study(tmp_path_factory.mktemp("digits"), arms, ends=lambda config: config["norm"] == "none")


def snapshot(folder: Path) -> dict[str, Any]:
    """Every file's bytes, and every folder's time of change: a file that came and went would move it."""
    found = {path: path.read_bytes() if path.is_file() else path.stat().st_mtime_ns for path in folder.rglob("*")}
    return {str(path): what for path, what in sorted(found.items())}


def test_parquet_holds_what_the_store_holds(digits: StoredTable, tmp_path: Path) -> None:
    """Read by DuckDB and polars, which know nothing of us, against the arrays that claims read; nothing is written
    into the study."""
    before = snapshot(digits.study)
    written = export(digits.study, tmp_path / "out")
    assert snapshot(digits.study) == before
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(written)
    assert written["runs.parquet"] == 6
    assert written["train.parquet"] == 3 * 150 + 3 * 45
    for arm in digits.arms:
        for probe, field in [("landscape", "beta"), ("landscape", "sizes"), ("activations", "mean"), ("test", "loss")]:
            query = f"SELECT {field} FROM '{tmp_path}/out/{probe}.parquet' WHERE norm = ? ORDER BY seed, step"
            found = np.array([row[0] for row in duckdb.execute(query, [arm["norm"]]).fetchall()])
            expected = [
                Store(digits.study / "runs" / c.key / "rows.sqlite", read_only=True)
                for c in digits.configs
                if c["norm"] == arm["norm"]
            ]
            np.testing.assert_array_equal(found, np.concatenate([store.read(probe)[field] for store in expected]))
    layers = polars.read_parquet(tmp_path / "out" / "activations.parquet")["layer"]
    assert layers.dtype == polars.List(polars.String)
    runs = polars.read_parquet(tmp_path / "out" / "runs.parquet")
    assert runs["status"].to_list() == ["done"] * 3 + ["diverged"] * 3
    assert runs["diverged_at"].to_list() == [None] * 3 + [44] * 3
    assert runs["run"].to_list() == [c.key for c in sorted(digits.configs, key=lambda c: (c["norm"], c.seed))]
    assert pq.ParquetFile(tmp_path / "out" / "train.parquet").num_row_groups == 6, "one run after another"


def test_csv_has_the_columns_of_a_frame(digits: StoredTable, tmp_path: Path) -> None:
    """Against `load`, which goes another way; text and what is kept per unit are left out."""
    export(digits.study, tmp_path / "out", "csv")
    frame = load(digits.study, to="pandas")
    with (tmp_path / "out" / "landscape.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in frame if name.startswith("landscape/")]
    assert [name for name in rows[0] if "/" in name] == names
    assert {"run", "norm", "seed", "step"} < set(rows[0])
    expected = frame.dropna(subset=["landscape/beta"])
    assert [row["run"] for row in rows] == expected["run"].tolist()
    assert [int(row["step"]) for row in rows] == expected["step"].tolist()
    for name in names:
        assert [float(row[name]) for row in rows] == expected[name].tolist()
    assert (tmp_path / "out" / "activations.csv").read_text().splitlines()[0].endswith(",step")


def test_a_field_is_null_where_a_row_lacks_it_and_nan_where_it_was_so(tmp_path: Path) -> None:
    """By hand: mixed types and lengths, text, truth values, and arrays of three axes, over two runs."""
    cube = np.arange(12.0).reshape(2, 3, 2)
    first = {"x": math.nan, "n": 1, "up": True, "cube": cube, "note": "a", "names": ["b", "c"]}
    keep(tmp_path / "s", {"seed": 0}, {0: {"p": first}, 5: {"p": {"n": 2, "cube": cube[:1], "x": math.inf}}})
    keep(tmp_path / "s", {"seed": 1}, {0: {"p": {"n": 0.5, "cube": np.zeros((0, 3, 2), np.float32), "x": 1.5}}})
    export(tmp_path / "s", tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "p.parquet")
    columns = table.to_pydict()
    assert columns["n"] == [1.0, 2.0, 0.5]
    assert [str(x) for x in columns["x"]] == ["nan", "inf", "1.5"]
    assert columns["up"] == [True, None, None]
    assert columns["cube"] == [cube.tolist(), cube[:1].tolist(), []]
    assert columns["note"] == ["a", None, None]
    assert columns["names"] == [["b", "c"], None, None]
    assert str(table.schema.field("step").type) == "int64"
    export(tmp_path / "s", tmp_path / "csv", "csv")
    lines = (tmp_path / "csv" / "p.csv").read_text().splitlines()
    assert lines[0] == "run,seed,step,p/x,p/n,p/up"
    assert [line.split(",", 1)[1] for line in lines[1:]] == ["0,0,nan,1.0,1.0", "0,5,inf,2.0,", "1,0,1.5,0.5,"]


def test_runs_know_where_they_were_made_and_which_are_missing(tmp_path: Path) -> None:
    """By hand: an environment, an unfinished run whose config is known, and one of which nothing is."""
    made = {"python": "3.11", "packages": {"torch": "2.13"}, "device": "cpu", "commit": "abc", "fingerprint": {}}
    keep(tmp_path / "s", {"lr": 0.5, "step": "x"}, {0: {"p": {"lr": 1.0}}}, environment=made)
    begun = tmp_path / "s" / "runs" / key_of({"lr": 2})
    Store(begun / "rows.sqlite").append(0, {"q": {"x": 1.0}})
    (begun / "config.json").write_text('{"lr": 2}')
    (tmp_path / "s" / "runs" / ("f" * 16)).mkdir()
    written = export(tmp_path / "s", tmp_path / "out")
    assert written == {"runs.parquet": 3, "p.parquet": 1}
    runs = pq.read_table(tmp_path / "out" / "runs.parquet").to_pydict()
    assert runs["status"] == ["done", "unfinished", "unfinished"]
    assert runs["config_lr"] == [0.5, 2.0, None], "p has a field of that name"
    assert runs["config_step"] == ["x", None, None]
    assert runs["environment_torch"] == ["2.13", None, None]
    assert runs["environment_commit"] == ["abc", None, None]


def test_a_recorders_run_exports_as_well(tmp_path: Path) -> None:
    """Against the recorder, while it has the store open."""
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = lambda model, x: model(x).square().mean()  # noqa: E731
    probes = [landscape(), internal_shift()]
    recorder = Recorder(model, loss_fn, probes, every(2), optimizer=optimizer, to=tmp_path / "mine")
    for _ in range(5):
        with recorder.step(x := torch.randn(8, 4)):
            loss_fn(model, x).backward(), optimizer.step(), optimizer.zero_grad()
    assert export(tmp_path / "mine", tmp_path / "out")["landscape.parquet"] == 3
    columns = pq.read_table(tmp_path / "out" / "landscape.parquet").to_pydict()
    assert columns["beta"] == recorder.read("landscape")["beta"].tolist()
    assert columns["losses"] == recorder.read("landscape")["losses"].tolist()
    runs = pq.read_table(tmp_path / "out" / "runs.parquet").to_pydict()
    assert (runs["run"], runs["status"]) == (["mine"], [None])


def test_probes_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    """A path, a hidden file, and the name of the table of runs."""
    keep(tmp_path / "s", {"seed": 0}, {0: {name: {"x": 1.0} for name in ("../../up", "..", "runs", "a/b", "c d")}})
    assert set(export(tmp_path / "s", tmp_path / "out", "csv")) == {path.name for path in (tmp_path / "out").iterdir()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "s"]


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    """Another's file, a file in the place of the folder, and an empty folder, which is filled."""
    keep(tmp_path / "s", {"seed": 0}, {0: {"p": {"x": 1.0}}})
    (tmp_path / "out").mkdir()
    assert export(tmp_path / "s", tmp_path / "out")["p.parquet"] == 1
    before = snapshot(tmp_path / "out")
    for taken in ("out", "out/p.parquet", "s"):
        with pytest.raises(ValueError, match="is there already, and is no empty folder"):
            export(tmp_path / "s", tmp_path / taken)
    assert snapshot(tmp_path / "out") == before


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_nothing_is_half_written(tmp_path: Path, kind: Any) -> None:
    """Damage that is met when the first run is written already: no folder, and no remains of one."""
    folders = [keep(tmp_path / "s", {"seed": seed}, {0: {"p": {"x": 1.0}}}) for seed in range(2)]
    with contextlib.closing(sqlite3.connect(folders[1] / "rows.sqlite")) as db, db:
        db.execute("UPDATE rows SET data = x'00'")
    with pytest.raises(ValueError, match=f"{folders[1].name} is damaged: rows.sqlite"):
        export(tmp_path / "s", tmp_path / "out", kind)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_field_that_is_no_column_is_named(tmp_path: Path) -> None:
    """A number in one run and two in another; as CSV, which has a column for each number, it is no difficulty."""
    keep(tmp_path / "s", {"seed": 0}, {0: {"p": {"x": 1.0}}})
    keep(tmp_path / "s", {"seed": 1}, {0: {"p": {"x": [1.0, 2.0]}}})
    with pytest.raises(ValueError, match=r"p\.x has shapes \[\] and \[2\]; a column holds as many axes"):
        export(tmp_path / "s", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    assert export(tmp_path / "s", tmp_path / "out", "csv")["p.csv"] == 2


def test_a_study_of_which_no_run_was_begun_is_named_so(tmp_path: Path) -> None:
    """It has a study.json and no runs/: it is no run either, whose rows.sqlite would be missing."""
    write_study(tmp_path, {"scale": "smoke"})
    with pytest.raises(ValueError, match="is a study of which no run was begun"):
        export(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_study_and_no_run_is_refused(tmp_path: Path) -> None:
    """An empty folder; config.json beside another's store stays unread if it is not an object."""
    with pytest.raises(ValueError, match="no store at"):
        export(tmp_path, tmp_path / "out")
    Store(tmp_path / "mine" / "rows.sqlite").append(0, {"p": {"x": 1.0}})
    (tmp_path / "mine" / "config.json").write_text(json.dumps([1]))
    assert export(tmp_path / "mine", tmp_path / "out")["runs.parquet"] == 1
