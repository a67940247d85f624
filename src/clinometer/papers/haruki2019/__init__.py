"""K. Haruki et al., Gradient Noise Convolution (2019): smoothing the loss by the noise of data-parallel SGD.

`NoiseConvolution` in `clinometer.nn.noise_convolution` is the optimizer. Here large batches are trained with it,
plainly and with isotropic noise, each at its own rate, and the noise is held against the Hessian.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinometer.studies.study import Study

TITLE = "Gradient Noise Convolution (GNC): Smoothing Loss Function for Distributed Large-Batch SGD"
SOURCE = "K. Haruki, T. Suzuki, Y. Hamakawa, T. Toda, R. Sakai, M. Ozawa, M. Kimura, 2019, arXiv:1906.10822"
READ = "the abstract; full text and code were not found, so scale, lag and whose noise a worker gets are our reading"
CITATION = """@misc{haruki2019,
  title = {Gradient Noise Convolution (GNC): Smoothing Loss Function for Distributed Large-Batch SGD},
  author = {Haruki, K. and Suzuki, T. and Hamakawa, Y. and Toda, T. and Sakai, R. and Ozawa, M. and Kimura, M.},
  year = {2019},
  eprint = {1906.10822},
  eprinttype = {arXiv},
}"""


def study() -> "Study":
    """Its study; what it trains is imported now, so that naming it costs nothing."""
    return import_module(f"{__name__}.definition").STUDY
