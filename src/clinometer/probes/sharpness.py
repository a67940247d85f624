"""The largest eigenvalues of the Hessian at a step, beside the curvature above which the optimizer is unstable."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.measures.eigenpairs import Eigenpairs, Which, check_arguments, top_eigenpairs
from clinometer.measures.hessian_block import refuse_shards
from clinometer.measures.layers import Blocks, within
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.objective.params import flattened, unflattened
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.probes.per_block import block_count, check_blocks, fields_per_block, row_per_block
from clinometer.probes.stability import Stability, stability_of
from clinometer.store import Row

_CURVATURE = "loss / parameter²"
FIELDS = {
    "value": Field(
        unit=_CURVATURE,
        meaning="sharpness: the largest eigenvalue λ of the Hessian, or of P⁻¹H where the optimizer divides by P",
        headline=True,
        label="λ",
        worst="highest",
    ),
    "threshold": Field(
        unit=_CURVATURE,
        meaning="the λ above which this optimizer is unstable on a quadratic; NaN where that is not known",
        label="threshold",
    ),
    "ratio": Field(
        meaning="λ over that threshold; full-batch training hovers near 1",
        headline=True,
        label="λ/threshold",
        worst="highest",
        limit=1.0,
        otherwise="value",
    ),
    "values": Field(("rank",), _CURVATURE, "the eigenvalues, as they were asked for", drawing="none"),
    "residuals": Field(
        ("rank",), _CURVATURE, "‖Hy − λy‖: some eigenvalue lies as near as this to each value", drawing="none"
    ),
    "converged": Field(
        ("rank",), meaning="1 where the residual is small enough, else 0", drawing="none", kind="integer"
    ),
    "products": Field(meaning="Hessian-vector products of the search", drawing="none", kind="integer"),
}


@probe_factory
def sharpness(
    k: int = 1,
    *,
    which: Which = "largest",
    tolerance: float = 1e-3,
    preconditioned: bool = True,
    max_products: int | None = None,
    basis: int | None = None,
    basis_device: str | None = None,
    blocks: Blocks | None = None,
    batches: Iterable[Batch] | Batches | None = None,
) -> Probe:
    """The largest eigenvalue of the Hessian at each step, beside the curvature above which the optimizer is unstable.

    Fields: `value`, the largest eigenvalue λ; `threshold`, 2/lr for gradient descent and others for others (see
    `stability_of`); `ratio` = λ / threshold, NaN where the threshold is not known, as without an optimizer; `values`,
    `residuals` and `converged` (k,), and the `products` spent, as in `Eigenpairs`. For Adam and its kin the eigenvalues
    are those of P⁻¹H, with the diagonal P that the step divided by. Where an optimizer maximizes, they are the
    smallest, and `ratio` is −λ / threshold. BatchNorm's Hessian is that of the mode in which the step was taken.

    A search begins with the k eigenvectors of the last measured step, which are kept. Memory: beside them about a copy
    of the parameters for each product, and the graph of a gradient. Cost: about 10 forward-backward passes, for 5
    Hessian-vector products; for k = 5 about 22.

    Args:
        k: How many eigenvalues.
        which: `largest`, `smallest`, or those of the largest `magnitude`; only the largest have a `ratio`. Rows of the
            others are named `sharpness_smallest` and `sharpness_magnitude`.
        tolerance: The relative error of each.
        preconditioned: False takes the Hessian itself whatever the optimizer; the threshold of those that divide by a P
            is then NaN. Rows are named `sharpness_plain`.
        max_products: As for `top_eigenpairs`, as the next two.
        basis: How many vectors of the parameters' size a search may keep.
        basis_device: Where it keeps them, such as "cpu".
        blocks: As for `landscape`: of each block's own part of the Hessian. Fields get a leading axis (blocks,), and
            rows are named `sharpness_blocks`. That costs as much for each block.
        batches: Measure the mean loss of these instead of the step's own batch: a list, a loader, or `Batches`. Rows
            are named `sharpness_batches`; each pass becomes one a batch.

    Raises:
        ValueError: if an argument is not as described; and, from the recorder, if k is larger than the number of
            parameters, if there is no such block, or with `fully_shard`.
    Source: Cohen et al. (2021), arXiv:2103.00065, and (2022), arXiv:2207.14484.
    """
    check_arguments(k, which, tolerance, max_products, basis)
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        on = step.on(measured_on)
        stability = stability_of(step)
        metric = stability.preconditioner if preconditioned else None
        comparable = which == "largest" and (preconditioned or stability.preconditioner is None)
        end = "smallest" if stability.maximizes and which == "largest" else which

        def measured(names: Sequence[str] | None) -> Row:
            chosen = tuple(on.before) if names is None else tuple(names)
            like = within(on.before, chosen)
            remembered = "vectors" if names is None else f"vectors of {', '.join(names)}"
            found = top_eigenpairs(
                on.objective,
                on.before,
                min(k, sum(value.numel() for value in like.values())),
                which=end,
                tolerance=tolerance,
                start=[unflattened(row, like) for row in step.memory.pop(remembered, ())],
                preconditioner=metric,
                only=chosen,
                max_products=max_products,
                basis=basis,
                basis_device=basis_device,
            )
            if found.vectors:
                step.memory[remembered] = torch.stack([flattened(vector) for vector in found.vectors])
            return _row(found, k, stability if comparable else Stability())

        return measured(None) if blocks is None else row_per_block(step, blocks, measured)

    def check(model: nn.Module) -> None:
        refuse_shards(model.parameters())
        check_blocks(blocks, model)
        size = sum(p.numel() for p in model.parameters() if p.requires_grad)
        if 0 < size < k:
            raise ValueError(f"sharpness(k={k}) needs as many parameters; the model has {size}. Pass a smaller k.")

    return make_probe(
        _name(which, preconditioned) + ("" if blocks is None else "_blocks"),
        probe,
        FIELDS if blocks is None else fields_per_block(FIELDS),
        (1.5 + 1.7 * (3 + 2 * k)) * block_count(blocks),
        check,
        batches=measured_on,
    )


def _row(found: Eigenpairs, k: int, stability: Stability) -> dict[str, Any]:
    value = float(found.values[0])
    return {
        "value": value,
        "threshold": stability.threshold,
        "ratio": (-value if stability.maximizes else value) / stability.threshold,
        "values": _filled(found.values, k),
        "residuals": _filled(found.residuals, k),
        "converged": _filled(found.converged.long(), k, 0),
        "products": found.products,
    }


def _filled(values: Tensor, k: int, rest: float = torch.nan) -> Tensor:
    """The values of a block that has fewer parameters than k, filled up."""
    return torch.cat([values, values.new_full((k - len(values),), rest)])


def _name(which: str, preconditioned: bool) -> str:
    return "sharpness" + ("" if which == "largest" else f"_{which}") + ("" if preconditioned else "_plain")
