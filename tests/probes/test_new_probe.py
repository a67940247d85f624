"""A probe that is only now added to the registry: everything that shows probes shows it, from its declaration alone."""

import io
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything

pytest.importorskip("rich")
pytest.importorskip("xarray")
from rich.console import Console

from clinometer import Field, Probe, Recorder, Step, every, load
from clinometer.pages.run_page.page import report_run
from clinometer.pages.watch import watch
from clinometer.plots.run_figures import figures_of
from clinometer.probes import registry
from clinometer.probes.base import LAYER, make_probe
from clinometer.results.run_tables import tables_of
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_probes

FIELDS = {
    "layer": LAYER,
    "largest": Field(unit="1/s", meaning="the largest", headline=True, label="λ", worst="highest", limit=2.0),
    "low": Field(unit="1/s", meaning="its lowest estimate", drawing="lower", label="λ"),
    "high": Field(unit="1/s", meaning="its highest estimate", drawing="upper", label="λ"),
    "values": Field(("rank",), unit="1/s", meaning="the three largest"),
    "share": Field(
        ("layer",), meaning="the share of each layer; above 1 it breaks", headline=True, worst="highest", limit=1.0
    ),
    "nodes": Field(("layer", "edge"), meaning="where the density was taken", drawing="none"),
    "weights": Field(("layer", "bin"), meaning="the density of each layer", drawing="ridges", along="nodes"),
}


def spectrum(scale: float = 1.0) -> Probe:
    """The largest eigenvalues, of the whole and by layer.

    Cost: two forward-backward passes.
    """

    def probe(step: Step) -> dict[str, Any]:
        value = scale * (1.0 + step.index)
        return {
            "layer": ["first", "head"],
            "largest": value,
            "low": value / 2,
            "high": value * 2,
            "values": np.array([3.0, 2.0, 1.0]) * value,
            "share": np.array([0.1, 0.5]) * value,
            "nodes": np.tile(np.linspace(0, 1, 5), (2, 1)),
            "weights": np.ones((2, 4)),
        }

    return make_probe("spectrum", probe, FIELDS, 2.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was recorded with the probe, taken from the registry as a study file takes it."""
    monkeypatch.setitem(registry.PROBES, "spectrum", spectrum)  # type: ignore[arg-type]
    probes = build_probes(RunConfig(model="nets:mlp", probes=(("spectrum", {"scale": 0.5}),)))
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, probes, every(2), optimizer=optimizer, to=tmp_path / "run")
    for index in range(5):
        with recorder.step(batch(index)):
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert recorder.summary().split(" · ")[1] == "λ 0.5 → 2.5"
    recorder.store.close()
    return tmp_path / "run"


def test_it_is_loaded_with_names_on_its_axes(folder: Path) -> None:
    """As a data set, by layer and by rank; as a frame, a column for each number that has a name."""
    pytest.importorskip("xarray", reason="an extra: pip install 'clinometer[export]'")
    data = load(folder)
    assert data.spectrum_share.sel(layer="head", step=4).item() == 1.25
    assert data.spectrum_values.dims[-1].endswith("rank")
    assert data.spectrum_largest.attrs == {"long_name": "the largest", "units": "1/s"}
    columns = load(folder, to="pandas").columns
    assert {"spectrum/largest", "spectrum/share/first", "spectrum/values/2"} <= set(columns)
    assert not any("weights" in name for name in columns)


def test_its_page_draws_numbers_layers_and_distributions(folder: Path) -> None:
    """The figure's data: a line within its band and its limit, layers by danger as shares, ridges; and the ranking."""
    figures = figures_of(*tables_of(folder))
    (number,) = figures["numbers"].panels
    line, limit = number.series
    assert (number.title, number.ylabel, line.label) == ("spectrum: λ", "1/s", "λ")
    np.testing.assert_array_equal([line.low, line.y, line.high], np.array([[0.25], [0.5], [1.0]]) * [1, 3, 5])
    np.testing.assert_array_equal(limit.y, [2.0, 2.0, 2.0])
    (layers,) = figures["entries"].panels
    assert [series.label for series in layers.series] == ["head", "first", "limit"]
    assert len(figures["distributions"].panels) == 2
    ranking = report_run(folder).rankings["spectrum"]
    assert [(rank.block, rank.beyond) for rank in ranking.ranks] == [("head", 4), ("first", None)]
    assert "the share of each layer; above 1 it breaks" in (folder / "report.html").read_text()


def test_it_is_watched(folder: Path) -> None:
    """The headline with its course, and each quantity of layers and ranks at its worst."""
    out = io.StringIO()
    watch(folder, Console(file=out, width=120), once=True)
    rows = [re.split(r"\s{2,}", line.strip()) for line in out.getvalue().splitlines()]
    assert ["λ", "2.5", "0.5", "0.5", "2.5", "▁▅█"] in rows
    assert ["spectrum/share, largest of 2 layers", "1.25", "0.25", "0.25", "1.25", "▁▅█"] in rows
    assert ["spectrum/values, largest of 3 ranks", "7.5", "1.5", "1.5", "7.5", "▁▅█"] in rows


def test_the_readme_and_the_docs_list_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first line of its docstring, its cost and its fields; navigation and reference follow."""
    monkeypatch.setitem(registry.PROBES, "spectrum", spectrum)  # type: ignore[arg-type]
    filled = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "fill.py"))["filled"]
    table = filled("<!-- probes docs -->\n<!-- end -->")
    assert (
        "| [`spectrum`](docs/spectrum.md) | The largest eigenvalues, of the whole and by layer | "
        "two forward-backward passes |" in table
    )
    assert "| **`largest`** |  | 1/s | the largest |" in filled("<!-- fields spectrum -->\n<!-- end -->")
    assert "      - spectrum.md\n      # <!-- end -->" in filled("# <!-- pages -->\n      # <!-- end -->")
    assert "::: clinometer.probes.spectrum.spectrum" in filled("<!-- reference -->\n<!-- end -->")
