"""`load`: what a notebook sees of a run, also while it is written and after a kill."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import warm
from torch import nn

from clinometer import Recorder, Store, activations, every, internal_shift, landscape, load


def run(folder: Path, steps: int) -> Recorder:
    """A run of two layers, with walks at even steps and the layers at every third."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = lambda model, x: model(x).square().mean()  # noqa: E731
    when = {"landscape": every(2), "internal_shift": every(3), "activations": every(3)}
    probes = [landscape(), internal_shift(), activations(["0", "1"], bins=3)]
    recorder = Recorder(model, loss_fn, probes, when, optimizer=optimizer, to=folder)
    for _ in range(steps):
        with recorder.step(x := torch.randn(8, 4)):
            loss_fn(model, x).backward(), optimizer.step(), optimizer.zero_grad()
    return recorder


def test_every_number_is_found_under_its_step_and_name(tmp_path: Path) -> None:
    """Against the stored arrays, while the recorder has the store open; where a probe did not look there is NaN."""
    recorder = run(tmp_path, 5)
    data, walk, shift = load(tmp_path), recorder.read("landscape"), recorder.read("internal_shift")
    assert data.step.values.tolist() == [0, 2, 3, 4]
    assert data.layer.values.tolist() == ["0", "2"]
    np.testing.assert_array_equal(data.landscape_losses.sel(step=[0, 2, 4]).transpose("step", "size"), walk["losses"])
    assert data.landscape_losses.sel(step=3).isnull().all()
    np.testing.assert_array_equal(data.internal_shift_l2.sel(step=[0, 3]), shift["l2"])
    assert data.landscape_beta.dtype == walk["beta"].dtype
    seen = recorder.read("activations")
    assert data.activations_mean.dims == ("activations_step", "activations_layer", "activations_unit")
    assert data.activations_step.values.tolist() == [0, 3]
    assert data.activations_layer.values.tolist() == ["0", "1"]
    for name, axis in {"mean": "unit", "var": "unit", "counts": "bin", "edges": "edge"}.items():
        assert data[f"activations_{name}"].dims[2] == f"activations_{axis}"
        np.testing.assert_array_equal(data[f"activations_{name}"], seen[name])
    assert load(tmp_path / "rows.sqlite").identical(data)


def test_a_frame_has_a_row_per_step_and_a_column_per_number(tmp_path: Path) -> None:
    """Against the stored arrays, by the names that trackers use."""
    recorder = run(tmp_path, 5)
    frame, walk, shift = load(tmp_path, to="pandas"), recorder.read("landscape"), recorder.read("internal_shift")
    assert frame.index.tolist() == [0, 2, 3, 4]
    assert frame.index.name == "step"
    assert frame["landscape/beta"].dropna().tolist() == walk["beta"].tolist()
    assert frame["landscape/losses/3"].dropna().tolist() == walk["losses"][:, 3].tolist()
    assert frame.loc[[0, 3], ["internal_shift/l2/0", "internal_shift/l2/2"]].to_numpy().tolist() == shift["l2"].tolist()
    assert {str(dtype) for dtype in frame.dtypes} == {"float64"}
    assert not [name for name in frame if name.startswith("activations")], "histograms and units are in the data set"


def test_what_was_not_finite_or_not_a_number_stays_what_it_was(tmp_path: Path) -> None:
    """By hand: NaN, infinities, text, and integers that remain so where none is missing."""
    store = Store(tmp_path / "rows.sqlite")
    store.set_meta(lr=0.1)
    store.append(0, {"p": {"x": math.nan, "n": 1, "note": "up"}, "q": {"seen": True}})
    store.append(5, {"p": {"x": -math.inf, "n": 2, "note": "down"}})
    data = load(tmp_path)
    np.testing.assert_array_equal(data.p_x, [math.nan, -math.inf])
    assert data.p_n.dtype == np.int64
    assert data.p_note.values.tolist() == ["up", "down"]
    np.testing.assert_array_equal(data.q_seen, [1.0, math.nan])
    assert data.attrs == {"lr": 0.1}
    np.testing.assert_array_equal(load(tmp_path, to="pandas")["p/x"], [math.nan, -math.inf])


def test_the_sizes_of_a_walk_are_never_its_blocks(tmp_path: Path) -> None:
    """As many sizes as blocks: the declaration tells them apart, which the shapes cannot."""
    store = Store(tmp_path / "rows.sqlite")
    axes = {"block": ["block"], "sizes": ["size"], "beta": ["block"], "losses": ["block", "size"]}
    store.set_meta(fields={"p": {name: {"axes": of} for name, of in axes.items()}})
    store.append(0, {"p": {"block": ["a", "b"], "sizes": [1.0, 2.0], "beta": [3.0, 4.0], "losses": np.eye(2)}})
    data = load(tmp_path)
    assert data.p_sizes.dims == ("step", "size")
    assert data.p_beta.dims == ("step", "block")
    assert data.p_losses.dims == ("step", "block", "size")
    assert data.p_losses.sel(block="b").values.tolist() == [[0.0, 1.0]]


def test_rows_that_cannot_be_stacked_are_padded(tmp_path: Path) -> None:
    """A run resumed with other sizes and other layers: each number at its own name, by hand."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"p": {"sizes": [1.0, 2.0], "losses": [3.0, 4.0]}, "q": {"layer": ["a", "b"], "w": [1, 2]}})
    store.append(1, {"p": {"sizes": [1.0], "losses": [5.0]}, "q": {"layer": ["b", "c"], "w": [3, 4]}})
    with pytest.raises(ValueError, match=r"rows\(\) has each row as it was written, and clinometer.load pads them"):
        store.read("p")
    data = load(tmp_path)
    np.testing.assert_array_equal(data.p_losses, [[3, 4], [5, math.nan]])
    np.testing.assert_array_equal(data.q_w, [[1, 2, math.nan], [math.nan, 3, 4]])
    assert data.layer.values.tolist() == ["a", "b", "c"]


def test_layers_of_several_probes_are_one_axis_and_large_arrays_are_not_joined(tmp_path: Path) -> None:
    """By hand; joined, the spectrum would hold 11 × 3 × 4 numbers instead of the 4 that were measured."""
    store = Store(tmp_path / "rows.sqlite")
    for step in range(10):
        store.append(step, {"p": {"layer": ["a", "b"], "x": [1, 2]}})
    store.append(10, {"q": {"layer": ["c"], "x": [3], "spectrum": [[1, 2, 3, 4]]}})
    data = load(tmp_path)
    assert data.layer.values.tolist() == ["a", "b", "c"]
    assert data.p_x.sel(step=4, layer="b") == 2
    assert data.p_x.sel(layer="c").isnull().all()
    assert data.q_x.sel(step=10, layer="c") == 3
    assert data.q_spectrum.sel(q_step=10, q_layer="c").values.tolist() == [1, 2, 3, 4]
    assert data.q_spectrum.size == 4


def test_what_has_no_place_is_named(tmp_path: Path) -> None:
    """A number at one step and a vector at the next, and two fields that would share a name: no silent choice."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"p": {"x": 1.0}})
    store.append(1, {"p": {"x": [1.0, 2.0]}})
    with pytest.raises(ValueError, match=r"p_x has axes \(step\) and \(step, p_x_0\) at different steps"):
        load(tmp_path)
    store.drop_from(1)
    store.append(1, {"a": {"b_c": 1.0}, "a_b": {"c": 1.0}})
    with pytest.raises(ValueError, match=r"a_b\.c and a\.b_c would both be named a_b_c"):
        load(tmp_path)


def test_a_run_that_has_not_measured_yet_is_empty(tmp_path: Path) -> None:
    """Not an error: it is there, and living."""
    recorder = run(tmp_path, 0)
    assert load(tmp_path).sizes == {"step": 0}
    assert load(tmp_path, to="pandas").shape == (0, 0)
    assert recorder.store.last_step() is None


def test_a_killed_run_can_be_read(tmp_path: Path) -> None:
    """Ended by the operating system in mid-run, with its log unfolded: every step it had written is there."""
    code = (
        "import os, signal; from clinometer import Store; store = Store('mine/rows.sqlite')\n"
        "for step in range(50): store.append(step, {'p': {'x': step}})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = warm.run(["-c", code], cwd=tmp_path)
    assert done.returncode == -9
    assert (tmp_path / "mine" / "rows.sqlite-wal").stat().st_size
    assert load(tmp_path / "mine").p_x.values.tolist() == list(range(50))


def test_a_step_is_whole_or_absent(tmp_path: Path) -> None:
    """Read again and again while another process writes: were the probes read in turn, one would be a step ahead."""
    Store(tmp_path / "rows.sqlite").append(0, {"a": {"x": 0}, "b": {"x": 0}})
    code = (
        "from clinometer import Store; store = Store('rows.sqlite')\n"
        "for step in range(1, 2000): store.append(step, {'a': {'x': step}, 'b': {'x': step}})"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    seen = {}
    while writer.poll() is None or not seen:
        data = load(tmp_path)
        seen[data.sizes["step"]] = data.a_x.dtype == data.b_x.dtype == np.int64  # floats, were there a NaN
    assert writer.returncode == 0
    assert len(seen) > 2, "the writer was met at work"
    assert all(seen.values())


def test_other_files_are_refused_as_a_store_refuses_them(tmp_path: Path) -> None:
    """The words of `Store`, and the library asked for by a wrong name."""
    with pytest.raises(ValueError, match="no store at"):
        load(tmp_path)
    (tmp_path / "rows.sqlite").write_text("my notes" * 100)
    with pytest.raises(ValueError, match="not a clinometer store"):
        load(tmp_path)
    with pytest.raises(ValueError, match="'xarray' or 'pandas'; found 'polars'"):
        load(tmp_path, to="polars")  # type: ignore[arg-type]


@pytest.mark.parametrize("library", ["xarray", "pandas"])
def test_a_missing_library_is_said_with_its_extra(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made unimportable."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=r"pip install 'clinometer\[export\]'"):
        load(tmp_path, to=library)  # type: ignore[arg-type]


def test_shapes_that_differ_wildly_are_refused(tmp_path: Path) -> None:
    """Two rows of 40 kB that as one array would take 400 MB, nearly all of it NaN."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"p": {"x": np.zeros((1, 5_000))}})
    store.append(1, {"p": {"x": np.zeros((5_000, 1))}})
    store.close()
    with pytest.raises(ValueError, match=r"p_x would be an array of \(2, 5000, 5000\), for 10,000 values"):
        load(tmp_path)
