"""M. M. Bronstein, J. Bruna, T. Cohen, P. Veličković, Geometric Deep Learning (2021).

A book of principles: what is checked here is what they say about layers (equivariance, stability to deformations, the
over-smoothing of graphs) and what follows for the loss (flat directions, where gradients point, smoothness). Each
network is a sequence of stages in `networks/`, `actions.py` says how symmetries act on what a stage returns, and
`claims/` holds the claims.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinometer.studies.study import Study

TITLE = "Geometric Deep Learning: Grids, Groups, Graphs, Geodesics, and Gauges"
SOURCE = "M. M. Bronstein, J. Bruna, T. Cohen, P. Veličković, 2021, arXiv:2104.13478"
READ = (
    "sections 3.1, 3.3 and 3.5 of the full text (symmetries, deformation stability, the blueprint), not the rest. It "
    "has no experiments and no code: networks, data and the claims about the loss are ours"
)
CITATION = """@misc{bronstein2021,
  title = {Geometric Deep Learning: Grids, Groups, Graphs, Geodesics, and Gauges},
  author = {Bronstein, M. M. and Bruna, J. and Cohen, T. and Veličković, P.},
  year = {2021},
  eprint = {2104.13478},
  eprinttype = {arXiv},
}"""


def study() -> "Study":
    """Its study; figures and claims are imported now, so that naming the paper costs nothing."""
    return import_module(f"{__name__}.definition").STUDY
