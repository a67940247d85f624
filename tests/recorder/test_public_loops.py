"""Loops in the style of public repositories, each held against a spy on its optimizer: see test_the_step_taken.py."""

import copy
import functools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from spied import FORMS, STEPS, Batch, Loop, Spied, assert_the_step_taken, batch, loss_fn, net, sgd
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

bce = F.binary_cross_entropy_with_logits


def mlp(outputs: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, outputs))


def one_step(run: Spied, model: nn.Module, optimizer: Any, loss_fn: Any, data: Any) -> None:
    """The body of most loops."""
    with run.step(data):
        optimizer.zero_grad()
        loss = loss_fn(model, data)
        loss.backward()
        optimizer.step()
    run.took(loss)


def nanogpt(run: Spied) -> None:
    """Decay for matrices alone, the rate set at the top, micro-batches, a scaler that is off, the next batch early."""
    model = net()
    matrices, vectors = ([p for p in model.parameters() if (p.ndim > 1) == many] for many in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer, scaler = AdamW(groups, lr=0.01), torch.amp.GradScaler("cpu", enabled=False)
    run.attach(model, loss_fn, optimizer)
    data = batch()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 0.002 * (step + 1)
        total = 0.0
        for micro in range(3):
            with run.step(data):
                loss = loss_fn(model, data) / 3
                data = batch()
                scaler.scale(loss).backward()
                total += loss.item()
                if micro == 2:
                    scaler.unscale_(optimizer)
                    nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                    scaler.step(optimizer)
                    scaler.update()
                    optimizer.zero_grad(set_to_none=True)
        run.took(total)


def by_tokens(run: Spied) -> None:
    """transformers' Trainer: each micro-batch's sum over the tokens of all of them, clipped."""
    model = net()
    optimizer = AdamW(model.parameters(), lr=0.01)
    run.attach(model, loss_fn, optimizer)
    for _ in range(STEPS):
        total = 0.0
        for samples in (4, 16, 9):
            data = torch.randn(samples, 6), torch.randint(3, (samples,))
            with run.step(data):
                loss = F.cross_entropy(model(data[0]), data[1], reduction="sum") / 29
                loss.backward()
                total += loss.item()
                if samples == 9:
                    nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                    optimizer.step()
                    optimizer.zero_grad()
        run.took(total)


def scaler_skips(run: Spied) -> None:
    model = net()
    optimizer, scaler = sgd(model), torch.amp.GradScaler("cpu")
    run.attach(model, loss_fn, optimizer)
    for index in range(STEPS + 1):
        data = batch()
        with run.step(data):
            optimizer.zero_grad()
            loss = loss_fn(model, data)
            scaler.scale(loss).backward()
            if index == 2:
                next(model.parameters()).grad.fill_(math.inf)
            scaler.step(optimizer)
            scaler.update()
        if index != 2:
            run.took(loss)


def dcgan(run: Spied) -> None:
    """pytorch/examples: two passes of the discriminator, and the generator's pass goes through it afterwards."""
    one, two = nn.Linear(4, 6), mlp(1)
    first, second = Adam(one.parameters(), lr=0.01), Adam(two.parameters(), lr=0.01)
    real, fake = torch.ones(16, 1), torch.zeros(16, 1)

    def of_both(two: nn.Module, data: Batch) -> Tensor:
        return bce(two(data[0]), real) + bce(two(one(data[1]).detach()), fake)

    run.attach(two, of_both, second)
    for _ in range(STEPS):
        data = torch.randn(16, 6), torch.randn(16, 4)
        with run.step(data):
            two.zero_grad()
            losses = [bce(two(data[0]), real)]
            losses[0].backward()
            made = one(data[1])
            losses.append(bce(two(made.detach()), fake))
            losses[1].backward()
            second.step()
            one.zero_grad()
            bce(two(made), real).backward()
            first.step()
        run.took(losses[0] + losses[1])


def wgan(run: Spied) -> None:
    """A critic that steps five times for the generator's once, with passes of weights 1 and -1, and clipped weights."""
    one, two = nn.Linear(4, 6), mlp(1)
    first, second = RMSprop(one.parameters(), lr=0.01), RMSprop(two.parameters(), lr=0.01)
    run.attach(two, lambda two, data: two(one(data[1]).detach()).mean() - two(data[0]).mean(), second)
    for index in range(2 * STEPS):
        data = torch.randn(16, 6), torch.randn(16, 4)
        with run.step(data):
            second.zero_grad()
            of_real, of_made = two(data[0]).mean(), two(one(data[1]).detach()).mean()
            of_made.backward(torch.tensor(1.0))
            of_real.backward(torch.tensor(-1.0))
            second.step()
            for p in two.parameters():
                p.data.clamp_(-0.1, 0.1)
        run.took(of_made - of_real)
        if index % 5 == 4:
            first.zero_grad()
            (-two(one(torch.randn(16, 4)))).mean().backward()
            first.step()


def dqn(run: Spied) -> None:
    """A target network that follows slowly, within the block, and is replaced at times."""
    model = mlp()
    target, optimizer = copy.deepcopy(model), Adam(model.parameters(), lr=0.01)

    def error(model: nn.Module, data: tuple[Tensor, ...]) -> Tensor:
        state, action, reward, following = data
        with torch.no_grad():
            value = reward + 0.9 * target(following).max(1).values
        return F.smooth_l1_loss(model(state).gather(1, action[:, None])[:, 0], value)

    run.attach(model, error, optimizer)
    for _ in range(STEPS):
        data = torch.randn(16, 6), torch.randint(3, (16,)), torch.randn(16), torch.randn(16, 6)
        with run.step(data):
            optimizer.zero_grad()
            loss = error(model, data)
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 100)
            optimizer.step()
            with torch.no_grad():
                for p, q in zip(target.parameters(), model.parameters(), strict=True):
                    p.lerp_(q, 0.5)
        run.took(loss)


def ppo(run: Spied) -> None:
    """Epochs over minibatches of one rollout."""
    model = mlp()
    optimizer = Adam(model.parameters(), lr=0.01)
    state, action, advantage = torch.randn(32, 6), torch.randint(3, (32, 1)), torch.randn(32)

    def chosen(model: nn.Module, state: Tensor, action: Tensor) -> Tensor:
        return F.log_softmax(model(state), 1).gather(1, action)[:, 0]

    def surrogate(model: nn.Module, data: tuple[Tensor, ...]) -> Tensor:
        state, action, advantage, old = data
        ratio = (chosen(model, state, action) - old).exp()
        return -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()

    run.attach(model, surrogate, optimizer)
    old = chosen(model, state, action).detach()
    for _ in range(2):
        for some in torch.randperm(32).split(16):
            one_step(run, model, optimizer, surrogate, (state[some], action[some], advantage[some], old[some]))


def maml(run: Spied) -> None:
    """The gradient of a loss after an inner step, over two tasks a step."""
    model = mlp()
    optimizer = Adam(model.parameters(), lr=0.01)

    def adapted(model: nn.Module, task: tuple[Batch, Batch]) -> Tensor:
        (x, y), (u, v) = task
        start = dict(model.named_parameters())
        loss = F.cross_entropy(functional_call(model, start, (x,)), y)
        slopes = torch.autograd.grad(loss, list(start.values()), create_graph=True)
        fast = {name: p - 0.1 * g for (name, p), g in zip(start.items(), slopes, strict=True)}
        return F.cross_entropy(functional_call(model, fast, (u,)), v)

    run.attach(model, adapted, optimizer)
    for _ in range(STEPS):
        optimizer.zero_grad()
        total = 0.0
        for index in range(2):
            task = batch(), batch()
            with run.step(task):
                loss = adapted(model, task) / 2
                loss.backward()
                total += loss.item()
                if index == 1:
                    optimizer.step()
        run.took(total)


def reptile(run: Spied) -> None:
    """After the last of some steps the weights go half of the way back: that belongs to the last."""
    model = mlp()
    optimizer = sgd(model)
    run.attach(model, loss_fn, optimizer)
    for _ in range(2):
        before = copy.deepcopy(model.state_dict())
        for _ in range(2):
            one_step(run, model, optimizer, loss_fn, batch())
        model.load_state_dict({name: value.lerp(before[name], 0.5) for name, value in model.state_dict().items()})


def folds(run: Spied) -> None:
    """Model and optimizer are put back to where they started."""
    model = mlp()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    run.attach(model, loss_fn, optimizer)
    start = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    for _ in range(2):
        model.load_state_dict(start[0])
        optimizer.load_state_dict(start[1])
        for _ in range(2):
            one_step(run, model, optimizer, loss_fn, batch())


def truncated(run: Spied) -> None:
    """A recurrent network, whose state is handed from one part of a sequence to the next."""
    model = nn.ModuleList([nn.LSTMCell(6, 8), nn.Linear(8, 3)])
    optimizer = sgd(model)
    state = torch.zeros(5, 8), torch.zeros(5, 8)

    def through(model: Any, data: Any) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        x, y, state = data
        losses = []
        for at in range(4):
            state = model[0](x[at], state)
            losses.append(F.cross_entropy(model[1](state[0]), y[at]))
        return torch.stack(losses).mean(), (state[0].detach(), state[1].detach())

    run.attach(model, lambda model, data: through(model, data)[0], optimizer)
    for _ in range(STEPS):
        data = torch.randn(4, 5, 6), torch.randint(3, (4, 5)), state
        with run.step(data):
            optimizer.zero_grad()
            loss, state = through(model, data)
            loss.backward()
            optimizer.step()
        run.took(loss)


class ScheduleFree(Optimizer):
    """Defazio et al. (2024), SGD: gradients are taken at y, and `eval` puts the averages x in its place."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.parameters(), {"lr": 0.1, "beta": 0.9, "k": 0})
        for p in model.parameters():
            self.state[p]["z"] = p.detach().clone()

    @torch.no_grad()
    def swap(self, weight: Callable[[float], float]) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.lerp_(self.state[p]["z"], weight(group["beta"]))

    def eval(self) -> None:
        self.swap(lambda beta: 1 - 1 / beta)

    def train(self) -> None:
        self.swap(lambda beta: 1 - beta)

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            group["k"] += 1
            share, beta, lr = 1 / group["k"], group["beta"], group["lr"]
            for p in group["params"]:
                z = self.state[p]["z"]
                p.lerp_(z, share).add_(p.grad, alpha=lr * (beta * (1 - share) - 1))
                z.sub_(p.grad, alpha=lr)


def schedule_free(run: Spied) -> None:
    model = net()
    optimizer = ScheduleFree(model)
    run.attach(model, loss_fn, optimizer)
    for _ in range(STEPS):
        one_step(run, model, optimizer, loss_fn, batch())
        optimizer.eval()
        with torch.no_grad():
            loss_fn(model, batch())
        optimizer.train()


def in_backward(run: Spied) -> None:
    """torchtune: an optimizer for each parameter, which steps in a hook as its gradient is there."""
    model = net()
    optimizers = {p: SGD([p], lr=0.1) for p in model.parameters()}

    def take(p: Any) -> None:
        optimizers[p].step()
        optimizers[p].zero_grad()

    for p in model.parameters():
        p.register_post_accumulate_grad_hook(take)
    run.attach(model, loss_fn, list(optimizers.values()))
    for _ in range(STEPS):
        data = batch()
        with run.step(data):
            loss = loss_fn(model, data)
            loss.backward()
        run.took(loss)


def attached_late(run: Spied) -> None:
    """Some steps were taken before, and gradients are left of them."""
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        loss_fn(model, batch()).backward()
        optimizer.step()
    run.attach(model, loss_fn, optimizer)
    for _ in range(STEPS):
        one_step(run, model, optimizer, loss_fn, batch())


def frozen_at_first(run: Spied) -> None:
    """The whole model is in the optimizer, its first half frozen for a while."""
    model = mlp()
    first = model.get_submodule("0").requires_grad_(False)
    optimizer = sgd(model)
    run.attach(model, loss_fn, optimizer)
    for index in range(STEPS):
        if index == 2:
            first.requires_grad_(True)
        one_step(run, model, optimizer, loss_fn, batch())


def step_replaced(run: Spied) -> None:
    """A wrapper puts its own function in the place of the optimizer's step, which sets the rate late."""
    model = net()
    optimizer = sgd(model)
    inside = optimizer.step

    @functools.wraps(inside)
    def step() -> None:
        optimizer.param_groups[0]["lr"] = 0.05
        inside()

    optimizer.step = step
    run.attach(model, loss_fn, optimizer)
    for _ in range(STEPS):
        one_step(run, model, optimizer, loss_fn, batch())


class Apex:
    """An optimizer that is none of torch's."""

    def __init__(self, model: nn.Module) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(model.parameters()), "lr": 0.1}]

    def zero_grad(self) -> None:
        for p in self.param_groups[0]["params"]:
            p.grad = None

    @torch.no_grad()
    def step(self) -> None:
        for p in self.param_groups[0]["params"]:
            p.sub_(p.grad, alpha=self.param_groups[0]["lr"])


def apex(run: Spied) -> None:
    model = net()
    optimizer = Apex(model)
    run.attach(model, loss_fn, optimizer)
    for _ in range(STEPS):
        one_step(run, model, optimizer, loss_fn, batch())


LOOPS: list[Loop] = [
    nanogpt, by_tokens, scaler_skips, dcgan, wgan, dqn, ppo, maml, reptile, folds, truncated, schedule_free,
    in_backward, attached_late, step_replaced, apex,
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_public_loops(loop: Loop, form: str) -> None:
    """The truth is the spy, and nothing is said: a warning that comes without a reason is soon not read any more."""
    assert_the_step_taken(loop, form)


@pytest.mark.parametrize("form", FORMS)
def test_a_frozen_half(form: str) -> None:
    """The truth is the spy. It knows rates and gradients of frozen parameters as well, which no step moves."""
    assert_the_step_taken(frozen_at_first, form, rates=False, gradient=False)


@pytest.mark.parametrize("form", FORMS)
def test_without_an_optimizer_the_rate_is_the_given_one(form: str) -> None:
    """By hand: p -= 0.1 g at each step, so the walk of size 1 ends where the update does."""

    def by_hand(run: Spied) -> None:
        model = net()
        run.attach(model, loss_fn, None, lr=0.1)
        for _ in range(STEPS):
            data = batch()
            with run.step(data):
                model.zero_grad()
                loss = loss_fn(model, data)
                loss.backward()
                with torch.no_grad():
                    for p in model.parameters():
                        p -= 0.1 * p.grad
            run.took(loss)

    run = assert_the_step_taken(by_hand, form, rates=False, gradient=False)
    assert run.recorder is not None
    walked, moved = (run.recorder.read(name)["distances"] for name in ("landscape", "landscape_update"))
    assert walked == pytest.approx(moved, rel=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_that_are_never_cleared_are_told(form: str) -> None:
    """By hand: the second step goes along the sum of two gradients, which no loss_fn of one batch has."""

    def loop(run: Spied) -> None:
        model = net()
        optimizer = sgd(model)
        run.attach(model, loss_fn, optimizer)
        for _ in range(STEPS):
            data = batch()
            with run.step(data):
                loss = loss_fn(model, data)
                loss.backward()
                optimizer.step()
            run.took(loss)

    assert_the_step_taken(loop, form, "an earlier gradient was left in it", gradient=False)
