"""Replayed alerts: what they see is what the rows of a run hold, step by step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stored import ended, keep  # noqa: F401

from clinometer import Store
from clinometer.papers.instability.scores.replay import replay, steps_of
from clinometer.papers.instability.scores.score import Call
from clinometer.results.finished_run import FinishedRun
from clinometer.training.config import RunConfig


class Loud:
    """An alert on every loss above 2, which remembers what it saw."""

    quantities = ("train/loss",)

    def __init__(self) -> None:
        self.seen: list[tuple[int, list[str]]] = []

    def see(self, step: int, rows: Mapping[str, Any]) -> Call | None:
        self.seen.append((step, sorted(rows)))
        return Call(step) if "train" in rows and rows["train"]["loss"] > 2 else None

    def reset(self) -> None:
        self.seen.clear()


def test_an_alert_sees_the_rows_that_the_run_wrote(tmp_path: Path) -> None:
    """The losses are written by hand, so the alarms are known; a probe with its own schedule comes at its steps."""
    folder = tmp_path / "run"
    folder.mkdir()
    store = Store(folder / "rows.sqlite")
    for step, loss in enumerate([3.0, 1.0, 2.5]):
        store.append(step, {"train": {"loss": loss}})
    store.append(1, {"headroom": {"loss": 4.0}})
    ended(store, RunConfig("nets:mlp"))
    steps, alert = steps_of(FinishedRun.read(folder), ["headroom", "train", "absent"]), Loud()
    assert [alarm.step for alarm in replay(alert, steps)] == [0, 2]
    assert alert.seen == [(0, ["train"]), (1, ["headroom", "train"]), (2, ["train"])]


def test_an_alert_forgets_the_run_before() -> None:
    """Two replays of one run are the same: nothing leaks from run to run."""
    alert, steps = Loud(), {1: {"train": {"loss": 3.0}}, 0: {"train": {"loss": 1.0}}}
    assert replay(alert, steps) == replay(alert, steps) == [Call(1)]
    assert [step for step, _ in alert.seen] == [0, 1]
