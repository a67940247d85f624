"""Shows a run that is still going on in another terminal: its rows as a table that grows.

The store is opened read-only at each reading, and closed again; only new rows are read.
"""

import math
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clinometer import store
from clinometer.probes.field import NOTHING, SINGLE, Declared, Fields, declared_in
from clinometer.probes.labels import axes, described, series, shown
from clinometer.recorder.alerts.alarm_rows import ROWS
from clinometer.recorder.summary import headlines, number
from clinometer.results.run_frame import store_file

Rows = dict[str, dict[int, store.Table]]  # probe to step to row

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 32  # characters of a sparkline
_BLOCKS = 12  # as many as fit under the headlines
_ALARMS = 3
_REDUCED = tuple(axis for axis in SINGLE if axis != "block")  # of their entries the most dangerous is shown


def watch(path: Path, console: Console, *, every: float = 2.0, once: bool = False) -> None:
    """Show a run's rows as they come, until Ctrl-C: in place on a terminal, elsewhere whenever there are new ones.

    It waits for the store if there is none yet.

    Args:
        path: The recorder's folder, or its `rows.sqlite`.
        console: Where to show it.
        every: Seconds from one reading to the next.
        once: Show the rows that there are, and return.

    Raises:
        ValueError: if `every` is not positive, the file is something else than a store, or, with `once`, is not there.
    """
    if not 0 < every < math.inf:
        raise ValueError(f"--every must be a positive number of seconds; found {every}.")
    if once:
        store_rows(path, {})  # raises what is wrong with it
        console.print(next(views(path, every))[0])
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            for seen, _ in views(path, every):
                live.update(seen, refresh=True)
    else:
        for seen, new in views(path, every):
            if new:
                console.print(seen)


def views(path: Path, every: float) -> Generator[tuple[RenderableType, bool]]:
    """Yield without end what to show, and whether anything in it is new."""
    rows: Rows = {}
    body: RenderableType = Text()
    before: tuple[int | None, ...] | None = None  # the file's inode and its last step, as of the previous reading
    refused = 0
    while True:
        file = store_file(path)
        try:
            which = file.stat().st_ino  # a folder that was cleared and used again holds another run
            rows, declared = store_rows(file, rows if before and before[0] == which else {})
            now = (which, _last(rows))
            body = body if now == before else details(rows, declared)  # drawn once: the processor belongs to the run
            head = heading(rows, str(file), time.time() - written(file))
            seen, refused = Group(head, *alarms(rows), Text(), body), 0
        except FileNotFoundError:
            now, seen = (None,), Text(f"waiting for {file}: no store there yet")
        except OSError as error:  # locked, or a disk that is away for a moment
            now, seen = (None,), Text(f"waiting for {file}: {error}")
        except ValueError:
            refused += 1  # a store has no content for the moment in which it is made
            if refused > 1:
                raise
            now, seen = (None,), Text(f"waiting for {file}: no store there yet")
        yield seen, now != before
        before = now
        time.sleep(every)


def store_rows(path: Path, rows: Rows) -> tuple[Rows, Declared]:
    """`rows` and those that came since, read anew where a resumed run has dropped some; and their declarations."""
    opened = store.Store(store_file(path), read_only=True)
    try:
        known, last, declared = _last(rows), opened.last_step(), declared_in(opened.meta)
        if known is None or last is None or last < known:
            return _slim(opened.rows()), declared
        new = _slim(opened.rows(start=known))  # `known` once more: another probe may have written at that step since
        return {probe: rows.get(probe, {}) | new.get(probe, {}) for probe in rows | new}, declared
    finally:
        opened.close()


def written(file: Path) -> float:
    """When a store was last written to, in seconds since the epoch; its write-ahead log may be newer than the file."""
    log = file.with_name(file.name + "-wal")
    return max(path.stat().st_mtime for path in (file, log) if path.exists())


def heading(rows: Mapping[str, Mapping[int, store.Table]], name: str, age: float) -> Text:
    """The run's name, its progress, and the age of its last row."""
    steps = sorted(set().union(*rows.values()))
    if not steps:
        return Text(f"{name}: no step measured yet")
    return Text(f"{name}: step {steps[-1]}, {len(steps)} measured from {steps[0]}, the last {ago(age)}", style="bold")


def alarms(rows: Mapping[str, Mapping[int, store.Table]]) -> list[Text]:
    """What alerts said, the newest first; of many, the earlier ones are counted."""
    said = [str(message) for row in rows.get(ROWS, {}).values() for message in row["message"]]
    newest = [Text(message, style="bold red") for message in reversed(said[-_ALARMS:])]
    more = [Text(f"and {len(said) - _ALARMS} alarms before", style="red")] if len(said) > _ALARMS else []
    return newest + more


def details(rows: Mapping[str, Mapping[int, store.Table]], declared: Declared = NOTHING) -> RenderableType:
    """What a run's rows hold: headline numbers, each quantity of layers at its worst, and blocks by rank.

    Args:
        rows: Probe to step to row, as `Store.rows` returns them.
        declared: What the probes declare of their fields.
    """
    found = series(rows, declared)
    table = _table("", "now", "first", "lowest", "highest", "course")
    for key, headline in headlines(found, declared).items():
        _add(table, headline.label, found[key])
    for label, values in _worst(rows, declared).items():
        _add(table, label, values)
    parts: list[RenderableType] = [table] if table.rows else []
    for probe, each in rows.items():
        ranked = _ranks(probe, each, declared.get(probe, {}), found)
        parts += [Text(), ranked] if ranked else []
    return Group(*parts)


def sparkline(values: Sequence[float], width: int = _WIDTH) -> str:
    """The values over time in one line of bars, between the lowest and the highest finite value.

    Longer courses are cut into bins, of which the highest value is shown. The scale is logarithmic if the values span
    more than a factor of 30. Infinity is ∞, and NaN a space.

    Example:
        >>> sparkline([0.0, 0.5, 1.0, float("nan"), float("inf"), 0.0])
        '▁▅█ ∞▁'
        >>> sparkline([1, 10, 1000])
        '▁▃█'
        >>> sparkline([0, 9, 0, 0, 4, 4], width=3)
        '█▁▄'
    """
    count = min(width, len(values))
    bins = [values[i * len(values) // count : (i + 1) * len(values) // count] for i in range(count)]
    tops = [max((value for value in each if not math.isnan(value)), default=math.nan) for each in bins]
    finite = [value for value in tops if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = math.log if low > 0 and high > 30 * low else float

    def bar(value: float) -> str:
        if not math.isfinite(value):
            return " " if math.isnan(value) else "∞"
        return _BARS[round(7 * (scale(value) - scale(low)) / (scale(high) - scale(low))) if high > low else 0]

    return "".join(map(bar, tops))


def ago(seconds: float) -> str:
    """An age in words.

    Example:
        >>> ago(3.2), ago(150), ago(9000)
        ('3 s ago', '2 min ago', '2 h ago')
    """
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds / length)} {unit} ago"
    return f"{max(int(seconds), 0)} s ago"


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, header_style="dim", pad_edge=False)


def _add(table: Table, label: str, values: Mapping[int, float]) -> None:
    course = list(values.values())
    known = [value for value in course if not math.isnan(value)] or [math.nan]
    shown = [number(value) for value in (course[-1], course[0], min(known), max(known))]
    table.add_row(Text(label), *map(Text, shown), Text(sparkline(course), style="cyan"))


def _worst(rows: Mapping[str, Mapping[int, store.Table]], declared: Declared) -> dict[str, dict[int, float]]:
    """Each quantity that layers have, or another axis but blocks, at its most dangerous; the largest by default."""
    found: dict[str, dict[int, float]] = {}
    for probe, steps in rows.items():
        for step, row in steps.items():
            for name, field in described(row, declared.get(probe)).items():
                array = row[name]
                if field.drawing == "line" and len(field.axes) == 1 and field.axes[0] in _REDUCED and array.size:
                    worst, of = (min, "smallest") if field.worst == "lowest" else (max, "largest")
                    known = [float(value) for value in array if not math.isnan(value)]
                    label = f"{probe}/{name}, {of} of {array.size} {field.axes[0]}s"
                    found.setdefault(label, {})[step] = worst(known, default=math.nan)
    return found


def _ranks(
    probe: str, steps: Mapping[int, store.Table], declared: Fields, found: Mapping[str, Mapping[int, float]]
) -> Table | None:
    """A probe's blocks, the nearest to breaking first, with how they have grown; None where it has none."""
    row = steps[max(steps)]
    fields = {n: f for n, f in described(row, declared).items() if f.axes == ("block",) and f.drawing == "line"}
    if not fields:
        return None
    chosen = shown(fields, lambda name: not np.isnan(row[name]).all())
    name = max(chosen, key=lambda name: (bool(fields[name].limit), fields[name].headline))  # the first of the best
    entries = axes(row, name, declared)[0][1]
    blocks = {str(block): found[f"{probe}/{name}/{block if block != '' else 'model'}"] for block in entries}

    def rank(block: str) -> float:
        now = list(blocks[block].values())[-1]
        if math.isnan(now):
            return math.inf  # what is not a number goes last
        return now if fields[name].worst == "lowest" else -now

    ranked = sorted(blocks, key=rank)
    table = _table("", f"{probe}/{name}", "now", "since the first", "course")
    for place, block in enumerate(ranked[:_BLOCKS], 1):
        course = list(blocks[block].values())
        growth = course[-1] / course[0] if course[0] else math.nan
        grown = "–" if math.isnan(growth) else f"× {number(growth)}"
        cells = (str(place), block or "model", number(course[-1]), grown)
        table.add_row(*map(Text, cells), Text(sparkline(course), style="cyan"))
    if len(ranked) > _BLOCKS:
        table.add_row("", Text(f"and {len(ranked) - _BLOCKS} more", style="dim"))
    return table


def _last(rows: Rows) -> int | None:
    return max((step for steps in rows.values() for step in steps), default=None)


def _slim(rows: Rows) -> Rows:
    """Without histograms and numbers per unit, which are not shown: a run may be watched for days."""
    return {
        probe: {step: {f: array for f, array in row.items() if array.ndim < 2} for step, row in steps.items()}
        for probe, steps in rows.items()
    }
