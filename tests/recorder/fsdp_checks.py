"""Run by test_ranks.py on two processes: what a recorder sees of a model that `fully_shard` has cut up."""

import gc
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from models import Everything
from ranks import RANK, batches, bits, cross_entropy, from_all, half, network, recorded, rows, run, sgd, squares
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from clinometer import (
    Objective,
    Recorder,
    batchnorm_terms,
    every,
    headroom,
    internal_shift,
    landscape,
    noise_floor,
    noise_scale,
    plane,
    scale_free,
    step_norms,
    trace,
)
from clinometer.measures import directions
from clinometer.measures.critical_step import critical_step
from clinometer.measures.directional_sharpness import directional_sharpness
from clinometer.measures.noise_scale import gradient_noise
from clinometer.measures.spectral_density import spectral_density
from clinometer.objective.dtensor import full_tensor, to_local
from clinometer.objective.params import flattened, scale, step
from clinometer.probes.direction import random_direction

PROBES = [
    landscape(),
    headroom(),
    headroom(direction="gradient", angle=True, blocks=["*0.*", "*5.*"], loss_fn=squares),
    internal_shift(),
    noise_floor(),
    scale_free(),
    scale_free(direction="update", by="layer"),
    step_norms(),
]


def sharded(model: nn.Sequential, **options: Any) -> nn.Sequential:
    """Block by block, and the rest with the root."""
    for block in (model[0], model[3]):
        fully_shard(block, **options)
    return fully_shard(model, **options)


def walk_on_both_halves() -> Any:
    """Cut into two, cut into two and never freed after the forward pass, and repeated on both."""
    data = [half(batch) for batch in batches()]
    twice = init_device_mesh("cpu", (2, 1), mesh_dim_names=("replicate", "shard"))
    return {
        "one": rows(recorded(network(), batches(), PROBES)),
        "cut": rows(recorded(sharded(network()), data, PROBES)),
        "kept": rows(recorded(sharded(network(), reshard_after_forward=False), data, PROBES)),
        "repeated": rows(recorded(sharded(network(), mesh=twice), data, PROBES)),
    }


def norms_alone() -> Any:
    """At steps at which nothing else is due, so that no batch is kept; norms are over the pieces of both processes."""
    two = recorded(sharded(network()), [half(batch) for batch in batches()], [step_norms()])
    return {"two": rows(two), "one": rows(recorded(network(), batches(), [step_norms()]))}


def noise_of_each_batch() -> Any:
    """Two batches a step, of which each rank has a half; the one process has both whole. And one batch, in parts."""
    found: dict[str, Any] = {}
    for name, model, data in (
        ("one", network(), batches(2)),
        ("cut", sharded(network()), [half(batch) for batch in batches(2)]),
    ):
        objective = Objective(model, cross_entropy, data[0]).with_batch(data[1])
        found[name] = vars(gradient_noise(objective, objective.here()))
    found["parts"] = rows(recorded(sharded(network()), [half(batch) for batch in batches(2)], [noise_scale()]))
    lone = [(x[: 8 * (1 - RANK) or 1], y[: 8 * (1 - RANK) or 1]) for x, y in batches(2)]  # one sample on rank 1
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found["lone"] = rows(recorded(sharded(network()), lone, [noise_scale()]))
    found["said"] = [str(warning.message) for warning in said]
    quarters = [tuple(x[4 * i : 4 * i + 4] for x in half(batches(1)[0], rank)) for i in range(2) for rank in range(2)]
    alone = network()
    gradients = []
    for first, second in (quarters[:2], quarters[2:]):
        loss = (cross_entropy(alone, first) + cross_entropy(alone, second)) / 2
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(alone.parameters()))]))
    found["by hand"] = float((gradients[0] - gradients[1]).square().sum() / 2 * 8)  # (1/b − 1/B) = 1/8 − 1/16
    return found


def a_plane() -> Any:
    """Along the parameters and the gradient, whose pieces are of the whole; with a file, and filter-normalised."""
    found: dict[str, Any] = {}
    for name, model, data in (
        ("one", network(), batches()[0]),
        ("cut", sharded(network()), half(batches()[0])),
    ):
        objective = Objective(model, cross_entropy, data)
        here = objective.here()
        gradient = objective.loss_and_grad(here)[1]
        made = plane(objective, here, here, gradient, [-0.5, 0.0, 0.5])
        found[name] = [made.losses.tolist(), made.norms.tolist(), float(made.cosine)]
    file = Path(sys.argv[1]) / f"fsdp_plane{RANK}.sqlite"
    drawn = directions.random_directions(here)
    found["random"] = [plane(objective, here, *drawn, [-0.5, 0.0, 0.5], to=file).losses.tolist() for _ in range(2)]
    return found


def random_directions() -> Any:
    """As long as the gradient, and not the same on each piece."""
    drawn: list[Any] = []

    def probe(step: Any) -> Any:
        drawn.append({name: to_local(value) for name, value in random_direction(step).items()})
        return {"loss": step.loss}

    recorder = recorded(
        sharded(network()), [half(batches()[0])], {"probe": probe, "landscape": landscape(direction="random")}
    )
    squares = sum(float(part.square().sum()) for part in drawn[0].values())
    return {
        "pieces": from_all(drawn[0]["3.weight"].flatten().tolist()),
        "squares": from_all(squares),
        "landscape": rows(recorder),
    }


def no_trace() -> Any:
    """The bits of a run at its end; and with gradients that accumulate whole, and parameters that stay gathered.

    A recorder that knows no optimizer takes each batch for a step, and measures when the next one begins: then FSDP is
    told already not to reduce, and holds gradients of the batch before.
    """
    names = ("default", "accumulation", "unknown accumulation")
    return {name: [_trained(name, measured) for measured in (False, True)] for name in names}


def _trained(name: str, measured: bool) -> Any:
    torch.manual_seed(3)
    model = Everything()
    for block in (model.first, model.head):
        fully_shard(block)
    fully_shard(model, ignored_params={model.table})
    torch.manual_seed(5 + RANK)
    optimizer = sgd(model)
    known = name != "unknown accumulation"
    when, probes = (every(2), [landscape(), headroom()]) if known else (every(1), [landscape([0.1], relative=False)])
    recorder = Recorder(model, cross_entropy, probes, when, optimizer=optimizer if known else None)
    parts = 1 if name == "default" else 2
    for index, batch in enumerate(batches(4 * parts)):
        last = (index + 1) % parts == 0
        model.set_requires_gradient_sync(last)
        model.set_reshard_after_backward(last)
        if measured:
            recorder.step(half(batch))
        (cross_entropy(model, half(batch)) / (parts if known else 1)).backward()
        if last:
            optimizer.step()
            if index + 1 < 4 * parts:
                optimizer.zero_grad()
        with torch.no_grad():
            model.eval()(half(batch)[0])  # leaves the root gathered
            model.train()
    model.reshard()
    return {"bits": bits(model, optimizer), "rows": rows(recorder) if measured else {}}


def memory() -> Any:
    """What lies on a process: of points, of whole parameters while it trains and measures, and of those afterwards."""
    gc.collect()
    model = sharded(network())
    most = {"training": 0, "measuring": 0}
    doing = "training"

    def look(*_: Any) -> None:
        most[doing] = max(most[doing], sum(_whole()))

    for block in (model[0], model[3]):  # amid the forward pass, when the block's own weight is gathered
        block.register_forward_pre_hook(look)

    def probe(step: Any) -> Any:
        points = {"before": step.before, "after": step.after, "gradient": step.gradient}
        return {name: sum(to_local(value).numel() for value in point.values()) for name, point in points.items()}

    optimizer = sgd(model)
    recorder = Recorder(model, cross_entropy, {"sizes": probe, "landscape": landscape()}, optimizer=optimizer)
    with recorder.step(half(batches()[0])):
        cross_entropy(model, half(batches()[0])).backward()
        optimizer.step()
        optimizer.zero_grad()
        doing = "measuring"
    gc.collect()
    total = sum(p.numel() for p in model.parameters())
    mine = sum(to_local(p).numel() for p in model.parameters())
    points = {name: int(n[0]) for name, n in recorder.store.read("sizes").items()} if RANK == 0 else {}
    return {"total": total, "mine": mine, "points": points, "most": most, "left": _whole()}


def _whole() -> list[int]:
    """The sizes of the two whole weights, 54 and 81 as nothing else here has, that are in memory now."""
    tensors = [t for t in gc.get_objects() if issubclass(type(t), Tensor) and not issubclass(type(t), DTensor)]
    stored = {t.untyped_storage()._cdata: t.numel() for t in tensors if t.untyped_storage().size()}
    return [size for size in stored.values() if size in (54, 81)]


def an_error_amid_a_pass() -> Any:
    """From loss_fn, and from the backward pass of a block; the run then goes on as if nothing had been measured."""
    found = []
    for place in ("forward", "backward", "nowhere"):
        model = sharded(network())
        optimizer = sgd(model)
        calls = Counter[str]()

        def unwell(_module: Any, _inputs: Any, output: Tensor, place: str = place, calls: Any = calls) -> None:
            calls["forward"] += 1
            if place == "forward" and calls["forward"] == 3:
                raise ArithmeticError("unwell")
            if place == "backward" and calls["forward"] == 3:
                output.register_hook(_raise)

        hook = model[4].register_forward_hook(unwell)
        recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)
        said = None
        try:
            with recorder.step(half(batches()[0])):
                cross_entropy(model, half(batches()[0])).backward()
                optimizer.step()
        except ArithmeticError as error:
            said = str(error)
        hook.remove()
        optimizer.zero_grad()
        cross_entropy(model, half(batches()[1])).backward()
        found.append({"said": said, "bits": bits(model, optimizer)})
    return found


def _raise(_gradient: Tensor) -> None:
    raise ArithmeticError("unwell")


def doubt() -> Any:
    """What is said where loss_fn is twice the loss that is trained."""
    model = sharded(network())
    optimizer = sgd(model)
    recorder = Recorder(model, lambda m, b: 2 * cross_entropy(m, b), [landscape()], every(1), optimizer=optimizer)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with recorder.step(half(batches()[0])):
            cross_entropy(model, half(batches()[0])).backward()
            optimizer.step()
    return [str(warning.message) for warning in said]


def hessian() -> Any:
    """Products as differences of gradients, on a smooth network and on one with kinks; by one process exactly."""
    found: dict[str, Any] = {}
    for name, kink in (("smooth", nn.Tanh()), ("kinks", Kinks())):
        model, alone = network(), network()
        model[2] = alone[2] = kink
        objective = Objective(sharded(model), cross_entropy, half(batches()[0]))
        here = objective.here()
        with objective.linearized(here, differences=True) as product:
            whole = {key: full_tensor(value) for key, value in product(here).items()}
            found[name] = {"product": flattened(whole).tolist(), "error": product.error, "notes": product.notes}
        exact = Objective(alone, cross_entropy, batches()[0])
        found[name]["exact"] = flattened(exact.hvp(exact.here(), exact.here())).tolist()
    model = sharded(network())
    directional = Objective(model, cross_entropy, half(batches()[0]))
    found["along"] = directional_sharpness(directional, directional.here(), directional.here()).value
    one = Objective(network(), cross_entropy, batches()[0])
    found["along exactly"] = directional_sharpness(one, one.here(), one.here()).value
    return found


class Kinks(nn.Module):
    """A kink about every rounding of its input, as a network of ReLUs has them between any two points."""

    def forward(self, x: Tensor) -> Tensor:
        return (3e4 * x).remainder(1).sub(0.5).abs() / 3e4


def forward_passes() -> Any:
    """Losses along a line and the critical step, by forward passes alone: in place, and by one process."""
    found = []
    for model, batch in ((sharded(network()), half(batches()[0])), (network(), batches()[0])):
        objective = Objective(model, cross_entropy, batch)
        here = objective.here()
        losses = [float(objective.loss(step(here, here, size))) for size in (0.0, 0.5, 1.0)]
        downhill = scale(objective.loss_and_grad(here)[1], -0.3)
        critical = critical_step(objective, here, downhill)
        assert all(torch.equal(to_local(here[key]), to_local(p.detach())) for key, p in objective.live.items())
        found.append([*losses, critical.multiple])
    return found


def refusals() -> Any:
    """What cannot be measured says so."""
    objective = Objective(sharded(network()), cross_entropy, half(batches()[0]))
    here = objective.here()
    model = nn.Linear(4, 4)
    model.weight = nn.Parameter(distribute_tensor(model.weight.detach(), init_device_mesh("cpu", (2,))))
    said = []
    attempts = (
        lambda: objective.hvp(here, here),
        lambda: objective.linearized(here),
        lambda: Objective(model, cross_entropy, None),
        lambda: Recorder(objective.model, cross_entropy, [trace()]),
        lambda: spectral_density(objective, here),
    )
    for attempt in attempts:
        try:
            attempt()
        except ValueError as error:
            said.append(str(error))
    return said


def batchnorm() -> Any:
    """The one process runs the halves one after the other, each with its own statistics, and takes the mean."""

    def in_halves(model: nn.Module, batch: Any) -> Tensor:
        return (cross_entropy(model, half(batch, 0)) + cross_entropy(model, half(batch, 1))) / 2

    data = [half(batch) for batch in batches()]
    two = recorded(sharded(network(nn.BatchNorm1d)), data, [landscape(), batchnorm_terms()])
    alone = recorded(network(nn.BatchNorm1d), [half(batches()[0])], [batchnorm_terms()])
    return {
        "two": rows(two),
        "one": rows(recorded(network(nn.BatchNorm1d), batches(), [landscape()], in_halves)),
        "terms": rows(alone),
    }


if __name__ == "__main__":
    run(
        [
            walk_on_both_halves,
            norms_alone,
            noise_of_each_batch,
            random_directions,
            a_plane,
            no_trace,
            memory,
            an_error_amid_a_pass,
            doubt,
            hessian,
            forward_passes,
            refusals,
            batchnorm,
        ],
        sharded,
    )
