import copy
import functools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.nn.gradient_noise import isotropic_noise, noise_about_mean
from clinometer.nn.noise_convolution import NoiseConvolution
from clinometer.nn.workers import SimulatedWorkers, split

Batch = tuple[Tensor, Tensor]


def network(norm: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8) if norm else nn.Identity(), nn.Tanh(), nn.Linear(8, 3))


def batches(count: int = 5, size: int = 12) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(size, 6, generator=generator), torch.randint(3, (size,), generator=generator))
        for _ in range(count)
    ]


def backward(model: nn.Module, part: Batch) -> Tensor:
    loss = F.cross_entropy(model(part[0]), part[1])
    loss.backward()
    return loss


def closure_of(model: nn.Module) -> Callable[[Batch], Tensor]:
    return functools.partial(backward, model)


def momentum(model: nn.Module, lr: float = 0.3) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=0.01)


def adam(model: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(model.parameters(), lr=0.01)


def assert_equal(one: nn.Module, other: nn.Module) -> None:
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def plainly(model: nn.Module, optimizer: torch.optim.Optimizer, workers: int) -> None:
    """Data-parallel training as one writes it: gradients of equal parts are added up and divided."""
    for batch in batches():
        optimizer.zero_grad()
        for part in split(batch, workers):
            backward(model, part)
        for p in model.parameters():
            if p.grad is not None:
                p.grad /= workers
        optimizer.step()


@pytest.mark.parametrize("make", [momentum, adam])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("workers", [1, 3, 4])
def test_with_scale_0_it_is_plain_training(workers: int, norm: bool, make: Any) -> None:
    """The truth is the loop without the wrapper, bit for bit: with one worker it is the ordinary loop."""
    plain, convolved = network(norm), network(norm)
    plainly(plain, make(plain), workers)
    optimizer = NoiseConvolution(make(convolved), workers=workers, scale=0)
    for batch in batches():
        optimizer.step(closure_of(convolved), batch)
    assert_equal(plain, convolved)


@pytest.mark.parametrize("lag", [0, 1])
def test_one_worker_has_no_noise_whatever_the_scale(lag: Any) -> None:
    """The truth is the ordinary loop: g − ḡ is exactly 0 for one worker, and w + s η 0 is exactly w."""
    plain, convolved = network(), network()
    plainly(plain, momentum(plain), 1)
    optimizer = NoiseConvolution(momentum(convolved), workers=1, scale=0, lag=lag)
    optimizer.param_groups[0]["scale"] = 2.0  # as a schedule may
    for batch in batches():
        optimizer.step(closure_of(convolved), batch)
    assert_equal(plain, convolved)


@settings(deadline=None)
@given(st.integers(2, 9), st.integers(0, 2**31), st.floats(1e-6, 1e6))
def test_noise_sums_to_zero(workers: int, seed: int, size: float) -> None:
    """Algebra: Σ (g_i − ḡ) = 0, but for as many roundings of the largest gradient as there are workers, squared."""
    generator = torch.Generator().manual_seed(seed)
    w = nn.Parameter(torch.zeros(5))
    gradients = [{w: size * torch.randn(5, generator=generator)} for _ in range(workers)]
    pool = SimulatedWorkers(workers)
    noise = noise_about_mean(gradients, pool.mean(gradients, [w]))
    largest = max(float(each[w].abs().max()) for each in gradients)
    for moved in (noise, pool.of_neighbours(noise)):
        total = torch.stack([each[w].double() for each in moved]).sum(0)
        assert float(total.abs().max()) <= workers**2 * torch.finfo(torch.float32).eps * largest


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31))
def test_isotropic_noise_has_the_length_of_the_other_in_each_group(seed: int) -> None:
    """The lengths are those that torch's own norm finds, to a few roundings of single precision."""
    one, two, three = (nn.Parameter(torch.zeros(n)) for n in (4, 3, 6))
    like = {p: torch.randn(p.shape) for p in (one, two, three)}
    drawn = isotropic_noise(like, [[one, two], [three]], seed)
    for group in ([one, two], [three]):
        lengths = [torch.cat([noise[p] for p in group]).norm() for noise in (like, drawn)]
        torch.testing.assert_close(*lengths)
    assert not torch.equal(drawn[one], like[one])


class Quadratic(nn.Module):
    """A part of the batch is its minimum: L_i(w) = ½ Σ λ (w − x_i)²."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * (CURVATURES * (self.w - x.mean(0)) ** 2).sum()


CURVATURES = torch.tensor([3.0, 0.5], dtype=torch.float64)


def quadratic_closure(model: nn.Module) -> Callable[[Tensor], Tensor]:
    def closure(part: Tensor) -> Tensor:
        loss = model(part)
        loss.backward()
        return loss

    return closure


@pytest.mark.parametrize("noise", ["own", "permuted"])
@pytest.mark.parametrize("lag", [0, 1])
def test_on_a_quadratic_by_its_definition(lag: Any, noise: Any) -> None:
    """Closed form: n_i = λ (x̄ − x_i) + s η λ m_i, with m the noise that moved; ḡ, and so the steps, are plain ones.

    The mean loss is that at w plus ½ s² η² Σ λ E m² and the cross terms, written out here for each worker.
    """
    model, s, lr, workers = Quadratic(), 0.7, 0.2, 4
    optimizer = NoiseConvolution(
        torch.optim.SGD(model.parameters(), lr=lr), workers=workers, scale=s, lag=lag, noise=noise
    )
    data = [torch.randn(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(k)) for k in range(4)]
    w, moved_by = model.w.detach().clone(), torch.zeros(workers, 2, dtype=torch.float64)
    for batch in data:
        minima = torch.stack([part.mean(0) for part in split(batch, workers)])
        order = torch.arange(workers).roll(-1) if noise == "permuted" else torch.arange(workers)
        if not lag:
            moved_by = (CURVATURES * (minima.mean(0) - minima))[order]
        points = w + s * lr * moved_by
        gradients = CURVATURES * (points - minima)
        loss = optimizer.step(quadratic_closure(model), batch)
        torch.testing.assert_close(loss, (0.5 * CURVATURES * (points - minima) ** 2).sum(1).mean())
        moved_by = (gradients - gradients.mean(0))[order]
        w = w - lr * CURVATURES * (w - minima.mean(0))
        torch.testing.assert_close(model.w.detach(), w)


@pytest.mark.parametrize(("reach", "grows"), [(0.9, False), (1.1, True)])
def test_lagged_noise_feeds_back(reach: float, grows: bool) -> None:
    """Closed form: on a quadratic n' = s η λ n + new noise, whose length is unbounded where s η λ is above 1."""
    model = Quadratic()
    lr = 0.1
    optimizer = NoiseConvolution(
        torch.optim.SGD(model.parameters(), lr=lr), workers=2, scale=reach / (lr * float(CURVATURES.max()))
    )
    batch = torch.tensor([[1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    lengths: list[float] = []
    for _ in range(100):
        optimizer.step(quadratic_closure(model), batch)
        (one, _) = optimizer.state_dict()["noise_convolution"]["noise"]
        lengths.append(float(one[0].norm()))
    assert (lengths[-1] > 1_000 * lengths[0]) == grows
    if not grows:
        expected = 3.0 / (1 - reach), 0.5 / (1 - reach * 0.5 / 3)  # λ (x̄ − x_i) / (1 − s η λ), by the geometric series
        assert lengths[-1] == pytest.approx(math.hypot(*expected), rel=1e-3)


def test_parameters_are_back_where_the_closure_raises() -> None:
    """What the loop did not change is unchanged: w to the last bit, and the noise for the step that is tried again."""
    model, data = network(), batches()
    optimizer = NoiseConvolution(momentum(model), workers=4)
    optimizer.step(closure_of(model), data[0])
    before, noise = copy.deepcopy(model), copy.deepcopy(optimizer.state_dict())
    calls = iter(range(3))

    def fails(part: Batch) -> Tensor:
        if next(calls) == 2:
            assert not torch.equal(model[0].weight, before[0].weight)  # it is elsewhere now
            raise KeyboardInterrupt
        return backward(model, part)

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(fails, data[1])
    assert_equal(model, before)
    again = NoiseConvolution(momentum(before), workers=4)
    again.load_state_dict(noise)
    for each, of in ((optimizer, model), (again, before)):
        each.step(closure_of(of), data[1])
    assert_equal(model, before)


@pytest.mark.parametrize("noise", ["own", "permuted", "isotropic"])
def test_a_resumed_run_is_the_same(noise: Any) -> None:
    """The truth is the run that was not interrupted, bit for bit."""
    whole, parts = network(True), network(True)
    optimizer = NoiseConvolution(momentum(whole), workers=4, scale=0.5, noise=noise)
    first = NoiseConvolution(momentum(parts), workers=4, scale=0.5, noise=noise)
    for batch in batches():
        optimizer.step(closure_of(whole), batch)
    for batch in batches()[:2]:
        first.step(closure_of(parts), batch)
    resumed = network(True)
    resumed.load_state_dict(parts.state_dict())
    second = NoiseConvolution(momentum(resumed), workers=4, scale=0.5, noise=noise)
    second.load_state_dict(first.state_dict())
    for batch in batches()[2:]:
        second.step(closure_of(resumed), batch)
    assert_equal(whole, resumed)


def test_a_state_of_the_inner_optimizer_alone_is_a_start_without_noise() -> None:
    """The step after loading is, bit for bit, that of the inner optimizer: a first step has no noise."""
    plain, convolved = network(), network()
    inner = momentum(plain)
    plainly(plain, inner, 4)
    convolved.load_state_dict(plain.state_dict())
    optimizer = NoiseConvolution(momentum(convolved), workers=4, scale=0.7)
    optimizer.load_state_dict(copy.deepcopy(inner.state_dict()))
    assert optimizer.param_groups[0]["scale"] == 0.7
    inner.zero_grad()
    for part in split(batches()[0], 4):
        backward(plain, part)
    for p in plain.parameters():
        assert p.grad is not None
        p.grad /= 4
    inner.step()
    optimizer.step(closure_of(convolved), batches()[0])
    assert_equal(plain, convolved)


def test_noise_of_other_workers_is_left_out() -> None:
    """It is said, and the next step is taken without noise."""
    model = network()
    four, three = (NoiseConvolution(momentum(model), workers=count) for count in (4, 3))
    four.step(closure_of(model), batches()[0])
    with pytest.warns(UserWarning, match="worker 0 of 4, and this is worker 0 of 3"):
        three.load_state_dict(four.state_dict())
    assert three.state_dict()["noise_convolution"]["noise"] == []


def test_groups_move_by_their_own_rates() -> None:
    """A group of learning rate 0, and one of scale 0, stay where they are while others look around."""
    model = network()
    groups = [
        {"params": [model[0].weight], "lr": 0.0},
        {"params": [model[0].bias], "scale": 0.0},
        {"params": model[3].parameters()},
    ]
    optimizer = NoiseConvolution(torch.optim.SGD(groups, lr=0.2), workers=2)
    assert [group["scale"] for group in optimizer.param_groups] == [1.0, 0.0, 1.0]
    seen: list[list[bool]] = []

    def looks(part: Batch) -> Tensor:
        seen.append([torch.equal(p, q) for p, q in zip(model.parameters(), before.parameters(), strict=True)])
        return backward(model, part)

    for batch in batches(2):
        before = copy.deepcopy(model)
        optimizer.step(looks, batch)
    assert seen[:2] == [[True] * 4] * 2
    assert seen[2:] == [[True, True, False, False]] * 2


def test_schedulers_and_added_groups_reach_the_inner_optimizer() -> None:
    """torch's own scheduler is built on the wrapper; what it sets is what the inner one steps by."""
    model, late = network(), nn.Parameter(torch.ones(2))
    optimizer = NoiseConvolution(momentum(model, lr=1.0), workers=2, scale=0.5)
    optimizer.add_param_group({"params": [late]})
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.1)
    optimizer.step(closure_of(model), batches()[0])
    scheduler.step()
    assert [group["lr"] for group in optimizer.base_optimizer.param_groups] == pytest.approx([0.1, 0.1])
    assert optimizer.base_optimizer.param_groups[1]["scale"] == 0.5
    optimizer.step(closure_of(model), batches()[1])


def test_parameters_that_some_or_no_parts_reach() -> None:
    """A branch that one part alone takes has a mean gradient over all workers, and a frozen or unused one has none."""
    used, sometimes, never, frozen = (nn.Parameter(torch.ones(1)) for _ in range(4))
    frozen.requires_grad_(False)
    optimizer = NoiseConvolution(torch.optim.SGD([used, sometimes, never, frozen], lr=0.1), workers=2)

    def closure(part: Tensor) -> Tensor:
        loss = (used * part).sum() + (sometimes.sum() if part.sum() > 0 else 0)
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure, torch.tensor([1.0, -1.0]))
    assert sometimes.grad == torch.tensor([0.5])
    assert sometimes.item() == pytest.approx(0.9)
    assert never.grad is None
    assert frozen.item() == never.item() == 1.0


def test_a_fresh_batch_makes_the_noise_of_lag_0() -> None:
    """With identical parts in the fresh batch there is no noise: the step is, bit for bit, a plain one."""
    plain, convolved = network(), network()
    batch = batches()[0]
    alike = tuple(torch.cat([each[:3]] * 4) for each in batches()[1])
    optimizer = NoiseConvolution(momentum(convolved), workers=4, lag=0)
    optimizer.step(closure_of(convolved), batch, alike)
    other = NoiseConvolution(momentum(plain), workers=4, scale=0)
    other.step(closure_of(plain), batch)
    for p, q in zip(plain.parameters(), convolved.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_batchnorm_is_the_workers_own() -> None:
    """Worker i's output is that of torch's BatchNorm on its part; running statistics take each part in turn."""
    model, data = network(norm=True), batches()[0]
    reference = copy.deepcopy(model)
    optimizer = NoiseConvolution(momentum(model), workers=3, scale=0)
    optimizer.step(closure_of(model), data)
    for part in split(data, 3):
        reference(part[0])
    assert torch.equal(model[1].running_mean, reference[1].running_mean)
    assert torch.equal(model[1].running_var, reference[1].running_var)
    assert int(model[1].num_batches_tracked) == 3


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "one worker": (lambda: made(workers=1), ValueError, "one worker has no gradient noise.*pass scale=0"),
    "no worker": (lambda: made(workers=0), ValueError, "at least 1; found 0"),
    "half a worker": (lambda: made(workers=1.5), TypeError, "number of workers.*found float"),
    "a scale below 0": (lambda: made(scale=-1), ValueError, "finite and at least 0; found -1"),
    "no scale": (lambda: made(scale=math.nan), ValueError, "finite and at least 0; found nan"),
    "an endless scale": (lambda: made(scale=math.inf), ValueError, "finite and at least 0; found inf"),
    "another lag": (lambda: made(lag=2), ValueError, "0 or 1; found 2"),
    "another noise": (lambda: made(noise="loud"), ValueError, "own, permuted, isotropic; found 'loud'"),
    "no optimizer": (lambda: NoiseConvolution(network(), workers=2), TypeError, "a torch optimizer; found Sequential"),  # type: ignore[arg-type]
    "LBFGS": (
        lambda: NoiseConvolution(torch.optim.LBFGS(network().parameters()), workers=2),
        ValueError,
        "steps once by a gradient.*found LBFGS",
    ),
    "a batch that does not divide": (lambda: stepped(batches(size=10)[0]), ValueError, "10 does not divide into 4.*8"),
    "a batch that is too small": (lambda: stepped(batches(size=3)[0]), ValueError, "3 does not divide into 4"),
    "an empty batch": (lambda: stepped((torch.zeros(0, 6), torch.zeros(0))), ValueError, "one length"),
    "tensors of two lengths": (lambda: stepped((torch.zeros(4, 6), torch.zeros(8))), ValueError, r"found \[4, 8\]"),
    "a batch of text": (lambda: stepped("digits"), TypeError, "found str"),
    "a fresh batch with lag 1": (lambda: stepped(batches()[0], batches()[1]), ValueError, "for lag=0"),
    "a closure without a backward pass": (
        lambda: made().step(lambda part: part[0].sum(), batches()[0]),
        RuntimeError,
        "left no gradient",
    ),
    "a closure that returns nothing": (
        lambda: made().step(lambda _: None, batches()[0]),  # type: ignore[arg-type,return-value]
        TypeError,
        "return the loss, a tensor; found NoneType",
    ),
}


def made(**options: Any) -> NoiseConvolution:
    return NoiseConvolution(momentum(network()), **{"workers": 4, **options})


def stepped(*given_batches: Any) -> None:
    model = network()
    optimizer = NoiseConvolution(momentum(model), workers=4)
    try:
        optimizer.step(closure_of(model), *given_batches)
    finally:
        assert_equal(model, network())


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_in_words(name: str) -> None:
    """The message says what was expected and found, and no parameter has moved."""
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(("key", "value"), [("lr", math.nan), ("scale", -1.0)])
def test_a_schedule_that_goes_wrong_is_refused_before_anything_moves(key: str, value: float) -> None:
    """A rate or scale that is not finite would make the weights so."""
    model = network()
    optimizer = NoiseConvolution(momentum(model), workers=4)
    optimizer.param_groups[0][key] = value
    with pytest.raises(ValueError, match="finite"):
        optimizer.step(closure_of(model), batches()[0])
    assert_equal(model, network())


def test_nested_batches_are_split_as_they_are() -> None:
    """Each container keeps its kind, and the parts put together are the batch."""
    batch = {"x": torch.arange(6), "more": [torch.arange(6), (torch.arange(12).view(6, 2),)]}
    parts = split(batch, 3)
    assert [type(each) for each in parts[0]["more"]] == [torch.Tensor, tuple]
    assert torch.equal(torch.cat([part["more"][1][0] for part in parts]), batch["more"][1][0])
