"""S. Santurkar, D. Tsipras, A. Ilyas, A. Madry, How Does Batch Normalization Help Optimization? (NeurIPS 2018).

Each figure and each theorem is a module here, and `claims.py` holds what the paper says. The scales: `smoke` on
bundled digits, `laptop` on CIFAR-10 with narrow networks, `paper` as the authors ran it.
"""

from clinometer.papers.santurkar2018 import (
    fact_c_1,
    figure_01,
    figure_02,
    figure_03,
    figure_04,
    lemma_4_5,
    observation_4_3,
    theorem_4_1,
    theorem_4_2_part_1,
    theorem_4_2_part_2,
    theorem_4_4,
    theorem_c_1,
)
from clinometer.papers.santurkar2018.claims import CLAIMS
from clinometer.study.config import Config
from clinometer.study.study import Exhibit, Scale, Study

SCALES = {
    "smoke": Scale(
        Config(data="digits", model="vgg_digits", width=0.5, steps=150, measure_every=10, test_every=10),
        seeds=3,
        about="8×8 digits, 5 convolutions at half width, 150 steps; about a minute on two cores",
    ),
    "laptop": Scale(
        Config(data="cifar10", model="vgg16", width=1 / 8, steps=2_000, measure_every=40, test_every=100),
        seeds=3,
        about="CIFAR-10 (JPEG), VGG-16 at 1/8 width, 2,000 steps; hours on two cores",
    ),
    "paper": Scale(
        Config(data="cifar10", model="vgg16", width=1.0, steps=15_000, measure_every=100, test_every=250),
        seeds=3,
        about="CIFAR-10 (JPEG), VGG-16 at full width, 15,000 steps; for a GPU",
    ),
}

STUDY = Study(
    name="santurkar2018",
    title="How Does Batch Normalization Help Optimization?",
    source="S. Santurkar, D. Tsipras, A. Ilyas, A. Madry, NeurIPS 2018, arXiv:1805.11604",
    scales=SCALES,
    exhibits={
        module.__name__.rsplit(".", 1)[1]: Exhibit(module.TITLE, module.arms, module.draw)
        for module in (figure_01, figure_02, figure_03, figure_04)
    },
    claims=CLAIMS,
    theorems={
        module.__name__.rsplit(".", 1)[1]: module.THEOREM
        for module in (
            fact_c_1,
            theorem_4_1,
            theorem_4_2_part_1,
            theorem_4_2_part_2,
            observation_4_3,
            theorem_4_4,
            theorem_c_1,
            lemma_4_5,
        )
    },
)
