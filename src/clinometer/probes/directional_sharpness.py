"""The curvature that the optimizer's real update met, of the whole network and within and across its blocks."""

from collections.abc import Iterable

import torch

from clinometer.measures.directional_sharpness import directional_sharpness as measure
from clinometer.measures.directional_sharpness import quadratic_headroom
from clinometer.measures.layers import Blocks, blocks_of
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.objective.params import sub
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.probes.per_block import block_count, check_blocks
from clinometer.store import Row

FIELDS = {
    "value": Field(
        unit="loss / parameter²",
        meaning="directional sharpness: the curvature along the optimizer's update, dᵀHd / ‖d‖²",
        headline=True,
        label="directional sharpness",
        worst="highest",
    ),
    "gain": Field(
        unit="loss",
        meaning="how far the update would lower the loss without curvature, −⟨g, d⟩; below 0 it goes uphill",
    ),
    "penalty": Field(unit="loss", meaning="what curvature takes from the gain, ½ dᵀHd"),
    "change": Field(
        unit="loss",
        meaning="penalty − gain: by how much the update changes the second-order model of the loss",
        label="predicted change",
    ),
    "quadratic_headroom": Field(
        unit="multiples of the step",
        meaning="how many times as long the update could be before the second-order model rises; 0 if it goes uphill",
        headline=True,
        label="quadratic headroom",
        worst="lowest",
        limit=1.0,
    ),
}
BLOCK_FIELDS = {
    "block": Field(("block",), meaning="the names of the blocks", kind="text", drawing="none"),
    "within": Field(
        ("block",),
        unit="loss / parameter²",
        meaning="the part of the directional sharpness within each block, d_bᵀ H_bb d_b / ‖d‖²",
        headline=True,
        worst="highest",
    ),
    "cross": Field(
        unit="loss / parameter²", meaning="the part of the directional sharpness between blocks", headline=True
    ),
    "block_gain": Field(("block",), unit="loss", meaning="each block's part of the gain, −⟨g_b, d_b⟩"),
    "block_headroom": Field(
        ("block",),
        unit="multiples of the step",
        meaning="the quadratic headroom of each block's part of the update, taken alone",
        headline=True,
        label="quadratic headroom",
        worst="lowest",
        limit=1.0,
    ),
}


@probe_factory
def directional_sharpness(*, blocks: Blocks | None = None, batches: Iterable[Batch] | Batches | None = None) -> Probe:
    """The curvature along the update that the optimizer really made, and what the step gains and pays for it.

    Fields: `value` = dᵀHd / ‖d‖², with d the real update, momentum, preconditioner, decay and clipping included; `gain`
    = −⟨g, d⟩, `penalty` = ½ dᵀHd and `change` = penalty − gain, by which the second-order model of the loss changes;
    `quadratic_headroom` = 2⟨−g, d⟩ / dᵀHd. All are NaN for a step that stays where it is. Cost: about 2.7
    forward-backward passes.

    With `blocks`, `within` (blocks,) is each block's own part of `value`, and `cross` what is left of it; `block_gain`
    and `block_headroom` (blocks,) are those of each block's part of the update alone; `block` holds the names. Rows are
    named `directional_sharpness_blocks`. That costs 1.7 forward-backward passes more for each block.

    Args:
        blocks: As for `landscape`.
        batches: Take gradient and curvature of the mean loss of these, such as held-out ones, instead of the step's own
            batch, whose gradient the update was made from. Rows are named `directional_sharpness_batches`.

    Raises:
        ValueError: from the recorder, if there is no such block.
    Source: Pan & Li (2023), arXiv:2306.00204.
    """
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        update = sub(step.after, step.before)
        chosen = {} if blocks is None else blocks_of(step.objective.model, blocks, step.before)
        found = measure(step.on(measured_on).objective, step.before, update, chosen)
        row: Row = {name: getattr(found, name) for name in FIELDS}
        if blocks is None:
            return row
        pairs = zip(found.gains.tolist(), found.penalties.tolist(), strict=True)
        return row | {
            "block": [block.replace("_orig_mod.", "") for block in chosen],  # the prefix that torch.compile adds
            "within": found.within,
            "cross": found.cross,
            "block_gain": found.gains,
            "block_headroom": torch.tensor([quadratic_headroom(gain, penalty) for gain, penalty in pairs]),
        }

    name, fields = "directional_sharpness", FIELDS
    if blocks is not None:
        name, fields = f"{name}_blocks", {"block": BLOCK_FIELDS["block"]} | FIELDS | BLOCK_FIELDS
    cost = 2.7 if blocks is None else 2.7 + 1.7 * block_count(blocks)
    return make_probe(name, probe, fields, cost, lambda model: check_blocks(blocks, model), batches=measured_on)
