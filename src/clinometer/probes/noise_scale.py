"""The gradient noise scale at a step, and over the steps before it."""

import contextlib
import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial

import torch

from clinometer.measures.curvature_noise import FEWEST, curvature_noise
from clinometer.measures.noise_scale import NoiseScale, gradient_noise, noise_scale_of
from clinometer.objective.batches import Batches
from clinometer.objective.interruptions import is_interruption, is_transient
from clinometer.objective.objective import Batch, Objective
from clinometer.objective.parts import size_of, split_batch
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.store import Row

Split = Callable[[Batch], Sequence[Batch]]
Size = Callable[[Batch], float]

_PAIR = "(loss / parameter)²"
_SIMPLE = ("signal", "noise")
_CURVED = ("curved_signal", "curved_noise")
_NO_SIZE = (
    "the number of samples is unknown, as it is not the first dimension of each tensor and array of the batch. "
    "Pass noise_scale(size=...), a function from a batch to that number."
)


@probe_factory
def noise_scale(
    *,
    splits: int = 2,
    split: Split | None = None,
    size: Size | None = None,
    unit: str = "samples",
    dataset_size: int | None = None,
    window: int = 50,
    curvature: bool = False,
    batches: Iterable[Batch] | Batches | None = None,
) -> Probe:
    """The batch size at which the noise of the gradient is as large as the gradient itself.

    Fields: `value`, the simple noise scale tr Σ / ‖G‖² over the last measurements, with its interval `low`, `high`;
    `signal` and `noise`, unbiased estimates of ‖G‖² and tr Σ from this step alone, which may be negative and average
    well; `batches`, how many gradients were compared; `batch_size`, the samples of the step. `value` is NaN while the
    mean of `signal` is not above 0; and, with a warning, where a batch cannot be split, or has an unknown number of
    samples. Cost: none if gradients accumulate over several batches, or several processes average theirs; else about
    one forward-backward pass, in parts of the batch.

    With `curvature`, `b_noise` is the noise scale of the theory, tr(HΣ) / GᵀHG, from `curved_signal`, `curved_noise`,
    and `b_noise_low` to `b_noise_high` its interval. A gradient then needs the Hessian of other samples: three batches
    or parts, and about one pass and one Hessian-vector product of the step's batches more.

    Args:
        splits: Into how many parts a batch is split that is the only one of its step.
        split: Splits such a batch, into two or more; by default along the first dimension of its tensors and arrays.
        size: How many samples a batch, or a part of it, has; by default the length of that dimension. What it counts is
            the unit of the noise scale: the tokens of a batch, say.
        unit: What that is called.
        dataset_size: How many samples there are, if an epoch draws them without replacement. It matters where a
            step takes a large share of them.
        window: Over how many measurements the value is taken.
        curvature: Whether to measure the noise scale of the theory as well. A single batch is then split into three at
            least.
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
    fewest = FEWEST if curvature else 1
    parts_of = split or partial(split_batch, parts=max(splits, fewest))
    measured_on = Batches.of(batches)

    def measured(step: Step) -> dict[str, float]:
        in_parts = step.norms.count == 1 or step.objective.batches < fewest
        objective = _in_parts(step, parts_of, max(2, fewest)) if in_parts else step.objective
        with _explained(on_parts=in_parts and step.objective.ranks.size == 1):
            found = gradient_noise(
                objective,
                step.before,
                size=sized,
                dataset_size=dataset_size or math.inf,
                start=None if in_parts else step.start,
                norms=None if in_parts else step.norms,
            )
        if math.isnan(found.batch_size):
            raise _UnknownError(_NO_SIZE)
        curved = curvature_noise(objective, step.before, size=sized) if curvature else None
        return vars(found) | ({"curved_signal": curved.signal, "curved_noise": curved.noise} if curved else {})

    def probe(step: Step) -> Row:
        on = step.on(measured_on)
        try:
            found = measured(on)
        except _UnknownError as why:
            step.notices["noise_scale"] = f"noise_scale is NaN at step {step.index}: {why}"
            found = dict.fromkeys((*_SIMPLE, *_CURVED) if curvature else _SIMPLE, math.nan)
            found |= {"batches": on.norms.count, "batch_size": math.nan}
        scale = _over_window(step, found, _SIMPLE, window)
        row: Row = {"value": scale.value, "low": scale.low, "high": scale.high, **found}
        if not curvature:
            return row
        scale = _over_window(step, found, _CURVED, window)
        return row | {"b_noise": scale.value, "b_noise_low": scale.low, "b_noise_high": scale.high}

    fields = _fields(unit) | (_curved_fields(unit) if curvature else {})
    # The parts of a batch, which `batches` need not have; and for the curvature gradients and products.
    cost = (1.0 if measured_on is None else 0.0) + (3.6 if curvature else 0.0)
    return make_probe("noise_scale", probe, fields, cost, batches=measured_on)


class _UnknownError(Exception):
    """Why there is no number at a step."""


def _in_parts(step: Step, parts_of: Split, fewest: int) -> Objective:
    """The mean loss over parts of the step's batches, as many on all processes."""
    parts: list[Batch] = []
    try:
        parts = [part for batch in step.objective.each_batch() for part in parts_of(batch)]
        why = f"there are {len(parts)} parts; expected {fewest} or more, and as many on each process."
    except ValueError as error:
        why = str(error)
    counts = set(step.objective.ranks.all_gather(len(parts)))
    if len(counts) > 1 or len(parts) < fewest:
        raise _UnknownError(f"{why} Pass noise_scale(split=...), a function from a batch to a list of parts.")
    return step.objective.on(Batches(parts))


@contextlib.contextmanager
def _explained(*, on_parts: bool) -> Generator[None]:
    """Inside the block an error by a part of a batch is a reason: BatchNorm refuses single samples, for instance."""
    try:
        yield
    except Exception as error:
        if not on_parts or is_transient(error) or is_interruption(error):
            raise
        raise _UnknownError(f"on a part of the batch loss_fn raised {type(error).__name__}: {error}") from error


def _over_window(step: Step, found: Mapping[str, float], names: Sequence[str], window: int) -> NoiseScale:
    """The ratio of the second estimate to the first over the last measurements, this one included."""
    for name in names:
        earlier = step.memory.get(name, torch.empty(0, dtype=torch.float64))
        step.memory[name] = torch.cat([earlier, torch.tensor([found[name]], dtype=torch.float64)])[-window:]
    signal, noise = (step.memory[name].numpy() for name in names)
    return noise_scale_of({"signal": signal, "noise": noise})


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


def _curved_fields(unit: str) -> dict[str, Field]:
    curved = "loss³ / parameter⁴"
    label = "noise scale by curvature"
    return {
        "b_noise": Field(
            unit=unit,
            meaning="tr(HΣ) / GᵀHG over the last measurements; NaN where noise hides GᵀHG",
            headline=True,
            label=label,
        ),
        "b_noise_low": Field(unit=unit, meaning="the lower end of its 95% interval", drawing="lower", label=label),
        "b_noise_high": Field(unit=unit, meaning="the upper end of its 95% interval", drawing="upper", label=label),
        "curved_signal": Field(unit=curved, meaning="GᵀHG by this step alone", drawing="none"),
        "curved_noise": Field(unit=f"{curved} · {unit}", meaning="tr(HΣ) by this step alone", drawing="none"),
    }
