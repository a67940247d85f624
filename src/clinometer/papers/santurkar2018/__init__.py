"""S. Santurkar, D. Tsipras, A. Ilyas, A. Madry, How Does Batch Normalization Help Optimization? (NeurIPS 2018).

Each figure is a module here, as is each theorem, and `claims/` holds what the paper says. The scales: `smoke` on
bundled digits and a short deep linear network, `laptop` on CIFAR-10 with narrow networks, `paper` as in print.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinometer.studies.study import Study

TITLE = "How Does Batch Normalization Help Optimization?"
SOURCE = "S. Santurkar, D. Tsipras, A. Ilyas, A. Madry, NeurIPS 2018, arXiv:1805.11604"
READ = "the full text with its appendices (arXiv v3 of 27 October 2018); none of the authors' code"
CITATION = """@inproceedings{santurkar2018,
  title = {How Does Batch Normalization Help Optimization?},
  author = {Santurkar, Shibani and Tsipras, Dimitris and Ilyas, Andrew and Madry, Aleksander},
  booktitle = {Advances in Neural Information Processing Systems 31},
  year = {2018},
  eprint = {1805.11604},
  eprinttype = {arXiv},
}"""


def study() -> "Study":
    """Its study; figures and claims are imported now, so that naming the paper costs nothing."""
    return import_module(f"{__name__}.definition").STUDY
