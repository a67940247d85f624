"""The headroom of the step that the optimizer took, of the whole network or per block."""

from collections.abc import Iterable, Sequence

from clinometer.measures.headroom import headroom as measure_headroom
from clinometer.measures.layers import Blocks, within
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.probes.base import Probe, Step, make_probe
from clinometer.probes.field import Field
from clinometer.probes.per_block import block_count, check_blocks, fields_per_block, row_per_block
from clinometer.store import Row

FIELDS = {
    "loss": Field(
        unit="multiples of the step",
        meaning="how many times as long the step could be before the loss rises; below 1, this step raises it",
        headline=True,
        label="headroom",
        worst="lowest",
        limit=1.0,
    ),
    "angle": Field(
        unit="multiples of the step",
        meaning="how many times as long the step could be before the gradient turns by more than 90°",
        headline=True,
        label="headroom of the angle",
        worst="lowest",
        limit=1.0,
    ),
    "evaluations": Field(
        unit="forward-backward passes", meaning="the passes that the search took", drawing="none", kind="integer"
    ),
}


def headroom(
    *, precision: float = 0.1, blocks: Blocks | None = None, batches: Iterable[Batch] | Batches | None = None
) -> Probe:
    """How many times as long the optimizer's step could have been before the loss rises, or the gradient turns away.

    Fields: `loss`, `angle`: the largest multiples of the update at which the loss still lies below its start, and at
    which the gradient still points within 90° of the gradient at the start; `evaluations` spent. Below 1 the step was
    too long. Cost: 6 to 26 forward-backward passes, in half of the cases under 11.

    With `blocks`, each block takes its part of the update alone: fields have shape (blocks,), `block` and
    `update_ratio` are as for `landscape`, and rows are named `headroom_blocks`. That costs as much for each block.

    Args:
        precision: The relative precision of both.
        blocks: As for `landscape`.
        batches: Measure the mean loss of these instead of the step's own batch: a list, a loader, or `Batches`. Rows
            are named `headroom_batches`; each pass becomes one a batch.

    Raises:
        ValueError: if `precision` does not lie in (0, 1); and, from the recorder, if there is no such block.
    """
    if not 0 < precision < 1:
        raise ValueError(f"`precision` must lie in (0, 1); found {precision}. Pass e.g. 0.1.")
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        on = step.on(measured_on)
        update = step.update

        def measured(names: Sequence[str] | None) -> Row:
            part = update if names is None else within(update, names)
            found = measure_headroom(on.objective, on.before, part, precision=precision, only=names, start=on.start)
            return vars(found)

        return measured(None) if blocks is None else row_per_block(step, blocks, measured)

    name, fields = ("headroom", FIELDS) if blocks is None else ("headroom_blocks", fields_per_block(FIELDS))
    cost = 11.0 * block_count(blocks)
    return make_probe(name, probe, fields, cost, lambda model: check_blocks(blocks, model), batches=measured_on)
