"""The noise scale of a run: what it costs, what it splits, and what it says where it knows nothing."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from torch import Tensor, nn

from clinometer import Objective, Recorder, Step, every, noise_scale
from clinometer.measures.curvature_noise import curvature_noise
from clinometer.measures.noise_scale import gradient_noise, noise_scale_of
from clinometer.objective.batches import Batches


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))


def trained(
    probes: Any, data: list[Any], parts: int = 1, model: nn.Module | None = None, loss_fn: Any = cross_entropy
) -> tuple[Recorder, list[int]]:
    """A run whose steps take so many batches each; and how often `loss_fn` was called, all in all."""
    model = model or network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    calls = [0]

    def counted(m: nn.Module, each: Any) -> Tensor:
        calls[0] += 1
        return loss_fn(m, each)

    recorder = Recorder(model, counted, probes, every(1), optimizer=optimizer)
    for index, each in enumerate(data):
        with recorder.step(each):
            (counted(model, each) / parts).backward()
            if (index + 1) % parts == 0:
                optimizer.step()
                optimizer.zero_grad()
    return recorder, calls


def loss(step: Step) -> Any:
    return {"loss": step.loss}


@pytest.mark.parametrize(("parts", "more"), [(1, 2), (2, 0), (4, 0)])
def test_with_accumulation_it_takes_no_pass(parts: int, more: int) -> None:
    """Calls of loss_fn, counted from outside, beside a probe that reads the loss alone: none more, or one a half."""
    data = [batch(seed) for seed in range(4 * parts)]
    _, without = trained([loss], data, parts)
    recorder, with_it = trained([loss, noise_scale()], data, parts)
    assert with_it[0] - without[0] == 4 * more
    assert recorder.read("noise_scale")["batches"].tolist() == [max(parts, 2)] * 4
    assert recorder.read("noise_scale")["batch_size"].tolist() == [16 * parts] * 4


def test_a_batch_and_its_parts_given_one_by_one_have_one_noise_scale() -> None:
    """Without BatchNorm and dropout the gradient of a batch is the mean of its parts': whoever splits it."""
    whole = [batch(seed) for seed in range(3)]
    quarters = [tuple(x[i : i + 4] for x in each) for each in whole for i in range(0, 16, 4)]
    split = trained([noise_scale(splits=4)], whole)[0].read("noise_scale")
    given = trained([noise_scale()], quarters, 4)[0].read("noise_scale")
    for name in ("signal", "noise", "batches", "batch_size"):
        np.testing.assert_allclose(split[name], given[name], rtol=1e-4)


def test_the_value_is_the_ratio_of_the_means_of_the_window() -> None:
    """By the pure function on the rows themselves, which is tested against simulations."""
    recorder, _ = trained([noise_scale(window=9)], [batch(seed) for seed in range(12)])
    rows = recorder.read("noise_scale")
    for last in range(12):
        seen = {name: rows[name][max(0, last - 8) : last + 1] for name in ("signal", "noise")}
        expected = noise_scale_of(seen)
        np.testing.assert_array_equal(
            [rows[name][last] for name in ("value", "low", "high")], [expected.value, expected.low, expected.high]
        )


def test_unequal_parts_count_alike() -> None:
    """By hand: seven samples in parts of four and three, from the gradients of the two."""
    data = tuple(x[:7] for x in batch())
    found = trained([noise_scale()], [data])[0].read("noise_scale")
    objective = Objective(network(), cross_entropy, tuple(x[:4] for x in data))
    objective = objective.with_batch(tuple(x[4:] for x in data))
    expected = gradient_noise(objective, objective.here())
    assert found["signal"][0] == pytest.approx(expected.signal, rel=1e-5)
    assert found["noise"][0] == pytest.approx(expected.noise, rel=1e-5)


def test_other_batches_are_compared_where_they_are_given() -> None:
    """By the pure function on an objective over them."""
    others = [batch(seed) for seed in range(5, 9)]
    found = trained([noise_scale(batches=others)], [batch()])[0].read("noise_scale_batches")
    objective = Objective(network(), cross_entropy, Batches(others))
    expected = gradient_noise(objective, objective.here())
    assert {name: found[name][0] for name in vars(expected)} == pytest.approx(vars(expected))


def test_the_noise_of_dropout_is_in_it() -> None:
    """A batch of one sample repeated has no noise but dropout's: the variance of w·mask/p, in closed form.

    The gradient by each weight is 2 with probability 1/2, else 0: mean 1 and variance 1, for each of 50 weights.
    """

    def loss_fn(m: Any, x: Tensor) -> Tensor:
        return m(torch.dropout(x, 0.5, True)).mean()

    model = nn.Linear(50, 1, bias=False)
    recorder, _ = trained([noise_scale()], [torch.ones(64, 50)] * 20, 1, model, loss_fn)
    rows = recorder.read("noise_scale")
    # tr Σ and ‖G‖² are 50. A step's tr Σ has 50 degrees of freedom: 20% off, and 4.5% the mean of twenty.
    assert rows["noise"].mean() == pytest.approx(50, rel=0.15)
    assert rows["value"][-1] == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (None, {}, r"the batch cannot be split: .* Pass noise_scale\(split=\.\.\.\)"),
        ({"x": torch.ones(4), "y": torch.ones(3)}, {}, "found dict with lengths 3, 4"),
        (torch.ones(1), {}, "found Tensor with lengths 1"),
        (torch.ones(4), {"split": lambda x: [x]}, "there are 1 parts; expected 2 or more"),
        (torch.ones(4), {"size": lambda _: math.nan}, "the number of samples is unknown"),
    ],
)
def test_what_cannot_be_known_is_nan_with_a_warning(data: Any, options: Any, said: str) -> None:
    """At two steps, of which one warns; the run goes on, and a default works on any batch."""
    with pytest.warns(UserWarning, match=said) as caught:
        recorder, _ = trained(
            [noise_scale(**options)], [data] * 2, 1, nn.Linear(1, 1), lambda m, _: m.weight.square().sum()
        )
    assert len(caught) == 1
    rows = recorder.read("noise_scale")
    for name in ("value", "low", "high", "signal", "noise"):
        assert np.isnan(rows[name]).all()
    assert rows["batches"].dtype.kind in "iu"


def test_a_network_that_refuses_parts_is_nan_with_a_warning() -> None:
    """BatchNorm raises on a single sample, which half of a batch of two is."""
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))
    with pytest.warns(
        UserWarning, match="on a part of the batch loss_fn raised ValueError: Expected more than 1 value"
    ):
        recorder, _ = trained([noise_scale()], [tuple(x[:2] for x in batch())], 1, model)
    assert np.isnan(recorder.read("noise_scale")["value"]).all()


def test_sizes_and_parts_can_be_the_user_s() -> None:
    """Tokens by a function of the batch: a noise scale in tokens is that in samples times tokens a sample."""
    data = [{"ids": torch.randn(8, 5, 6), "labels": torch.randint(4, (8, 5))} for _ in range(10)]

    def loss_fn(m: nn.Module, each: Any) -> Tensor:
        return nn.functional.cross_entropy(m(each["ids"]).flatten(0, 1), each["labels"].flatten())

    tokens = noise_scale(size=lambda each: each["labels"].numel(), unit="tokens")
    quarters = noise_scale(split=lambda each: [{n: x[i::4] for n, x in each.items()} for i in range(4)])
    recorder, _ = trained({"a": tokens, "b": noise_scale(), "c": quarters}, data, 1, None, loss_fn)
    in_tokens, in_samples, in_quarters = (recorder.read(name) for name in "abc")
    np.testing.assert_allclose(in_tokens["value"], 5 * in_samples["value"], rtol=1e-5)
    assert in_tokens["batch_size"][0] == 40
    assert in_quarters["batches"].tolist() == [4] * 10
    assert tokens.fields["value"].unit == "tokens"  # type: ignore[attr-defined]


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_the_noise_scale_of_the_theory_is_measured_if_asked_for(parts: int) -> None:
    """By the pure functions on parts by hand: three of a batch, three of each of two, or four batches as they are."""
    data = [batch(seed) for seed in range(parts)]
    found = trained([noise_scale(curvature=True)], data, parts)[0].read("noise_scale")
    thirds = [tuple(x[i:j] for x in each) for each in data for i, j in ((0, 6), (6, 11), (11, 16))]
    batches = data if parts == 4 else thirds
    objective = Objective(network(), cross_entropy, Batches(batches))
    expected = curvature_noise(objective, objective.here())
    assert found["batches"][0] == len(batches)
    assert found["curved_signal"][0] == pytest.approx(expected.signal, rel=1e-4)
    assert found["curved_noise"][0] == pytest.approx(expected.noise, rel=1e-4)
    assert found["signal"][0] == pytest.approx(gradient_noise(objective, objective.here()).signal, rel=1e-4)
    ratio = expected.noise / expected.signal
    np.testing.assert_allclose(found["b_noise"][0], ratio if expected.signal > 0 else math.nan, rtol=1e-4)


def test_a_step_that_diverged_does_not_spoil_the_window() -> None:
    """Its rows say that it diverged; the value is that of the others."""
    data = [batch(seed) for seed in range(4)]
    data[2] = (data[2][0] * math.inf, data[2][1])
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    recorder = Recorder(model, cross_entropy, [noise_scale()], every(1), optimizer=optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the loss that is not finite
        for each in data:
            with recorder.step(each):
                cross_entropy(model, each).backward()
                optimizer.zero_grad()
                optimizer.step()
    rows = recorder.read("noise_scale")
    assert np.isnan(rows["noise"]).tolist() == [False, False, True, False]
    good = [0, 1, 3]
    assert rows["value"][3] == pytest.approx(rows["noise"][good].mean() / rows["signal"][good].mean())


def test_a_network_with_everything_is_measured() -> None:
    """BatchNorm, dropout, tied, frozen and unused parameters, and a buffer that the loss depends on: all is finite."""
    recorder, _ = trained([noise_scale()], [batch(seed) for seed in range(10)], 1, everything())
    assert np.isfinite(recorder.read("noise_scale")["noise"]).all()


@pytest.mark.parametrize("options", [{"splits": 1}, {"window": 1}, {"dataset_size": 0}])
def test_bad_arguments_are_refused(options: Any) -> None:
    """When the probe is made, with what was found."""
    with pytest.raises(ValueError, match="`splits` and `window` must be at least 2"):
        noise_scale(**options)
