"""Probes: what to measure at a step. Each is a function from a `Step` to a row of named arrays.

The functions here make probes, so that their arguments are said once. A new probe is one function.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.optim import Optimizer

from clinometer.measure import activations as act
from clinometer.measure import headroom as room
from clinometer.measure.batchnorm import batchnorms_of, gradient_terms
from clinometer.measure.hooks import submodule
from clinometer.measure.line import Line, check_sizes, effective_smoothness, gradient_predictiveness, loss_range, walk
from clinometer.measure.point import Point, norm, scale, sub
from clinometer.measure.shift import Layers, check_layers, covariate_shift, layers_of
from clinometer.record.recorder import Probe, Step
from clinometer.store import Row

Direction = Literal["gradient", "update", "random"]


def landscape(
    sizes: Sequence[float] = (0.5, 1.0, 2.0, 4.0), *, relative: bool = True, direction: Direction = "gradient"
) -> Probe:
    """The landscape along a line: loss variation, gradient predictiveness, effective smoothness.

    Fields: `sizes`, `distances`, `losses`, `grad_gaps`, `cosines` (s,) as in `Line`; `loss`, `grad_norm`;
    `loss_min`, `loss_max` (loss variation); `gap_min`, `gap_max` (predictiveness); `beta` (effective
    smoothness) and the scale-free `beta_lr_half` = β · lr / 2. Cost: s + 1 forward-backward passes.

    Args:
        sizes: The steps, in multiples of the learning rate; the paper's for a VGG by default.
        relative: False takes `sizes` as they are, for a run without a learning rate.
        direction: `gradient` walks along minus the gradient; `update` along what the optimizer really did, in
            multiples of that, with momentum, preconditioner, clipping and all; `random` along a Gaussian direction
            of the gradient's length, another at each step, so that equal sizes go equally far. Rows are named
            `landscape_update` and `landscape_random`.

    Raises:
        ValueError: if a size is not finite or all are zero, or there is no such direction; and, from the recorder,
            if it has no learning rate.
    Source: Santurkar et al. (2018), §3.1 and §3.2, Figure 4.
    """
    multiples = check_sizes(sizes)
    if not any(multiples):
        raise ValueError(f"`sizes` must contain a nonzero step; found {multiples}. Pass e.g. sizes=[0.5, 1, 2, 4].")
    if direction not in get_args(Direction):
        raise ValueError(f"direction must be one of {', '.join(get_args(Direction))}; found {direction!r}.")

    def check(_model: nn.Module, optimizer: Optimizer | None) -> None:
        if relative and direction != "update" and optimizer is None:
            raise ValueError(
                "landscape() walks in multiples of the learning rate, and the recorder has none: pass optimizer= "
                "to Recorder, or landscape(sizes=[...], relative=False)."
            )

    def probe(step: Step) -> Row:
        lr = torch.nan if step.lr is None else step.lr
        taken = [size * lr if relative and direction != "update" else size for size in multiples]
        along = _along(step, direction)
        line = walk(step.objective, step.before, along, taken, start=step.start)
        return _line_row(line, lr)

    return _made("landscape" if direction == "gradient" else f"landscape_{direction}", probe, check)


def internal_shift(layers: Layers | None = None, *, only: Collection[str] | None = None) -> Probe:
    """Definition 2.1: what the step just taken did to each layer's gradient through the layers before it.

    Fields: `layer` (layers,) names, `l2`, `cosine` (layers,). Cost: one forward-backward pass per measured
    layer after the first, and the gradient at the start, which the step's other probes share.

    Args:
        layers: Layer name to parameter names, weight first; `layers_of(model)` by default.
        only: The layers to measure; all by default.
    Source: Santurkar et al. (2018), Definition 2.1, Figure 3.
    """

    def check(model: nn.Module, _optimizer: Optimizer | None) -> None:
        chosen = layers_of(model) if layers is None else layers
        check_layers(chosen, dict(model.named_parameters()), only)

    def probe(step: Step) -> Row:
        chosen = layers_of(step.objective.model) if layers is None else layers
        shift = covariate_shift(step.objective, step.before, step.after, chosen, only=only, start=step.start)
        return {"layer": shift.layers, "l2": shift.l2, "cosine": shift.cosine}

    return _made("internal_shift", probe, check)


def activations(modules: Sequence[str], *, unit: int = 0, bins: int = 40) -> Probe:
    """The distributions of some modules' outputs at the step's start, on its batch.

    Fields: `layer` (layers,) names; `mean`, `var` (layers, units), padded with NaN to the widest layer;
    `edges` (layers, bins + 1) and `counts` (layers, bins), the histogram of one unit. Cost: one forward pass.

    Args:
        modules: Names of submodules (see `model.named_modules()`) with outputs of shape (N, C, ...).
        unit: The unit whose histogram is kept.
        bins: How many bins.
    Source: Santurkar et al. (2018), Figures 1(c), 2, 6, 8.
    """
    names = tuple(modules)
    if unit < 0 or bins < 1 or not names:
        raise ValueError(f"expected modules, a unit from 0 and bins from 1; found {names}, {unit} and {bins}.")

    def check(model: nn.Module, _optimizer: Optimizer | None) -> None:
        for name in names:
            submodule(model, name)

    def probe(step: Step) -> Row:
        outputs = step.objective.outputs(step.before, names)
        moments = [act.moments(outputs[name]) for name in names]
        histograms = [act.histogram(act.units(outputs[name])[unit], bins) for name in names]
        return {
            "layer": names,
            "mean": _padded([m.mean for m in moments]),
            "var": _padded([m.var for m in moments]),
            "edges": torch.stack([h.edges for h in histograms]),
            "counts": torch.stack([h.counts for h in histograms]),
        }

    return _made("activations", probe, check)


def batchnorm_terms() -> Probe:
    """Theorem 4.1 on a living network: what each BatchNorm layer does to the gradient that passes through it.

    Fields: `layer` (layers,) names; the terms of ‖∇_y L‖² = scale · (gradient − mean − correlation) as in
    `GradientTerms`, and `passed`, ‖∇_y L‖² as backpropagation has it: (layers, units), padded with NaN to the
    widest layer. Cost: one forward-backward pass.

    Raises:
        ValueError: from the recorder, if no BatchNorm layer normalizes by the batch.
    Source: Santurkar et al. (2018), Theorem 4.1.
    """

    def check(model: nn.Module, _optimizer: Optimizer | None) -> None:
        if not batchnorms_of(model):
            raise ValueError(
                "batchnorm_terms() needs a BatchNorm layer that normalizes by the batch; "
                f"{type(model).__name__} has none."
            )

    def probe(step: Step) -> Row:
        model = step.objective.model
        names = batchnorms_of(model)
        signals = step.objective.signals(step.before, names)
        terms: dict[str, list[Tensor]] = {}
        for name, signal in signals.items():
            layer: Any = submodule(model, name)
            gamma = step.before.get(f"{name}.weight", layer.weight)  # the layer's own where it is frozen or absent
            found = gradient_terms(signal.input, signal.output_gradient, gamma, layer.eps)
            for term, value in vars(found).items():
                terms.setdefault(term, []).append(value)
            terms.setdefault("passed", []).append(act.units(signal.input_gradient).double().square().sum(1))
        return {"layer": names} | {term: _padded(values) for term, values in terms.items()}

    return _made("batchnorm_terms", probe, check)


def headroom(*, precision: float = 0.1) -> Probe:
    """How many times the step that the optimizer took one could go: until the loss rises, until the gradient turns.

    Fields: `loss`, `angle`: the largest multiples of the update at which the loss still lies below its start, and at
    which the gradient still points within 90° of where it pointed; `evaluations` spent. Below 1 the step was too long.
    Cost: about 4 to 12 forward-backward passes, and the gradient at the start, which the step's other probes share.

    Args:
        precision: The relative precision of both.

    Raises:
        ValueError: if `precision` does not lie in (0, 1).
    """
    if not 0 < precision < 1:
        raise ValueError(f"`precision` must lie in (0, 1); found {precision}. Pass e.g. 0.1.")

    def probe(step: Step) -> Row:
        found = room.headroom(
            step.objective, step.before, _along(step, "update"), precision=precision, start=step.start
        )
        return vars(found)

    return _made("headroom", probe)


def _along(step: Step, direction: Direction) -> Point:
    """The direction of a walk, of which the size is a multiple."""
    if direction == "update":
        return sub(step.after, step.before)
    return scale(step.gradient, -1.0) if direction == "gradient" else _random_direction(step)


def _random_direction(step: Step) -> Point:
    """A Gaussian direction as long as the gradient, from the program's seed and the step's index.

    A generator of its own: a run that draws nothing would otherwise meet the same direction at every step.
    """
    generator = torch.Generator().manual_seed((1_000_003 * torch.initial_seed() + step.index) % 2**63)
    drawn = {
        name: torch.randn(value.shape, generator=generator, dtype=value.dtype).to(value.device)
        for name, value in step.gradient.items()
    }
    return scale(drawn, norm(step.gradient) / norm(drawn))


def _made(name: str, probe: Probe, check: Callable[[nn.Module, Optimizer | None], None] | None = None) -> Probe:
    if check:
        vars(probe)["check"] = check
    probe.__name__ = name
    return probe


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


def _padded(rows: list[Tensor]) -> Tensor:
    return pad_sequence(rows, batch_first=True, padding_value=torch.nan)
