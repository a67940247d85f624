"""The charts of a run, a section for each probe, and how to read them; what cannot be drawn is named."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from clinometer.plots.run_figures import figures_of
from clinometer.probes.field import NAMES, Field
from clinometer.probes.labels import described_fields, drawn_fields
from clinometer.probes.registry import PROBES
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.verdict.edges import nearest, place
from clinometer.results.run_tables import RunRecord
from clinometer.studies.figure import Figure

_HOW = {
    "numbers": "Over the steps. Dotted: the limit, where the step is as long as it may be. A triangle at the frame "
    "is infinity, a gap is a value that was not known.",
    "entries": "The layers or blocks nearest to danger, over the steps. Dotted: the limit. A step's part in one block "
    "is taken alone, so that a block may be beyond its limit while the whole step is not.",
    "layers": "Read along a row how a layer went, and down a column which layers were high at a step. Where there is a "
    "limit, the colours part there: orange is beyond it, violet is far from it. A cross is infinity, and an empty cell "
    "was not known.",
    "distributions": "A histogram for each of some steps, the last in front; each is scaled to its own peak.",
    "walk": "The loss at points along one direction, as if the step had been that long; 0 is where the step began. "
    "The slider chooses the step.",
}
_ORDER = ("layers", "numbers", "entries", "walk", "distributions")
_ALARMS = 20  # marked steps


@dataclass(frozen=True)
class Section:
    """What one probe recorded."""

    probe: str
    about: str  # what it measures
    charts: tuple[tuple[str, Figure, str], ...]  # name, figure, how to read it
    left_out: tuple[tuple[str, str], ...]  # fields that are not drawn, and what they hold


def sections_of(run: RunRecord, diverged_at: int | None) -> list[Section]:
    """A section for each probe: first that whose blocks are ranked, then those that say how near the edge is."""
    found = [_section(run, probe, run.alarms[:_ALARMS], diverged_at) for probe in run.tables]
    first = nearest(run.tables, run.declared)
    return sorted(found, key=lambda each: (first is None or each.probe != first[0], place(each.probe), not each.charts))


def _section(run: RunRecord, probe: str, alarms: list[Alarm], diverged_at: int | None) -> Section:
    table, declared = run.tables[probe], run.declared.get(probe, {})
    figures = figures_of({probe: table}, run.declared, alarms, diverged_at)
    fields, drawn = described_fields(table, declared), drawn_fields(table, declared)
    charts = tuple(
        (f"{probe}-{kind}{part}", figure, f"{_HOW[kind]} {_meanings(kind, drawn)}{_docs(probe)}")
        for kind in _ORDER
        if kind in figures
        for part, figure in _parts(kind, _titled(probe, figures[kind]))
    )
    used = {*NAMES, *(("sizes", "losses") if "walk" in figures else ())}  # what names or places the others
    used |= {field.along for field in drawn.values()} | {field.otherwise for field in drawn.values()}
    left = [(name, _held(field)) for name, field in fields.items() if name not in drawn and name not in used]
    first = [f"{name} (no picture for {len(f.axes)} axes)" for name, f in drawn.items() if not _has_picture(f, figures)]
    return Section(probe, _about(probe), charts, (*((each, "") for each in first), *left))


def _has_picture(field: Field, figures: Mapping[str, Figure]) -> bool:
    return len(field.axes) <= 1 or (field.drawing == "ridges" and "distributions" in figures)


def _parts(kind: str, figure: Figure) -> list[tuple[str, Figure]]:
    """The first heat map, which says most, is as wide as the page, and the others stand below it."""
    if kind != "layers":
        return [("", figure)]
    first, others = figure.panels[:1], figure.panels[1:]
    rest = [("-others", replace(figure, title="Other numbers of the layers", panels=others))] if others else []
    return [("", replace(figure, panels=first, columns=1)), *rest]


def _titled(probe: str, figure: Figure) -> Figure:
    """The figure without the probe's name in each panel: the section has it."""
    panels = tuple(replace(panel, title=panel.title.removeprefix(f"{probe}: ")) for panel in figure.panels)
    return replace(figure, panels=panels)


def _meanings(kind: str, fields: Mapping[str, Field]) -> str:
    wanted = [
        (field.label or name, field.meaning) for name, field in fields.items() if field.meaning and _is_of(kind, field)
    ]
    told = [f"{label}: {meaning}." for label, meaning in dict(wanted).items()]
    return " ".join(told) + " " * bool(told)


def _is_of(kind: str, field: Field) -> bool:
    if kind == "distributions":
        return field.drawing == "ridges"
    if kind == "entries":
        return bool(field.axes) and field.headline
    return bool(field.axes) == (kind == "layers") and field.drawing != "ridges"


def _held(field: Field) -> str:
    unit = f" ({field.unit})" if field.unit else ""
    return f"{field.meaning or 'nothing is declared of it'}{unit}"


def _base(probe: str) -> str:
    """The registered probe of rows that may have a longer name, such as headroom_blocks."""
    return max((name for name in PROBES if probe == name or probe.startswith(f"{name}_")), key=len, default="")


def _about(probe: str) -> str:
    made = PROBES.get(_base(probe))
    return (made.__doc__ or "").strip().partition("\n")[0] if made else ""


def _docs(probe: str) -> str:
    base = _base(probe)
    return f"More: clinometer explain {base}, or docs/{base}.md." if base else ""
