"""Figures of a declared study: every number that its runs recorded, over training, a line per variant."""

from collections.abc import Sequence

from clinometer.results.quantity import Quantity, curve_fields
from clinometer.results.run_table import RunTable
from clinometer.studies.axis_scale import scale_of_lines
from clinometer.studies.claims import Variants
from clinometer.studies.figure import Figure, Panel
from clinometer.studies.series import StyledVariant, band_caption, mean_and_range


def figure(runs: RunTable, title: str, probes: Sequence[str], variants: Variants) -> Figure:
    """A panel per number that the probes' rows hold, a line per variant.

    Args:
        runs: What is finished.
        title: Of the figure.
        probes: Whose rows.
        variants: By name, in the order of their colours.
    """
    styled = [StyledVariant(config, name, number) for number, (name, config) in enumerate(variants.items())]
    shown = [each for each in styled if runs.seeds(each.config)]
    panels = [_panel(runs, shown, probe, field) for probe in probes for field in _fields(runs, shown, probe)]
    caption = band_caption(runs, [each.config for each in shown], [each.label for each in shown])
    return Figure(title, caption, tuple(panels))


def _fields(runs: RunTable, variants: Sequence[StyledVariant], probe: str) -> list[str]:
    """The fields of any variant's rows: networks of several kinds need not have the same."""
    return list(dict.fromkeys(field for each in variants for field in curve_fields(runs.fields(each.config, probe))))


def _panel(runs: RunTable, variants: Sequence[StyledVariant], probe: str, field: str) -> Panel:
    lines = tuple(
        mean_and_range(
            each,
            runs.steps(each.config, probe),
            Quantity(probe, field).curve(runs, each.config, runs.seeds(each.config)),
            runs.seeds(each.config),
        )
        for each in variants
        if field in runs.row(each.config, probe)
    )
    unit = _unit(runs, variants, probe, field)
    return Panel(f"{probe}.{field}", "step", unit or field, lines, yscale=scale_of_lines(lines))


def _unit(runs: RunTable, variants: Sequence[StyledVariant], probe: str, field: str) -> str:
    """The unit that the probe declares; "" if none does."""
    found = [runs.fields(each.config, probe).get(field) for each in variants]
    return next((declared.unit for declared in found if declared), "")
