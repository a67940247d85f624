"""Every norm's numbers as tables for people.

`python -m clinometer.papers.norms.table FOLDER --to FOLDER` makes `norms.md` from the folder of a finished study.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from clinometer.papers.norms.configs import NORMS
from clinometer.papers.norms.definition import STUDY
from clinometer.papers.norms.in_units import in_units
from clinometer.papers.norms.quantities import QUANTITIES, SMOOTHNESS, TRAINING, networks_made, of_norms, seeds_of
from clinometer.results.run_table import RunTable
from clinometer.results.statistics import Interval
from clinometer.studies.plan import plan
from clinometer.training.config import Bases, RunConfig
from clinometer.training.files import write_whole

_SCALE_TOLD = {"log10": "", "log2": "", "logit": ", %"}


def table(runs: RunTable, network: RunConfig, names: Sequence[str]) -> str:
    """A line per norm, in Markdown: each quantity's mean over seeds with Student's 95% interval.

    Args:
        runs: The finished runs.
        network: One of `networks`.
        names: Rows of `QUANTITIES`.
    """
    heads = [QUANTITIES[name].told + _SCALE_TOLD[QUANTITIES[name].scale] for name in names]
    values = [of_norms(runs, network, name) for name in names]
    lines = [["norm", *heads], ["---"] * (1 + len(names))]
    for place, norm in enumerate(NORMS):
        cells = [_told(in_units(QUANTITIES[name], of[place])) for name, of in zip(names, values, strict=True)]
        lines.append([f"`{norm}`", *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(runs: RunTable, bases: Bases, scale: str) -> str:
    """All tables of a scale."""
    parts = [f"# {STUDY.title}", f"By `clinometer reproduce {STUDY.name} --scale {scale}`. {_READING}"]
    for name, network in networks_made(runs, bases).items():
        seeds = seeds_of(runs, network)
        parts += [f"## {name}: smoothness, {len(seeds)} seeds", table(runs, network, list(SMOOTHNESS))]
        parts += [f"## {name}: training, {len(seeds)} seeds", table(runs, network, list(TRAINING))]
    return "\n\n".join(parts) + "\n"


_READING = (
    "Means over seeds, geometric ones but for accuracies, with Student's 95% interval. Smoothness at matched loss is a "
    "factor on the network without a norm, at the rate that all share; λ_c and λ there are medians over the measured "
    "steps from which the network has begun to learn, as the headroom is at the best rate. A dash: no seed has such a "
    "number."
)


def _told(found: Interval) -> str:
    if not found.n:
        return "–"
    missing = f" (n = {found.n})" if found.n == 1 else f" [{found.low:.3g}, {found.high:.3g}]"
    return f"{found.value:.3g}{missing}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", default="laptop", choices=STUDY.scales)
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    planned = plan(STUDY, given.scale)
    read = RunTable.read(given.folder, planned.configs)
    given.to.mkdir(parents=True, exist_ok=True)
    write_whole(given.to / "norms.md", page(read, planned.bases, given.scale))
