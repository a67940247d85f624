"""A recorder as a notebook shows it: how the run stands, its headline numbers with their courses, and its alarms.

HTML without a script, a style sheet or anything that is fetched; colours are the reader's own, light or dark.
"""

import math
from collections.abc import Mapping, Sequence

from clinometer.probes.field import Field
from clinometer.probes.labels import series
from clinometer.readable import html
from clinometer.readable.sparkline import spark_svg
from clinometer.recorder.seen import Seen
from clinometer.recorder.summary import Headline, number, shown_headlines
from clinometer.recorder.verdict.verdict import verdict_of

_ROWS = 12  # numbers; a recorder with many probes of one's own may have more
_ALARMS = 3  # the newest
_COLOURS = {
    "good": "#2f9e44",
    "warn": "#f08c00",
    "bad": "#e03131",
    "open": "#868e96",
}  # of a bar beside the sentence, which says it


def dashboard(title: str, seen: Seen) -> str:
    """A small dashboard as HTML.

    Args:
        title: What the recorder is, in one line.
        seen: What was measured.
    """
    verdict = verdict_of(seen)
    parts = [
        f'<div style="border-left:4px solid {_COLOURS[verdict.chip]};padding:.1em .7em;font-weight:600">'
        f"{html.text(str(verdict))}</div>",
        f"<div>{html.text(verdict.hint)}</div>" if verdict.hint else "",
        *_alarms([str(alarm) for alarm in seen.alarms]),
        _numbers(seen),
        f'<div style="opacity:.75;font-size:.9em">{html.text(title)}</div>',
    ]
    return _framed("".join(parts))


def told(title: str, why: str) -> str:
    """A dashboard of a recorder that has nothing to show, and why.

    Args:
        title: What the recorder is, in one line.
        why: In words.
    """
    return _framed(f"<div><b>{html.text(title)}</b></div><div>{html.text(why)}</div>")


def _framed(content: str) -> str:
    return f'<div style="color:inherit;font-size:13px;line-height:1.6;max-width:60em">{content}</div>'


def _alarms(alarms: Sequence[str]) -> list[str]:
    newest = [f"<div><b>Alarm</b> {html.text(alarm)}</div>" for alarm in reversed(alarms[-_ALARMS:])]
    before = len(alarms) - _ALARMS
    return [*newest, *([f"<div>and {before} alarms before</div>"] if before > 0 else [])]


def _numbers(seen: Seen) -> str:
    numbers = series(seen.rows, seen.declared)
    chosen = shown_headlines(numbers, seen.declared)
    rows = [_row(headline, numbers[name]) for name, headline in list(chosen.items())[:_ROWS]]
    left = len(chosen) - _ROWS
    if left > 0:
        rows.append([f"and {left} more, which recorder.plot() draws", "", "", "", ""])
    return html.table(["", "now", "first", "worst", "over the steps"], rows) if rows else ""


def _row(headline: Headline, course: Mapping[int, float]) -> list[str]:
    field, values = headline.declared, list(course.values())
    beside = [field.unit] if field.unit != headline.label else []
    beside += [f"(limit {field.limit:g})"] if field.limit is not None else []
    name = f'<span title="{html.text(field.meaning)}">{html.text(headline.label)}</span>'
    name += f' <span style="opacity:.75">{html.text(" ".join(beside))}</span>'
    return [name, number(values[-1]), number(values[0]), _worst(field, course), spark_svg(values, field.limit)]


def _worst(field: Field, course: Mapping[int, float]) -> str:
    known = {step: value for step, value in course.items() if not math.isnan(value)}
    if not field.worst or not known:
        return "–"
    at = (min if field.worst == "lowest" else max)(known, key=known.__getitem__)
    return f"{number(known[at])} at step {at}"
