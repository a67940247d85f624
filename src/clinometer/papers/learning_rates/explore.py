"""The rates at which a configuration is trained until the largest stable one is known to half an octave."""

from collections.abc import Callable

from clinometer.analysis.stable_rate import Trial, Trials, best_of, edge, is_stable
from clinometer.papers.learning_rates.grid import STRIDE, Grid


def explore(train: Callable[[int], Trial], grid: Grid) -> dict[int, Trial]:
    """Train at the rates of the sweep, then at those that it takes to find where stability ends to half an octave.

    Beyond the sweep the rates go up by its stride until one is not stable, or down until one learns, as far as the grid
    reaches; then those between the last stable rate and the first unstable one are tried.

    Args:
        train: Half octaves of a rate to what becomes of it.
        grid: The grid.
    """
    trials = {each: train(each) for each in grid.sweep}
    while (down := min(trials) - STRIDE) >= grid.lowest and not _learns(trials):
        trials[down] = train(down)
    while edge(trials, best_of(trials))[1] is None and (up := max(trials) + STRIDE) <= grid.highest:
        trials[up] = train(up)
    while (gap := _gap(trials)) is not None:
        trials[gap] = train(gap)
    return dict(sorted(trials.items()))


def _learns(trials: Trials) -> bool:
    """Whether the best rate is stable."""
    best = trials[best_of(trials)]
    return is_stable(best, best)


def _gap(trials: Trials) -> int | None:
    """The lowest rate between the last stable and the first unstable one that is not tried yet; None where all are."""
    last, unstable = edge(trials, best_of(trials))
    if last is None or unstable is None or unstable - last <= 1:
        return None
    return last + 1
