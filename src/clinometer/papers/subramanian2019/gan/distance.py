"""How far generated images are from real ones: the Fréchet distance, less what small samples add, and MMD²."""

import torch
from torch import Tensor

from clinometer.papers.subramanian2019.gan.data import digits, others

COMPONENTS = 16  # principal components of the real images in which the Fréchet distance is taken


class Real:
    """Real images, and the principal components in which generated ones are compared with them.

    Args:
        images: (n, ...) of any size.
        components: How many, those of largest variance.
    """

    def __init__(self, images: Tensor, components: int = COMPONENTS) -> None:
        self.pixels = images.double().flatten(1)
        self._centre = self.pixels.mean(0)
        around = self.pixels - self._centre
        self._axes = torch.linalg.eigh(around.T @ around).eigenvectors[:, -components:]  # values rise
        self.own = self.features(images)  # (n, components)

    def features(self, images: Tensor) -> Tensor:
        """Images in the principal components, (n, components)."""
        return (images.double().flatten(1) - self._centre) @ self._axes


def frechet(x: Tensor, y: Tensor) -> float:
    """‖m_x − m_y‖² + tr(C_x + C_y − 2 (C_x C_y)^½): the squared 2-Wasserstein distance of two Gaussians.

    Args:
        x: Samples, (n, d); their mean and biased covariance count.
        y: Samples, (m, d).
    Source: Dowson and Landau (1982); Heusel et al. (2017), arXiv:1706.08500, in features of Inception, which 8×8 digits
        do not have.

    Example:
        >>> x = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
        >>> frechet(x, 2 * x + 3)  # (3 − 0)² + (2 − 1)²
        10.0
    """
    (mean_x, cov_x), (mean_y, cov_y) = (_moments(each) for each in (x, y))
    root = _root(cov_x)
    between = torch.linalg.eigvalsh(root @ cov_y @ root).clamp_min(0).sqrt().sum()
    distance = (mean_x - mean_y).square().sum() + cov_x.trace() + cov_y.trace() - 2 * between
    return round(float(distance), 12)


def unbiased_frechet(generated: Tensor, real: Tensor) -> float:
    """The Fréchet distance as it would be of infinitely many generated samples, to first order.

    The distance of n samples is too large by c/n to first order. Twice that of n, less the mean of that of the halves,
    has no such term. The real samples are taken for all that there is. It may be a little below 0.

    Args:
        generated: Features, (n, d); an odd one is left out.
        real: Features, (m, d).
    Source: Chong and Forsyth (2020), arXiv:1911.07023, who extrapolate from more numbers of samples.
    """
    half = len(generated) // 2
    halves = [frechet(generated[:half], real), frechet(generated[half : 2 * half], real)]
    return 2 * frechet(generated[: 2 * half], real) - sum(halves) / 2


def of_real_digits() -> float:
    """The Fréchet distance of the 297 test digits to the training digits: what real images have."""
    real = Real(digits()[0])
    return unbiased_frechet(real.features(others()), real.own)


def squared_mmd(x: Tensor, y: Tensor) -> float:
    """The unbiased squared maximum mean discrepancy with kernel (⟨a, b⟩/d + 1)³; 0 on average where both are alike.

    Args:
        x: Samples, (n, d).
        y: Samples, (m, d).
    Source: Gretton et al. (2012), Lemma 6; the kernel of Bińkowski et al. (2018), arXiv:1801.01401.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a: Tensor) -> Tensor:
        found = kernel(a, a)
        return (found.sum() - found.trace()) / (len(a) * (len(a) - 1))

    return float(within(x) + within(y) - 2 * kernel(x, y).mean())


def _moments(samples: Tensor) -> tuple[Tensor, Tensor]:
    mean = samples.mean(0)
    return mean, (samples - mean).T @ (samples - mean) / len(samples)


def _root(matrix: Tensor) -> Tensor:
    """The square root of a positive semidefinite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
