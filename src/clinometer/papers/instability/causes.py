"""The causes: mistakes of real training runs, each as what it changes of a training from a step on.

A cause of set A may be tuned on; one of set B is held out: no rule has seen a run of it. Both sets have mistakes in the
rate or the optimizer, in the data, and in a single layer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from clinometer.papers.instability.tampering import Tampering
    from clinometer.training.parts import Training

_HERE = "clinometer.papers.instability"
NONE = "none"


@dataclass(frozen=True)
class Cause:
    """A mistake, and the set that it belongs to."""

    name: str
    module: str  # with a function of that name; it is imported when a run is made: listing the corpus needs no torch
    set: Literal["A", "B", ""]  # A: may be tuned on; B: held out

    @property
    def tampering(self) -> "Callable[[Training, float, int], Tampering]":
        """The function of (training, strength, seed) that says what the mistake changes."""
        return getattr(import_module(f"{_HERE}.{self.module}"), self.name)


CAUSES: Mapping[str, Cause] = {
    cause.name: cause
    for cause in (
        Cause(NONE, "tampering", ""),
        Cause("learning_rate", "rate_mistakes", "A"),
        Cause("adam_constants", "rate_mistakes", "A"),
        Cause("half_precision", "rate_mistakes", "A"),
        Cause("corrupted_batches", "data_mistakes", "A"),
        Cause("scaled_head", "layer_mistakes", "A"),
        Cause("attention_logits", "layer_mistakes", "A"),
        Cause("short_warm_up", "rate_mistakes", "B"),
        Cause("undivided_accumulation", "rate_mistakes", "B"),
        Cause("flipped_labels", "data_mistakes", "B"),
        Cause("scaled_input", "data_mistakes", "B"),
        Cause("late_unfreezing", "layer_mistakes", "B"),
        Cause("scale_invariant_decay", "layer_mistakes", "B"),
    )
}
