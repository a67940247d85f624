"""The noise against the Hessian over training, and the accuracy of each way to train by the images that it saw."""

from clinometer.papers.haruki2019.configs import ARMS, GNC, GNC_0, ISOTROPIC, SGD, SMALL, arm
from clinometer.plots.panels import reference
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.series import StyledVariant, band_caption, mean_and_range
from clinometer.studies.study import FigureSpec
from clinometer.training.config import Bases, RunConfig

TITLES = {"geometry": "Gradient noise against the Hessian", "accuracy": "Large batches with and without noise"}
COLOURS = {SGD: "#D55E00", GNC: "#0072B2", GNC_0: "#56B4E9", ISOTROPIC: "#009E73", SMALL: "#CC79A7"}


def compared(bases: Bases) -> list[RunConfig]:
    """Every way to train, each at its own rate."""
    return [arm(bases, name) for name in ARMS]


def measured(bases: Bases) -> list[RunConfig]:
    """The run whose noise is measured."""
    return [arm(bases, SGD)]


def draw_geometry(runs: RunTable, bases: Bases) -> Figure:
    """Share on the top eigenvectors, alignment, and smoothing, each beside what isotropic noise gives."""
    (run,) = measured(bases)
    reach = run["scale"] * run["lr"]

    def line(field: str, label: str, colour: str = SGD) -> Series:
        values = runs.values(run, "noise", field)
        return mean_and_range(StyledVariant(run, label, colour), runs.steps(run, "noise"), values, runs.seeds(run))

    def rise(field: str, label: str, colour: str = SGD) -> Series:
        values, predicted = (runs.values(run, "noise", name)[:, 1:] for name in (field, "predicted"))
        return mean_and_range(StyledVariant(run, label, colour), steps[1:], values / predicted, runs.seeds(run))

    steps = runs.steps(run, "noise")
    chance = reference("isotropic noise", steps, 1.0)
    return Figure(
        TITLES["geometry"],
        "Of large-batch SGD: C from the gradients of the step's workers, H on training images that the batch leaves "
        "out. (a) The share of the noise on the eigenvectors of the 10 largest eigenvalues. (b) A = N tr(HC) / "
        f"(tr H tr C). (c) E L(w + rn) − L(w) with r = {reach:g}, after the start. "
        f"{band_caption(runs, [run], [SGD])}",
        (
            Panel(
                "(a) share of the noise on the top 10",
                "step",
                "share",
                (line("share", "gradient noise"), line("share_isotropic", "isotropic, k/N", ISOTROPIC)),
                yscale="log",
            ),
            Panel("(b) alignment", "step", "A", (line("alignment", "gradient noise"), chance), yscale="log"),
            Panel(
                "(c) smoothing over ½ r² tr(HC)",
                "step",
                "ratio",
                (
                    rise("smoothing", "gradient noise"),
                    rise("smoothing_isotropic", "isotropic, same energy", ISOTROPIC),
                    reference("½ r² tr(HC)", steps[1:], 1.0),
                ),
            ),
        ),
        palette=COLOURS,
    )


def draw_accuracy(runs: RunTable, bases: Bases) -> Figure:
    """Test accuracy, and that on the training images, by the images seen."""
    shown = dict(zip(ARMS, compared(bases), strict=True))

    def lines(field: str) -> tuple[Series, ...]:
        return tuple(
            mean_and_range(
                StyledVariant(run, name, name), _seen(run, runs), _percent(runs, run, field), runs.seeds(run)
            )
            for name, run in shown.items()
        )

    return Figure(
        TITLES["accuracy"],
        "Accuracy over training, each at its own tuned learning rate. "
        f"{band_caption(runs, list(shown.values()), ARMS)}",
        (
            Panel("(a) test images", "images seen", "accuracy (%)", lines("accuracy")),
            Panel("(b) training images", "images seen", "accuracy (%)", lines("train_accuracy")),
        ),
        columns=2,
        palette=COLOURS,
    )


def _seen(run: RunConfig, runs: RunTable) -> Floats:
    return (runs.steps(run, "test") + 1.0) * run.batch_size


def _percent(runs: RunTable, run: RunConfig, field: str) -> Floats:
    return 100 * runs.values(run, "test", field)


FIGURES = {
    "geometry": FigureSpec(TITLES["geometry"], measured, draw_geometry),
    "accuracy": FigureSpec(TITLES["accuracy"], compared, draw_accuracy),
}
