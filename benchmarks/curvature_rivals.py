"""How PyHessian, hessian-eigenthings, curvlinops and loss-landscapes do what `curvature.py` times. Needs all four.

Each function is given a model, its loss and one batch, and leaves neither of them as they were: pass copies. PyHessian
and curvlinops differentiate a criterion of outputs and targets, so losses are made of those.
"""

import contextlib
import io
import sys
import warnings
from collections.abc import Callable
from typing import Any

import hessian_eigenthings
import loss_landscapes
import numpy as np
import pyhessian
import torch
from loss_landscapes.metrics import Metric
from pyhessian.utils import hessian_vector_product
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # they script functions as they are imported
    import curvlinops
    import torch._decomp.decompositions_for_jvp

Batch = tuple[Tensor, Tensor]
Criterion = Callable[[Tensor, Tensor], Tensor]
Values = tuple[list[float], int]  # eigenvalues from the largest, and the products they took


def pyhessian_product(model: nn.Module, criterion: Criterion, batch: Batch) -> Callable[[], Any]:
    """A Hessian-vector product through the graph that it keeps. It puts the model into evaluation mode."""
    curvature = _pyhessian(model, criterion, batch)
    vector = [torch.randn_like(p) for p in curvature.params]
    return lambda: hessian_vector_product(curvature.gradsH, curvature.params, vector)


def pyhessian_values(model: nn.Module, criterion: Criterion, batch: Batch, k: int, tol: float) -> Values:
    """By power iteration with deflation; it stops where two values in a row agree."""
    counted = _Counted(hessian_vector_product)
    with (
        counted.instead_of(sys.modules["pyhessian.hessian"], "hessian_vector_product"),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        values, _ = _pyhessian(model, criterion, batch).eigenvalues(tol=tol, top_n=k)
    return values, counted.calls


def pyhessian_trace(model: nn.Module, criterion: Criterion, batch: Batch, products: int) -> float:
    """Hutchinson's estimate by Rademacher vectors."""
    return float(np.mean(_pyhessian(model, criterion, batch).trace(products, tol=0.0)))


def eigenthings(model: nn.Module, criterion: Criterion, batch: Batch) -> Any:
    """The Hessian as hessian-eigenthings' operator."""
    return hessian_eigenthings.HessianOperator(model, [batch], hessian_eigenthings.supervised_loss(criterion))


def eigenthings_product(model: nn.Module, criterion: Criterion, batch: Batch) -> Callable[[], Any]:
    """A Hessian-vector product, with the gradient's graph built anew."""
    operator = eigenthings(model, criterion, batch)
    vector = torch.randn(operator.size)
    return lambda: operator.matvec(vector)


def eigenthings_values(model: nn.Module, criterion: Criterion, batch: Batch, k: int, steps: int | None) -> Values:
    """By Lanczos; None takes as many steps as it does by default."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that have not converged
        found = hessian_eigenthings.lanczos(
            eigenthings(model, criterion, batch), k=k, max_iter=steps, which="LA", seed=0
        )
    return sorted(found.eigenvalues.tolist(), reverse=True), found.iterations


def curvlinops_product(model: nn.Module, criterion: Criterion, batch: Batch) -> Callable[[], Any]:
    """A Hessian-vector product, with the gradient's graph built anew. Refuses BatchNorm in train mode."""
    operator = _operator(model, criterion, batch)
    vector = torch.randn(operator.shape[1])
    return lambda: operator @ vector


def curvlinops_values(model: nn.Module, criterion: Criterion, batch: Batch, k: int, tol: float) -> Values:
    """By scipy's eigsh, as curvlinops' documentation does it."""
    operator = _operator(model, criterion, batch).to_scipy()
    counted = _Counted(operator.matvec)
    operator.matvec = counted
    values = eigsh(operator, k=k, which="LA", tol=tol, ncv=max(2 * k + 1, 8), return_eigenvectors=False)
    return sorted(values.tolist(), reverse=True), counted.calls


def loss_landscapes_plane(model: nn.Module, criterion: Criterion, batch: Batch, side: int) -> np.ndarray[Any, Any]:
    """Losses on a plane of side × side points, on a copy of the model."""

    class LossOf(Metric):
        def __call__(self, wrapped: Any) -> float:
            return float(criterion(wrapped.forward(batch[0]), batch[1]).detach())

    return loss_landscapes.random_plane(model, LossOf(), 1.0, side, normalization="filter", deepcopy_model=True)


def _pyhessian(model: nn.Module, criterion: Criterion, batch: Batch) -> Any:
    model.zero_grad()  # it adds to .grad, which refers to its graph
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of that
        return pyhessian.hessian(model, criterion, data=batch, cuda=False)


def _operator(model: nn.Module, criterion: Criterion, batch: Batch) -> Any:
    params = [p for p in model.parameters() if p.requires_grad]
    return curvlinops.HessianLinearOperator(model, criterion, params, [batch], check_deterministic=False)


class _Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.calls += 1
        return self.function(*given, **named)

    @contextlib.contextmanager
    def instead_of(self, owner: Any, name: str) -> Any:
        before = getattr(owner, name)
        setattr(owner, name, self)
        try:
            yield
        finally:
            setattr(owner, name, before)
