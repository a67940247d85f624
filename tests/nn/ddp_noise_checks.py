"""Run by test_noise_convolution_ranks.py on two processes: each is a worker of a `DistributedDataParallel` model."""

import functools
import warnings
from typing import Any

import torch
from ranks import RANK, batches, cross_entropy, from_all, half, network, run, sgd
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clinometer.nn.noise_convolution import NoiseConvolution


def backward(model: nn.Module, part: tuple[Tensor, Tensor]) -> Tensor:
    loss = cross_entropy(model, part)
    loss.backward()
    return loss


def values(model: nn.Module) -> list[list[float]]:
    return [p.detach().flatten().tolist() for p in model.parameters()]


def as_simulated() -> Any:
    """For each kind of noise and lag, real and simulated: losses and the parameters at the end."""
    found: dict[str, Any] = {}
    for noise in ("own", "permuted", "isotropic"):
        for lag in (0, 1):
            real, simulated = DistributedDataParallel(network()), network()
            options: Any = {"lag": lag, "noise": noise, "scale": 0.5}
            one = NoiseConvolution(sgd(real), workers=real, **options)
            other = NoiseConvolution(sgd(simulated), workers=2, **options)
            losses = [
                [float(one.step(functools.partial(backward, real), half(batch))) for batch in batches()],
                [float(other.step(functools.partial(backward, simulated), batch)) for batch in batches()],
            ]
            found[f"{noise}, lag {lag}"] = [[losses[0], *values(real)], [losses[1], *values(simulated)]]
    return found


def plain_at_scale_0() -> Any:
    """The parameters at the end, by the wrapper and by DDP's own averages."""
    ours, theirs = DistributedDataParallel(network()), DistributedDataParallel(network())
    convolved, plain = NoiseConvolution(sgd(ours), workers=ours, scale=0), sgd(theirs)
    for batch in batches():
        convolved.step(functools.partial(backward, ours), half(batch))
        plain.zero_grad()
        backward(theirs, half(batch))
        plain.step()
    return [values(ours), values(theirs)]


def noise_of_both() -> Any:
    """The noise of each process, and whether the processes moved apart from each other meanwhile."""
    model = DistributedDataParallel(network())
    optimizer = NoiseConvolution(sgd(model), workers=model)
    seen: list[list[Any]] = []

    def looks(part: tuple[Tensor, Tensor]) -> Tensor:
        seen.append(values(model))
        return backward(model, part)

    for batch in batches()[:2]:
        optimizer.step(looks, half(batch))
    (noise,) = optimizer.state_dict()["noise_convolution"]["noise"]
    return {
        "noise": from_all([value.flatten().tolist() for value in noise.values()]),
        "apart": [one != other for one, other in zip(*from_all(seen), strict=True)],
        "after": from_all(values(model)),
    }


def a_branch_of_one_process() -> Any:
    """The mean gradient of a parameter that rank 0's loss alone reaches, and of one that no loss reaches."""
    model = DistributedDataParallel(network(), find_unused_parameters=True)
    first, never = (nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = NoiseConvolution(torch.optim.SGD([*model.parameters(), first, never], lr=0.1), workers=model)

    def closure(part: tuple[Tensor, Tensor]) -> Tensor:
        loss = cross_entropy(model, part) + (first.sum() if RANK == 0 else 0)
        loss.backward()
        return loss

    for batch in batches()[:2]:
        optimizer.step(closure, half(batch))
    assert first.grad is not None
    return [first.grad.tolist(), first.tolist(), never.grad is None]


def running_statistics() -> Any:
    """Those of each process, beside what torch's BatchNorm1d finds on its part alone."""
    model = DistributedDataParallel(network(nn.BatchNorm1d))
    reference = network(nn.BatchNorm1d)
    NoiseConvolution(sgd(model), workers=model).step(functools.partial(backward, model), half(batches()[0]))
    reference(half(batches()[0])[0])
    return [model.module[1].running_mean.tolist(), reference[1].running_mean.tolist()]  # type: ignore[union-attr,index]


def another_processes_state() -> Any:
    """What is said where a process loads the other's state."""
    model = DistributedDataParallel(network())
    optimizer = NoiseConvolution(sgd(model), workers=model)
    optimizer.step(functools.partial(backward, model), half(batches()[0]))
    (state, _) = from_all(optimizer.state_dict())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        optimizer.load_state_dict(state)
    return [str(each.message) for each in said]


if __name__ == "__main__":
    run(
        [
            as_simulated,
            plain_at_scale_0,
            noise_of_both,
            a_branch_of_one_process,
            running_statistics,
            another_processes_state,
        ]
    )
