"""The headroom of the step that the optimizer took, of the whole network or per block, in any loss."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import torch

from clinometer.measures.critical_step import CriticalStep, critical_step, rounding_of
from clinometer.measures.first_crossing import check_search
from clinometer.measures.layers import Blocks, within
from clinometer.measures.turning_step import turning_step
from clinometer.objective.batches import Batches
from clinometer.objective.computed import Computed, along
from clinometer.objective.objective import Batch, LossFn
from clinometer.objective.params import Point, norm
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.direction import direction_of
from clinometer.probes.field import Field
from clinometer.probes.per_block import block_count, check_blocks, fields_per_block, row_per_block
from clinometer.store import Row

Along = Literal["update", "gradient"]

_FORWARD = 0.45  # of a forward-backward pass
FIELDS = {
    "loss": Field(
        unit="multiples of the step",
        meaning="how many times as long the step could be before the loss rises; below 1, this step raises it",
        headline=True,
        label="headroom",
        worst="lowest",
        limit=1.0,
    ),
    "critical_sharpness": Field(
        unit="loss / parameter²",
        meaning="2 / critical_lr; along the gradient a curvature. NaN as critical_lr is",
        headline=True,
        label="λ_c",
    ),
    "critical_lr": Field(
        unit="learning rate",
        meaning="from where on this step would not have lowered the loss; NaN where the learning rate is not one known "
        "number, or the step goes uphill at any length",
    ),
    "slope": Field(
        unit="loss",
        meaning="how much the step changes the loss to first order, ⟨gradient, step⟩; above 0 it goes uphill, and its "
        "headroom is 0 at any length",
        drawing="none",
    ),
    "evaluations": Field(
        unit="forward passes", meaning="the passes that the search took", drawing="none", kind="integer"
    ),
}
ANGLE = {
    "angle": Field(
        unit="multiples of the step",
        meaning="how many times as long the step could be before the gradient turns by more than 90°",
        headline=True,
        label="headroom of the angle",
        worst="lowest",
        limit=1.0,
    ),
    "angle_evaluations": Field(
        unit="forward-backward passes",
        meaning="the passes that the search for the angle took",
        drawing="none",
        kind="integer",
    ),
}
OTHER_LOSS = {
    "rise": Field(unit="loss", meaning="how much this step changes that loss", drawing="none"),
    "curvature": Field(
        unit="loss / parameter²",
        meaning="the curvature of that loss along the step, 2 (rise − slope) / ‖step‖²; NaN where rounding hides it",
        drawing="none",
    ),
}


@probe_factory
def headroom(
    *,
    direction: Along = "update",
    angle: bool = False,
    precision: float = 0.1,
    blocks: Blocks | None = None,
    batches: Iterable[Batch] | Batches | None = None,
    loss_fn: LossFn | None = None,
) -> Probe:
    """How many times as long the optimizer's step could have been before the loss rises, and the critical sharpness.

    Fields: `loss`, the largest multiple of the update at which the loss still lies below its start: below 1 the step
    was too long; `critical_lr` = η · `loss`, the learning rate at which it would have been critical;
    `critical_sharpness` = 2 / `critical_lr`; the `slope` along the step: above 0 it goes uphill and has no headroom,
    however short; and the `evaluations` spent. Cost: 3 to 9 forward passes, in half of the cases under 5.

    A search begins where the last one ended. With `blocks`, each block takes its part of the update alone: fields have
    shape (blocks,), `block` and `update_ratio` are as for `landscape`, and rows are named `headroom_blocks`. That costs
    as much for each block.

    Args:
        direction: `update` is what the optimizer really did; `gradient` what gradient descent would have done at the
            step's learning rates, or, where there is none, at 1: `loss` is then NaN. Rows are named
            `headroom_gradient`.
        angle: Also find `angle`, the largest multiple at which the gradient still points within 90° of the gradient at
            the start, for 3 to 8 forward-backward passes more in most steps.
        precision: The relative precision.
        blocks: As for `landscape`.
        batches: Measure the mean loss of these instead of the step's own batch: a list, a loader, or `Batches`. Rows
            are named `headroom_batches`; each pass becomes one a batch.
        loss_fn: Measure another loss along this run's steps, as that of an earlier task: with `batches` on its data,
            else on the step's own. Rows are named `headroom_other_loss`. With either, rows also hold by how much the
            step changes that loss, `rise`, and its `curvature` along the step, for one forward pass more.

    Raises:
        ValueError: if `precision` does not lie in (0, 1), or there is no such direction; and, from the recorder, if
            there is no such block.
        TypeError: if `loss_fn` is not a function.
    Source: Kalra et al. (2026), arXiv:2601.16979: critical sharpness, and relative critical sharpness.
    """
    check_search(1.0, precision)
    if direction not in get_args(Along):
        raise ValueError(f"direction must be one of {', '.join(get_args(Along))}; found {direction!r}.")
    if loss_fn is not None and not callable(loss_fn):
        raise TypeError(f"loss_fn must be a function of model and batch; found {loss_fn!r}.")
    measured_on = Batches.of(batches)
    of_another_loss = measured_on is not None or loss_fn is not None

    def probe(step: Step) -> Row:
        on = step.on(measured_on, loss_fn)
        along, unit = _direction(step, direction)

        def measured(names: Sequence[str] | None) -> Row:
            part = along if names is None else within(along, names)
            remembered = "" if names is None else f" of {', '.join(names)}"
            found = critical_step(
                on.objective,
                step.before,
                part,
                start=step.memory.get(f"multiple{remembered}", 1.0),
                precision=precision,
                loss=on.loss,
                gradient=on.gradient,
            )
            _remember(step, f"multiple{remembered}", found.multiple)
            row = _row(found, _rate(step, names), step.factor, unit)
            if of_another_loss:
                row |= _change(on, part, found.slope)
            if angle:
                turned = turning_step(
                    on.objective,
                    step.before,
                    part,
                    start=step.memory.get(f"angle{remembered}", 1.0),
                    precision=precision,
                    only=names,
                    known=on.start,
                )
                _remember(step, f"angle{remembered}", turned.multiple)
                row |= {"angle": turned.multiple * unit, "angle_evaluations": turned.evaluations}
            return row

        return measured(None) if blocks is None else row_per_block(step, blocks, measured)

    fields = FIELDS | (OTHER_LOSS if of_another_loss else {}) | (ANGLE if angle else {})
    passes = 4 * _FORWARD + (_FORWARD if of_another_loss else 0.0) + (5.0 if angle else 0.0)
    started = 1.0 if loss_fn is not None and measured_on is None else 0.0
    return make_probe(
        _name(direction, blocks, loss_fn),
        probe,
        fields if blocks is None else fields_per_block(fields),
        passes * block_count(blocks) + started,
        lambda model: check_blocks(blocks, model),
        batches=measured_on,
    )


def _name(direction: Along, blocks: Blocks | None, loss_fn: LossFn | None) -> str:
    along = "" if direction == "update" else "_gradient"
    return f"headroom{along}{'' if loss_fn is None else '_other_loss'}{'' if blocks is None else '_blocks'}"


def _direction(step: Step, direction: Along) -> tuple[Point, float]:
    """The step to measure, and what to count its multiples in: 1, or NaN where no learning rate gives it a length."""
    if direction == "update":
        return step.update, 1.0
    along, unit = direction_of(step, "gradient", relative=True)
    if step.lr is None or not math.isfinite(unit):
        return along, math.nan
    return Computed(along, lambda name: along[name] * unit), 1.0


def _rate(step: Step, names: Sequence[str] | None) -> float:
    """The learning rate, if the parameters that move have a single one; else NaN."""
    if step.lr is None:
        return math.nan
    rates = {abs(rate) for name, rate in step.rates.items() if names is None or name in names}
    return rates.pop() if len(rates) == 1 else math.nan


def _remember(step: Step, name: str, multiple: float) -> None:
    """Keep where a search ended; the next one after an infinite end begins anew, as it jumped over much."""
    if 0 < multiple < math.inf:
        step.memory[name] = multiple
    elif multiple == math.inf:
        step.memory.pop(name, None)


def _row(found: CriticalStep, lr: float, factor: float, unit: float) -> dict[str, Any]:
    """The fields of every row. Multiples of a gradient that no learning rate was known for count as learning rates."""
    rate, factor = (lr, factor) if math.isfinite(unit) else (1.0, 1.0)
    return {
        "loss": found.multiple * unit,
        "critical_sharpness": found.sharpness(rate * factor),
        "critical_lr": found.learning_rate(rate),
        "slope": found.slope * unit,
        "evaluations": found.evaluations,
    }


def _change(on: Step, part: Point, slope: float) -> dict[str, float]:
    """By how much the whole step changes a loss, and the curvature that this tells."""
    rise = float(on.objective.loss(along(on.before, part, 1.0))) - float(on.loss)
    bent = rise - slope
    length = float(norm(part))
    hidden = not abs(bent) > rounding_of(on.loss) or not length > 0
    return {"rise": rise, "curvature": torch.nan if hidden else 2 * bent / length**2}
