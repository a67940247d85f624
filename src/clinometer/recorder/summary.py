"""A run's measurements in one line, for the end of a training script."""

import math
from collections.abc import Collection, Mapping, Sequence

from clinometer.probes.labels import series
from clinometer.store import Store

_WALK = {"loss": "loss", "beta": "β", "beta_lr_half": "β·lr/2"}  # the fields that say most, and what they are called
_HEADROOM = {"loss": "headroom", "angle": "headroom of the angle"}


def summary(store: Store) -> str:
    r"""How many steps were measured, how the headline numbers went from first to last, and where the rows are.

    With the step at which β · lr / 2 was highest, and headroom lowest. A probe of one's own is told by its single
    numbers; one that has none is named.

    Example:
        >>> store = Store()
        >>> summary(store)
        'clinometer: no step measured yet · in memory'
        >>> for step, loss, half in [(0, 2.3, 0.12), (50, 1.0, 1.31), (100, 0.41, 0.93)]:
        ...     store.append(step, {"landscape": {"loss": loss, "beta": 20 * half, "beta_lr_half": half}})
        >>> print(summary(store).replace(" · ", "\n"))
        clinometer: 3 steps measured (0 to 100)
        loss 2.3 → 0.41
        β·lr/2 0.12 → 0.93 (highest 1.31 at step 50)
        in memory
    """
    rows = store.rows()
    found = series(rows)
    said = headlines(found)
    parts = [_measured(sorted(set().union(*rows.values())))]
    for name, label in said.items():
        probe = name.partition("/")[0]
        half = f"{probe}/beta_lr_half"  # β on a scale of its own, and NaN without a learning rate: one of them is told
        doubled = half if not _known(found.get(half, {})) else f"{probe}/beta"
        if half not in found or name != doubled:
            parts.append(_course(label, found[name]))
    silent = [probe for probe in rows if not any(name.startswith(f"{probe}/") for name in said)]
    parts += [f"also {', '.join(silent)}"] if silent else []
    return " · ".join([*parts, "in memory" if store.path is None else str(store.path)])


def headlines(names: Collection[str]) -> dict[str, str]:
    """Of the names that `series` gives, those to look at first, and what they are called.

    Example:
        >>> headlines(["landscape/losses/0", "landscape/loss", "landscape/loss_min", "landscape/beta", "mine/x"])
        {'landscape/loss': 'loss', 'landscape/beta': 'β', 'mine/x': 'mine/x'}
    """
    found: dict[str, str] = {}
    for name in names:
        probe, _, field = name.partition("/")
        known = _WALK if f"{probe}/beta" in names else _HEADROOM if probe == "headroom" else {field: name}
        label = known.get(field, "")
        if known is _WALK and probe != "landscape" and field != "loss":  # at which walks of all directions start
            label = label and f"{label} of {probe}"
        if label and "/" not in field and label not in found.values():
            found[name] = label
    return found


def number(value: float) -> str:
    """Three digits, as everywhere in a line or a table.

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


def _course(label: str, values: Mapping[int, float]) -> str:
    """First and last, and the extreme that matters where it is neither."""
    steps, known = list(values), _known(values)
    said = f"{label} {number(values[steps[0]])}"
    if len(steps) > 1:
        said += f" → {number(values[steps[-1]])}"
    which = "lowest" if label.startswith("headroom") else "highest" if label.startswith("β") else ""
    if which and known:
        at = (min if which == "lowest" else max)(known, key=known.__getitem__)
        said += f" ({which} {number(values[at])} at step {at})" if at not in (steps[0], steps[-1]) else ""
    return said


def _known(values: Mapping[int, float]) -> dict[int, float]:
    return {step: value for step, value in values.items() if not math.isnan(value)}
