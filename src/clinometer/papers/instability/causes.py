"""The causes: mistakes of real training runs, each as what it changes of a training from a step on.

A cause of set A may be tuned on; one of set B is held out: no rule has seen a run of it. Both sets have mistakes in the
rate or the optimizer, in the data, and in a single layer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from clinometer.papers.instability import data_mistakes, layer_mistakes, rate_mistakes
from clinometer.papers.instability.tampering import Tampering
from clinometer.training.parts import Training


def healthy(_training: Training, _strength: float, _seed: int) -> Tampering:
    """No mistake."""
    return Tampering()


@dataclass(frozen=True)
class Cause:
    """A mistake, and the set that it belongs to."""

    tampering: Callable[[Training, float, int], Tampering]  # (training, strength, seed) -> what it changes
    set: Literal["A", "B", ""]  # A: may be tuned on; B: held out


NONE = "none"
CAUSES: Mapping[str, Cause] = {
    NONE: Cause(healthy, ""),
    "learning_rate": Cause(rate_mistakes.learning_rate, "A"),
    "adam_constants": Cause(rate_mistakes.adam_constants, "A"),
    "half_precision": Cause(rate_mistakes.half_precision, "A"),
    "corrupted_batches": Cause(data_mistakes.corrupted_batches, "A"),
    "scaled_head": Cause(layer_mistakes.scaled_head, "A"),
    "attention_logits": Cause(layer_mistakes.attention_logits, "A"),
    "short_warm_up": Cause(rate_mistakes.short_warm_up, "B"),
    "undivided_accumulation": Cause(rate_mistakes.undivided_accumulation, "B"),
    "flipped_labels": Cause(data_mistakes.flipped_labels, "B"),
    "scaled_input": Cause(data_mistakes.scaled_input, "B"),
    "late_unfreezing": Cause(layer_mistakes.late_unfreezing, "B"),
    "scale_invariant_decay": Cause(layer_mistakes.scale_invariant_decay, "B"),
}
