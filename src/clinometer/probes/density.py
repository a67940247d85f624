"""The density of the Hessian's eigenvalues at a step, of the whole network or per block."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from clinometer.measures.hessian_block import refuse_shards
from clinometer.measures.layers import Blocks
from clinometer.measures.spectral_density import check_arguments, decades, eigenvalues_in, spectral_density
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.probes.per_block import block_count, check_blocks, fields_per_block, row_per_block
from clinometer.probes.seeds import seed_of_run
from clinometer.store import Row

_TOP = 5
_BINS = 60
_SIGMA = 0.1  # decades, for all steps, blocks and runs: pictures with another width cannot be compared
_CURVATURE = "loss / parameter²"


@probe_factory
def density(
    *,
    probes: int = 2,
    steps: int = 20,
    linear_within: float = 0.01,
    blocks: Blocks | None = None,
    batches: Iterable[Batch] | Batches | None = None,
) -> Probe:
    """Where all eigenvalues of the Hessian are: how many are large, near zero or negative.

    Fields: `nodes` and `weights` (probes · steps,), eigenvalues and the share that each stands for, NaN where there are
    fewer; `top` and `top_residuals` (5,), the largest, and how near an eigenvalue is to each; `n`, how many eigenvalues
    there are; `largest`, `smallest`; `mean`, the mean eigenvalue, and `mean_error`; `near_zero` and `negative`, the
    shares within `linear_within` of zero and below it; `edges` (61,) and `counts` (60,), a histogram on an axis of
    decades. The random vectors are the same at every step of a run. Memory: about 25 copies of the parameters.
    Cost: 40 Hessian-vector products, about 70 forward-backward passes.

    With `blocks`, each block's part of the Hessian is measured alone: fields get a leading axis (blocks,), `block` and
    `update_ratio` are as for `landscape`, and rows are named `density_blocks`. That costs as much for each block.

    Args:
        probes: How many random vectors. `mean_error` needs two.
        steps: How many nodes each of them gives. Where there are no more parameters than `probes * steps`, the
            nodes are all eigenvalues.
        linear_within: Eigenvalues up to this count as near zero; beyond, the axis of the histogram counts decades.
        blocks: As for `landscape`.
        batches: Measure the mean loss of these instead of the step's own batch: a list, a loader, or `Batches`. Rows
            are named `density_batches`; each pass becomes one a batch.

    Raises:
        ValueError: for fewer than 1 probe or 2 steps, or if `linear_within` is not above 0; and, from the recorder, if
            there is no such block, or with `fully_shard`.
    Source: Ghorbani, Krishnan and Xiao (2019), arXiv:1901.10159.
    """
    check_arguments(probes, steps)
    if not linear_within > 0:
        raise ValueError(f"`linear_within` must be above 0; found {linear_within}. Pass e.g. 0.01.")

    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        on = step.on(measured_on)
        seed = seed_of_run(step)

        def measured(names: Sequence[str] | None) -> Row:
            found = spectral_density(on.objective, on.before, probes=probes, steps=steps, only=names, seed=seed)
            top, residuals = found.top(_TOP)
            mean = found.moment(1)
            edges = _edges(decades(found.nodes, linear_within))
            inside = eigenvalues_in(found, edges, _SIGMA, linear_within)
            return {
                "nodes": _filled(found.nodes, probes * steps),
                "weights": _filled(found.weights / len(found.weights), probes * steps),
                "top": top,
                "top_residuals": residuals,
                "n": found.n,
                "largest": float(found.nodes.max()),
                "smallest": float(found.nodes.min()),
                "mean": mean.value,
                "mean_error": mean.error,
                "near_zero": found.share(-linear_within, linear_within),
                "negative": found.share(-torch.inf, -linear_within),
                "edges": edges,
                "counts": (1 + inside).log10(),
                "products": found.products,
            }

        return measured(None) if blocks is None else row_per_block(step, blocks, measured)

    def check(model: nn.Module) -> None:
        refuse_shards(model.parameters())
        check_blocks(blocks, model)

    fields = _fields(linear_within)
    cost = (1.5 + 1.7 * probes * steps) * block_count(blocks)
    return make_probe(
        "density" if blocks is None else "density_blocks",
        probe,
        fields if blocks is None else fields_per_block(fields),
        cost,
        check,
        batches=measured_on,
    )


def _fields(linear_within: float) -> dict[str, Field]:
    """The declarations; what is near zero depends on the probe."""
    axis = f"decades of |λ| above {linear_within:g}"
    return {
        "nodes": Field(("node",), _CURVATURE, "eigenvalues that stand for others around them", drawing="none"),
        "weights": Field(("node",), "", "the share of all eigenvalues that each node stands for", drawing="none"),
        "top": Field(("rank",), _CURVATURE, "the largest nodes", drawing="none"),
        "top_residuals": Field(
            ("rank",), _CURVATURE, "some eigenvalue lies as near as this to each of the largest nodes", drawing="none"
        ),
        "n": Field(meaning="how many eigenvalues there are", drawing="none", kind="integer"),
        "largest": Field(unit=_CURVATURE, meaning="the largest node", worst="highest", label="largest λ"),
        "smallest": Field(unit=_CURVATURE, meaning="the smallest node", label="smallest λ"),
        "mean": Field(unit=_CURVATURE, meaning="the mean eigenvalue", drawing="none"),
        "mean_error": Field(
            unit=_CURVATURE, meaning="the standard error of the mean eigenvalue; NaN for one vector", drawing="none"
        ),
        "near_zero": Field(
            unit="share", meaning=f"the share of eigenvalues of at most {linear_within:g}, by size", label="near zero"
        ),
        "negative": Field(
            unit="share",
            meaning=f"the share of eigenvalues below −{linear_within:g}",
            headline=True,
            label="negative λ",
        ),
        "edges": Field(("edge",), axis, "the edges of the histogram's bins, with the sign of λ", drawing="none"),
        "counts": Field(
            ("bin",), axis, "log₁₀(1 + the number of eigenvalues in each bin)", drawing="ridges", along="edges"
        ),
        "products": Field(meaning="the Hessian-vector products spent", drawing="none", kind="integer"),
    }


def _edges(nodes: Tensor) -> Tensor:
    """Bins over the nodes and what their Gaussians reach, on the axis of decades."""
    return torch.linspace(float(nodes.min()) - 3 * _SIGMA, float(nodes.max()) + 3 * _SIGMA, _BINS + 1).double()


def _filled(values: Tensor, length: int) -> Tensor:
    return pad(values.flatten(), (0, length - values.numel()), value=torch.nan)
