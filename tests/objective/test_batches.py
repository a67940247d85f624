"""A loss that is the mean over several batches, and reading those batches without a trace."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from clinometer import Batches, Objective, RngState

COUNTS = [3, 5, 1]


def squares(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.mse_loss(model(batch[0]), batch[1])


def regression() -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    torch.manual_seed(0)
    parts = [(torch.randn(n, 4, dtype=torch.float64), torch.randn(n, 1, dtype=torch.float64)) for n in COUNTS]
    return nn.Linear(4, 1, dtype=torch.float64), parts


def joined(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])


def test_weighed_by_samples_it_is_the_loss_of_all_samples() -> None:
    """The truth is one batch that holds all samples: without BatchNorm their mean loss is the same function."""
    model, parts = regression()
    several, one = (Objective(model, squares, b) for b in (Batches(parts, weights="samples"), joined(parts)))
    here = several.here()
    v = {name: torch.randn_like(value) for name, value in here.items()}
    assert several.batches == 3
    loss, gradient = several.loss_and_grad(here)
    torch.testing.assert_close(loss, one.loss(here))
    torch.testing.assert_close(several.loss(here), loss, rtol=0, atol=0)
    torch.testing.assert_close(gradient, one.loss_and_grad(here)[1])
    torch.testing.assert_close(several.hvp(here, v), one.hvp(here, v))


@pytest.mark.parametrize("weights", [None, [2.0, 6.0, 0.0], lambda b: float(len(b[0]) ** 2)])
def test_the_mean_is_that_of_the_batches_losses(weights: Any) -> None:
    """The truth is written out: Σ wᵢ Lᵢ / Σ wᵢ over objectives of one batch each."""
    model, parts = regression()
    numbers = [1, 1, 1] if weights is None else [n**2 for n in COUNTS] if callable(weights) else weights
    objective = Objective(model, squares, Batches(parts, weights=weights))
    here = objective.here()
    each = [Objective(model, squares, part).loss_and_grad(here) for part in parts]
    loss, gradient = objective.loss_and_grad(here)
    torch.testing.assert_close(loss, sum(w * one for w, (one, _) in zip(numbers, each, strict=True)) / sum(numbers))
    for name, value in gradient.items():
        expected = sum(w * g[name] for w, (_, g) in zip(numbers, each, strict=True)) / sum(numbers)
        torch.testing.assert_close(value, expected)


def test_batchnorm_takes_the_statistics_of_each_batch() -> None:
    """The truth is torch's own training loop with accumulation: one `.backward()` a batch, in train mode."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))
    parts = [batch(0), batch(1)]
    _, gradient = Objective(model, cross_entropy, Batches(parts)).loss_and_grad(dict(model.named_parameters()))
    for part in parts:
        (cross_entropy(model, part) / 2).backward()
    torch.testing.assert_close(gradient, {name: p.grad for name, p in model.named_parameters()})


def test_each_batch_has_draws_of_its_own_that_stay() -> None:
    """Dropout of one input twice: with one mask the losses would be equal, with new masks they would change."""
    torch.manual_seed(0)
    x = torch.ones(1, 1000)
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(1000, 1))
    one = Objective(model, lambda m, x: m(x).sum(), x)
    several = Objective(model, lambda m, x: m(x).sum(), Batches([x, x, x]))
    here = several.here()
    losses = [several.only([number]).loss(here).item() for number in range(3)]
    assert losses[0] == one.loss(here).item(), "the first batch has the draws that training will see"
    assert len(set(losses)) == 3
    torch.rand(5)
    assert several.loss(here).item() == pytest.approx(sum(losses) / 3)


class Noisy(Dataset[Tensor]):
    """A data set that draws from everything that a data set may draw from."""

    def __init__(self) -> None:
        self.own = np.random.default_rng(3)

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Tensor:
        drawn = random.random() + np.random.rand() + self.own.random()
        return torch.full((2,), index + drawn) + torch.rand(())


def test_reading_a_loader_leaves_no_trace() -> None:
    """All streams are compared bit for bit, and the pass over the loader that training is in goes on as it would."""

    def run(measured: bool) -> Any:
        torch.manual_seed(0), random.seed(0), np.random.seed(0)
        generator = torch.Generator().manual_seed(5)
        dataset = Noisy()
        plain = DataLoader(dataset, 3, shuffle=True)
        loader = DataLoader(dataset, 3, shuffle=True, generator=generator)
        seen: list[Any] = []
        for each, other in zip(plain, loader, strict=True):
            if measured:
                assert len(Batches(loader, limit=2).read()) == len(Batches(plain, limit=2).read()) == 2
            seen += [each, other]
        streams = vars(RngState.now()) | {
            "own": dataset.own.bit_generator.state,
            "of the loader": generator.get_state(),
        }
        return {"batches": seen, **streams}

    assert_same(run(measured=True), run(measured=False))


def test_workers_that_persist_go_on_with_the_pass_of_training() -> None:
    """`iter(loader)` starts such a loader's one iterator anew: training would meet its first batches again."""
    dataset = TensorDataset(torch.arange(6.0))
    loader = DataLoader(dataset, 1, num_workers=1, persistent_workers=True)
    seen: list[float] = []
    for (each,) in loader:
        seen.append(each.item())
        if len(seen) == 2:
            assert [kept.fresh()[0].item() for kept in Batches(loader).read()] == [0, 1, 2, 3, 4, 5]
    assert seen == [0, 1, 2, 3, 4, 5]


def test_the_sample_does_not_depend_on_when_it_is_read() -> None:
    """A resumed run reads it later than the first run did, from generators that have drawn meanwhile."""

    def read(draws: int) -> list[Any]:
        torch.manual_seed(7)
        dataset, generator = Noisy(), torch.Generator().manual_seed(5)
        torch.rand(draws), random.random(), np.random.rand(), dataset.own.random(draws)
        torch.rand(draws, generator=generator)
        return [kept.fresh() for kept in Batches(DataLoader(dataset, 3, shuffle=True, generator=generator)).read()]

    assert_same(read(1), read(9))


def test_a_loader_is_read_once() -> None:
    """The second evaluation sees the batches of the first one, however the loader shuffles."""
    batches = Batches(DataLoader(Noisy(), 4, shuffle=True))
    assert len(batches) == 3
    first = batches.read()
    assert batches.read() is first
    assert len(batches) == 3


def test_a_generator_gives_its_first_batches() -> None:
    """It has no end: only a limit can stop the reading."""

    def endless() -> Iterator[Tensor]:
        number = 0
        while True:
            yield torch.tensor([float(number)])
            number += 1

    source = endless()
    batches = Batches(source, limit=3)
    assert len(batches) == 3
    assert [kept.fresh().item() for kept in batches.read()] == [0, 1, 2]
    assert next(source).item() == 3


def test_progress_is_told_of_each_batch() -> None:
    """A plain function gets the counts; an object with `update`, as tqdm's bars have, gets ones."""
    model, parts = regression()
    calls: list[tuple[int, int]] = []
    objective = Objective(model, squares, Batches(parts, progress=lambda done, total: calls.append((done, total))))
    here = objective.here()
    objective.loss(here)
    objective.loss_and_grad(here)
    objective.hvp(here, here)
    assert calls == [(1, 3), (2, 3), (3, 3)] * 3

    class Bar:
        n = 0

        def update(self, n: int) -> None:
            self.n += n

    bar = Bar()
    Objective(model, squares, Batches(parts, progress=bar)).loss(here)
    assert bar.n == 3


def test_other_batches_at_the_same_moment() -> None:
    """The model has trained on since; the truth is an objective that was made before it did."""
    model = everything()
    both = [batch(1), batch(2)]
    then = Objective(model, cross_entropy, Batches(both))
    first = Objective(model, cross_entropy, batch(0))
    here = first.here()
    cross_entropy(model, batch(0)).backward()
    model.eval()
    assert_same(first.on(Batches(both)).loss_and_grad(here), then.loss_and_grad(here))


def test_a_generator_in_a_later_batch_draws_alike_at_every_point() -> None:
    """The batch holds what its noise is drawn from; a second evaluation must not draw on."""
    noise = [torch.Generator().manual_seed(seed) for seed in range(2)]
    model = nn.Linear(1, 1)
    objective = Objective(model, lambda m, g: m(torch.randn(1, generator=g)).sum(), Batches(noise))
    here = objective.here()
    assert objective.loss(here) == objective.loss(here)
    assert [g.get_state().tolist() for g in noise] == [
        torch.Generator().manual_seed(s).get_state().tolist() for s in range(2)
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Batches(torch.ones(3, 2)), "several batches"),
        (lambda: Batches({"x": torch.ones(2)}), "several batches"),
        (lambda: Batches(3), "several batches"),  # pyright: ignore[reportArgumentType]
        (lambda: Batches(iter([1])), "limit=8"),
        (lambda: Batches([1], limit=0), "whole number from 1; found 0"),
        (lambda: Batches([1], limit=True), "whole number"),
        (lambda: Batches([1], progress=3), "update"),
        (lambda: Batches([]).read(), "at least one batch"),
        (lambda: Batches(iter([]), limit=2).read(), "at least one batch"),
        (lambda: Objective(nn.Linear(1, 1), squares, Batches([1, 2], weights=[1.0])), "each of 2 batches; found 1"),
        (lambda: Objective(nn.Linear(1, 1), squares, Batches([1, 2], weights=[1.0, -1.0])), "at least 0"),
        (lambda: Objective(nn.Linear(1, 1), squares, Batches([1, 2], weights=[0.0, 0.0])), "one above"),
        (lambda: Objective(nn.Linear(1, 1), squares, Batches([1, 2], weights="samples")), "first tensor"),
        (lambda: Objective(nn.Linear(1, 1), squares, Batches([1], weights="tokens")), "'samples'"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_what_cannot_be_used_is_refused(make: Any, message: str) -> None:
    """Before anything is evaluated, in words that say what to pass."""
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_batch_that_is_changed_later_is_refused() -> None:
    """They are kept by reference: what is measured would no longer be what was read."""
    parts = [torch.ones(2, 1), torch.ones(3, 1)]
    objective = Objective(nn.Linear(1, 1), lambda m, x: m(x).sum(), Batches(parts))
    parts[1].add_(1)
    with pytest.raises(ValueError, match="changed in place"):
        objective.loss(objective.here())
