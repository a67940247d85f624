"""What the paper measures, against numbers worked out by hand."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from clinometer import Recorder, every
from clinometer.papers.subramanian2019.configs import ARMS, arms, classifier
from clinometer.papers.subramanian2019.drift import growth, late, levels, offcentre
from clinometer.papers.subramanian2019.probes import gradients, means, offset, weights
from clinometer.papers.subramanian2019.rows import SITES, THRESHOLDS
from clinometer.papers.subramanian2019.sparsity import sparsity
from clinometer.results.run_table import RunTable
from clinometer.training.from_config import build_model


def test_sparsity_of_gradients_made_by_hand() -> None:
    """Ten entries around thresholds of the largest, 4: three zeros, one of each of 1e-9, 1e-7, 1e-5, 1e-3 of it."""
    first = torch.tensor([0.0, 0.0, 4.0, 4e-9, -4e-7])
    second = torch.tensor([[0.0, 4e-5, -4e-3], [1.0, -1.0, 2.0]])[:, :]
    expected = {0.0: 3, 1e-8: 4, 1e-6: 5, 1e-4: 6, 1e-2: 7}
    found = sparsity([first, second])
    assert found.tolist() == pytest.approx([expected[threshold] / 11 for threshold in THRESHOLDS])
    assert sparsity([1e9 * first, 1e9 * second]).tolist() == found.tolist()  # beside its own largest


@pytest.mark.parametrize("gradient", [torch.zeros(3), torch.tensor([1.0, math.inf]), torch.tensor([1.0, math.nan])])
def test_a_gradient_without_a_finite_largest_entry_has_no_sparsity(gradient: torch.Tensor) -> None:
    """NaN, not 100%: what is zero everywhere has nothing that it would be small beside."""
    assert sparsity([gradient]).isnan().all()


def test_drift_of_means_made_by_hand() -> None:
    """Two layers, the second with one unit less: κ is √((9 + 16)/2)/√((1 + 3)/2) = 2.5 and 6/2 = 3."""
    mean = np.array([[[3.0, -4.0], [6.0, np.nan]]])
    var = np.array([[[1.0, 3.0], [4.0, np.nan]]])
    np.testing.assert_allclose(offcentre(mean, var), [[2.5, 3.0]])
    np.testing.assert_allclose(offcentre(10 * mean, 100 * var), [[2.5, 3.0]])  # no unit
    arm = classifier("cnn3", "digits", width=2, steps=30)
    steps = {"conv_mean": np.stack([mean[0], 2 * mean[0], 4 * mean[0]]), "conv_var": np.stack([var[0]] * 3)}
    runs = RunTable.of_arrays({arm: {"means": steps}})
    found = levels(runs, arm, [0])
    np.testing.assert_allclose(found, [[2.75, 5.5, 11.0]])
    np.testing.assert_allclose(late(found), [11.0])
    np.testing.assert_allclose(growth(found), [math.log10(4)])


def test_the_offset_of_a_weight() -> None:
    """Mean 2 over deviation 1, whatever the weight is multiplied by."""
    weight = torch.tensor([[1.0, 3.0], [3.0, 1.0]])
    assert float(offset(weight)) == float(offset(8 * weight)) == 2.0


@pytest.mark.parametrize("name", ARMS)
def test_probes_see_the_sites_of_every_layer(name: str) -> None:
    """By hooks of our own on an ordinary forward pass: what convolutions, norms and ReLUs return in train mode.

    With MSN the mean before the ReLU is β, 0 at the start, and before the subtraction it is not: to measure there is
    to measure what the norm has just done.
    """
    (config,) = arms(classifier("cnn3", "digits", width=2, steps=1), [name], {name: 1e-3})
    model = build_model(config)
    plain = copy.deepcopy(model)
    images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + 0.3
    recorder = Recorder(model, loss_fn, {"means": means, "gradients": gradients, "weights": weights}, every(1))
    with recorder.step((images, torch.arange(8))):
        loss_fn(model, (images, torch.arange(8))).backward()
    row = recorder.read("means")
    seen: dict[str, torch.Tensor] = {}
    for site in SITES:
        module = plain.get_submodule(f"features.layer2.{site}")
        module.register_forward_hook(lambda _m, _i, out, site=site: seen.__setitem__(site, out.detach().clone()))
    loss_fn(plain, (images, torch.arange(8))).backward()
    for site, out in seen.items():
        units = out.transpose(0, 1).flatten(1)
        np.testing.assert_allclose(row[f"{site}_mean"][0, 1], units.mean(1), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(row[f"{site}_var"][0, 1], units.var(1, correction=0), rtol=1e-4)
    before, after = (np.abs(row[f"{site}_mean"][0, 1]).max() for site in ("conv", "norm"))
    assert (after < 1e-5 * before) == (name in ("batch", "mean_spectral", "mean_spectral_projected"))
    matrices = [p.grad for p in plain.parameters() if p.ndim > 1 and p.grad is not None]
    assert len(matrices) == 4  # three convolutions and the head
    np.testing.assert_allclose(recorder.read("gradients")["sparsity"][0], sparsity(matrices), atol=2 / 1000)
    assert recorder.read("weights")["mean"].shape == (1, 4)


def loss_fn(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
