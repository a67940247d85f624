"""What `landscape` and `headroom` share: the same measurement for each block of a network alone."""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.measures.layers import Blocks, blocks_of, within
from clinometer.objective.params import norm
from clinometer.probes.base import Step
from clinometer.probes.field import Field, Fields
from clinometer.store import Row

BLOCK_FIELDS = {
    "block": Field(("block",), meaning="the names of the blocks", kind="text", drawing="none"),
    "update_ratio": Field(("block",), meaning="‖update‖ / ‖parameters‖ of each block", drawing="none"),
}


def row_per_block(step: Step, blocks: Blocks, measure: Callable[[Sequence[str]], Row]) -> Row:
    """One row for all blocks: each field of `measure(parameter names)`, stacked along a leading axis of blocks."""
    chosen = blocks_of(step.objective.model, blocks, step.before)
    update = step.update
    rows = [measure(names) for names in chosen.values()]
    ratios = [float(norm(within(update, n)) / norm(within(step.before, n))) for n in chosen.values()]
    fields = {field: _stacked([row[field] for row in rows]) for field in rows[0] if field != "sizes"}
    shared = {"sizes": rows[0]["sizes"]} if "sizes" in rows[0] else {}
    return {"block": shown(chosen), "update_ratio": torch.tensor(ratios)} | shared | fields


class KnownBlocks:
    """`blocks_of` for every step: it walks through the model again only where other parameters are trained than before.

    Args:
        blocks: As for `blocks_of`.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks: Blocks = blocks
        self._known: weakref.WeakKeyDictionary[nn.Module, tuple[Sequence[str], Mapping[str, Sequence[str]]]]
        self._known = weakref.WeakKeyDictionary()

    def of(self, step: Step) -> Mapping[str, Sequence[str]]:
        """Block name to parameter names, of those that a step moves."""
        model, names = step.objective.model, tuple(step.before)
        if model not in self._known or self._known[model][0] != names:
            self._known[model] = names, blocks_of(model, self._blocks, names)
        return self._known[model][1]


def shown(blocks: Iterable[str]) -> list[str]:
    """The names of blocks as rows have them, without the prefix that torch.compile adds."""
    return [block.replace("_orig_mod.", "") for block in blocks]


def fields_per_block(fields: Fields) -> dict[str, Field]:
    """The declarations of such a row, from those of one block's.

    Headlines are those with a dangerous extreme: it says which block is nearest to breaking.
    """
    per_block = {name: _per_block(field) for name, field in fields.items() if name != "sizes"}
    shared = {"sizes": fields["sizes"]} if "sizes" in fields else {}
    return BLOCK_FIELDS | shared | per_block


def check_blocks(blocks: Blocks | None, model: nn.Module) -> None:
    """ValueError if `model` has no such blocks; None is the whole network."""
    if blocks is not None:
        blocks_of(model, blocks, [name for name, p in model.named_parameters() if p.requires_grad])


def block_count(blocks: Blocks | None) -> int:
    """How many blocks, as far as it is known without the model; budgets learn the cost from the first measurement."""
    return 1 if blocks is None else 8 if blocks == "layers" else len(blocks)


def _per_block(field: Field) -> Field:
    meaning = f"{field.meaning}; of each block alone"
    return replace(field, axes=("block", *field.axes), meaning=meaning, headline=bool(field.worst))


def _stacked(values: Sequence[Any]) -> Tensor:
    return torch.stack([torch.as_tensor(value).cpu() for value in values])
