import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import clinometer
from clinometer.plots.run import plot
from clinometer.recorder.recorder import Recorder
from clinometer.recorder.schedules import every
from clinometer.store import Store


def stored(path: Path | None) -> Store:
    """Ten rows of two probes, of which one has a number for each layer."""
    store = Store(path)
    store.set_meta(fields={"shift": {"l2": {"axes": ["layer"], "headline": True}}})
    for step in range(10):
        rows = {"train": {"loss": 1.0 / (1 + step)}, "shift": {"layer": ["conv", "head"], "l2": [step, step**2]}}
        store.append(step, rows)
    return store


def drawn(figure: object) -> dict[str, list[float]]:
    """The values of each line that has a name, as matplotlib has them."""
    lines = [line for axes in figure.axes for line in axes.lines]  # type: ignore[attr-defined]
    return {line.get_label(): list(line.get_ydata()) for line in lines}


def test_what_is_drawn_is_what_was_recorded(tmp_path: Path) -> None:
    """matplotlib's own lines hold the numbers that went into the store: of a folder, its file and the store alike."""
    store = stored(tmp_path / "rows.sqlite")
    expected = {
        "loss": [1.0 / (1 + step) for step in range(10)],
        "conv": list(range(10)),
        "head": [n**2 for n in range(10)],
    }
    for what in (tmp_path, str(tmp_path), tmp_path / "rows.sqlite", store, stored(None)):
        assert drawn(clinometer.plot(what)) == expected
    assert drawn(plot(store, probes="train")).keys() == {"loss"}
    assert drawn(plot(store, probes=["shift"])).keys() == {"conv", "head"}


def test_a_recorder_draws_its_rows_the_last_step_among_them() -> None:
    """Two steps of a loop that has no block around them: without measuring the last, one row would be drawn."""
    model = nn.Linear(1, 1)
    probe = {"mine": lambda step: {"x": float(step.index)}}
    recorder = Recorder(model, lambda model, _batch: model.weight.sum(), probe, every(1), lr=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        recorder.step(None)
        model.weight.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert drawn(recorder.plot()) == {"x": [0.0, 1.0]}


def test_a_path_that_is_no_run_is_told_what_to_use(tmp_path: Path) -> None:
    """Each kind of wrong path, and the words that lead on from it."""
    study = tmp_path / "study"
    stored(study / "runs" / "0123456789abcdef" / "rows.sqlite").close()
    (study / "study.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no store")
    for path, said in (
        (study, "is the folder of a study, which has many runs: clinometer.report(path) writes its page"),
        (study / "runs", f"In it are {study / 'runs' / '0123456789abcdef'}."),
        (tmp_path / "lost", f"there is no {tmp_path / 'lost'}. Expected the folder that a Recorder writes to"),
        (tmp_path / "empty", "holds no rows.sqlite, as a run does, and no study.json"),
        (tmp_path / "notes.txt", "notes.txt"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            plot(path)
    with pytest.raises(TypeError, match="found int"):
        plot(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no step was measured yet"):
        plot(Store())
    with pytest.raises(ValueError, match="no rows of 'landscape'; it has those of shift, train"):
        plot(stored(None), probes="landscape")


def test_a_notebook_gets_the_pixels_and_pyplot_stays_away(tmp_path: Path) -> None:
    """In a fresh process: Pillow reads what a notebook is given, and pyplot was never imported."""
    stored(tmp_path / "rows.sqlite").close()
    code = f"""
import sys, clinometer
open({str(tmp_path / "out.png")!r}, "wb").write(clinometer.plot({str(tmp_path)!r})._repr_png_())
print("matplotlib.pyplot" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"
    with Image.open(io.BytesIO((tmp_path / "out.png").read_bytes())) as image:
        assert len(np.unique(np.asarray(image.convert("L")))) > 20


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sys.modules` as Python has it where a package is not there."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'clinometer\[report\]'"):
        plot(stored(None))


def test_hostile_names_are_drawn_as_text() -> None:
    """Names that matplotlib would take for formulas, or a terminal for commands: drawing them ends in no error."""
    store = Store()
    store.append(
        0, {"$\\frac{x}$": {"_loss\x1b[2J": 1.0}, "mine": {"layer": ["$x^{$", "\u202econv"], "l2": [1.0, 2.0]}}
    )
    assert plot(store)._repr_png_().startswith(b"\x89PNG")
