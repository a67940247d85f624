"""What pages say of results in words: the numbers are those of `claims.json` as it is kept today."""

import functools
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
WORDS = {1 / 20: "a twentieth", 1 / 10: "a tenth", 1 / 2: "a half", 2 / 3: "two thirds"}


@functools.cache
def rows(study: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in json.loads((ROOT / "results" / study / "claims.json").read_text())}


def part(study: str, claim: str, name: str) -> dict[str, Any]:
    """A part of a claim, or what stands beside it, by its whole name."""
    row = rows(study)[claim]
    (found,) = [each for each in (*row["parts"], *row["beside"]) if each["name"] == name]
    return found


def value(study: str, claim: str, name: str) -> float:
    return part(study, claim, name)["value"]


def ends(study: str, claim: str, name: str) -> tuple[float, float]:
    found = part(study, claim, name)
    return found["low"], found["high"]


def interval(study: str, claim: str, name: str) -> str:
    """As 0.30 [−0.36, 0.79]."""
    low, high = ends(study, claim, name)
    return f"{value(study, claim, name):.2f} [{low:.2f}, {high:.2f}]".replace("-", "−")


def share(of: float) -> str:
    """The nearest simple fraction in words; it must be within a sixth of what was measured."""
    near = min(WORDS, key=lambda each: abs(math.log(each / of)))
    assert abs(near / of - 1) < 1 / 6
    return WORDS[near]


def noted(study: str, claim: str, pattern: str) -> tuple[str, ...]:
    """What the note of a claim says there."""
    found = re.search(pattern, rows(study)[claim]["note"])
    assert found
    return found.groups()


def norm_study() -> list[str]:
    laptop, smoke, networks = "norms/laptop", "norms/smoke", {"N1": "VGG", "N2": "ResNet"}
    by_batch, by_sample = ("batch", "l1", "l2", "ghost_batch"), ("layer", "group", "rms")

    def variations(norms: tuple[str, ...], study: str = laptop, claims: tuple[str, ...] = ("N1", "N2")) -> str:
        told = "{}: scale-free loss variation, with / without"
        found = [value(study, claim, told.format(norm)) for claim in claims for norm in norms]
        return f"{min(found):.2f} to {max(found):.2f}"

    def correlations(claim: str, outcome: str, study: str = laptop) -> list[str]:
        told = f"ρ over norms and seeds: smaller scale-free loss variation, larger {outcome}"
        return [interval(study, claim, f"{network}, {told}") for network in networks.values()]

    smoother = [noted(laptop, claim, r"smoother than without a norm: (\d+) of 17")[0] for claim in networks]
    largest, large = (correlations("N5", "largest trainable rate", study) for study in (laptop, smoke))
    best, good = (correlations("N6", "test accuracy at the best rate", study) for study in (laptop, smoke))
    return [
        "Corrected for 17 norms, {} are smoother than no norm in the VGG and {} in the residual".format(*smoother),
        f"have {variations(by_batch)} of the scale-free loss variation",
        f"layer, group and RMS normalization {variations(by_sample)}",
        "ρ over norms is {} in the VGG and {} in the residual network".format(*largest),
        "Accuracy at the best rate, no: {} and {}".format(*best),
        f"ghost batches have {variations(by_batch, smoke, ('N1',))} of the loss variation",
        "ρ with the largest trainable rate is {} in the VGG, and {} over the ten norms".format(*large),
        "with accuracy {} and {}".format(*good),
    ]


def subramanian2019() -> list[str]:
    laptop = functools.partial(value, "subramanian2019/laptop")
    step = functools.partial(laptop, "M3")
    drift = [1 / laptop(claim, "late κ before the ReLU, MSN over SN") for claim in ("M1", "P1")]
    weights = laptop("M1", "mean of a weight's entries over their deviation: MSN, late over first")
    zeros = laptop("P4", "share of gradients exactly 0, SN, projected − BN")
    faster = share(1 - step("step, spectral normalization, 1 iteration over BN"))
    slower = share(step("step, reparametrised, 1 iteration over BN") - 1)
    far_slower = share(step("step, projected, 100 iterations over BN") - 1)
    return [
        f"its units are {drift[0]:.1f} and {drift[1]:.0f} times as near to centred as SN's",
        f"grows with MSN by a factor of {weights:.1f}",
        f"SN alone takes {faster} less time than BN, MSN {slower} more, and with the 100 iterations of the code "
        f"{far_slower} more",
        f"In the projected one {zeros:.0f}% of SN's gradient is exactly 0",
        f"BN beside its copy, at {step('step, BatchNorm itself over BN'):.2f}, shows the error",
    ]


def haruki2019() -> list[str]:
    laptop = "haruki2019/laptop"
    others = [("G1", "test accuracy, GNC − SGD"), ("G2", "test accuracy, isotropic noise − SGD")]
    farthest = max(abs(end) for each in others for end in ends(laptop, *each))
    lead = value(laptop, "G1", "test accuracy, GNC, lag 0 − SGD")
    on_top = float(noted("haruki2019/smoke", "N1", r"the share is (\d+)%")[0]) / 100
    rise = value("haruki2019/smoke", "N3", "smoothing over ½ r² tr(HC)")
    likely = rows(laptop)["G1"]["seeds_needed"]["likely"]
    return [
        f"{share(on_top)} of it lie on ten of 13,706 directions",
        f"the loss rises along it by {rise:.2f} times what the second order says",
        f"end within {farthest:.1f} points of SGD, either way, and more than {likely // 10 * 10} seeds",
        f"leads SGD by {lead:.1f} points",
    ]


def paper() -> list[str]:
    laptop = functools.partial(value, "santurkar2018/laptop")
    accuracies = (
        r"Standard at lr 0.1: final training accuracy (\d+)%.*?\+ BatchNorm at lr 0.1: final training accuracy (\d+)%"
    )
    plain, normed = noted("santurkar2018/laptop", "C1", accuracies)
    tested, without = noted("santurkar2018/paper", "C2", r"test accuracy ([\d.]+)% with BatchNorm, ([\d.]+)% without")
    more = value("santurkar2018/paper", "C2", "final test accuracy, BatchNorm − standard")
    drifts = {
        share(value(f"santurkar2018/{scale}", "C3", "drift from step to step after the ReLU, BatchNorm over standard"))
        for scale in ("smoke", "laptop")
    }
    early = "DLN, early: {}, standard / BatchNorm"
    varies = laptop("C7", early.format("loss variation"))
    changes = laptop("C8", early.format("largest change of the gradient"))
    beta = laptop("C9", "DLN, peak: β, standard / BatchNorm")
    peaks = [
        laptop(claim, f"VGG, peak: {what}, standard / BatchNorm")
        for claim, what in (("C7", "loss variation"), ("C8", "largest change of the gradient"), ("C9", "β"))
    ]
    (drift,) = drifts
    return [
        f"BatchNorm has {normed}% of the training set and the standard network {plain}%",
        f"BatchNorm tests {more:.1f} points better ({tested} against {without}%",
        f"they drift {drift} as much from step to step, at both scales",
        f"the loss varies {round(varies, -2):,.0f} times as much without BatchNorm, the gradient changes "
        f"{round(changes, -2):,.0f} times as much",
        f"peak β is larger by {math.log10(beta):.1f}",
        f"its peaks are {min(peaks):.0f} to {max(peaks):.0f} times as high",
    ]


def bronstein2021() -> list[str]:
    scales = ("bronstein2021/smoke", "bronstein2021/laptop")

    def told(claim: str, name: str, digits: int = 1) -> str:
        return " and ".join(f"{value(study, claim, name):.{digits}f}" for study in scales)

    broken = [100 * part["value"] for part in rows(scales[1])["G2"]["parts"]]
    return [
        f"by most of the signal's length, {min(broken):.0f} to {max(broken):.0f}% at laptop scale",
        f"makes it grow {told('G3', 'pooled features, late over first, upright')} times",
        f"its C grows {told('G4', 'graph network after training: C at ‖∇τ‖ = 0.025 over C at 0.4')} times",
        "a mean cosine of " + told("G5", "mean cosine after 16 convolutions without a norm, before training", 2),
    ]


PAGES: Mapping[str, Callable[[], list[str]]] = {
    each.__name__: each for each in (norm_study, subramanian2019, haruki2019, bronstein2021, paper)
}


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_in_words_is_what_was_found(page: str) -> None:
    """Each sentence is written here from the kept claims; results that are made anew change it, and the page must."""
    told = " ".join((ROOT / "docs" / f"{page}.md").read_text().replace("**", "").split())
    for sentence in PAGES[page]():
        assert sentence in told
