"""Replays alerts over a run for their scores: at once where all values are finite, and else reading by reading."""

import math
from dataclasses import dataclass

import numpy as np

from clinometer.papers.instability.scores.replay import Steps
from clinometer.papers.instability.scores.trace import NOT_FINITE, Trace
from clinometer.recorder.alerts.pooled import KNOWN, PooledAlert
from clinometer.recorder.alerts.quantity_alert import QuantityAlert
from clinometer.recorder.alerts.reading import read
from clinometer.results.run_table import Floats


def trace(alert: QuantityAlert | PooledAlert, rows: Steps) -> Trace:
    """The scores of an alert at every reading of a run.

    Args:
        alert: An alert whose threshold is infinite, so that it stays silent but for values that are not finite.
        rows: The run's rows by step.
    """
    assert alert.threshold == math.inf, "an alert that speaks holds its tongue afterwards: its scores would have gaps"
    found = _at_once(alert, rows) if isinstance(alert, QuantityAlert) else _pooled_at_once(alert, rows)
    return _replayed(alert, rows) if found is None else found


@dataclass(frozen=True)
class _Judged:
    """The scores of all blocks at all readings that could be judged."""

    steps: tuple[int, ...]  # (readings,)
    excess: Floats  # (readings, n)
    mean: Floats  # (readings, n)
    names: tuple[str, ...]  # of the n blocks; () where it is one number
    measured: bool


def _at_once(alert: QuantityAlert, rows: Steps) -> Trace | None:
    judged = _judged(alert, rows)
    return judged and _trace(judged.steps, judged.excess.max(axis=1), judged.mean, judged.names, judged.measured)


def _pooled_at_once(alert: PooledAlert, rows: Steps) -> Trace | None:
    members, blamed = ([_judged(each, rows) for each in of] for of in (alert.members, alert.blamed))
    known, blocks = [each for each in members if each], [each for each in blamed if each]
    shapes = {(each.steps, each.measured) for each in (*known, *blocks)}
    if len(known) < len(members) or len(blocks) < len(blamed) or len(shapes) > 1 or len({b.names for b in blocks}) > 1:
        return None
    z = np.stack([each.excess[:, 0] for each in known])
    if (z <= KNOWN).any():
        return None
    evidence = (
        np.average(np.clip(z, -alert.clip, alert.clip), axis=0, weights=list(alert.weights.values())) - alert.drift
    )
    recent = [evidence[max(0, end - alert.span) : end] for end in range(1, len(evidence) + 1)]
    scores = np.array([np.cumsum(each[::-1]).max() for each in recent])
    means = [np.clip(each.excess, -alert.clip, alert.clip) for each in blocks]
    suspicion = np.mean(means, axis=0) if means else np.zeros((len(scores), 0))
    return _trace(known[0].steps, scores, suspicion, blocks[0].names if blocks else (), known[0].measured)


def _judged(alert: QuantityAlert, rows: Steps) -> _Judged | None:
    """Every window of a run judged in one call: rules judge each column apart. None where a value is not finite."""
    readings = [(step, found) for step, at in sorted(rows.items()) if (found := read(alert.quantity, at))]
    if not readings:
        return _Judged((), np.empty((0, 1)), np.empty((0, 1)), (), measured=False)
    names, count = readings[0][1].names, len(readings[0][1].values)
    if any(found.names != names or len(found.values) != count for _, found in readings):
        return None
    values = np.stack([found.values for _, found in readings])
    if not np.isfinite(values).all():
        return None
    rule, kept = alert.rule, np.stack([alert.rule.prepared(each) for each in values])
    if len(kept) < rule.needs:
        return _Judged((), np.empty((0, count)), np.empty((0, count)), names, measured=True)
    growing = [rule.scores(kept[: end + 1]) for end in range(rule.needs - 1, min(rule.keeps - 1, len(kept)))]
    excess, mean = [each.excess[None] for each in growing], [each.mean[None] for each in growing]
    if len(kept) >= rule.keeps:
        windows = np.lib.stride_tricks.sliding_window_view(kept, rule.keeps, axis=0)  # (ends, n, keeps)
        whole = rule.scores(windows.reshape(-1, rule.keeps).T)
        excess.append(whole.excess.reshape(-1, count))
        mean.append(whole.mean.reshape(-1, count))
    steps = tuple(step for step, _ in readings[rule.needs - 1 :])
    return _Judged(steps, np.concatenate(excess), np.concatenate(mean), names, measured=True)


def _trace(steps: tuple[int, ...], scores: Floats, suspicion: Floats, names: tuple[str, ...], measured: bool) -> Trace:
    orders = np.argsort(-suspicion, axis=1, kind="stable") if names else np.zeros((len(steps), 0), int)
    rankings = tuple(tuple(names[int(place)] for place in order) for order in orders)
    return Trace(steps, scores, rankings, measured)


def _replayed(alert: QuantityAlert | PooledAlert, rows: Steps) -> Trace:
    """The same reading by reading, as in a living run."""
    alert.reset()
    measured = False
    found: list[tuple[int, float, tuple[str, ...]]] = []
    for step, at in sorted(rows.items()):
        if not alert.is_read(at):
            continue
        measured = True
        alarm = alert.see(step, at)
        if alarm is not None:
            found.append((step, NOT_FINITE, alarm.ranking))
        elif not math.isnan(alert.score):
            found.append((step, alert.score, alert.ranking()))
    steps, scores, rankings = zip(*found, strict=True) if found else ((), (), ())
    return Trace(tuple(steps), np.array(scores, dtype=float), tuple(rankings), measured)
