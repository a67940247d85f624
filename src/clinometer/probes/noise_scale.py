"""The gradient noise scale at a step, and over the steps before it."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch

from clinometer.measures.noise_scale import GradientNoise, gradient_noise, noise_scale_of
from clinometer.objective.batches import Batches
from clinometer.objective.interruptions import is_interruption, is_transient
from clinometer.objective.objective import Batch
from clinometer.objective.parts import size_of, split_batch
from clinometer.probes.base import Probe, Step, make_probe
from clinometer.probes.field import Field
from clinometer.store import Row

Split = Callable[[Batch], Sequence[Batch]]
Size = Callable[[Batch], float]

_PAIR = "(loss / parameter)²"


def noise_scale(
    *,
    splits: int = 2,
    split: Split | None = None,
    size: Size | None = None,
    unit: str = "samples",
    dataset_size: int | None = None,
    window: int = 50,
    batches: Iterable[Batch] | Batches | None = None,
) -> Probe:
    """The batch size at which the noise of the gradient is as large as the gradient itself.

    Fields: `value`, the simple noise scale tr Σ / ‖G‖² over the last measurements, with its interval `low`, `high`;
    `signal` and `noise`, unbiased estimates of ‖G‖² and tr Σ from this step alone, which may be negative and average
    well; `batches`, how many gradients were compared; `batch_size`, the samples of the step. `value` is NaN while the
    mean of `signal` is not above 0; and, with a warning, where a batch cannot be split, or has an unknown number of
    samples. Cost: none if gradients accumulate over several batches, or several processes average theirs; else about
    one forward-backward pass, in parts of the batch.

    Args:
        splits: Into how many parts a batch is split that is the only one of its step.
        split: Splits such a batch, into two or more; by default along the first dimension of its tensors and arrays.
        size: How many samples a batch, or a part of it, has; by default the length of that dimension. What it counts is
            the unit of the noise scale: the tokens of a batch, say.
        unit: What that is called.
        dataset_size: How many samples there are, if an epoch draws them without replacement. It matters where a
            step takes a large share of them.
        window: Over how many measurements the value is taken.
        batches: Compare the gradients of these instead: a list, a loader, or `Batches`. Rows are named
            `noise_scale_batches`; the cost is one pass a batch.

    Raises:
        ValueError: if `splits` or `window` is below 2, or `dataset_size` below 1.
    Source: McCandlish, Kaplan, Amodei et al. (2018), arXiv:1812.06162, appendix A.1.
    """
    if splits < 2 or window < 2 or (dataset_size is not None and dataset_size < 1):
        raise ValueError(
            "`splits` and `window` must be at least 2, and `dataset_size` at least 1; "
            f"found {splits}, {window} and {dataset_size}."
        )
    sized = size or size_of
    parts_of = split or partial(split_batch, parts=splits)
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        found = _measured(step.on(measured_on), parts_of, sized, dataset_size or math.inf)
        for name in ("signal", "noise"):
            earlier = step.memory.get(name, torch.empty(0, dtype=torch.float64))
            step.memory[name] = torch.cat([earlier, torch.tensor([vars(found)[name]], dtype=torch.float64)])[-window:]
        scale = noise_scale_of({name: step.memory[name].numpy() for name in ("signal", "noise")})
        return {"value": scale.value, "low": scale.low, "high": scale.high, **vars(found)}

    return make_probe("noise_scale", probe, _fields(unit), 1.0 if measured_on is None else 0.0, batches=measured_on)


def _fields(unit: str) -> dict[str, Field]:
    where = "NaN where noise hides the gradient, or batches cannot be split or have no known size"
    return {
        "value": Field(
            unit=unit,
            meaning=f"tr Σ / ‖G‖² over the last measurements, the simple noise scale; {where}",
            headline=True,
            label="noise scale",
        ),
        "low": Field(unit=unit, meaning="the lower end of its 95% interval", drawing="lower", label="noise scale"),
        "high": Field(unit=unit, meaning="the upper end of its 95% interval", drawing="upper", label="noise scale"),
        "signal": Field(unit=_PAIR, meaning="‖G‖², the squared true gradient, by this step alone; it may be negative"),
        "noise": Field(unit=f"{_PAIR} · {unit}", meaning="tr Σ, the noise of single samples, by this step alone"),
        "batches": Field(meaning="how many gradients were compared", drawing="none", kind="integer"),
        "batch_size": Field(unit=unit, meaning="the batch size of the step", label="batch size"),
    }


def _measured(step: Step, parts_of: Split, size: Size, dataset_size: float) -> GradientNoise:
    """Signal and noise by the batches of the step, or by the parts of its only one; warns where they are unknown."""
    if step.norms.count > 1:
        found = gradient_noise(
            step.objective, step.before, size=size, dataset_size=dataset_size, start=step.start, norms=step.norms
        )
        return _sized(step, found)
    parts, why = _parts(step, parts_of)
    if not parts:
        return _unknown(step, f"{why} Pass noise_scale(split=...), a function from a batch to a list of parts.")
    try:
        found = gradient_noise(step.objective.on(Batches(parts)), step.before, size=size, dataset_size=dataset_size)
    except Exception as error:  # BatchNorm refuses single samples, for instance
        if is_transient(error) or is_interruption(error) or step.objective.ranks.size > 1:
            raise
        return _unknown(step, f"on a part of the batch loss_fn raised {type(error).__name__}: {error}")
    return _sized(step, found)


def _parts(step: Step, parts_of: Split) -> tuple[list[Batch], str]:
    """The parts of the step's only batch, as many on all processes; or none, and why."""
    parts, why = [], ""
    try:
        parts = list(parts_of(step.objective.each_batch()[0]))
        why = f"the batch has {len(parts)} parts, and not as many, two or more, on each process."
    except ValueError as error:
        why = str(error)
    counts = step.objective.ranks.all_gather(len(parts))
    return (parts if len(set(counts)) == 1 and counts[0] >= 2 else []), why


def _sized(step: Step, found: GradientNoise) -> GradientNoise:
    if not math.isnan(found.batch_size):
        return found
    return _unknown(
        step,
        "the number of samples is unknown, as it is not the first dimension of each tensor and array of the batch. "
        "Pass noise_scale(size=...), a function from a batch to that number.",
    )


def _unknown(step: Step, why: str) -> GradientNoise:
    step.notices["noise_scale"] = f"noise_scale is NaN at step {step.index}: {why}"
    return GradientNoise(math.nan, math.nan, step.norms.count, math.nan)
