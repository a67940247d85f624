"""What a user meets says what it is: no object of ours is shown as an address."""

import importlib
import pkgutil
from typing import Any

import pytest
import torch
from models import cross_entropy, everything
from torch import nn

import clinometer
from clinometer import (
    NORMS,
    Batches,
    LearningRates,
    Objective,
    Store,
    alert,
    at,
    every,
    headroom,
    landscape,
    log_spaced,
    swap_norms,
    within_budget,
)
from clinometer.papers import load_study
from clinometer.probes.base import cost_of, evaluates
from clinometer.probes.registry import PROBES
from clinometer.readable import results

PARTS = ("measures", "probes", "objective", "recorder.alerts", "nn.norms", "learning_rate", "studies")


def readable_classes() -> list[type]:
    """The classes whose repr is the shared one, found in the modules themselves."""
    found: dict[type, None] = {}
    for part in PARTS:
        package = importlib.import_module(f"clinometer.{part}")
        for module in pkgutil.iter_modules(package.__path__):
            of = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
            found |= {cls: None for cls in of.values() if isinstance(cls, type) and cls.__repr__ is results._repr}
    return list(found)


@pytest.mark.parametrize("cls", readable_classes(), ids=lambda cls: cls.__name__)
def test_a_result_that_is_half_made_has_a_repr(cls: type) -> None:
    """As a debugger or a failing test meets it: made by Python without its constructor."""
    half_made = object.__new__(cls)
    assert repr(half_made).startswith(f"{cls.__name__}(")
    assert half_made._repr_html_() is None or "<" in half_made._repr_html_()


@pytest.mark.parametrize("name", [name for name in PROBES if name != "activations"])
def test_a_probe_says_how_it_was_made_and_what_it_costs(name: str) -> None:
    """Its call, evaluated by Python, makes a probe of the same repr; its passes are those that it declares."""
    told, _, passes = repr(PROBES[name]()).rpartition(", ")
    if name != "landscape":  # its sizes are told as fractions
        assert repr(eval(told, dict(PROBES))) == f"{told}, {passes}"
    probe = PROBES[name]()
    assert float(passes.split()[0]) == pytest.approx(cost_of(probe) + evaluates(probe), abs=0.05)


def test_arguments_of_a_probe_are_told() -> None:
    """By hand."""
    assert repr(landscape()) == "landscape(sizes=(½, 1, 2, 4)), 5 passes"
    assert repr(landscape(distances=[0.1])) == "landscape(distances=[0.1]), 2 passes"
    assert repr(headroom(blocks={"early": ["conv*"]})).startswith("headroom(blocks={'early': ['conv*']}), ")
    many = landscape([1.0], batches=[torch.zeros(8, 3)] * 100)
    assert repr(many).startswith("landscape(sizes=(1,), batches=[8×3 float32, 0 to 0, ")
    assert len(repr(many)) < 200


@pytest.mark.parametrize(
    "told", ["every(100)", "log_spaced(10)", "at(1, 7)", "within_budget(0.05)", "alert('headroom/loss', below=1)"]
)
def test_schedules_and_alerts_are_told_as_they_are_written(told: str) -> None:
    """Python makes the same from the text."""
    names = {"every": every, "log_spaced": log_spaced, "at": at, "within_budget": within_budget, "alert": alert}
    assert repr(eval(told, names)) == told


def test_what_users_meet_is_shown_without_an_address(tmp_path: Any) -> None:
    """Python shows an address where nobody has said anything better."""
    model = everything()
    study = load_study("norms")
    met = [
        Objective(model, cross_entropy, (torch.zeros(2, 3, 8, 8), torch.zeros(2, dtype=torch.long))),
        Batches([torch.zeros(2)]),
        Store(),
        Store(tmp_path / "rows.sqlite"),
        alert(),
        alert("step_norms/update_ratio", rises=True),
        at(*range(100)),
        LearningRates(reason="too few batches"),
        swap_norms(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)), "group"),
        study,
        study.claims[0],
        study.scales,
        study.figures,
        clinometer.Field(unit="loss"),
    ]
    for each in met:
        assert " at 0x" not in repr(each)
        assert len(repr(each)) < 1500
    assert "NORMS['layer']" in repr(NORMS["layer"])


def test_a_store_that_is_closed_or_damaged_has_a_repr(tmp_path: Any) -> None:
    """Its path is what remains to be said."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"train": {"loss": 1.0}})
    assert repr(store) == f"Store({str(tmp_path / 'rows.sqlite')!r}, 1 step)"
    store.close()
    assert repr(store) == f"Store({str(tmp_path / 'rows.sqlite')!r})"
