"""How far features move when images are deformed, by the size of the deformation."""

from clinometer.papers.bronstein2021.configs import trained
from clinometer.papers.bronstein2021.figures.style import figure, seeds_told, styled
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.studies.series import mean_and_range
from clinometer.training.config import Bases, RunConfig

TITLE = "Stability to deformations"
TOLD = {
    "constant": "C",
    "relative": "C, relative to the features",
}


def arms(bases: Bases) -> list[RunConfig]:
    """All networks on digits in all rotations."""
    return list(trained(bases).values())


def draw(runs: RunTable, bases: Bases) -> Figure:
    """The measured constants before and after training, as they are and relative to the features' length."""
    networks = trained(bases)
    panels: list[Panel] = []
    for when, at in {"before training": 0, "after training": -1}.items():
        for field, told in TOLD.items():
            lines = tuple(
                mean_and_range(
                    each,
                    runs.values(each.config, "deformation", "size")[0, at],
                    runs.values(each.config, "deformation", field)[:, at],
                    runs.seeds(each.config),
                )
                for each in styled(networks)
            )
            panels.append(Panel(f"{told}, {when}", "‖∇τ‖", "", lines, xscale="log", yscale="log"))
    return figure(
        TITLE,
        "C = ‖f(x_τ) − f(x)‖ / (‖∇τ‖ ‖x‖), the mean over images and random smooth warps τ that vanish at the border; "
        "f is the mean over the domain of the last stage. Relative to the features: with mean ‖f(x)‖ in place of "
        "‖x‖. The bound |f(x_τ) − f(x)| ≤ C ‖∇τ‖ ‖x‖ asks that C does not grow as τ gets smaller. "
        f"{seeds_told(runs, networks)}",
        panels,
        columns=2,
    )
