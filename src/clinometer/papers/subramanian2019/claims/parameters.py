"""M5: the number of parameters, which is counted."""

from importlib import import_module

from clinometer.papers.subramanian2019.variants import classifiers, label
from clinometer.results.run_table import RunTable
from clinometer.results.statistics import Interval
from clinometer.studies.claims import Claim, Finding, Part
from clinometer.training.config import Bases, RunConfig


def fewer(runs: RunTable, bases: Bases) -> Finding:
    """M5."""
    batch, centred, projected = classifiers(bases, ["batch", "mean_spectral", "mean_spectral_projected"])
    runs.common(batch, centred, projected)  # it speaks of networks that were trained
    without_scale = centred.vary(settings={**centred.settings, "scale": False})
    reference = counted(batch)
    parts = tuple(
        _part(name, counted(arm) - reference)
        for name, arm in (
            (f"trainable parameters, {label(centred)} − BN", centred),
            (f"trainable parameters, {label(projected)} − BN", projected),
        )
    )
    beside = (_part("trainable parameters, MSN with β alone − BN", counted(without_scale) - reference),)
    return Finding(parts, f"BN has {reference}. Counted, so there is no interval.", beside)


def counted(config: RunConfig) -> int:
    """How many numbers of a config's network require a gradient."""
    build_model = import_module("clinometer.training.from_config").build_model  # torch is imported now, not by `list`
    return sum(each.numel() for each in build_model(config).parameters() if each.requires_grad)


def _part(name: str, difference: int) -> Part:
    exact = Interval(difference, difference, difference, 1)
    verdict = "holds" if difference < 0 else "fails"
    return Part(name, exact, verdict, exact, bounds=(float("-inf"), 0.0), p=0.0)


CLAIMS = (
    Claim(
        "M5",
        "MSN has fewer trainable parameters than BN",
        "abstract",
        "Two parts, in both readings: the network has fewer numbers that require a gradient than the one with "
        "BatchNorm layers. They are counted. Beside it, and not counted: MSN with β alone, as mean-only BatchNorm "
        "had it (Salimans and Kingma, 2016).",
        ("accuracy",),
        fewer,
    ),
)
