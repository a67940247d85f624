"""Norms of each block's gradient, update and weights: what a step leaves behind, for every step of a run."""

from torch import nn

from clinometer.measures.layers import Blocks
from clinometer.measures.step_norms import step_norms as measure_step_norms
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.probes.per_block import BLOCK_FIELDS, KnownBlocks, check_blocks, shown
from clinometer.store import Row

_GRADIENT = "the norm of the gradient that the optimizer used, clipped and accumulated as it was; NaN where unknown"

FIELDS = {
    "block": BLOCK_FIELDS["block"],
    "gradient_norm": Field(("block",), unit="loss / parameter", meaning=f"{_GRADIENT}; of each block"),
    "update_norm": Field(("block",), unit="parameter", meaning="how far the step moved each block"),
    "weight_norm": Field(("block",), unit="parameter", meaning="the norm of each block's weights before the step"),
    "update_ratio": Field(("block",), meaning="update_norm / weight_norm", headline=True, worst="highest"),
    "loss": Field(
        unit="loss", meaning="the loss that the loop itself called .backward() on; NaN where unknown", label="loss"
    ),
    "total_gradient_norm": Field(unit="loss / parameter", meaning=_GRADIENT),
    "total_update_norm": Field(unit="parameter", meaning="how far the step moved all parameters"),
    "total_weight_norm": Field(unit="parameter", meaning="the norm of all parameters before the step"),
}


@probe_factory
def step_norms(blocks: Blocks = "layers") -> Probe:
    """Norms of the gradient, the update and the weights, of each block and of all: without any pass.

    Fields: `block` (blocks,) names; `gradient_norm`, `update_norm`, `weight_norm` and `update_ratio` (blocks,);
    `loss`, `total_gradient_norm`, `total_update_norm` and `total_weight_norm`. Cost: no evaluation of the loss.

    Args:
        blocks: As for `landscape`: `layers`, patterns of parameter names, or a mapping to patterns. The totals are of
            all parameters that are trained, in a block or not.

    Raises:
        ValueError: when the recorder is made, if a pattern matches no trainable parameter.
    """
    known = KnownBlocks(blocks)

    def check(model: nn.Module) -> None:
        check_blocks(blocks, model)

    def probe(step: Step) -> Row:
        chosen = known.of(step)
        used = {} if step.used is None else step.used.lengths
        found = measure_step_norms(step.before, step.after, used, chosen)
        return {
            "block": shown(chosen),
            "gradient_norm": found.gradient,
            "update_norm": found.update,
            "weight_norm": found.weight,
            "update_ratio": found.update_ratio,
            "loss": step.trained,
            "total_gradient_norm": found.total_gradient,
            "total_update_norm": found.total_update,
            "total_weight_norm": found.total_weight,
        }

    return make_probe("step_norms", probe, FIELDS, 0.0, check, evaluates=False)
