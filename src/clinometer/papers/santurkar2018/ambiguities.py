"""What changes if one decides otherwise where the paper is silent: the Lp statistic, the DLN's loss, its last norm."""

from clinometer.analysis.learning_progress import smooth
from clinometer.papers.santurkar2018.style import band, figure, styled
from clinometer.papers.santurkar2018.variants import LPS, vary
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.series import curves
from clinometer.training.config import Bases, RunConfig

TITLE = "Decisions where the paper is silent"
READINGS = {
    "": "average p-norm over the batch",
    "_literal": "p-norm divided by m",
    "_sample": "average p-norm of each sample",
}
DLNS = {
    "dln": "sum loss, norm after the last layer",
    "dln_mean": "mean loss",
    "dln_bare": "no norm after the last layer",
}


def arms(bases: Bases) -> list[RunConfig]:
    """The Lp norms under three readings, on digits; the deep linear network under three."""
    return [arm for row in (*lp_rows(bases), *dln_rows(bases)) for arm in row]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Training accuracy by Lp reading, and the deep linear network's loss over its start."""
    lps = [
        Panel(f"Lp: {title}", "step", "accuracy (%)", _accuracy(runs, row), ylim=(0, 102))
        for title, row in zip(READINGS.values(), lp_rows(bases), strict=True)
    ]
    dlns = [
        Panel(f"DLN: {title}", "step", "loss / first loss", _relative(runs, row), yscale="log")
        for title, row in zip(DLNS.values(), dln_rows(bases), strict=True)
    ]
    return figure(
        TITLE,
        "Above: training accuracy on digits, the Lp statistic read in three ways; ours is the first. Below: training "
        f"loss of the deep linear network over its first value; ours is the first. {band(runs, *arms(bases))}",
        (*lps, *dlns),
    )


def lp_rows(bases: Bases) -> list[list[RunConfig]]:
    """L1, L2 and L∞ under our reading, the literal one, and that of each sample."""
    base = bases["digits"]
    # A p-norm over m is the average for p = 1: one arm serves both readings.
    rows = [["l1" if (p, end) == ("l1", "_literal") else p + end for p in LPS] for end in READINGS]
    return [vary(base, norm=norms) for norms in rows]


def dln_rows(bases: Bases) -> list[list[RunConfig]]:
    """The standard and the BatchNorm network under our reading, with the mean loss, and without the last norm."""
    return [vary(bases["dln"], reading=[reading], norm=["none", "batch"]) for reading in DLNS]


def _accuracy(runs: RunTable, row: list[RunConfig]) -> tuple[Series, ...]:
    return curves(runs, styled(row), "train", "accuracy", lambda values: 100 * smooth(values))


def _relative(runs: RunTable, row: list[RunConfig]) -> tuple[Series, ...]:
    return curves(runs, styled(row), "train", "loss", lambda values: values / values[:, :1])
