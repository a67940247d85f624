"""Summarises a run's measurements in one line, for the end of a training script."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from clinometer.probes.field import NOTHING, Declared, Field, declared_in
from clinometer.probes.labels import series, shown
from clinometer.store import Store

Values = Mapping[int, float]  # step to number


@dataclass(frozen=True)
class Headline:
    """A number that summaries show first."""

    probe: str
    field: str
    label: str  # its name in the summary
    declared: Field


def summary(store: Store) -> str:
    r"""How many steps were measured, the first and last value of each headline number, and where the rows are.

    A number with a dangerous extreme also shows that extreme and its step, unless it is the first or the last value. If
    a number is NaN at all steps, the field that it declares as `otherwise` is shown instead. Probes without headlines
    are listed by name.

    Example:
        >>> store = Store()
        >>> summary(store)
        'clinometer: no step measured yet · in memory'
        >>> store.set_meta(fields={"mine": {"speed": {"headline": True, "label": "speed", "worst": "highest"}}})
        >>> for step, speed in [(0, 2.3), (50, 7.1), (100, 0.41)]:
        ...     store.append(step, {"mine": {"speed": speed}, "other": {"notes": "text"}})
        >>> print(summary(store).replace(" · ", "\n"))
        clinometer: 3 steps measured (0 to 100)
        speed 2.3 → 0.41 (highest 7.1 at step 50)
        also other
        in memory
    """
    rows, declared = store.rows(), declared_in(store.meta)
    values = series(rows, declared)
    chosen = shown_headlines(values, declared)
    parts = [_measured(sorted(set().union(*rows.values())))]
    parts += [_course(headline, values[name]) for name, headline in chosen.items()]
    unsummarised = [probe for probe in rows if probe not in {headline.probe for headline in chosen.values()}]
    parts += [f"also {', '.join(unsummarised)}"] if unsummarised else []
    return " · ".join([*parts, "in memory" if store.path is None else str(store.path)])


def headlines(names: Collection[str], declared: Declared = NOTHING) -> dict[str, Headline]:
    """Choose the names, of those that `series` returns, that summaries show first.

    They are the single numbers that a probe declares as headlines, and those that no probe declares. Fields with equal
    declarations are one quantity, and only the first is shown. If different fields share a label, the later ones get
    the name of their probe.

    Example:
        >>> declared = {"walk": {"loss": Field(headline=True, label="loss"), "loss_min": Field()}}
        >>> chosen = headlines(["walk/losses/0", "walk/loss", "walk/loss_min", "mine/x"], declared)
        >>> {name: headline.label for name, headline in chosen.items()}
        {'walk/loss': 'loss', 'mine/x': 'mine/x'}
    """
    chosen: dict[str, Headline] = {}
    for name in names:
        probe, _, field = name.partition("/")
        own = declared.get(probe, {}).get(field, Field(headline="/" not in field))
        taken = {each.label: each.declared for each in chosen.values()}
        label = own.label or name
        if own.headline and not (own.label and taken.get(label) == own):
            chosen[name] = Headline(probe, field, f"{label} of {probe}" if label in taken else label, own)
    return chosen


def shown_headlines(values: Mapping[str, Values], declared: Declared = NOTHING) -> dict[str, Headline]:
    """`headlines` of a run's numbers; of each and its stand-in the one that has numbers.

    Args:
        values: Name to step to number, as `series` returns them.
        declared: What the probes declare of their fields.
    """
    chosen = headlines(values, declared)
    selected: dict[str, Headline] = {}
    for probe in dict.fromkeys(headline.probe for headline in chosen.values()):
        of_probe = {headline.field: name for name, headline in chosen.items() if headline.probe == probe}
        fields = {field: chosen[name].declared for field, name in of_probe.items()}
        for field in shown(fields, lambda field, of=of_probe: bool(_known(values[of[field]]))):
            selected[of_probe[field]] = chosen[of_probe[field]]
    return selected


def number(value: float) -> str:
    """Format a number with three significant digits, as in all lines and tables.

    Example:
        >>> number(2.3456), number(12345.0), number(float("-inf"))
        ('2.35', '1.23e+04', '-inf')
    """
    return f"{value:.3g}"


def _measured(steps: Sequence[int]) -> str:
    if not steps:
        return "clinometer: no step measured yet"
    if len(steps) == 1:
        return f"clinometer: 1 step measured ({steps[0]})"
    return f"clinometer: {len(steps)} steps measured ({steps[0]} to {steps[-1]})"


def _course(headline: Headline, values: Values) -> str:
    """The first and the last value, and the dangerous extreme if it is neither."""
    steps, known = list(values), _known(values)
    text = f"{headline.label} {number(values[steps[0]])}"
    if len(steps) > 1:
        text += f" → {number(values[steps[-1]])}"
    worst = headline.declared.worst
    if worst and known:
        at = (min if worst == "lowest" else max)(known, key=known.__getitem__)
        text += f" ({worst} {number(values[at])} at step {at})" if at not in (steps[0], steps[-1]) else ""
    return text


def _known(values: Values) -> dict[int, float]:
    return {step: value for step, value in values.items() if not math.isnan(value)}
