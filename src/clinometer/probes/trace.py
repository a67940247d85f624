"""The trace of the Hessian at a step, of the whole network or per block."""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from clinometer.measures.hessian_block import refuse_shards
from clinometer.measures.layers import Blocks, blocks_of
from clinometer.measures.trace import Estimate, Method, check_arguments
from clinometer.measures.trace import trace as measure_trace
from clinometer.measures.trace_by_block import trace_by_block
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.probes.per_block import block_count, check_blocks, fields_per_block, row_per_block
from clinometer.probes.seeds import seed_of_run
from clinometer.store import Row

_CURVATURE = "loss / parameter²"

FIELDS = {
    "value": Field(
        unit=_CURVATURE,
        meaning="the trace of the Hessian, the sum of its eigenvalues; NaN where the loss has no second derivative",
        headline=True,
        label="trace",
        worst="highest",
    ),
    "low": Field(unit=_CURVATURE, meaning="the trace less its standard error", drawing="lower", label="trace"),
    "high": Field(unit=_CURVATURE, meaning="the trace and its standard error", drawing="upper", label="trace"),
    "error": Field(unit=_CURVATURE, meaning="the standard error of the trace; 0 where it is exact", drawing="none"),
    "mean": Field(
        unit=_CURVATURE, meaning="the mean eigenvalue, trace / number of parameters", drawing="none", label="mean λ"
    ),
    "products": Field(meaning="the Hessian-vector products spent", drawing="none", kind="integer"),
}


@probe_factory
def trace(
    *,
    products: int = 16,
    method: Method | None = None,
    blocks: Blocks | None = None,
    batches: Iterable[Batch] | Batches | None = None,
) -> Probe:
    """The sum of the Hessian's eigenvalues, estimated with its standard error.

    Fields: `value`, the trace; `error`, its standard error; `low` and `high`, the value less and plus that; `mean`, the
    mean eigenvalue; `products` spent. The random vectors are the same at every step of a run, so that changes over
    training are seen more precisely than the error says. Memory: about 15 copies of the parameters. Cost: 16
    Hessian-vector products, about 29 forward-backward passes.

    With `blocks`, each block's part of the Hessian is estimated: fields have shape (blocks,), `block` and
    `update_ratio` are as for `landscape`, and rows are named `trace_blocks`. All blocks share the products, which cost
    as much as for the whole; with a `method`, each has products of its own, and is known better.

    Args:
        products: How many Hessian-vector products to spend, at least 6. Where there are no more parameters than that,
            the trace is exact.
        method: `xtrace`, `hutch++` or `hutchinson`; see `clinometer.measures.trace`. By default `xtrace`, and for
            blocks `hutch++` on shared products.
        blocks: As for `landscape`.
        batches: Measure the mean loss of these instead of the step's own batch: a list, a loader, or `Batches`. Rows
            are named `trace_batches`; each pass becomes one a batch.

    Raises:
        ValueError: for fewer than 6 products or an unknown method; and, from the recorder, if there is no such block,
            or with `fully_shard`.
    Source: Epperly, Tropp and Webber (2024), arXiv:2301.07825.
    """
    check_arguments(products, method or "xtrace")
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        on = step.on(measured_on)
        options: Any = {"products": products, "seed": seed_of_run(step)}

        def measured(names: Sequence[str] | None) -> Row:
            return _row(measure_trace(on.objective, on.before, method=method or "xtrace", only=names, **options))

        if blocks is None:
            return measured(None)
        if method:
            return row_per_block(step, blocks, measured)
        chosen = blocks_of(step.objective.model, blocks, step.before)
        found = trace_by_block(on.objective, on.before, chosen, **options)
        of_names = {tuple(names): found[block] for block, names in chosen.items()}
        return row_per_block(step, blocks, lambda names: _row(of_names[tuple(names)]))

    def check(model: nn.Module) -> None:
        refuse_shards(model.parameters())
        check_blocks(blocks, model)

    name, fields = ("trace", FIELDS) if blocks is None else ("trace_blocks", fields_per_block(FIELDS))
    cost = (1.5 + 1.7 * products) * (block_count(blocks) if method else 1)
    return make_probe(name, probe, fields, cost, check, batches=measured_on)


def _row(found: Estimate) -> Row:
    return {
        "value": found.value,
        "low": found.value - found.error,
        "high": found.value + found.error,
        "error": found.error,
        "mean": found.value / found.n,
        "products": found.products,
    }
