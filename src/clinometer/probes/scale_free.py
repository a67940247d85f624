"""Smoothness in units of the weights' own norms, and what their scale makes of gradients and learning rates."""

import math
from collections.abc import Iterable, Sequence
from typing import get_args

import torch

from clinometer.measures.filter_norm import Norms, filter_norms, normalised
from clinometer.measures.line import check_sizes, effective_smoothness
from clinometer.measures.scale_free import relative_walk
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.objective.params import Point, gap_and_cosine, norm
from clinometer.probes.base import LOSS, Probe, Step, make_probe, probe_factory
from clinometer.probes.direction import Direction, direction_of
from clinometer.probes.field import Field
from clinometer.store import Row

_ALONG = {
    "gradient": "the gradient, each filter by that share of its own norm",
    "update": "the optimizer's update",
    "random": "a random direction, each filter by that share of its own norm",
}


@probe_factory
def scale_free(
    sizes: Sequence[float] | None = None,
    *,
    direction: Direction = "gradient",
    by: Norms = "filter",
    move_1d: bool = False,
    batches: Iterable[Batch] | Batches | None = None,
) -> Probe:
    """Smoothness that does not change when weights are rescaled without changing the network's function.

    Fields: `sizes`, `distances`, `losses`, `gaps`, `cosines` (s,) of `relative_walk`, the gaps over the gradient's
    norm; `loss`; `beta`, the effective smoothness in units of the loss; `gap`, the largest relative change of the
    gradient; `cosine`, the least. For each weight, `layer` is its name; (layers,) are `grad_weight` = ‖g‖ ‖W‖, `radial`
    = cos(g, W), `effective_lr` = lr / ‖W‖² and `update_ratio` = ‖update‖ / ‖W‖. Cost: s forward-backward passes for s
    sizes.

    Args:
        sizes: By which shares of its norm each filter moves, 0.01 and 0.1 by default; for the update, multiples of it,
            1 by default.
        direction: `gradient` walks along minus the gradient and `random` along a Gaussian direction, another at each
            step, both filter-normalised; `update` along what the optimizer really did. Rows are named
            `scale_free_update` and `scale_free_random`.
        by: What moves by a share of its norm: each `filter`, or each `layer`'s weight as a whole.
        move_1d: Whether parameters of fewer than two dimensions, such as biases and BatchNorm's γ and β, move by a
            share of their norms as well, and count. They always do in a model that has no other.
        batches: Measure the mean loss of these, along the same line: a list, a loader, or `Batches`. Rows are named
            `scale_free_batches`; each pass becomes one a batch.

    Raises:
        ValueError: if a size is not finite or all are zero, or there is no such direction or norm.
    Source: Li et al. (2018), arXiv:1712.09913, section 4; van Laarhoven (2017), arXiv:1706.05350.
    """
    shares = check_sizes(((1.0,) if direction == "update" else (0.01, 0.1)) if sizes is None else sizes)
    if not any(shares):
        raise ValueError(f"`sizes` must contain a nonzero step; found {shares}. Pass e.g. sizes=[0.01, 0.1].")
    if direction not in get_args(Direction) or by not in get_args(Norms):
        raise ValueError(
            f"expected a direction of {', '.join(get_args(Direction))} and norms by {' or '.join(get_args(Norms))}; "
            f"found {direction!r} and {by!r}."
        )
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        vectors = move_1d or all(value.ndim < 2 for value in step.before.values())
        along = direction_of(step, direction, relative=False)[0]
        if direction != "update":
            along = normalised(along, step.before, by, move_1d=vectors)
        on = step.on(measured_on)
        norms = filter_norms(step.before, by, move_1d=vectors)
        line = relative_walk(on.objective, step.before, along, shares, norms=norms, start=on.start)
        gaps = line.grad_gaps / line.grad_norm
        moved = (line.sizes != 0) & (line.distances != 0)
        found = bool(moved.any())
        return {
            "sizes": line.sizes,
            "distances": line.distances,
            "losses": line.losses,
            "gaps": gaps,
            "cosines": line.cosines,
            "loss": line.loss,
            "beta": effective_smoothness(line),
            "gap": gaps[moved].max() if found else math.nan,
            "cosine": line.cosines[moved].min() if found else math.nan,
            **_layers(step, on.gradient, list(norms)),
        }

    name = "scale_free" + ("" if direction == "gradient" else f"_{direction}")
    return make_probe(name, probe, _fields(direction), len(shares), batches=measured_on)


def _layers(step: Step, gradient: Point, names: Sequence[str]) -> Row:
    """What the scale of each weight makes of its gradient, its learning rate and its update."""
    rows = [_layer(step, gradient, name) for name in names]
    return {
        "layer": [name.replace("_orig_mod.", "") for name in names],  # the prefix that torch.compile adds
        **{field: torch.tensor([row[field] for row in rows]) for field in rows[0]},
    }


def _layer(step: Step, gradient: Point, name: str) -> dict[str, float]:
    g, weight, update = ({name: point[name]} for point in (gradient, step.before, step.update))
    length = float(norm(weight))
    return {
        "grad_weight": float(norm(g)) * length,
        "radial": float(gap_and_cosine(g, weight)[1]),
        "effective_lr": abs(step.rates.get(name, math.nan)) / length**2 if length else math.inf,
        "update_ratio": float(norm(update)) / length if length else math.inf,
    }


def _fields(direction: Direction) -> dict[str, Field]:
    along = f"along {_ALONG[direction]}"
    relative = "in units of the filters' norms"
    return {
        "sizes": Field(("size",), meaning=f"the step sizes of the walk {along}", drawing="none"),
        "distances": Field(("size",), meaning=f"how far each step goes, {relative}", drawing="none"),
        "losses": Field(("size",), "loss", f"the loss after each step {along}", drawing="none"),
        "gaps": Field(
            ("size",), meaning="change of the gradient by each step over the gradient, times norms", drawing="none"
        ),
        "cosines": Field(
            ("size",), meaning="cosine of the gradients at each step and at the start, times norms", drawing="none"
        ),
        "loss": LOSS,
        "beta": Field(
            unit="loss",
            meaning=f"effective smoothness {along}, {relative}",
            headline=True,
            label="scale-free β",
            worst="highest",
        ),
        "gap": Field(meaning=f"the largest relative change of the gradient {along}", headline=True, worst="highest"),
        "cosine": Field(meaning=f"the least cosine of the gradient with itself {along}", worst="lowest"),
        "layer": Field(("layer",), meaning="the names of the weights", kind="text", drawing="none"),
        "grad_weight": Field(("layer",), "loss", "‖g‖ ‖W‖ of each weight", drawing="none"),
        "radial": Field(("layer",), meaning="cos(g, W): 0 where the loss ignores the scale of W", drawing="none"),
        "effective_lr": Field(
            ("layer",),
            "1 / loss",
            "lr / ‖W‖², the learning rate where radial is 0",
            drawing="none",
        ),
        "update_ratio": Field(("layer",), meaning="‖update‖ / ‖W‖ of each weight", drawing="none"),
    }
