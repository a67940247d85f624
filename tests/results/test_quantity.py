"""One grammar for a quantity: study files, the command line, `compare` and Python name the same number the same way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored import keep

from clinometer.results.compare import compare
from clinometer.results.finished_run import FinishedRun
from clinometer.results.quantity import Quantity
from clinometer.results.run_table import RunTable
from clinometer.studies.declared.claims import comparison
from clinometer.training.config import RunConfig
from clinometer.training.errors import SpecError

LAYERS = ["features.layer1.conv", "features.layer2.conv"]
L2 = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 80.0], [8.0, 40.0]])  # (steps, layers), by hand
BY_HAND = {
    "internal_shift.l2.features.layer2.conv": 37.5,
    "internal_shift.l2.features.layer2.conv:mean": 37.5,
    "internal_shift.l2.features.layer2.conv:max": 80.0,
    "internal_shift.l2.features.layer2.conv:min": 10.0,
    "internal_shift.l2.features.layer2.conv:first": 10.0,
    "internal_shift.l2.features.layer2.conv:last": 40.0,
    "internal_shift.l2.features.layer2.conv:0-0.5": 15.0,
    "internal_shift.l2.features.layer2.conv:.5-1": 60.0,
    "internal_shift.l2": 20.625,
    "internal_shift.l2:max": 80.0,
    "internal_shift.l2:min": 1.0,
    "internal_shift.l2:last": 24.0,
}
CONFIG = RunConfig("nets:mlp", steps=4, measure_every=1)


def rows(factor: float = 1.0) -> dict[int, Any]:
    return {step: {"internal_shift": {"layer": LAYERS, "l2": factor * row}} for step, row in enumerate(L2)}


@pytest.mark.parametrize(("name", "value"), BY_HAND.items())
def test_a_run_and_a_table_of_arrays_give_the_number_that_was_worked_out(
    tmp_path: Path, name: str, value: float
) -> None:
    """Of a run on disk with a config that says no steps, and of the same numbers in memory."""
    run = FinishedRun.read(keep(tmp_path, {"seed": 0}, rows()))
    table = RunTable.of_arrays({CONFIG: {"internal_shift": {"layer": [LAYERS] * 4, "l2": L2}}})
    quantity = Quantity.parse(name)
    assert quantity.is_in(run)
    assert quantity.of(run) == value
    assert quantity.samples(table, CONFIG, [0]).tolist() == [value]


def test_compare_finds_a_layer_by_its_name(tmp_path: Path) -> None:
    """A name with dots; in the other study every number is half as large again: 37.5 becomes 56.25."""
    for name, factor in (("a", 1.0), ("b", 1.5)):
        for seed in range(2):
            keep(tmp_path / name, {"seed": seed}, rows(factor))
    (found,) = compare(tmp_path / "a", tmp_path / "b", ["internal_shift.l2.features.layer2.conv"]).differences
    assert (found.one, found.other, found.difference.value) == (37.5, 56.25, 18.75)
    with pytest.raises(ValueError, match=r"no run has .*: no entry of internal_shift\.l2 called 'fe"):
        compare(tmp_path / "a", tmp_path / "b", ["internal_shift.l2.features.layer2.cnv"])


@pytest.mark.parametrize(
    ("quantity", "over", "expected"),
    [
        ("landscape.beta:last", None, Quantity("landscape", "beta", "last")),
        ("landscape.beta", "end", Quantity("landscape", "beta", "last")),
        ("landscape.beta", "max", Quantity("landscape", "beta", "max")),
        ("landscape.beta:0.5-1", None, Quantity("landscape", "beta", (0.5, 1.0))),
        ("landscape.beta", [0.5, 1], Quantity("landscape", "beta", (0.5, 1.0))),
        ("landscape.beta", None, Quantity("landscape", "beta", "mean")),
        ("landscape.beta", [0, 1], Quantity("landscape", "beta", "mean")),
    ],
)
def test_a_study_file_means_what_the_command_line_means(quantity: str, over: Any, expected: Quantity) -> None:
    """`landscape.beta:last` was a field of that name in a study file; a file's `over` is the same in words."""
    given = {"id": "c", "quantity": quantity, "rule": "value above 0", "compare": {"lr": 1}}
    claim = comparison("claims[0]", given | ({} if over is None else {"over": over}), ["lr"])
    found = claim.compare.quantity
    assert found == expected
    assert Quantity.parse(str(found)) == found


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"quantity": "landscape.beta:lst"}, "claims[0].quantity: no way to sum up steps called 'lst'; there are mean"),
        ({"quantity": "landscape.beta:1-0.5"}, "claims[0].quantity: expected end, or two shares of training"),
        ({"quantity": "landscape.beta:0-2"}, "expected end, or two shares of training such as [0.5, 1]"),
        ({"quantity": "landscape.beta:last", "over": "end"}, "claims[0].over: expected nothing, since"),
        ({"quantity": "landscape.beta", "over": "lst"}, "claims[0].over: expected end, or two shares"),
        ({"quantity": "landscape:last"}, "expected PROBE.FIELD or PROBE.FIELD.ENTRY, such as landscape.beta"),
        ({"quantity": ".beta"}, "expected PROBE.FIELD or PROBE.FIELD.ENTRY"),
    ],
)
def test_what_is_no_quantity_is_said_with_its_key(keys: dict[str, Any], expected: str) -> None:
    """What was expected, what there is, and where it stands."""
    with pytest.raises(SpecError) as error:
        comparison("claims[0]", {"id": "c", "rule": "value above 0", "compare": {"lr": 1}, **keys}, ["lr"])
    assert expected in str(error.value)


def test_a_window_without_a_row_is_said_and_a_diverged_run_has_no_end(tmp_path: Path) -> None:
    """Rows at steps 0 to 3 of 4: between 30% and 40% there is none; a run that diverged has a maximum and no end."""
    run = FinishedRun.read(keep(tmp_path, {"seed": 0}, rows(), diverged_at=3))
    with pytest.raises(SpecError, match="no row of internal_shift lies from 30% to 40% of training"):
        Quantity.parse("internal_shift.l2:0.3-0.4").of(run)
    assert np.isnan(Quantity.parse("internal_shift.l2:last").of(run))
    assert Quantity.parse("internal_shift.l2:max").of(run) == 80.0


def test_the_longest_field_that_a_path_begins_with_is_meant() -> None:
    """Fields of one's own may have dots: of `x` and `x.y`, `p.x.y` is the second."""
    row = {"x": np.zeros(3), "x.y": np.zeros(())}
    assert Quantity.parse("p.x.y").parts(row) == ("x.y", "")
    assert Quantity.parse("p.x.2").parts(row) == ("x", "2")
