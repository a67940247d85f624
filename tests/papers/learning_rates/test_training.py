"""The benchmark's trainings, networks and optimizers."""

import math

import pytest
import torch
from torch import nn

from clinometer.analysis.stable_rate import columns, trial, trials_of
from clinometer.nn.newton_schulz import orthogonalised
from clinometer.papers.learning_rates.configurations import HELD_OUT, TUNING, configuration, configurations
from clinometer.papers.learning_rates.optimizers import Muon
from clinometer.training.curve import batches, build, curve, samples
from clinometer.training.from_config import build_training

BASES = {"digits": configuration(TUNING[0], "sgd")}


def test_the_two_sets_share_no_network() -> None:
    """Held out means that no network of the one set has the kind, width and depth of one of the other."""
    tuned, held = ({network[:3] for network in of} for of in (TUNING, HELD_OUT))
    assert not tuned & held
    assert not {network[:2] for network in TUNING} & {network[:2] for network in HELD_OUT}
    assert len(set(configurations(HELD_OUT, BASES))) >= 60


@pytest.mark.parametrize("network", [*TUNING, *HELD_OUT], ids=lambda each: "-".join(map(str, each)))
def test_every_network_classifies(network: tuple[str, int, int, str | None]) -> None:
    """Logits of 10 classes, and a gradient for every parameter."""
    model = build(configuration(network, "sgd"), 0)
    model(torch.randn(4, 1, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_curve_is_that_of_the_ordinary_loop() -> None:
    """The package's own trainer takes the same steps: same weights, same batches, same losses."""
    config = configuration(TUNING[0], "momentum", steps=5).vary(seed=3)
    training = build_training(config.vary(settings={**config.settings, "lr": 0.1}))
    losses: list[float] = []
    for inputs, targets in training.batches(0):
        loss = training.criterion(training.model(inputs), targets)
        losses.append(loss.item())
        training.optimizer.zero_grad()
        loss.backward()
        training.optimizer.step()
    assert list(curve(config, 0.1, 3, samples(config)).losses) == losses


def test_a_curve_is_drawn_by_its_seed_alone() -> None:
    """Whatever was drawn before: the same seed gives the same curve, another one another."""
    config = configuration(HELD_OUT[0], "adamw", steps=4)
    data = samples(config)
    first = curve(config, 0.01, 0, data)
    torch.randn(10)
    assert curve(config, 0.01, 0, data) == first
    assert curve(config, 0.01, 1, data) != first
    assert len(list(batches(config, 0, data))) == 4


def test_a_curve_ends_where_the_loss_is_not_finite() -> None:
    """At a rate of 1e20 the second loss is not finite; the trial says so, and no accuracy counts."""
    config = configuration(TUNING[0], "sgd", steps=30)
    found = curve(config, 1e20, 0, samples(config))
    assert found.diverged
    assert len(found.losses) < 30
    assert trial([found]).final == (math.inf,)
    assert trial([found]).accuracy == (0.0,)


def test_a_trial_is_the_mean_of_the_last_steps() -> None:
    """The last 20 of 25, by hand."""
    config = configuration(TUNING[0], "sgd", steps=25)
    found = curve(config, 0.1, 0, samples(config))
    assert trial([found]).final[0] == pytest.approx(sum(found.losses[5:]) / 20)
    assert trial([found]).initial == (found.losses[0],)


def test_rows_give_the_trials_back() -> None:
    """What is written is what is read."""
    config = configuration(TUNING[0], "sgd", steps=2)
    data = samples(config)
    trials = {k: trial([curve(config, 2.0 ** (k / 2), seed, data) for seed in (0, 1)]) for k in (-8, -2)}
    assert trials_of(columns(trials)) == trials


def test_muon_makes_its_step_orthogonal() -> None:
    """The singular values of a step are those of an orthogonal matrix, about 1, by torch's decomposition."""
    torch.manual_seed(0)
    for shape in ((5, 8), (8, 5), (6, 6)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert 0.5 < values.min() <= values.max() < 1.3


def test_muon_steps_as_its_formula_says() -> None:
    """Two steps of a 2×1 matrix, whose orthogonal part is its direction, and of a vector, by hand."""
    weight, bias = nn.Parameter(torch.zeros(2, 1)), nn.Parameter(torch.zeros(2))
    optimizer = Muon([weight, bias], lr=0.1)
    for _ in range(2):
        weight.grad, bias.grad = torch.tensor([[3.0], [4.0]]), torch.tensor([2.0, -2.0])
        optimizer.step()
    size = float(orthogonalised(torch.ones(1, 1)))
    torch.testing.assert_close(weight.detach(), -0.2 * 2**0.5 * size * torch.tensor([[0.6], [0.8]]))
    torch.testing.assert_close(bias.detach(), torch.tensor([-0.02, 0.02]))
