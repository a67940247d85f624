"""The landscape along a line at a step, of the whole network or per block."""

import math
from collections.abc import Iterable, Sequence
from typing import get_args

import torch
from torch import Tensor

from clinometer.measures.layers import Blocks, within
from clinometer.measures.line import (
    Line,
    check_sizes,
    effective_smoothness,
    gradient_predictiveness,
    highest,
    loss_range,
    walk,
)
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.objective.params import Point, norm
from clinometer.probes.base import LOSS, Probe, Step, make_probe, probe_factory
from clinometer.probes.direction import Direction, bare_direction, direction_of, of_length_one
from clinometer.probes.field import Field
from clinometer.probes.per_block import block_count, check_blocks, fields_per_block, row_per_block
from clinometer.probes.stability import Stability, stability_of
from clinometer.store import Row

_ALONG = {"gradient": "the gradient", "update": "the optimizer's update", "random": "a random direction"}


@probe_factory
def landscape(
    sizes: Sequence[float] | None = None,
    *,
    distances: Sequence[float] | None = None,
    relative: bool = True,
    direction: Direction = "gradient",
    blocks: Blocks | None = None,
    batches: Iterable[Batch] | Batches | None = None,
) -> Probe:
    """Loss variation, gradient predictiveness and effective β-smoothness along a line from where the step starts.

    Fields: `sizes`, `distances`, `losses`, `grad_gaps`, `cosines` (s,) as in `Line`; `loss`, `grad_norm`;
    `loss_min`, `loss_max` (loss variation); `gap_min`, `gap_max` (predictiveness); `beta` (effective
    smoothness); `beta_lr_half` = β · lr / 2, which is scale-free, for gradient descent with one learning rate, and
    `beta_over_threshold` = β over the threshold of the optimizer's kind (`stability_of`), each NaN elsewhere. Cost: s
    forward-backward passes for s sizes.

    With `blocks`, each block of the network walks alone while the others stand still, and gradients are those by its
    parameters: all fields but `sizes` get a leading axis (blocks,), `block` holds the names, and `update_ratio` is the
    length of the step relative to the block's weights. Rows are named `landscape_blocks`. That costs s passes a block,
    of which the backward half ends at the block.

    Args:
        sizes: The steps, in multiples of what gradient descent would do at the learning rates that the step used, with
            the gradient as the optimizer got it; by default the paper's for a VGG, (0.5, 1, 2, 4), and for blocks (1,).
        distances: How far to go instead, in units of the parameters: sizes along a direction of length 1, whatever
            the learning rate and the gradient are, so that networks are compared at equal distances. With `blocks` each
            block goes so far. NaN where the direction has no length.
        relative: False takes `sizes` as they are, for a run without a learning rate.
        direction: `gradient` walks along minus the gradient; `update` along what the optimizer really did, in
            multiples of that, with momentum, preconditioner, clipping and all; `random` along a Gaussian direction
            of the gradient's length, another at each step, so that equal sizes go equally far. Rows are named
            `landscape_update` and `landscape_random`.
        blocks: `layers`, patterns of parameter names, or a mapping from block name to patterns; see `blocks_of`.
        batches: Measure the mean loss of these, along the same line: a list, a loader, or `Batches`. The direction
            stays that of the step's own batch. Rows are named `landscape_batches`; each pass becomes one a batch.

    Raises:
        ValueError: if a size is not finite or all are zero, a distance is not positive and finite, both are given, or
            there is no such direction; and, from the recorder, if it has no learning rate, or there is no such block.
    Source: Santurkar et al. (2018), §3.1 and §3.2, Figure 4.
    """
    default = (0.5, 1.0, 2.0, 4.0) if blocks is None else (1.0,)
    multiples = _checked(default if sizes is None else sizes) if distances is None else _distances(distances, sizes)
    if direction not in get_args(Direction):
        raise ValueError(f"direction must be one of {', '.join(get_args(Direction))}; found {direction!r}.")

    needs_lr = relative and direction != "update" and distances is None
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        along, unit = (bare_direction(step, direction), 1.0) if distances else direction_of(step, direction, needs_lr)
        stability = stability_of(step)
        on = step.on(measured_on)

        def walked(names: Sequence[str] | None) -> Row:
            part, far = along if names is None else within(along, names), unit
            if distances:
                part, far = of_length_one(part)
            taken = [size * (1.0 if distances else far) for size in multiples]
            if not math.isfinite(far):
                line = _unknown(taken, on.loss, on.gradient if names is None else within(on.gradient, names))
            else:
                line = walk(
                    on.objective,
                    step.before,
                    part,
                    taken,
                    only=names,
                    start=on.start,
                    preconditioner=stability.preconditioner,
                )
            return _line_row(line, stability)

        return walked(None) if blocks is None else row_per_block(step, blocks, walked)

    return make_probe(
        _name(direction, blocks),
        probe,
        _fields(direction) if blocks is None else fields_per_block(_fields(direction)),
        len(multiples) * block_count(blocks),
        lambda model: check_blocks(blocks, model),
        needs_lr=needs_lr,
        batches=measured_on,
        became={} if distances else {"sizes": tuple(multiples)},
    )


def _checked(sizes: Sequence[float]) -> list[float]:
    multiples = check_sizes(sizes)
    if not any(multiples):
        raise ValueError(f"`sizes` must contain a nonzero step; found {multiples}. Pass e.g. sizes=[0.5, 1, 2, 4].")
    return multiples


def _distances(distances: Sequence[float], sizes: Sequence[float] | None) -> list[float]:
    if sizes is not None:
        raise ValueError("pass `sizes` or `distances`, not both: one is in multiples of a step, one in parameters.")
    found = list(map(float, distances))
    if not found or not all(0 < distance < math.inf for distance in found):
        raise ValueError(f"`distances` must be positive and finite; found {found}. Pass e.g. distances=[0.1, 0.2].")
    return found


def _fields(direction: Direction) -> dict[str, Field]:
    """The declarations of a walk's fields; what they mean depends on where the walk goes."""
    along = f"along {_ALONG[direction]}"
    gradient = "loss / parameter"
    gap = f"change of the gradient {along}"
    return {
        "sizes": Field(("size",), meaning=f"the step sizes of the walk {along}", drawing="none"),
        "distances": Field(("size",), "parameter", "how far each step goes, as rounding lets it", drawing="none"),
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
            meaning=f"β · lr / 2 {along}, for gradient descent alone; above 1, this learning rate is unstable",
            headline=True,
            label="β·lr/2",
            worst="highest",
            limit=1.0,
            otherwise="beta_over_threshold",
        ),
        "beta_over_threshold": Field(
            meaning=f"β {along} over the curvature above which the steps of this optimizer are unstable",
            headline=True,
            label="β/threshold",
            worst="highest",
            limit=1.0,
            otherwise="beta",
        ),
    }


def _name(direction: Direction, blocks: Blocks | None) -> str:
    return "landscape" + ("" if direction == "gradient" else f"_{direction}") + ("" if blocks is None else "_blocks")


def _unknown(sizes: Sequence[float], loss: Tensor, gradient: Point) -> Line:
    """What is known of a walk where the learning rate is unknown or infinite, or the direction has no length."""
    asked = torch.tensor(sizes)
    nothing = torch.full_like(asked, torch.nan)
    known = torch.where(asked.isfinite(), asked, nothing)
    return Line(known, nothing, nothing, nothing, nothing, loss, norm(gradient))


def _line_row(line: Line, stability: Stability) -> Row:
    # A warm-up may start at learning rate 0: nothing moves, and there is nothing to say of the landscape.
    still = not bool(line.sizes.any())
    nothing = (torch.nan, torch.nan)
    loss_min, loss_max = nothing if still else loss_range(line)
    gap_min, gap_max = nothing if still else gradient_predictiveness(line)
    beta = torch.nan if still else effective_smoothness(line)
    fields = {name: value for name, value in vars(line).items() if name != "preconditioned"}
    return fields | {
        "loss_min": loss_min,
        "loss_max": loss_max,
        "gap_min": gap_min,
        "gap_max": gap_max,
        "beta": beta,
        "beta_lr_half": beta * stability.lr / 2 if stability.plain else torch.nan,
        "beta_over_threshold": torch.nan if still else _in_metric_of_optimizer(line, beta) / stability.threshold,
    }


def _in_metric_of_optimizer(line: Line, beta: float) -> float:
    """β, with distances and gradients in the coordinates that the optimizer's preconditioner makes alike."""
    return beta if line.preconditioned is None else highest(line, line.preconditioned)
