"""A. K. Subramanian, N. Y. Chong, Mean Spectral Normalization of Deep Neural Networks for Embedded Automation (2019).

Small convolutional networks and the discriminators of small GANs, each without a norm, with BatchNorm, with spectral
normalization and with mean spectral normalization, in two readings: torch's reparametrisation and the projection of the
author's code. `claims/` holds what the abstract says and how it is decided; `gan/` the adversarial training.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinometer.studies.study import Study

TITLE = "Mean Spectral Normalization of Deep Neural Networks for Embedded Automation"
SOURCE = "A. K. Subramanian, N. Y. Chong, IEEE CASE 2019, arXiv:1907.04003"
READ = "the abstract; the author's code, AntixK/mean-spectral-norm; the full text was not found"
CITATION = """@inproceedings{subramanian2019,
  title = {Mean Spectral Normalization of Deep Neural Networks for Embedded Automation},
  author = {Subramanian, A. K. and Chong, N. Y.},
  booktitle = {IEEE International Conference on Automation Science and Engineering},
  year = {2019},
  eprint = {1907.04003},
  eprinttype = {arXiv},
}"""


def study() -> "Study":
    """Its study; figures and claims are imported now, so that naming the paper costs nothing."""
    return import_module(f"{__name__}.definition").STUDY
