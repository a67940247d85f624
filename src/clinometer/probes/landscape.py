"""The landscape along a line at a step, of the whole network or per block."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from clinometer.measures.layers import Blocks, within
from clinometer.measures.line import Line, check_sizes, effective_smoothness, gradient_predictiveness, loss_range, walk
from clinometer.objective.dtensor import from_local, shard_index, to_local
from clinometer.objective.params import Point, norm, scale, sub
from clinometer.probes.base import LOSS, Probe, Step, make_probe
from clinometer.probes.field import Field
from clinometer.probes.per_block import block_count, check_blocks, fields_per_block, row_per_block
from clinometer.store import Row

Direction = Literal["gradient", "update", "random"]
_ALONG = {"gradient": "the gradient", "update": "the optimizer's update", "random": "a random direction"}


def landscape(
    sizes: Sequence[float] | None = None,
    *,
    relative: bool = True,
    direction: Direction = "gradient",
    blocks: Blocks | None = None,
) -> Probe:
    """Loss variation, gradient predictiveness and effective β-smoothness along a line from where the step starts.

    Fields: `sizes`, `distances`, `losses`, `grad_gaps`, `cosines` (s,) as in `Line`; `loss`, `grad_norm`;
    `loss_min`, `loss_max` (loss variation); `gap_min`, `gap_max` (predictiveness); `beta` (effective
    smoothness) and the scale-free `beta_lr_half` = β · lr / 2. Cost: s forward-backward passes for s sizes.

    With `blocks`, each block of the network walks alone while the others stand still, and gradients are those by its
    parameters: all fields but `sizes` get a leading axis (blocks,), `block` holds the names, and `update_ratio` is the
    length of the step relative to the block's weights. Rows are named `landscape_blocks`. That costs s passes a block,
    of which the backward half ends at the block.

    Args:
        sizes: The steps, in multiples of the learning rate; by default the paper's for a VGG, (0.5, 1, 2, 4), and for
            blocks (1,).
        relative: False takes `sizes` as they are, for a run without a learning rate.
        direction: `gradient` walks along minus the gradient; `update` along what the optimizer really did, in
            multiples of that, with momentum, preconditioner, clipping and all; `random` along a Gaussian direction
            of the gradient's length, another at each step, so that equal sizes go equally far. Rows are named
            `landscape_update` and `landscape_random`.
        blocks: `layers`, patterns of parameter names, or a mapping from block name to patterns; see `blocks_of`.

    Raises:
        ValueError: if a size is not finite or all are zero, or there is no such direction; and, from the recorder,
            if it has no learning rate, or there is no such block.
    Source: Santurkar et al. (2018), §3.1 and §3.2, Figure 4.
    """
    multiples = check_sizes(((0.5, 1.0, 2.0, 4.0) if blocks is None else (1.0,)) if sizes is None else sizes)
    if not any(multiples):
        raise ValueError(f"`sizes` must contain a nonzero step; found {multiples}. Pass e.g. sizes=[0.5, 1, 2, 4].")
    if direction not in get_args(Direction):
        raise ValueError(f"direction must be one of {', '.join(get_args(Direction))}; found {direction!r}.")

    def check(model: nn.Module, optimizer: Optimizer | None) -> None:
        if relative and direction != "update" and optimizer is None:
            raise ValueError(
                "landscape() walks in multiples of the learning rate, and the recorder has none: pass optimizer= "
                "to Recorder, or landscape(sizes=[...], relative=False)."
            )
        check_blocks(blocks, model)

    def probe(step: Step) -> Row:
        lr = torch.nan if step.lr is None else step.lr
        taken = [size * lr if relative and direction != "update" else size for size in multiples]
        along = _along(step, direction)

        def walked(names: Sequence[str] | None) -> Row:
            part = along if names is None else within(along, names)
            return _line_row(walk(step.objective, step.before, part, taken, only=names, start=step.start), lr)

        return walked(None) if blocks is None else row_per_block(step, blocks, walked)

    fields = _fields(direction) if blocks is None else fields_per_block(_fields(direction))
    return make_probe(_name(direction, blocks), probe, fields, len(multiples) * block_count(blocks), check)


def _fields(direction: Direction) -> dict[str, Field]:
    """The declarations of a walk's fields; what they mean depends on where the walk goes."""
    along = f"along {_ALONG[direction]}"
    gradient = "loss / parameter"
    gap = f"change of the gradient {along}"
    return {
        "sizes": Field(("size",), meaning=f"the step sizes of the walk {along}", drawing="none"),
        "distances": Field(("size",), "parameter", "how far each step goes, ‖a d‖", drawing="none"),
        "losses": Field(("size",), "loss", f"the loss after each step {along}", drawing="none"),
        "grad_gaps": Field(("size",), gradient, f"the {gap} by each step, as a norm", drawing="none"),
        "cosines": Field(
            ("size",), meaning="the cosine between the gradient at each step and at the start", drawing="none"
        ),
        "loss": LOSS,
        "grad_norm": Field(unit=gradient, meaning="the norm of the gradient at the start", label="gradient"),
        "loss_min": Field(
            unit="loss", meaning=f"loss variation: the lowest loss {along}", drawing="lower", label="loss"
        ),
        "loss_max": Field(
            unit="loss", meaning=f"loss variation: the highest loss {along}", drawing="upper", label="loss"
        ),
        "gap_min": Field(
            unit=gradient,
            meaning=f"gradient predictiveness: the least {gap}",
            drawing="lower",
            label="change of the gradient",
        ),
        "gap_max": Field(
            unit=gradient,
            meaning=f"gradient predictiveness: the largest {gap}",
            drawing="upper",
            label="change of the gradient",
        ),
        "beta": Field(
            unit="loss / parameter²",
            meaning=f"effective β-smoothness {along}",
            headline=True,
            label="β",
            worst="highest",
        ),
        "beta_lr_half": Field(
            meaning=f"β · lr / 2 {along}; above 1, gradient descent at this learning rate is unstable",
            headline=True,
            label="β·lr/2",
            worst="highest",
            limit=1.0,
            otherwise="beta",
        ),
    }


def _along(step: Step, direction: Direction) -> Point:
    """The direction of a walk, of which the size is a multiple."""
    if direction == "update":
        return sub(step.after, step.before)
    return scale(step.gradient, -1.0) if direction == "gradient" else random_direction(step)


def random_direction(step: Step) -> Point:
    """A Gaussian direction as long as the gradient, from the program's seed and the step's index.

    A generator of its own: a run that draws nothing would otherwise meet the same direction at every step. Processes
    that repeat a parameter draw the same for it, and those that share it each their piece.
    """
    seed = step.objective.ranks.broadcast((1_000_003 * torch.initial_seed() + step.index) % 2**53)
    generators: dict[int, torch.Generator] = {}
    drawn: dict[str, Tensor] = {}
    for name, value in step.gradient.items():
        piece = shard_index(value)
        generator = generators.setdefault(piece, torch.Generator().manual_seed((seed + 7_368_787 * piece) % 2**63))
        part = torch.randn(to_local(value).shape, generator=generator, dtype=value.dtype).to(value.device)
        drawn[name] = from_local(value, part)
    return scale(drawn, norm(step.gradient) / norm(drawn))


def _name(direction: Direction, blocks: Blocks | None) -> str:
    return "landscape" + ("" if direction == "gradient" else f"_{direction}") + ("" if blocks is None else "_blocks")


def _line_row(line: Line, lr: float) -> Row:
    # A warm-up may start at learning rate 0: nothing moves, and there is nothing to say of the landscape.
    still = not bool(line.sizes.any())
    nothing = (torch.nan, torch.nan)
    loss_min, loss_max = nothing if still else loss_range(line)
    gap_min, gap_max = nothing if still else gradient_predictiveness(line)
    beta = torch.nan if still else effective_smoothness(line)
    return vars(line) | {
        "loss_min": loss_min,
        "loss_max": loss_max,
        "gap_min": gap_min,
        "gap_max": gap_max,
        "beta": beta,
        "beta_lr_half": beta * lr / 2,
    }
