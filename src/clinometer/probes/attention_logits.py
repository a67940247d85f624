"""The largest input of each attention's softmax, and the entropy of its weights, at a step."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import torch

from clinometer.measures.attention_logits import attention_logits as measure_logits
from clinometer.probes.base import LAYER, Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.probes.per_block import shown
from clinometer.store import Row

FIELDS = {
    "layer": LAYER,
    "largest": Field(
        ("layer",), meaning="the largest finite input of each attention's softmax", headline=True, worst="highest"
    ),
    "entropy": Field(("layer",), unit="nat", meaning="the mean entropy of its weights", headline=True, worst="lowest"),
}


@probe_factory
def attention_logits() -> Probe:
    """How large attention's logits are and how spread its weights, where the step starts, on its batch.

    Fields: `layer` (layers,) the module that computes each attention, in the order in which they run; `largest` and
    `entropy` (layers,). All are empty for a model without attention. Cost: one forward pass.
    """

    def probe(step: Step) -> Row:
        found = measure_logits(step.objective, step.before)
        return {
            "layer": np.array(_numbered(shown(each.module for each in found)), dtype=np.str_),  # text, also if empty
            "largest": torch.tensor([each.largest for each in found], dtype=torch.float64),
            "entropy": torch.tensor([each.entropy for each in found], dtype=torch.float64),
        }

    return make_probe("attention_logits", probe, FIELDS, 0.5)


def _numbered(names: Iterable[str]) -> list[str]:
    """Names that differ: a module's second attention is `NAME#2`."""
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found
