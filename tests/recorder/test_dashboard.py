import html.parser
import math
import random
import re
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from notebooks import Notebook
from torch import nn

from clinometer import Recorder, Step, Store, alert, at, every, headroom, landscape
from clinometer.probes.field import Field, declared_by, to_json
from clinometer.readable.sparkline import spark_svg
from clinometer.recorder import live
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import ROWS, as_row
from clinometer.recorder.dashboard import dashboard
from clinometer.recorder.seen import Seen
from clinometer.recorder.verdict.verdict import verdict_of
from clinometer.results.run_tables import run_in

TAGS = {"div", "b", "span", "table", "thead", "tbody", "tr", "th", "td", "svg", "path"}  # all that there are


class Read(html.parser.HTMLParser):
    """What Python's own parser finds in HTML: tags in balance, their attributes, and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.text = ""
        self.feed(source)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def trained(steps: int, *, live: bool = False, **options: Any) -> Recorder:
    """A recorder over so many steps of a small regression."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def loss_fn(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        return (model(batch) - 1).square().mean()

    options = {"probes": [landscape(), headroom(), headroom(blocks="layers")], "when": every(2)} | options
    recorder = Recorder(model, loss_fn, optimizer=optimizer, **options)
    if live:
        recorder.live()
    for _ in range(steps):
        data = torch.randn(8, 4)
        recorder.step(data)
        loss_fn(model, data).backward()
        optimizer.step()
        optimizer.zero_grad()
    return recorder


def test_a_recorder_is_one_line(tmp_path: Path) -> None:
    """Written by hand: what was passed, and how many steps were taken and measured."""
    assert repr(trained(0)) == "Recorder(Sequential, 3 probes, every(2), 0 steps measured, in memory)"
    recorder = trained(3, to=tmp_path / "mine", probes=[landscape()])
    assert len(recorder.read("landscape")["step"]) == 2
    told = "Recorder(Sequential, 1 probe, every(2), 2 steps measured, to="
    assert repr(recorder) == f"{told}{str(tmp_path / 'mine')!r})"
    many = trained(1, probes={"a": landscape(), "b": headroom()}, when={"a": every(1), "b": at(5)})
    many.read("a")
    assert repr(many) == "Recorder(Sequential, 2 probes, 2 schedules, 1 step measured, in memory)"


def test_a_dashboard_says_what_the_rows_hold() -> None:
    """The numbers of the store, formatted by Python, stand in the text that its own parser reads."""
    recorder = trained(9)
    read = Read(recorder._repr_html_())
    rows = recorder.read("headroom")
    assert str(verdict_of(run_in(recorder.store))) in read.text  # what the run's page says
    assert f"{rows['loss'][-1]:.3g}" in read.text
    assert f"{recorder.read('landscape')['loss'][0]:.3g}" in read.text
    blocks = recorder.read("headroom_blocks")
    shares = 1 / blocks["loss"]
    nearest = str(blocks["block"][0][shares.max(0).argmax()])
    assert f"to the edge: `{nearest}`, Linear" in read.text
    assert repr(recorder) in read.text


ROOMS = st.lists(st.floats(0.0, 5.0) | st.just(math.inf) | st.just(math.nan), max_size=12)
LOSSES = st.lists(st.floats(0.0, 9.0) | st.just(math.inf), min_size=12, max_size=12)


@given(ROOMS, LOSSES, st.booleans())
def test_a_dashboard_follows_row_by_row_to_the_verdict_of_the_page(
    rooms: list[float], losses: list[float], alarmed: bool
) -> None:
    """The rows of any run, once as they come and once from the store they are in: one verdict, which is shown."""
    store, declared = Store(), declared_by({"headroom": headroom()})
    store.set_meta(fields=to_json(declared))
    seen = Seen(declared, {})
    said = Alarm(0, "mine", "step_norms/update_ratio", "update_ratio", "rises", block="head", value=9.0)
    for step, (room, loss) in enumerate(zip(rooms, losses, strict=False)):
        rows: dict[str, Any] = {"headroom": {"loss": room}, "train": {"loss": loss}}
        rows |= {ROWS: as_row([said])} if alarmed and step == 0 else {}
        store.append(step, rows)
        seen.add(step, rows)
    verdict = verdict_of(run_in(store))
    assert (verdict_of(seen).state, str(verdict_of(seen))) == (verdict.state, str(verdict))
    assert str(verdict) in Read(dashboard("mine", seen)).text


def test_a_dashboard_fetches_and_runs_nothing() -> None:
    """No tag or attribute that could: of all that the parser finds only these are there."""
    read = Read(trained(9, alerts=[alert("headroom/loss", above=-1.0)])._repr_html_())
    assert "Alarm step" in read.text
    assert read.tags <= TAGS
    assert not [
        value for of in read.attributes.values() for value in of if value and re.search("http|url|script", value)
    ]
    assert not [name for name in read.attributes if name.startswith("on") or name in ("href", "src")]


def test_a_recorder_without_rows_and_one_with_a_damaged_store_say_so(tmp_path: Path) -> None:
    """Bytes in the middle of SQLite's file are overwritten: nothing is raised, and the words are the store's."""
    assert "no step was measured yet." in trained(0)._repr_html_()
    recorder = trained(9, to=tmp_path)
    recorder.store.seal()
    data = bytearray((tmp_path / "rows.sqlite").read_bytes())
    data[5000:] = bytes(b ^ 0x5A for b in data[5000:])
    (tmp_path / "rows.sqlite").write_bytes(data)
    read = Read(recorder._repr_html_())
    assert "Its rows cannot be read (DamagedError)" in read.text
    assert repr(recorder).startswith("Recorder(Sequential, 3 probes, every(2), ")


@given(st.lists(st.floats(), max_size=300), st.none() | st.floats())
def test_a_line_stays_in_its_frame(values: list[float], limit: float | None) -> None:
    """Every coordinate is a finite number between 0 and the frame, whatever is drawn: Python reads them."""
    drawn = spark_svg(values, limit)
    Read(drawn)
    numbers = [float(each) for path in re.findall(r' d="([^"]*)"', drawn) for each in re.findall(r"[-\d.einfa]+", path)]
    assert all(0 <= each <= 140 for each in numbers)
    assert bool(drawn) == any(not math.isnan(value) for value in values)
    assert drawn.count("spark-mark") >= min(1, sum(map(math.isinf, values)))


@given(st.dictionaries(st.text(min_size=1), st.floats(), max_size=4), st.text(), st.text())
def test_hostile_names_are_text(numbers: dict[str, float], label: str, meaning: str) -> None:
    """Any text as a probe's, a field's and a layer's name: the parser finds no tag that is not ours."""
    field = Field(headline=True, label=label, meaning=meaning, unit=label, worst="lowest", limit=1.0)
    of_layers = Field(("layer",), headline=True, label=label, meaning=meaning, worst="highest", limit=1.0)
    seen = Seen({meaning or "mine": dict.fromkeys(numbers, field) | {"l2": of_layers}}, {label: meaning})
    for step in range(2):
        row = dict(numbers) | {"layer": [label or "x", "<script>"], "l2": [1.0, 2.0]}
        said = Alarm(step, label or "x", label or "x", meaning, "rises", block=label or None, value=9.0)
        seen.add(step, {meaning or "mine": row, ROWS: as_row([said])})
    read = Read(dashboard(label, seen))
    assert read.tags <= TAGS
    assert "\x1b" not in read.text


def test_live_follows_the_run_once_a_second_at_most(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that the test turns: of measured steps 0.3 s apart every fourth is shown, and the last one when the
    cell ends, once."""
    recorder = trained(0)
    recorder.live()
    assert "no step was measured yet." in notebook.shown[0]
    now = [100.0]
    monkeypatch.setattr(live, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    sink = recorder._measurement._sinks.used[-1]
    for step in range(20):
        sink(2 * step, {"headroom": {"loss": 1.0 + step}})
        now[0] += 0.3
    assert len(notebook.shown) == 1 + 5
    for _ in range(2):
        notebook.end_cell()
        assert len(notebook.shown) == 7
    assert "1 / headroom peaked at 1 at step 0" in notebook.shown[-1]
    assert ">20</td>" in notebook.shown[-1]


def test_live_shows_steps_that_are_measured_and_no_others(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten steps of a loop every other one is measured: five are shown where each may be."""
    monkeypatch.setattr(live, "_WAIT", 0.0)
    monkeypatch.setattr(live, "_SHARE", 0.0)
    trained(10, live=True)
    assert len(notebook.shown) == 1 + 5


def test_live_shows_what_was_measured_before_and_once_only(notebook: Notebook) -> None:
    """Asked for twice, the first one ends: each measured step is shown in one place."""
    recorder = trained(5)
    recorder.live()
    assert "3 steps measured" in notebook.shown[-1]
    recorder.live()
    assert len(notebook.callbacks) == 1
    assert len(recorder._measurement._sinks.used) == 1


def test_a_browser_that_is_gone_costs_a_warning(notebook: Notebook) -> None:
    """Training and measuring go on: both rows are there."""
    notes: list[int] = []

    def probe(step: Step) -> dict[str, float]:
        notes.append(step.index)
        return {"x": random.random()}

    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda m, _: m.weight.sum(), {"mine": probe}, every(1), optimizer=optimizer)
    recorder.live()
    notebook.broken = True

    def train() -> None:
        for _ in range(2):
            with recorder.step(None):
                model.weight.sum().backward()
                optimizer.step()

    with pytest.warns(UserWarning, match="ConnectionError: the browser is gone"):
        train()
    assert notes == [0, 1]
    assert len(recorder.read("mine")["step"]) == 2


def test_a_browser_that_was_never_there_costs_a_line(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is raised where `live` is called, and no sink is left."""
    recorder = trained(0)
    notebook.broken = True
    recorder.live()
    assert "cannot show this run (ConnectionError): the browser is gone" in capsys.readouterr().out
    assert not recorder._measurement._sinks.used


def test_outside_a_notebook_live_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Here is none."""
    recorder = trained(0)
    recorder.live()
    out = capsys.readouterr().out
    assert out == (
        "recorder.live() follows a run in a notebook, and this is none: print(recorder.summary()) instead.\n"
    )
    assert not recorder._measurement._sinks.used
