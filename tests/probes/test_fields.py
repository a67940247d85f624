"""What probes declare of their fields: that it is true, that a store keeps it, and that nothing breaks without it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from probed import VARIANTS
from stored import BASES, study

from clinometer import Recorder, Step, Store, every, load
from clinometer.probes.field import Field, declared_by, declared_in, from_json, to_json
from clinometer.probes.labels import axes, described, scalars
from clinometer.probes.registry import PROBES
from clinometer.recorder.summary import summary
from clinometer.studies.declared.figures import figure

KINDS = {"float": "f", "integer": "iu", "text": "U"}


def recorded(*probes: Any, to: Path | None = None, steps: int = 3) -> Recorder:
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    recorder = Recorder(model, cross_entropy, probes, every(2), optimizer=optimizer, to=to)
    for index in range(steps):
        with recorder.step(batch(index)):
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
            optimizer.zero_grad()
    return recorder


@pytest.mark.parametrize("name", VARIANTS)
def test_rows_are_as_declared(name: str) -> None:
    """Against the rows that the probe really writes: names, types, the number of axes, and how long axes are."""
    probe: Any = VARIANTS[name]()
    for row in recorded(probe).store.rows()[name].values():
        assert row.keys() == probe.fields.keys()
        assert described(row, probe.fields) == probe.fields, "each declaration fits its array"
        lengths: dict[str, set[int]] = {}
        for field, array in row.items():
            declared = probe.fields[field]
            assert array.dtype.kind in KINDS[declared.kind], field
            for axis, length in zip(declared.axes, array.shape, strict=True):
                lengths.setdefault(axis, set()).add(length)
        assert all(len(each) == 1 for each in lengths.values()), "an axis is as long in all fields"


@pytest.mark.parametrize("name", VARIANTS)
def test_declarations_are_complete(name: str) -> None:
    """What tables need: a meaning for each field, a headline or something drawn, and no name that leads nowhere."""
    fields: dict[str, Field] = VARIANTS[name]().fields  # type: ignore[attr-defined]
    assert all(field.meaning and "\n" not in field.meaning for field in fields.values())
    assert all(field.along in ("", *fields) and field.otherwise in ("", *fields) for field in fields.values())
    assert all(field.worst for field in fields.values() if field.limit), "a limit lies towards an extreme"
    for drawn in ("lower", "upper"):
        edges = {field.label for field in fields.values() if field.drawing == drawn}
        others = {field.label for field in fields.values() if field.drawing in {"lower", "upper"} - {drawn}}
        assert edges == others, "a band has both edges"


def test_the_registry_names_files_and_rows() -> None:
    """One probe a file: the name in study files is the factory's, its module's, and that of its rows by default."""
    for name, factory in PROBES.items():
        assert (factory.__name__, factory.__module__) == (name, f"clinometer.probes.{name}")
    assert PROBES.keys() <= VARIANTS.keys()


def test_a_store_describes_itself(tmp_path: Path) -> None:
    """Written by the recorder and read back from the file: field by field what each probe declared."""
    probes = {name: make() for name, make in VARIANTS.items()}
    recorded(*probes.values(), to=tmp_path).store.close()
    store = Store(tmp_path / "rows.sqlite", read_only=True)
    assert declared_in(store.meta) == {name: dict(probe.fields) for name, probe in probes.items()}  # type: ignore[attr-defined]
    assert scalars({name: row[2] for name, row in store.rows().items()}, declared_in(store.meta))


def test_a_data_set_has_the_declared_axes(tmp_path: Path) -> None:
    """The axis of sizes is named by the declaration; no shape tells it."""
    pytest.importorskip("xarray")
    recorded(VARIANTS["landscape"](), to=tmp_path).store.close()
    assert load(tmp_path).landscape_losses.dims == ("step", "size")


def test_declarations_come_back_from_json() -> None:
    """Every attribute set to something else than its default, through JSON text and back."""
    every_attribute = Field(
        ("layer", "rank"), "loss", "meaning", True, "ridges", "label", "integer", "lowest", 0.5, "nodes", "other"
    )
    declared = {"mine": {"x": every_attribute, "y": Field()}}
    assert from_json(json.loads(json.dumps(to_json(declared)))) == declared


@pytest.mark.parametrize(
    "stored",
    [
        None,
        3,
        {"p": 3},
        {"p": {"x": []}},
        {"p": {"x": {"axes": "layer"}}},
        {"p": {"x": {"axes": [1]}}},
        {"p": {"x": {"drawing": "sculpture"}}},
        {"p": {"x": {"drawing": []}}},
        {"p": {"x": {"limit": "1"}}},
        {"p": {"x": {"limit": True}}},
        {"p": {"x": {"headline": 1}}},
    ],
)
def test_what_is_no_declaration_is_passed_over(stored: Any) -> None:
    """A file from elsewhere may hold anything under that name: its rows are read as if nothing was declared."""
    store = Store()
    store.set_meta(fields=stored)
    store.append(0, {"p": {"x": 1.5}})
    assert declared_in(store.meta) == {}
    assert summary(store) == "clinometer: 1 step measured (0) · p/x 1.5 · in memory"


def test_a_declaration_that_does_not_fit_its_row_is_passed_over() -> None:
    """Too many axes, names that are not there, and text where a number was declared: as undeclared, by hand."""
    row = {"layer": np.array(["a", "b"]), "x": np.zeros(2), "note": np.array("up"), "y": np.zeros(3)}
    wrong = {"x": Field(("layer", "unit")), "note": Field(unit="loss"), "y": Field(("layer",))}
    assert axes(row, "x", wrong) == (("layer", ("a", "b")),)
    assert axes(row, "y", wrong) == (("y_0", range(3)),)
    assert described(row, wrong)["note"].kind == "text"


def test_declaring_changes_no_row_and_costs_no_step() -> None:
    """The same probe without its declarations: the same rows bit for bit; facts are written before the first step."""

    def speed(step: Step) -> dict[str, Any]:
        return {"x": step.loss, "many": torch.arange(3.0) * step.loss}

    bare = recorded(speed)
    assert bare.store.meta.keys() == {"run"}
    plain = bare.read("speed")
    speed.fields = {"x": Field(headline=True), "many": Field(("rank",))}  # type: ignore[attr-defined]
    declared = recorded(speed)
    facts = {"fields": to_json(declared_by({"speed": speed}))}
    assert recorded(speed, steps=0).store.meta == facts
    assert declared.store.meta == facts | {"run": declared.store.meta["run"]}
    for name, values in declared.read("speed").items():
        np.testing.assert_array_equal(values, plain[name])


def test_a_studys_page_reads_the_declarations(tmp_path: Path) -> None:
    """Of runs on a disk: curves of what is declared to be drawn, with its unit; undeclared rows as they look."""
    arm = BASES["vgg"].vary(steps=20)
    runs = study(tmp_path, [arm], seeds=1)
    drawn = figure(runs, "f", ["train", "landscape", "activations"], dict.fromkeys(["all"], runs.arms[0]))
    labels = {panel.title: panel.ylabel for panel in drawn.panels}
    assert labels["train.loss"] == "loss"
    assert labels["landscape.beta"] == "loss / parameter²"
    assert "landscape.sizes" not in labels
    assert not any(title.startswith("activations") for title in labels)
