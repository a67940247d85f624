"""Rows speak of the step that training took: optimizers, wrappers, schedulers, accumulation and precision.

Each loop runs twice from one seed. In the first run a spy on the optimizer notes learning rates, gradients and
parameters, and the loop its loss; the second run is measured, and each of its rows is held against that.
"""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from spied import FORMS, STEPS, Loop, Spied, assert_the_step_taken, batch, loss_fn, net, sgd
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR

Make = Callable[[nn.Module], Any]


def muon_and_adamw(model: Any) -> list[Optimizer]:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no torch.optim.Muon, which came with 2.9")
    first, last = model[0], model[3]
    return [torch.optim.Muon([first.weight, last.weight], lr=0.02), AdamW([first.bias, last.bias], lr=0.01)]


OPTIMIZERS: dict[str, Make] = {
    "SGD": sgd,
    "momentum": lambda m: SGD(m.parameters(), lr=0.1, momentum=0.9),
    "Nesterov": lambda m: SGD(m.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "AdamW": lambda m: AdamW(m.parameters(), lr=0.01),
    "RMSprop": lambda m: RMSprop(m.parameters(), lr=0.01),
    "maximize": lambda m: SGD(m.parameters(), lr=0.1, maximize=True),
    "groups of rates": lambda m: SGD(
        [{"params": m[0].parameters()}, {"params": m[3].parameters(), "lr": 2.0}], lr=1e-3
    ),
    "a tensor as rate": lambda m: Adam(m.parameters(), lr=torch.tensor(0.01)),
    "Muon and AdamW": muon_and_adamw,
}
# Batches a step, batches in all, and what the loop divides each loss by.
GROUPS = {"one batch": (1, STEPS, 1), "added": (2, 2 * STEPS, 1), "divided, the last smaller": (3, 3 * STEPS - 2, 3)}
PLACES = ("no scheduler", "before the optimizer", "after it", "at each batch", "set late, as in Noam")
Change = Callable[[nn.Module], Any]


def trained(
    make: Make,
    group: str = "one batch",
    place: str = PLACES[0],
    change: Change | None = None,
    after: Change | None = None,
) -> Loop:
    """A loop that changes gradients before the optimizer steps, and weights after it, where it is told to."""
    size, batches, divisor = GROUPS[group]

    def loop(run: Spied) -> None:
        model = net()
        made = make(model)
        optimizers = made if isinstance(made, list) else [made]
        scheduled = optimizers if place in PLACES[1:4] else []
        schedulers = [LambdaLR(each, lambda step: (step + 1) / 4) for each in scheduled]
        run.attach(model, loss_fn, made)
        total = 0.0
        for index in range(batches):
            data, last = batch(), index % size == size - 1 or index == batches - 1
            with run.step(data):
                if index % size == 0:
                    model.zero_grad()
                loss = loss_fn(model, data) / divisor
                loss.backward()
                total += loss.item()
                for each in (
                    schedulers if place == "at each batch" or (place == "before the optimizer" and last) else ()
                ):
                    each.step()
                if last:
                    if change:
                        change(model)
                    for optimizer in optimizers:
                        for group in optimizer.param_groups if place == "set late, as in Noam" else ():
                            group["lr"] = 0.01 * (index + 1)
                        optimizer.step()
                    if after:
                        after(model)
            if last:
                for each in schedulers if place == "after it" else ():
                    each.step()
                run.took(total)
                total = 0.0

    return loop


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")  # the loop means it
@pytest.mark.parametrize(("optimizer", "group", "place"), [*itertools.product(OPTIMIZERS, GROUPS, PLACES)])
def test_the_matrix(optimizer: str, group: str, place: str) -> None:
    """The truth is the spy: what the optimizer held as it stepped, and where the parameters were."""
    form = FORMS[(len(optimizer) + len(group) + len(place)) % 2]
    assert_the_step_taken(trained(OPTIMIZERS[optimizer], group, place), form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("group", GROUPS)
def test_every_second_step(group: str, form: str) -> None:
    """The truth is the spy, also where the recorder looks away between its steps."""
    assert_the_step_taken(trained(OPTIMIZERS["momentum"], group, "after it"), form, when=2)


def noisy(model: nn.Module) -> None:
    for p in model.parameters():
        p.grad += 0.1 * torch.randn_like(p)


def centred(model: nn.Module) -> None:
    for p in model.parameters():
        p.grad -= p.grad.mean()


def rescaled(model: nn.Module) -> None:
    for p in model.parameters():
        p.grad *= 0.3


# What the loop does to its gradients, and what the one warning then says.
CHANGES: dict[str, tuple[Change, str | None]] = {
    "clipped": (lambda m: nn.utils.clip_grad_norm_(m.parameters(), 0.05), None),
    "rescaled": (rescaled, None),
    "clipped one by one": (lambda m: nn.utils.clip_grad_value_(m.parameters(), 0.01), "The losses agree"),
    "noise": (noisy, "The losses agree: noise was added"),
    "centred": (centred, "parts of it were changed"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("change", "group"), [*itertools.product(CHANGES, GROUPS)])
def test_gradients_that_the_loop_changes(change: str, group: str, form: str) -> None:
    """The truth is the gradient that the spy saw: a multiple of the loss's, or one warning says that it is not."""
    make, says = CHANGES[change]
    assert_the_step_taken(trained(sgd, group, change=make), form, says, gradient=says is None)


@torch.no_grad()
def clamped(model: nn.Module) -> None:
    for p in model.parameters():
        p.clamp_(-0.2, 0.2)


@torch.no_grad()
def projected(model: Any) -> None:
    model[0].weight /= model[0].weight.norm(dim=1, keepdim=True)


@torch.no_grad()
def diffused(model: nn.Module) -> None:
    for p in model.parameters():
        p += 0.01 * torch.randn_like(p)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("after", "group"), [*itertools.product((clamped, projected, diffused), GROUPS)])
def test_weights_that_the_loop_moves_after_the_optimizer(after: Change, group: str, form: str) -> None:
    """The truth is where the spy found the parameters as the next step began."""
    assert_the_step_taken(trained(OPTIMIZERS["RMSprop"], group, after=after), form)


@pytest.mark.parametrize("form", FORMS)
def test_rows_that_are_read_before_the_weights_move(form: str) -> None:
    """The truth is the spy: a row that is read early is measured anew where the next step begins elsewhere."""

    def loop(run: Spied) -> None:
        model = net()
        optimizer = sgd(model)
        run.attach(model, loss_fn, optimizer)
        for _ in range(STEPS):
            data = batch()
            with run.step(data):
                optimizer.zero_grad()
                loss = loss_fn(model, data)
                loss.backward()
                optimizer.step()
            run.took(loss)
            if run.recorder is not None:
                run.recorder.read("landscape")
            clamped(model)
        if run.recorder is not None:
            run.recorder.step(batch())  # the last step ends where another begins

    assert_the_step_taken(loop, form)


class Lookahead(Optimizer):
    """Slow weights, to which the fast ones return every second step, around an optimizer as in public code."""

    def __init__(self, inside: Optimizer) -> None:
        super().__init__(inside.param_groups, {})
        self.inside, self.param_groups, self.steps = inside, inside.param_groups, 0
        self.slow = [[p.detach().clone() for p in group["params"]] for group in self.param_groups]

    @torch.no_grad()
    def step(self) -> None:
        self.inside.step()
        self.steps += 1
        for group, slow in zip(self.param_groups, self.slow, strict=True):
            for p, q in zip(group["params"], slow, strict=True) if self.steps % 2 == 0 else ():
                p.copy_(q.lerp_(p, 0.5))


class Noam:
    """The learning rate of the Annotated Transformer, set in the step of what is no optimizer of torch."""

    def __init__(self, inside: Optimizer) -> None:
        self.optimizer, self.steps = inside, 0

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups

    def step(self) -> None:
        self.steps += 1
        for group in self.param_groups:
            group["lr"] = 0.1 * min(self.steps**-0.5, 0.3 * self.steps)
        self.optimizer.step()


class Decaying(Optimizer):
    """Halves its learning rate within its step, before it moves or after."""

    def __init__(self, model: nn.Module, first: bool) -> None:
        super().__init__(model.parameters(), {"lr": 0.1})
        self.first = first

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            halved = group["lr"] / 2
            for p in group["params"]:
                p.sub_(p.grad, alpha=halved if self.first else group["lr"])
            group["lr"] = halved


def wrapped(wrap: Callable[[Any], Any], give_wrapper: bool, make: Make = OPTIMIZERS["momentum"]) -> Loop:
    def loop(run: Spied) -> None:
        model = net()
        inside = make(model)
        optimizer = wrap(inside)
        run.attach(model, loss_fn, optimizer if give_wrapper else inside, spy_on=[inside])
        for _ in range(STEPS):
            data = batch()
            with run.step(data):
                model.zero_grad()
                loss = loss_fn(model, data)
                loss.backward()
                optimizer.step()
            run.took(loss)

    return loop


WRAPPED: dict[str, Loop] = {
    "Lookahead": wrapped(Lookahead, give_wrapper=True),
    "the optimizer in Lookahead": wrapped(Lookahead, give_wrapper=False),
    "Noam": wrapped(Noam, give_wrapper=True),
    "the optimizer in Noam": wrapped(Noam, give_wrapper=False),
    "decays after its move": wrapped(lambda same: same, True, functools.partial(Decaying, first=False)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers(name: str, form: str) -> None:
    """The truth is the spy on the optimizer inside, and where the wrapper left the parameters."""
    assert_the_step_taken(WRAPPED[name], form)


@pytest.mark.parametrize("form", FORMS)
def test_a_rate_that_the_optimizer_lowers_before_it_moves(form: str) -> None:
    """By hand: 0.05, 0.025 ...; the spy saw what the optimizer had before that."""
    loop = wrapped(lambda same: same, True, functools.partial(Decaying, first=True))
    run = assert_the_step_taken(loop, form, rates=False)
    assert [run.seen[index].lr for index in range(STEPS)] == pytest.approx([0.1 * 0.5 ** (n + 1) for n in range(STEPS)])


def evaluated_with_averages(run: Spied) -> None:
    """Between steps the averages take the weights' place, and give it back."""
    model = net()
    optimizer = sgd(model)
    run.attach(model, loss_fn, optimizer)
    average = [p.detach().clone() for p in model.parameters()]
    for _ in range(STEPS):
        data = batch()
        with run.step(data):
            optimizer.zero_grad()
            loss = loss_fn(model, data)
            loss.backward()
            optimizer.step()
        run.took(loss)
        kept = [p.detach().clone() for p in model.parameters()]
        with torch.no_grad():
            for p, q in zip(model.parameters(), average, strict=True):
                p.copy_(q.lerp_(p, 0.1))
            loss_fn(model, batch())
            for p, q in zip(model.parameters(), kept, strict=True):
                p.copy_(q)


def with_closure(make: Make) -> Loop:
    def loop(run: Spied) -> None:
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
        optimizer = make(model)
        run.attach(model, loss_fn, optimizer)
        for _ in range(STEPS):
            data, passes = batch(), list[Tensor]()

            def closure(data: Any = data, passes: list[Tensor] = passes) -> Tensor:
                optimizer.zero_grad()
                passes.append(loss_fn(model, data))
                passes[-1].backward()
                if len(passes) == 1:
                    run.keep_gradients()
                return passes[-1]

            with run.step(data):
                optimizer.step(closure)
            run.took(passes[0])

    return loop


def sam(run: Spied) -> None:
    """Foret et al. (2021) by hand: the step is that of an optimizer with the gradient from elsewhere."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = sgd(model)
    run.attach(model, loss_fn, optimizer)
    for _ in range(STEPS):
        data = batch()
        with run.step(data):
            optimizer.zero_grad()
            loss = loss_fn(model, data)
            loss.backward()
            run.keep_gradients()
            uphill = [0.1 * p.grad for p in model.parameters() if p.grad is not None]
            with torch.no_grad():
                torch._foreach_add_(list(model.parameters()), uphill)
            optimizer.zero_grad()
            loss_fn(model, data).backward()
            with torch.no_grad():
                torch._foreach_sub_(list(model.parameters()), uphill)
            optimizer.step()
        run.took(loss)


LOOK_AROUND: dict[str, Loop] = {
    "averages for an evaluation": evaluated_with_averages,
    "LBFGS": with_closure(lambda m: LBFGS(m.parameters(), lr=0.3, max_iter=4)),
    "LBFGS with line search": with_closure(lambda m: LBFGS(m.parameters(), max_iter=4, line_search_fn="strong_wolfe")),
    "a closure for Adam": with_closure(lambda m: Adam(m.parameters(), lr=0.01)),
    "SAM": sam,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOOK_AROUND)
def test_weights_that_go_elsewhere_and_come_back(name: str, form: str) -> None:
    """The truth is the gradient where the step starts, as the loop kept it, and where the next step begins."""
    assert_the_step_taken(LOOK_AROUND[name], form)


def in_half(kind: torch.dtype, size: int, clip: bool) -> Loop:
    def loop(run: Spied) -> None:
        model = net()
        optimizer, scaler = sgd(model), torch.amp.GradScaler("cpu", init_scale=1024.0)
        run.attach(model, loss_fn, optimizer)
        for _ in range(STEPS):
            total = 0.0
            for index in range(size):
                data = batch()
                with run.step(data):
                    with torch.autocast("cpu", kind):
                        loss = loss_fn(model, data) / size
                    scaler.scale(loss).backward()
                    total += loss.item()
                    if index == size - 1:
                        if clip:
                            scaler.unscale_(optimizer)
                            nn.utils.clip_grad_norm_(model.parameters(), 0.05)
                        scaler.step(optimizer)
                        scaler.update()
                        optimizer.zero_grad()
            run.took(total)

    return loop


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_with_a_scaler(kind: torch.dtype, size: int, clip: bool, form: str) -> None:
    """The truth is the spy. Half precision keeps 8 to 11 bits, and the measurement is made in single precision."""
    assert_the_step_taken(in_half(kind, size, clip), form, tolerance=2.0**-5)


class Scaled(Optimizer):
    """D-adaptation in short: a setting `d`, which grows, multiplies the learning rate."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.parameters(), {"lr": 1.0, "d": 1e-3})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad, alpha=group["lr"] * group["d"])
            group["d"] *= 2


class Rateless(Optimizer):
    """Adafactor with relative steps has a learning rate of None, and others call it something else."""

    def __init__(self, model: nn.Module, **settings: Any) -> None:
        super().__init__(model.parameters(), settings)

    @torch.no_grad()
    def step(self) -> None:
        for p in self.param_groups[0]["params"]:
            p.sub_(p.grad, alpha=0.1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "make", [Scaled, lambda m: Rateless(m, lr=None), lambda m: Rateless(m, step_size=0.1)], ids=["d", "None", "no lr"]
)
def test_a_rate_that_is_not_known_is_nan_with_one_warning(make: Make, form: str) -> None:
    """The truth is the loop: loss, gradient and update are right all the same, and nothing raises."""
    loop = trained(make)
    run = assert_the_step_taken(loop, form, "the learning rate of step 0 is not known", rates=False)
    assert all(math.isnan(step.lr or 0) for step in run.seen.values())
    assert run.recorder is not None
    assert run.recorder.read("landscape")["beta"].tolist() == pytest.approx([math.nan] * STEPS, nan_ok=True)
