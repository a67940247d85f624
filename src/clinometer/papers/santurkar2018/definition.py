"""The paper as a study: its scales, figures, claims and theorems."""

import dataclasses
from importlib import import_module

from clinometer.papers.santurkar2018 import SOURCE, TITLE
from clinometer.papers.santurkar2018.claims import CLAIMS
from clinometer.papers.santurkar2018.configs import deep_linear, vgg
from clinometer.studies.rules import CONFIRMATORY
from clinometer.studies.study import FigureSpec, Scale, Study
from clinometer.studies.theorems import TheoremSpec
from clinometer.training.config import Bases

_HERE = "clinometer.papers.santurkar2018"
_SMOKE, _LAPTOP, _PAPER = (
    "8×8 digits, 5 convolutions at half width, 150 steps; DLN of 25 layers, 500 steps; minutes on two cores",
    "CIFAR-10 (JPEG), VGG-16 at 1/8 width, 2,000 steps; DLN of 25 layers, 10,000 steps; hours on two cores",
    "CIFAR-10 (JPEG), VGG-16 at full width, 15,000 steps; DLN of 25 layers, 10,000 steps; for a GPU",
)


def _smoke() -> Bases:
    digits = vgg(data="digits", plan="vgg_digits", width=0.5, steps=150, measure_every=10, test_every=10)
    return {"vgg": digits, "dln": deep_linear(lr=1e-6, steps=500, measure_every=20), "digits": digits}


def _laptop() -> Bases:
    wide = vgg(data="cifar10", plan="vgg16", width=1 / 8, steps=2_000, measure_every=50, test_every=200)
    return {"vgg": wide, "dln": deep_linear(lr=1e-6, steps=10_000, measure_every=100), "digits": _smoke()["digits"]}


def _paper() -> Bases:
    wide = vgg(data="cifar10", plan="vgg16", width=1.0, steps=15_000, measure_every=250, test_every=250)
    wide = dataclasses.replace(wide, channels_last=False)  # it pays for narrow networks alone
    return {"vgg": wide, "dln": _laptop()["dln"], "digits": _smoke()["digits"]}


# Three seeds decide C3, C4, C8, C12, D1 and F2 at smoke scale. C6, C10, D3 and F1 are open with eight.
_SMOKE_SEEDS = {"C1": 8, "C2": 8, "C5": 8, "C7": 8, "C9": 8, "C11": 5, "D2": 5}

# Laptop's seeds 100 to 107 showed that a network may be dead, and since then the rules of C5, C7 to C10 and F1 say what
# becomes of its seed: smoke's seeds are others.
SCALES = {
    "smoke": Scale(_smoke, {"vgg": 3, "dln": 3, "digits": 3}, _SMOKE, 2 * CONFIRMATORY, _SMOKE_SEEDS),
    "laptop": Scale(_laptop, {"vgg": 8, "dln": 20, "digits": 3}, _LAPTOP, CONFIRMATORY),
    "paper": Scale(_paper, {"vgg": 3, "dln": 20, "digits": 3}, _PAPER, CONFIRMATORY),
}

# The paper's figures, then what the paper says in words alone or not at all.
_EXHIBITS = (
    *(f"figure_{number:02}" for number in range(1, 14)),
    "noise_without_batchnorm",
    "random_directions",
    "matched_loss",
    "beta_plateau",
    "theorem_4_1_in_training",
    "ambiguities",
)

# Each is checked by the module of its name, which is imported when it is checked: listing a paper needs no torch.
_THEOREMS = {
    "fact_c_1": ("The gradient through BatchNorm", "Appendix C, Fact C.1"),
    "theorem_4_1": ("The effect of BatchNorm on the Lipschitzness of the loss", "Section 4.1, Theorem 4.1"),
    "theorem_4_2_part_1": ("The effect of BatchNorm on smoothness: an equality", "Section 4.1, Theorem 4.2"),
    "theorem_4_2_part_2": ("The effect of BatchNorm on smoothness: a bound", "Section 4.1, Theorem 4.2"),
    "observation_4_3": ("BatchNorm can be set so as to change nothing", "Section 4.1, Observation 4.3"),
    "theorem_4_4": ("Minimax bound on weight-space Lipschitzness", "Section 4.1, Theorem 4.4"),
    "theorem_c_1": ("Minimax bound on weight-space smoothness", "Appendix C, Theorem C.1"),
    "lemma_4_5": ("BatchNorm leads to a favourable initialization", "Section 4.1, Lemma 4.5"),
}


def _exhibit(name: str) -> FigureSpec:
    module = import_module(f"{_HERE}.{name}")
    return FigureSpec(module.TITLE, module.arms, module.draw)


def _theorem(name: str, title: str, source: str) -> TheoremSpec:
    return TheoremSpec(title, source, lambda: import_module(f"{_HERE}.{name}").THEOREM)


STUDY = Study(
    name="santurkar2018",
    title=TITLE,
    source=SOURCE,
    scales=SCALES,
    figures={name: _exhibit(name) for name in _EXHIBITS},
    claims=CLAIMS,
    label_fields=("norm", "lr"),
    classes=10,
    theorems={name: _theorem(name, *about) for name, about in _THEOREMS.items()},
)
