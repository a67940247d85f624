"""What a recorder writes down of the run itself, and how it is read."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import batch, cross_entropy, everything
from properties import assert_same, traces
from torch import nn

from clinometer import Recorder, Store, every, step_norms
from clinometer.recorder.facts.batch import batch_text
from clinometer.recorder.facts.model import layers, model_facts
from clinometer.recorder.facts.optimizer import optimizer_facts
from clinometer.recorder.facts.stored import RunFacts, run_facts
from clinometer.store import writer


def trained(
    model: nn.Module, optimizer: Any, steps: int = 3, recorder: Recorder | None = None, **options: Any
) -> Recorder:
    """A run on random batches; its recorder."""
    recorder = recorder or Recorder(model, cross_entropy, [step_norms()], every(1), optimizer=optimizer, **options)
    for index in range(steps):
        with recorder.step(data := batch(index)):
            cross_entropy(model, data).backward()
            optimizer.step()
            optimizer.zero_grad()
    return recorder


def test_a_run_is_described_as_its_objects_are() -> None:
    """torch's own objects are the truth: counted, and read from the printed form of the modules."""
    model = everything()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, betas=(0.8, 0.9))
    facts = run_facts(trained(model, optimizer).store.meta)
    assert facts.model == type(model).__name__
    assert facts.parameters == sum(p.numel() for p in model.parameters())
    assert (facts.optimizer, facts.lr, facts.settings["betas"]) == ("AdamW", (0.01,), "(0.8, 0.9)")
    assert (facts.device, facts.dtype, facts.batches, facts.ranks, facts.step) == ("cpu", "float32", 1, 1, 0)
    assert facts.versions["torch"] in torch.__version__
    printed = str(model)
    assert all(kind.split()[0] in printed for name, kind in facts.layers.items() if name != "table")
    named = {name.rpartition(".")[0] or name for name, _ in model.named_parameters()}  # "table" is the model's own
    assert set(facts.layers) == named


def test_rates_are_those_before_the_step() -> None:
    """A schedule inside the block has moved on by the time that the step is measured: 0.5 was used, by construction."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    recorder = Recorder(model, cross_entropy, [step_norms()], optimizer=optimizer)
    with recorder.step(data := batch()):
        cross_entropy(model, data).backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 0.001
    recorder.read("step_norms")
    assert run_facts(recorder.store.meta).lr == (0.5,)


def test_groups_that_differ_are_told_apart() -> None:
    """By hand: momentum is shared, rates and decay are not; a rate that is a tensor is a number."""
    one, two = torch.zeros(2, requires_grad=True), torch.zeros(3, requires_grad=True)
    groups: Any = [{"params": [one], "lr": torch.tensor(0.25)}, {"params": [two], "weight_decay": 0.1}]
    store = Store()
    store.set_meta(run={"optimizer": optimizer_facts([torch.optim.SGD(groups, lr=0.5, momentum=0.9)])})
    facts = run_facts(store.meta)
    assert (facts.optimizer, facts.lr, facts.settings["momentum"]) == ("SGD", (0.25, 0.5), 0.9)
    assert [each["weight_decay"] for each in facts.groups] == [0, 0.1]
    both = [torch.optim.SGD([one], lr=0.5), torch.optim.Adam([two], lr=0.5)]
    assert optimizer_facts(both)["class"] == "SGD, Adam"
    assert optimizer_facts(both)["lr"] == 0.5


def test_layers_are_named_as_rows_name_them() -> None:
    """The names that `layers_of` gives blocks: with torch.compile's prefix left out, and without a module at all."""
    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.LSTM(16, 8), nn.Embedding(100, 4))
    expected = {"0": "Conv2d 3→16", "1": "BatchNorm2d 16", "2": "LSTM 16→8", "3": "Embedding 100→4"}
    assert layers(model) == expected
    wrapper = type("OptimizedModule", (nn.Module,), {})()
    wrapper._orig_mod = model
    assert layers(wrapper) == expected
    assert model_facts(wrapper)["class"] == "Sequential in OptimizedModule"
    tensors = {"layer": {"w": torch.zeros(2, 3), "b": torch.zeros(2)}, "scale": torch.tensor(1.0)}
    recorder = Recorder(params=tensors, loss_fn=lambda p, _: p["scale"], probes=[step_norms()], lr=0.1)
    assert layers(recorder.model) == {"layer": "2×3", "scale": "scalar"}
    own = type("Own", (nn.Module,), {})()
    own.weight = nn.Parameter(torch.zeros(4, 2))
    assert layers(nn.Sequential(own)) == {"0": "Own 4×2"}


def test_batches_are_told_by_their_tensors() -> None:
    """By hand, for what loops pass; an iterator is not read, since that would take its items from training."""
    assert batch_text([torch.zeros(4, 2), {"y": torch.zeros(4)}]) == "4 × (2) float32; y: 4 float32"
    assert batch_text(torch.tensor(3)) == "one int64"
    assert batch_text([torch.zeros(1)] * 10).endswith("1 float32; 2 more")
    items = iter([1, 2])
    assert batch_text(items) == "list_iterator"
    assert next(items) == 1


class Hostile(nn.Module):
    """Raises wherever it is asked for what training does not ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = everything()
        self.armed = False

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __getattr__(self, name: str) -> Any:
        if name != "inside" and not name.startswith("_"):
            raise OSError(f"no {name}")
        return super().__getattr__(name)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inside(x)


class Batch(tuple[torch.Tensor, ...]):
    """A batch whose parts cannot be sliced or shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise RuntimeError("no slices")
        return super().__getitem__(index)


class Groups(torch.optim.SGD):
    """An optimizer with settings of every kind."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, lr=0.1)
        self.param_groups[0] |= {"bad": Hostile, "huge": float("inf"), "\ud800": "\ud800", "many": torch.zeros(5)}


def test_hostile_objects_leave_a_part_empty_and_no_trace() -> None:
    """The truth is the same run without a recorder, and without the facts: bit for bit."""
    ends: list[Any] = []
    for records in (True, False):
        torch.manual_seed(0)
        model = Hostile()
        optimizer = Groups(model.parameters())
        recorder = Recorder(model, cross_entropy, [step_norms()], optimizer=optimizer, strict=True) if records else None
        for index in range(3):
            data = Batch(batch(index))
            if recorder:
                recorder.step(data)
            cross_entropy(model, data).backward()
            optimizer.step()
            optimizer.zero_grad()
        ends.append(traces(model, optimizer) | {"identities": None})
        if recorder:
            assert recorder.read("step_norms")["step"].tolist() == [0]
            stored = recorder.store.meta["run"]
            assert "batch" not in stored
            assert "bad" not in stored["optimizer"]
            assert run_facts(recorder.store.meta).optimizer == "Groups"
    assert_same(*ends)


def test_nothing_is_gathered_off_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every gathering function is replaced by one that counts: at the first measured step, once, and never else."""
    asked: list[str] = []

    def counting(name: str) -> Any:
        return lambda *_: asked.append(name) or {"a": "b"}

    for name in ("model_facts", "optimizer_facts", "batch_text", "hardware", "versions"):
        monkeypatch.setattr(f"clinometer.recorder.run_facts.{name}", counting(name))
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [step_norms()], lambda step: step >= 3, optimizer=optimizer)
    trained(model, optimizer, 3, recorder)
    assert asked == []
    trained(model, optimizer, 4, recorder)
    assert sorted(asked) == ["batch_text", "hardware", "model_facts", "optimizer_facts", "versions"]


def test_a_resumed_run_keeps_the_first_facts_and_adds_what_changed(tmp_path: Path) -> None:
    """By hand: the rate alone is another one after step 3; gone on with from step 2 instead, that is forgotten."""
    model = everything()
    trained(model, torch.optim.SGD(model.parameters(), lr=0.5), to=tmp_path).store.close()
    trained(model, torch.optim.SGD(model.parameters(), lr=0.25), to=tmp_path, start=3).store.close()
    first = run_facts(Store(tmp_path / "rows.sqlite", read_only=True).meta)
    assert (first.lr, first.step) == ((0.5,), 0)
    (later,) = first.resumed
    assert (later.step, later.lr, later.model, later.batch, bool(later.began)) == (3, (0.25,), "", "", True)
    trained(model, torch.optim.SGD(model.parameters(), lr=0.125), to=tmp_path, start=2).store.close()
    again = run_facts(Store(tmp_path / "rows.sqlite", read_only=True).meta)
    assert [(each.step, each.lr) for each in again.resumed] == [(2, (0.125,))]


def test_facts_wait_for_a_store_that_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another connection holds SQLite's lock over the first measured step, and training goes on."""
    monkeypatch.setattr(writer, "_PATIENCE", 0.05)
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [step_norms()], every(1), optimizer=optimizer, to=tmp_path)
    other = sqlite3.connect(tmp_path / "rows.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(UserWarning, match="wait in memory"):
        trained(model, optimizer, 1, recorder)
    other.execute("COMMIT")
    other.close()
    trained(model, optimizer, 1, recorder)
    assert run_facts(recorder.store.meta).step in (0, 1)


KEYS = ["model", "class", "layers", "optimizer", "groups", "lr", "batch", "versions", "resumed", "step", "parameters"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*KEYS, "began"]), JSON) | JSON)
def test_whatever_a_store_holds_is_read_as_facts_or_as_nothing(stored: Any) -> None:
    """A file from elsewhere may hold any JSON there: what comes out has the declared types."""
    facts = run_facts({"run": stored})
    assert all(isinstance(value, str) for value in (facts.model, facts.batch, facts.began, *facts.layers.values()))
    assert all(isinstance(rate, float) for rate in facts.lr)
    assert all(isinstance(each, RunFacts) for each in facts.resumed)
