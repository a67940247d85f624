"""The rows of the cheap signals, read as every reader of stored runs names them."""

import io

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from clinometer import Recorder, activation_moments, attention_logits, every, load, step_norms
from clinometer.pages.watch import watch
from clinometer.probes.field import declared_in
from clinometer.probes.labels import scalars
from clinometer.results.quantity import Quantity
from clinometer.results.run_table import RunTable
from clinometer.training.config import RunConfig

CONFIG = RunConfig("nets:mlp", steps=3, measure_every=1)
FIELDS = {"step_norms": "update_ratio", "activation_moments": "kurtosis", "attention_logits": "largest"}


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    model = nn.Sequential(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), nn.Linear(4, 1))

    def loss_fn(model: nn.Module, x: Tensor) -> Tensor:
        return model(x).square().mean()

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probes = [step_norms(), activation_moments(), attention_logits()]
    recorder = Recorder(model, loss_fn, probes, every(1), optimizer=optimizer, to=tmp_path_factory.mktemp("run"))
    for _ in range(3):
        with recorder.step(x := torch.randn(2, 5, 4)):
            loss_fn(model, x).backward()
            optimizer.step()
            optimizer.zero_grad()
    return recorder


@pytest.mark.parametrize("probe", FIELDS)
def test_each_layer_has_a_name_in_every_grammar(recorder: Recorder, probe: str) -> None:
    """The number is the row's own, found by position; a tracker and a study's quantity find it by its name."""
    rows, field = recorder.store.rows()[probe], FIELDS[probe]
    name = str(rows[2].get("block", rows[2].get("layer"))[-1])
    expected = rows[2][field][-1]
    assert scalars({probe: rows[2]}, declared_in(recorder.store.meta))[f"{probe}/{field}/{name}"] == expected
    table = RunTable.of_arrays(
        {CONFIG: {probe: {each: np.stack([row[each] for row in rows.values()]) for each in rows[2]}}}
    )
    quantity = Quantity.parse(f"{probe}.{field}.{name}:last")
    assert quantity.samples(table, CONFIG, [0]).tolist() == [expected]


def test_load_and_watch_show_them(recorder: Recorder) -> None:
    """xarray and the terminal have each signal, by what its probe declares."""
    pytest.importorskip("xarray")
    path = recorder.store.path
    assert path
    found = load(path.parent)
    assert found["step_norms_update_ratio"].dims == ("step", "block")
    assert found["attention_logits_entropy"].dims == ("step", "layer")
    assert np.isfinite(found["step_norms_loss"]).all()
    console = Console(file=io.StringIO(), width=200)
    watch(path.parent, console, once=True)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(f"{probe}/{field}" in shown for probe, field in FIELDS.items())
