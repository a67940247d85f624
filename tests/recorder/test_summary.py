import math
from pathlib import Path
from typing import Any

import torch
from models import batch, cross_entropy, everything

from clinometer import Recorder, Store, activations, every, headroom, internal_shift, landscape
from clinometer.probes.field import declared_by, to_json
from clinometer.recorder.summary import summary


def declaring(*probes: Any) -> Store:
    """An empty store whose facts hold what these probes declare, as a recorder writes them."""
    store = Store()
    store.set_meta(fields=to_json(declared_by({probe.__name__: probe for probe in probes})))
    return store


def test_a_real_run_in_one_line(tmp_path: Path) -> None:
    """Built by hand from what the recorder reads back; β and its scale-free twin are not both told."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probes = [landscape(), landscape(direction="update"), headroom(), internal_shift(), activations(["head"])]
    recorder = Recorder(model, cross_entropy, probes, every(2), optimizer=optimizer, to=tmp_path)
    for index in range(5):
        with recorder.step(batch(index)):
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
            optimizer.zero_grad()
    said = summary(recorder.store).split(" · ")
    loss, half = recorder.read("landscape")["loss"], recorder.read("landscape")["beta_lr_half"]
    assert said[0] == "clinometer: 3 steps measured (0 to 4)"
    assert said[1] == f"loss {loss[0]:.3g} → {loss[2]:.3g}"
    assert said[2].startswith(f"β·lr/2 {half[0]:.3g} → {half[2]:.3g}")
    assert said[3].startswith("β·lr/2 of landscape_update ")
    assert said[4].startswith("headroom ")
    assert said[5].startswith("λ_c ")
    assert said[6:] == ["also internal_shift, activations", str(tmp_path / "rows.sqlite")]


def test_extremes_are_told_where_they_are_neither_first_nor_last() -> None:
    """By hand; NaN is no extreme, and infinity is one."""
    store = declaring(landscape(), headroom())
    for step, (half, room) in enumerate([(0.5, 4.0), (math.nan, 0.5), (math.inf, math.nan), (0.75, 2.0)]):
        store.append(
            step,
            {
                "landscape": {"beta": 1.0, "beta_lr_half": half, "beta_over_threshold": half},
                "headroom": {"loss": room, "evaluations": 4},
            },
        )
    assert summary(store) == (
        "clinometer: 4 steps measured (0 to 3) · β·lr/2 0.5 → 0.75 (highest inf at step 2) · "
        "headroom 4 → 2 (lowest 0.5 at step 1) · in memory"
    )


def test_probes_of_ones_own_and_rows_that_say_little() -> None:
    """By hand: single numbers under their names, one step without an arrow, β where there is no learning rate."""
    store = Store()
    store.append(7, {"mine": {"x": 1.5, "note": "text", "many": [1, 2, 3]}, "words": {"note": "text"}})
    assert summary(store) == "clinometer: 1 step measured (7) · mine/x 1.5 · also words · in memory"
    store = declaring(landscape())
    for step in (0, 5):
        store.append(
            step,
            {"landscape": {"loss": math.nan, "beta": 3.0, "beta_lr_half": math.nan, "beta_over_threshold": math.nan}},
        )
    line = summary(store)
    assert line == "clinometer: 2 steps measured (0 to 5) · loss nan → nan · β 3 → 3 · in memory"
