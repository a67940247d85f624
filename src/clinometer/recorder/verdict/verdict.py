"""Whether a run is well, in one sentence: the rule, from what was recorded and nothing else.

The first of these that holds is the state:

    diverged           a loss, or the weights, became infinite or NaN and stayed so
    beyond the edge    the loss broke (`recorder.verdict.breaks`), or was not finite for a while;
                       or a share was above 1.1 at three measured steps in a row (at all, where there are fewer)
    near the edge      a share was 0.8 or more at some measured step, or an alert said an alarm
    stable             a share was measured, and none of these is so
    cannot be told     no share was measured

A share is 1 where a step is as long as it may be: the declared limit of a field. Where several fields have one, that
which says most directly whether the step was too long decides: headroom, sharpness, batch sharpness, the walk, others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from clinometer.probes.field import Declared
from clinometer.probes.ranking import Tables
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.verdict.edges import Edge, edges_of, nearest
from clinometer.recorder.verdict.losses import losses_of, not_finite

# From which share on a step is near the edge; and how many measured steps in a row must lie beyond another share for
# the steps to be too long: one step beyond the edge is common in runs that end well.
NEAR, BEYOND, STAY = 0.8, 1.1, 3
State = Literal["stable", "near the edge", "beyond the edge", "diverged", "cannot be told"]
_CHIPS: Mapping[State, str] = {
    "stable": "good",
    "near the edge": "warn",
    "beyond the edge": "bad",
    "diverged": "bad",
    "cannot be told": "open",
}
_RECORD = 'Record headroom() to know how near the steps are to the edge, and headroom(blocks="layers") for which layer.'
_RECORD_LAYERS = 'Which layer is nearest to the edge was not recorded: headroom(blocks="layers") says it.'


class Recorded(Protocol):
    """What a run recorded: of a recorder as it is now, or read from a file."""

    @property
    def tables(self) -> Tables: ...  # rows by probe, stacked along the steps
    @property
    def declared(self) -> Declared: ...  # their fields
    @property
    def alarms(self) -> Sequence[Alarm]: ...
    @property
    def layers(self) -> Mapping[str, str]: ...  # what each layer is, by its name, as far as that is known
    @property
    def diverged_at(self) -> int | None: ...  # the step, where whoever trained wrote it down


@dataclass(frozen=True)
class Verdict:
    """The state of a run, why, and the layer that is nearest to the edge."""

    state: State
    why: str
    edge: Edge | None = None  # that decided, or would
    layer: str = ""
    layer_type: str = ""
    layer_is: str = ""  # such as "nearest to the edge"
    hint: str = ""  # what to record to know more

    @property
    def chip(self) -> str:
        """How the page colours it: good, warn, bad or open."""
        return _CHIPS[self.state]

    @property
    def said(self) -> str:
        """Why, as a sentence begins; a quantity's name keeps its letters."""
        return self.why if self.edge and self.why.startswith(self.edge.label) else self.why[:1].upper() + self.why[1:]

    def __str__(self) -> str:
        layer = f"; {self.layer_is}: `{self.layer}`" if self.layer else ""
        kind = f", {self.layer_type}" if self.layer_type else ""
        return f"{self.state.capitalize()}: {self.why}{layer}{kind}."


def verdict_of(run: Recorded) -> Verdict:
    """The verdict on what a run recorded."""
    edge = next(iter(edges_of(run.tables, run.declared)), None)
    state, why = _judged(run, edge)
    layer, layer_is = _nearest(run, state)
    hint = "" if layer_is.endswith("edge") else (_RECORD_LAYERS if edge else _RECORD)
    return Verdict(state, why, edge, layer, run.layers.get(layer, ""), layer_is, hint)


def state_of(edge: Edge) -> State:
    """The state by one edge alone."""
    if edge.longest_stay(BEYOND)[0] >= min(STAY, len(edge.steps)):
        return "beyond the edge"
    return "near the edge" if edge.peak >= NEAR else "stable"


def _judged(run: Recorded, edge: Edge | None) -> tuple[State, str]:
    lost = not_finite(run.tables, run.declared)
    losses = losses_of(run.tables, run.declared)
    if run.diverged_at is not None or (lost and lost[1]):
        step, _, what = lost or (run.diverged_at, True, "the loss")
        return "diverged", f"{what} was not finite from step {step} on{_before(edge, step)}"
    if lost:
        return "beyond the edge", f"{lost[2]} was not finite at step {lost[0]}, and came back{_before(edge, lost[0])}"
    if losses and (broke := losses.broke_at) is not None:
        return "beyond the edge", f"the loss broke at step {broke}: it rose far, and stayed there{_before(edge, broke)}"
    state = state_of(edge) if edge else None
    if edge and state == "beyond the edge":
        count, first = edge.longest_stay(BEYOND)
        since = f"{number_text(edge.peak)} at its highest"
        return (
            state,
            f"{edge.label} was above {BEYOND:g} at {count} measured steps in a row from step {first} on, {since}",
        )
    if run.alarms:
        first, more = run.alarms[0], len(run.alarms) - 1
        of = f" of {first.block}" if first.block is not None else ""
        others = f" and {more} more alarms" if more > 1 else " and one more alarm" if more else ""
        measured = f"; {_measured(edge)}" if edge else ""
        return "near the edge", f"an alarm at step {first.step}, {first.called}{of}{others}{measured}"
    if edge and state:
        return state, _measured(edge)
    return "cannot be told", _unmeasured(run, losses is not None)


def _before(edge: Edge | None, step: int | None) -> str:
    """Whether a share had been above 1 before it happened: how early one could have known."""
    over = edge.above(1.0) if edge else np.zeros(0)
    earlier = over[over < step] if step is not None else over
    return f"; {edge.label} had passed 1 at step {int(earlier[0])}" if edge and len(earlier) else ""


def _crossed(edge: Edge) -> str:
    over, count = edge.above(1.0), len(edge.steps)
    if count == 1:
        return f"{edge.label} was {number_text(edge.peak)} at the one measured step"
    if len(over) == 1:
        return f"{edge.label} passed 1 at one of {count} measured steps, step {int(over[0])}"
    return f"{edge.label} passed 1 at {len(over)} of {count} measured steps, first at step {int(over[0])}"


def _measured(edge: Edge) -> str:
    """Where the share was largest, and what is left from there to the edge."""
    if edge.peak > 1:
        return f"{_crossed(edge)}; its usual value was {number_text(float(np.median(edge.shares)))}"
    peaked = f"{edge.label} peaked at {number_text(edge.peak)} at step {edge.peak_step}"
    if edge.peak <= 0:
        return f"{edge.label} was never above 0: no measured step was held back"
    left = number_text(1 / edge.peak)
    if edge.room == "long":
        return f"{peaked}; every measured step could have been {left} times as long"
    if edge.room == "high":
        return f"{peaked}; by it the learning rate could have been {left} times as high"
    return f"{peaked}; its edge was {left} times as far"


def _unmeasured(run: Recorded, loss: bool) -> str:
    """What is known where nothing that has an edge was measured."""
    if not run.tables:
        return "no step was measured yet"
    return "nothing was recorded that has an edge" + "; the loss neither broke nor became infinite" * loss


def _nearest(run: Recorded, state: State) -> tuple[str, str]:
    """The layer to look at first, and why it is that."""
    found = nearest(run.tables, run.declared)
    if found:
        first = found[1].ranks[0]
        is_beyond = first.beyond is not None and state != "stable"  # of a block's part of the step, taken alone
        return first.block, "first beyond the edge" if is_beyond else "nearest to the edge"
    norms = run.tables.get("step_norms", {})
    if "update_ratio" in norms and "block" in norms and norms["update_ratio"].ndim == 2:
        ratios = np.where(np.isfinite(norms["update_ratio"]), norms["update_ratio"], -math.inf).max(axis=0)
        if ratios.size and ratios.max() > -math.inf:
            return str(norms["block"][0][ratios.argmax()]), "moving most for its size"
    return "", ""


def number_text(value: float) -> str:
    """Two digits, and no exponent where it is not needed.

    Example:
        >>> [number_text(value) for value in (0.3512, 2.84, 128.0, math.inf, 1e6)]
        ['0.35', '2.8', '128', '∞', '1e+06']
    """
    if math.isinf(value):
        return "∞"
    return f"{value:.0f}" if 100 <= abs(value) < 1e4 else f"{value:.2g}"
