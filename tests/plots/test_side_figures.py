"""Runs laid over each other: what a panel shows of each is what its store holds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clinometer
from clinometer import Store, headroom, landscape
from clinometer.plots.side_figures import figures_of_sides
from clinometer.probes.field import declared_by, to_json
from clinometer.results.curves import compared_by_default, curves_of, read_sides
from clinometer.results.sides import sides_of

DECLARED = to_json(declared_by({p.__name__: p for p in (headroom(), landscape(), headroom(blocks="layers"))}))


def kept(folder: Path, rows: dict[int, dict[str, Any]]) -> Path:
    """A recorder's folder with these rows by step, declared as the probes declare them."""
    store = Store(folder / "rows.sqlite")
    store.set_meta(fields=DECLARED)
    for step, row in rows.items():
        store.append(step, row)
    store.close()
    return folder


def test_each_panel_has_a_line_a_side_with_the_stored_numbers(tmp_path: Path) -> None:
    """By hand: headroom of 4 and ½ is a share of ¼ and 2, and the block that is nearest to the edge comes first."""
    base = kept(
        tmp_path / "a",
        {
            s: {"headroom": {"loss": 4.0}, "headroom_blocks": {"block": ["calm", "sick"], "loss": [8.0, 2.0]}}
            for s in (0, 5)
        },
    )
    mine = kept(
        tmp_path / "b",
        {
            s: {"headroom": {"loss": 0.5}, "headroom_blocks": {"block": ["sick", "new"], "loss": [1.0, 4.0]}}
            for s in (5, 9)
        },
    )
    figures = figures_of_sides(read_sides(sides_of({"base": base, "mine": mine})))
    (panel,) = figures["numbers"].panels
    assert [(line.label, line.x.tolist(), line.y.tolist()) for line in panel.series[:2] if line.y is not None] == [
        ("base", [0, 5], [0.25, 0.25]),
        ("mine", [5, 9], [2.0, 2.0]),
    ]
    assert panel.series[2].colour == "reference"
    blocks = figures["blocks"].panels
    assert [panel.title for panel in blocks] == [
        "headroom_blocks: sick",
        "headroom_blocks: new",
        "headroom_blocks: calm",
    ]
    assert [[line.label for line in panel.series] for panel in blocks[1:]] == [["mine", "limit"], ["base", "limit"]]
    drawn = clinometer.plot({"base": base, "mine": mine}, probes="headroom")
    assert [axes.get_title() for axes in drawn.axes] == ["headroom: 1 / headroom"]
    with pytest.raises(ValueError, match="has no rows of 'sharpness'"):
        clinometer.plot({"base": base, "mine": mine}, probes="sharpness")


def test_several_runs_of_a_side_are_a_mean_with_a_range(tmp_path: Path) -> None:
    """By hand, over the steps that both have."""
    runs = [kept(tmp_path / str(n), {s: {"train": {"loss": n + s}} for s in range(n, 3 + n)}) for n in range(2)]
    (panel,) = figures_of_sides(read_sides(sides_of({"base": runs})))["numbers"].panels
    (line,) = panel.series
    assert line.x.tolist() == [1, 2]
    for values, expected in ((line.y, [1.5, 2.5]), (line.low, [1, 2]), (line.high, [2, 3])):
        np.testing.assert_array_equal(values, expected)


def test_what_is_compared_is_known_to_have_a_worse_direction(tmp_path: Path) -> None:
    """Field by field: one loss of two that are the same, shares and accuracy; no norm, and nothing unknown."""
    rows = {
        step: {
            "landscape": {"loss": 1.0 / (1 + step), "beta": 3.0, "beta_lr_half": 0.5, "beta_over_threshold": 0.5},
            "train": {"loss": 1.0 / (1 + step)},
            "headroom": {"loss": 2.0, "critical_sharpness": 5.0},
            "test": {"accuracy": 0.5, "loss": 3.0},
            "own": {"speed": 7.0},
        }
        for step in range(3)
    }
    ((run,),) = read_sides(sides_of({"a": kept(tmp_path / "a", rows)})).values()
    found = compared_by_default([curves_of(run)])
    assert set(found) - {"landscape.loss", "train.loss"} == {
        "test.loss", "headroom.loss", "landscape.beta_lr_half", "test.accuracy",
    }  # fmt: skip
    assert len(found) == 5
    assert curves_of(run)["test.accuracy"].worst == "lowest"
