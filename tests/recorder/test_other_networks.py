"""Networks beside the one that is measured: teachers, critics and averages stay as they are, too."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from loops import FORMS, STEPS, Loop, Run, assert_measured, ran
from models import batch, cross_entropy
from torch import Tensor, nn
from torch.nn import functional as F


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8, momentum=0.5), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 4))


teacher: nn.Module = nn.Identity()  # the global that `by_global` reaches


def distil(model: nn.Module, data: Any, teacher: nn.Module) -> Tensor:
    return F.mse_loss(model(data[0]), teacher(data[0]).detach())


def by_global(model: nn.Module, data: Any) -> Tensor:
    return distil(model, data, teacher)


class Distillation:
    """A trainer as many are: an object that holds everything, whose method is the loss."""

    def __init__(self, model: nn.Module) -> None:
        self.parts: dict[str, Any] = {"teachers": [model]}

    def loss(self, model: nn.Module, data: Any) -> Tensor:
        return distil(model, data, self.parts["teachers"][0])

    def __call__(self, model: nn.Module, data: Any) -> Tensor:
        return self.loss(model, data)


def by_default(of: nn.Module) -> Callable[[nn.Module, Any], Tensor]:
    def loss_fn(model: nn.Module, data: Any, of: nn.Module = of) -> Tensor:
        return distil(model, data, of)

    return loss_fn


REACHED: dict[str, Callable[[nn.Module], Any]] = {
    "closure": lambda of: lambda model, data: distil(model, data, of),
    "global": lambda _of: by_global,
    "default": by_default,
    "partial": lambda of: functools.partial(distil, teacher=of),
    "bound method": lambda of: Distillation(of).loss,
    "callable object": Distillation,
    "nested closure": lambda of: (lambda inner: lambda model, data: inner(model, data))(by_default(of)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", REACHED)
def test_a_teacher_stays_as_it_is(name: str, form: str) -> None:
    """The truth is the unmeasured run: were the teacher run while measuring, its BatchNorm statistics would move."""

    def loop(run: Run) -> None:
        global teacher
        model, teacher = small(), small()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        loss_fn = REACHED[name](teacher)
        run.attach(model, loss_fn, optimizer)
        run.kept.append((teacher, optimizer))
        for index in range(STEPS):
            with run.step(batch(index)):
                optimizer.zero_grad()
                loss = loss_fn(model, batch(index))
                loss.backward()
                optimizer.step()
            run.took(loss)

    assert_measured(loop, form)


@pytest.mark.parametrize("form", FORMS)
def test_a_loss_that_ignores_its_model_is_of_the_one_it_knows(form: str) -> None:
    """Many scripts have one global model; the truth is the unmeasured run, and that the landscape is not flat."""

    def loop(run: Run) -> None:
        model = small()

        def loss_fn(_model: nn.Module, data: Any) -> Tensor:
            return cross_entropy(model, data)

        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run.attach(model, loss_fn, optimizer)
        for index in range(STEPS):
            with run.step(batch(index)):
                optimizer.zero_grad()
                loss = loss_fn(model, batch(index))
                loss.backward()
                optimizer.step()
            run.took(loss)

    run = assert_measured(loop, form)
    assert run.recorder
    assert (run.recorder.read("landscape")["beta"] > 0).all()


class Pair:
    """A generator and a critic, whose weights are clamped after its step, as in WGAN."""

    def __init__(self) -> None:
        self.generator = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 6))
        self.critic = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
        self.ours, self.theirs = (torch.optim.RMSprop(m.parameters(), lr=0.01) for m in (self.generator, self.critic))

    def generator_loss(self, generator: nn.Module, noise: Tensor) -> Tensor:
        return -self.critic(generator(noise)).mean()

    def critic_loss(self, critic: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
        real, noise = data
        return critic(self.generator(noise).detach()).mean() - critic(real).mean()

    def train_generator(self, noise: Tensor) -> Tensor:
        self.ours.zero_grad()
        loss = self.generator_loss(self.generator, noise)
        loss.backward()
        self.ours.step()
        return loss

    def train_critic(self, data: tuple[Tensor, Tensor]) -> Tensor:
        self.theirs.zero_grad()
        loss = self.critic_loss(self.critic, data)
        loss.backward()
        self.theirs.step()
        return loss

    def clamp(self) -> None:
        for p in self.critic.parameters():
            p.data.clamp_(-0.05, 0.05)


def generator_in_turns(run: Run) -> None:
    """The critic takes two steps for one of the generator's."""
    pair = Pair()
    run.attach(pair.generator, pair.generator_loss, pair.ours)
    run.kept.append((pair.critic, pair.theirs))
    for index in range(STEPS):
        for more in range(2):
            pair.train_critic((batch(2 * index + more)[0], torch.randn(16, 3)))
            pair.clamp()
        noise = torch.randn(16, 3)
        with run.step(noise):
            loss = pair.train_generator(noise)
        run.took(loss)


def critic_in_turns(run: Run) -> None:
    pair = Pair()
    run.attach(pair.critic, pair.critic_loss, pair.theirs)
    run.kept.append((pair.generator, pair.ours))
    for index in range(STEPS):
        data = batch(index)[0], torch.randn(16, 3)
        with run.step(data):
            loss = pair.train_critic(data)
        pair.clamp()  # it belongs to the step: the next one begins from there
        run.took(loss)
        pair.train_generator(data[1])


def critic_with_all_in_its_block(run: Run) -> None:
    """The generator's pass goes through the critic as well, after the critic's step."""
    pair = Pair()
    run.attach(pair.critic, pair.critic_loss, pair.theirs)
    run.kept.append((pair.generator, pair.ours))
    for index in range(STEPS):
        data = batch(index)[0], torch.randn(16, 3)
        with run.step(data):
            loss = pair.train_critic(data)
            run.took(loss)
            pair.train_generator(data[1])


PAIRS: dict[str, Loop] = {
    "generator": generator_in_turns,
    "critic": critic_in_turns,
    "critic, all in its block": critic_with_all_in_its_block,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PAIRS)
def test_one_of_two_adversaries_is_measured(name: str, form: str) -> None:
    """The truth is the unmeasured run of both, to the last bit of either."""
    assert_measured(PAIRS[name], form)


def test_what_follows_the_step_inside_the_block_belongs_to_it() -> None:
    """A block ends where it ends, with the clamped weights; a line ends where the optimizer's step does."""

    def loop(run: Run) -> None:
        pair = Pair()
        run.attach(pair.critic, pair.critic_loss, pair.theirs)
        data = batch()[0], torch.randn(16, 3)
        with run.step(data):
            pair.train_critic(data)
            pair.clamp()

    largest = {form: max(float(p.abs().max()) for p in ran(loop, form).seen[0].after.values()) for form in FORMS}
    assert largest["block"] == pytest.approx(0.05)
    assert largest["line"] > 0.06
