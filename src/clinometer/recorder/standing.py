"""How a run stands, in one sentence that says no more than was measured: within its limit, beyond it, or diverged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clinometer.probes.field import Field
from clinometer.probes.ranking import Ranking, share_of
from clinometer.recorder.seen import Seen
from clinometer.recorder.summary import Headline, number, shown_headlines

_STEPS = "multiples of the step"  # the unit of a headroom

State = Literal["good", "warn", "bad", "unknown"]
# As shares of a step that is as long as it may be: from where on it is near, and how many measured steps in a row must
# lie beyond another share to call it too long. One step beyond the limit is common in runs that end well.
NEAR, BEYOND, STAY = 0.8, 1.1, 3


@dataclass(frozen=True)
class Standing:
    """What was found."""

    state: State
    text: str


def standing(seen: Seen) -> Standing:
    """How a run stands: by its loss, and by the first number of the whole network that has a limit.

    Example:
        >>> seen = Seen({"mine": {"room": Field(worst="lowest", limit=1.0, headline=True, label="room")}})
        >>> standing(seen).text
        'No step was measured yet.'
        >>> for step, room in enumerate((8.0, 2.5, 4.0)):
        ...     seen.add(step, {"mine": {"room": room}})
        >>> standing(seen)
        Standing(state='good', text='room stayed within its limit of 1: the nearest was 2.5, at step 1.')
        >>> seen.add(3, {"mine": {"room": 0.5}})
        >>> standing(seen).text
        'room passed its limit of 1 at 1 of 4 measured steps: the worst was 0.5, at step 3.'
    """
    if not seen.steps:
        return Standing("unknown", "No step was measured yet.")
    chosen = shown_headlines(seen.series, seen.declared)
    for name, headline in chosen.items():
        since = _lost_since(seen.series[name]) if headline.declared.unit == "loss" else None
        if since is not None:
            return Standing("bad", f"{headline.label} is not finite since step {since}.")
    name = _limited(chosen)
    if name is None:
        return Standing("unknown", f"{_measured(seen)}; no number of the whole network has a limit, as headroom() has.")
    return _by_limit(chosen[name].label, chosen[name].declared, seen.series[name])


def nearest(rankings: Mapping[str, Ranking], layers: Mapping[str, str]) -> str:
    """The layer or block that came nearest to the edge, by the first ranking; "" where there is none.

    Args:
        rankings: By probe.
        layers: What a layer is, by its name, as far as that is known.
    """
    for probe, ranking in rankings.items():
        for rank in ranking.ranks[:1]:
            if rank.highest > -math.inf:
                named = f"{rank.block or 'model'}, {layers[rank.block]}" if rank.block in layers else rank.block
                beyond = "" if rank.beyond is None else f", first above 1 at step {rank.beyond}"
                return f"{named} ({probe}: {ranking.label} {number(rank.highest)} at step {rank.step}{beyond})"
    return ""


def _limited(chosen: Mapping[str, Headline]) -> str | None:
    """The number to judge by: a headroom says of the step itself whether it was too long, so it goes first."""
    found = [name for name, each in chosen.items() if each.declared.limit and each.declared.worst]
    return next((name for name in found if chosen[name].declared.unit == _STEPS), next(iter(found), None))


def _by_limit(label: str, field: Field, course: Mapping[int, float]) -> Standing:
    known = {step: value for step, value in course.items() if not math.isnan(value)}
    if not known:
        return Standing("unknown", f"{label} is NaN at all {len(course)} measured steps.")
    limit = field.limit or 1.0
    shares = [float(share_of(field, np.asarray(value))) for value in known.values()]
    at, over = max(zip(shares, known, strict=True), key=lambda pair: pair[0])[1], sum(share > 1 for share in shares)
    worst = f"{number(known[at])}, at step {at}"
    state: State = "good" if max(shares) < NEAR else "warn"
    if over:
        state = "bad" if _longest_stay(shares) >= min(STAY, len(shares)) else "warn"
        told = f"{label} passed its limit of {limit:g} at {over} of {len(course)} measured steps"
        return Standing(state, f"{told}: the worst was {worst}.")
    longer = f"; every measured step could have been {number(known[at])} times as long" if field.unit == _STEPS else ""
    return Standing(state, f"{label} stayed within its limit of {limit:g}: the nearest was {worst}{longer}.")


def _longest_stay(shares: Sequence[float]) -> int:
    """How many measured steps in a row are far beyond the limit, at most."""
    longest = count = 0
    for share in shares:
        count = count + 1 if share > BEYOND else 0
        longest = max(longest, count)
    return longest


def _lost_since(course: Mapping[int, float]) -> int | None:
    """The first step of those at the end at which a number is not finite."""
    since: int | None = None
    for step, value in reversed(list(course.items())):
        if math.isfinite(value):
            break
        since = step
    return since


def _measured(seen: Seen) -> str:
    steps = list(seen.steps)
    return f"{len(steps)} step{'' if len(steps) == 1 else 's'} measured, {steps[0]} to {steps[-1]}"
