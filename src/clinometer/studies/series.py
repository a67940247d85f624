"""Series of a figure from finished runs: the mean over seeds as a line, their range as a band."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.figure import Colour, Series, Values
from clinometer.training.config import RunConfig

Pick = Callable[[Floats], Floats]  # (seeds, steps, ...) to (seeds, steps)


@dataclass(frozen=True)
class StyledVariant:
    """A variant of a study, and how a figure shows it."""

    config: RunConfig
    label: str
    colour: Colour
    dashed: bool = False


def mean_and_range(variant: StyledVariant, x: Values, values: Floats, seeds: Sequence[int]) -> Series:
    """The mean over seeds as a line, their range as a band, and the values of each.

    Args:
        variant: What is shown, and how.
        x: Where, shape (n,).
        values: Of each seed, shape (seeds, n).
        seeds: Which these are, in the order of `values`.
    """
    low, high = values.min(0), values.max(0)
    return Series(
        variant.label,
        variant.colour,
        x,
        values.mean(0),
        low,
        high,
        variant.dashed,
        each=values,
        seeds=tuple(seeds),
    )


def curves(
    runs: RunTable, variants: Iterable[StyledVariant], probe: str, field: str, pick: Pick = lambda values: values
) -> tuple[Series, ...]:
    """A field over training, one series per variant.

    Args:
        runs: The finished runs.
        variants: What to show.
        probe: Whose rows.
        field: Which of their fields.
        pick: Reduces (seeds, steps, ...) to (seeds, steps), such as one layer's values.
    """
    return tuple(
        mean_and_range(
            each,
            runs.steps(each.config, probe),
            pick(runs.values(each.config, probe, field)),
            runs.seeds(each.config),
        )
        for each in variants
    )


def band_caption(runs: RunTable, variants: Sequence[RunConfig], names: Sequence[str]) -> str:
    """A sentence on what lines and bands are, and one that names the variants whose runs diverged.

    Args:
        runs: The finished runs.
        variants: Those that the figure shows.
        names: What the caption calls them.
    """
    counts = sorted({len(runs.seeds(variant)) for variant in variants})
    seeds = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1]))) if counts else "no"
    diverged = [(variant, name, runs.diverged(variant)) for variant, name in zip(variants, names, strict=True)]
    ends = [f"{count} of {len(runs.seeds(each))} runs of {name}" for each, name, count in diverged if count]
    note = f" Diverged, so that their mean ends there: {', '.join(ends)}." if ends else ""
    return f"Line: mean over {seeds} seeds; band, or bar where many overlap: their range.{note}"
