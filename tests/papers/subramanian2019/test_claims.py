"""The rules of the claims and the figures, on studies whose answer was chosen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from clinometer.papers import load_study
from clinometer.papers.subramanian2019.configs import arm_of
from clinometer.papers.subramanian2019.rows import THRESHOLDS, VARIANTS
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Finding, decide
from clinometer.studies.plan import plan
from clinometer.training.config import RunConfig

STUDY = load_study("subramanian2019")
BASES = STUDY.scales["smoke"].bases
CLAIMS = {claim.id: claim for claim in STUDY.claims}
PLAN = plan(STUDY, "smoke", seeds=8)

Chosen = Mapping[str, float]  # an arm's name to a number


def jitter(config: RunConfig) -> float:
    """A little of its own for each run, so that intervals have a width."""
    return 0.01 * np.random.default_rng([config.seed, *arm_of(config).encode()]).standard_normal()


def classifier(config: RunConfig, kappa: Chosen, accuracy: Chosen, sparse: Chosen, before_relu: Chosen) -> Any:
    """Rows of a classifier whose κ goes from 1 to that of its arm in the middle, at two sites."""
    name, steps = arm_of(config), len(config.steps_of("means"))
    moments: dict[str, Any] = {}
    for site, last in (("conv", kappa[name]), ("norm", before_relu[name]), ("relu", 1.0)):
        level = np.where(np.arange(steps) > steps // 2, last * (1 + jitter(config)), 1.0)
        moments[f"{site}_mean"] = np.tile(level[:, None, None], (3, 4))
        moments[f"{site}_var"] = np.ones((steps, 3, 4))
    right = np.clip(accuracy[name] + 0.2 * jitter(config), 0, 1)
    share = sparse[name] * (1 + jitter(config))
    return {
        "train": {"loss": np.ones(config.steps), "accuracy": np.full(config.steps, right)},
        "test": {"accuracy": np.full(len(config.steps_of("test")), right)},
        "means": moments,
        "gradients": {"sparsity": np.full((steps, len(THRESHOLDS)), share)},
        "weights": {"mean": np.full((steps, 4), 0.1 + jitter(config))},
    }


def gan(config: RunConfig, distance: Chosen, gap: Chosen) -> Any:
    name, factor = arm_of(config), 1 + jitter(config)
    compared, measured = len(config.steps_of("samples")), len(config.steps_of("scale_free"))
    return {
        "train": {"loss": np.ones(config.steps), "generator_loss": np.ones(config.steps)},
        "samples": {
            "frechet": np.full(compared, distance[name] * factor),
            "mmd": np.full(compared, 0.1 * distance[name] * factor),
            "slope": np.full(compared, gap[name] * factor),
        },
        "scale_free": {"gap": np.full(measured, gap[name] * factor)},
    }


def times(config: RunConfig, ratio: Chosen) -> Any:
    factor = 1 + jitter(config)
    row = np.array([[ratio.get(name, 1.0) * factor for name in VARIANTS]])
    return {"train": {"loss": np.ones(config.steps)}, "step_time": {"ratio": row, "evaluation": row}}


def of_arms(**chosen: float) -> Chosen:
    """A number for each arm: the one chosen for it, or its norm, else 1."""
    names = ("none", "batch", "spectral", "mean_spectral", "spectral_projected", "mean_spectral_projected")
    return {name: chosen.get(name, chosen.get(name.removesuffix("_projected"), 1.0)) for name in names}


def table(**chosen: Any) -> RunTable:
    """All runs of the smoke scale with eight seeds."""
    given = {
        "kappa": of_arms(spectral=2.0, mean_spectral=1.0),
        "before_relu": of_arms(spectral=2.0, mean_spectral=0.5),
        "accuracy": of_arms(none=0.7, batch=0.8, spectral=0.7, mean_spectral=0.8),
        "sparse": of_arms(spectral=0.5, batch=0.1, none=0.2, mean_spectral=0.3),
        "distance": of_arms(mean_spectral=0.5),
        "gap": of_arms(mean_spectral=0.5),
        "ratio": {"reparametrised, 1 iteration": 0.8, "projected, 100 iterations": 0.9},
        **chosen,
    }

    def rows(config: RunConfig) -> Any:
        if "timing" in config.trainer:
            return times(config, given["ratio"])
        if "gan" in config.trainer:
            return gan(config, given["distance"], given["gap"])
        return classifier(config, given["kappa"], given["accuracy"], given["sparse"], given["before_relu"])

    return RunTable.of_arrays({config: rows(config) for config in PLAN.configs})


def found(claim: str, **chosen: Any) -> Finding:
    return decide(CLAIMS[claim], table(**chosen), BASES)


@pytest.mark.parametrize("claim", [name for name in CLAIMS if name != "M5"])
def test_a_study_as_the_abstract_says(claim: str) -> None:
    """All of it is true in these numbers, but for the parameters, which are counted and not chosen."""
    assert found(claim).verdict == "holds", found(claim).parts


@pytest.mark.parametrize("claim", ["M1", "P1"])
@pytest.mark.parametrize(
    "chosen",
    [
        {"kappa": of_arms(spectral=0.8, mean_spectral=1.0)},
        {"kappa": of_arms(spectral=2.0, mean_spectral=1.5)},
        {"before_relu": of_arms(spectral=2.0, mean_spectral=3.0)},
    ],
    ids=["SN does not drift", "MSN drifts as well, before the mean is subtracted", "MSN's β is further off"],
)
def test_the_drift_fails_by_each_of_its_parts(claim: str, chosen: Any) -> None:
    """That the norm takes the mean off decides nothing: the second case is one that only the site before it shows."""
    assert found(claim, **chosen).verdict == "fails"


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [
        (of_arms(batch=0.81, spectral=0.7, mean_spectral=0.8), "holds"),  # a point below BN
        (of_arms(batch=0.9, spectral=0.7, mean_spectral=0.8), "fails"),
        (of_arms(batch=0.8, spectral=0.85, mean_spectral=0.8), "fails"),
    ],
    ids=["near BN", "far from BN", "below SN"],
)
def test_accuracy(accuracy: Any, verdict: str) -> None:
    """Bounds in percentage points: 2 below BN."""
    finding = found("M2", accuracy=accuracy)
    assert finding.verdict == verdict
    assert finding.parts[1].bounds[0] == pytest.approx(-2, abs=0.01)


@pytest.mark.parametrize(
    ("claim", "variant"), [("M3", "reparametrised, 1 iteration"), ("P3", "projected, 100 iterations")]
)
def test_times(claim: str, variant: str) -> None:
    """A ratio above 1 is slower; told as a factor."""
    finding = found(claim, ratio={variant: 1.2})
    assert finding.verdict == "fails"
    assert finding.parts[0].effect.value == pytest.approx(1.2, rel=0.02)


def test_sparsity_is_compared_in_points() -> None:
    """SN at 5% beside BN at 10%: five points less."""
    finding = found("M4", sparse=of_arms(spectral=0.05, batch=0.1))
    assert finding.verdict == "fails"
    assert finding.parts[0].effect.value == pytest.approx(-5, abs=0.2)


def test_parameters_are_counted() -> None:
    """As many as BatchNorm's, and in the projected way a number a layer more: three layers. Without γ, 40 fewer."""
    finding = found("M5")
    assert finding.verdict == "fails"
    assert [part.effect.value for part in finding.parts] == [0, 3]
    assert finding.beside[0].effect.value == -(8 + 16 + 16)


def test_gans_are_compared_by_distance_and_by_smoothness() -> None:
    """Each fails where the chosen numbers say the opposite."""
    assert found("G1", distance=of_arms(mean_spectral=2.0)).verdict == "fails"
    assert found("G2", gap=of_arms(mean_spectral=2.0)).verdict == "fails"


@pytest.mark.parametrize("name", STUDY.figures)
def test_figures_show_each_arm(name: str) -> None:
    """Read from the figure's data: a line for each arm in every panel, at the levels that were chosen."""
    figure = STUDY.figures[name].draw(table(), BASES)
    assert figure.caption
    for panel in figure.panels:
        assert all(line.y is not None and np.isfinite(line.y).all() for line in panel.series)
    if name == "drift":
        lines = {line.label: line.y for line in figure.panels[0].series}
        assert lines["SN"][-1] == pytest.approx(2.0, rel=0.05)  # type: ignore[index]
        assert lines["MSN"][-1] == pytest.approx(1.0, rel=0.05)  # type: ignore[index]
