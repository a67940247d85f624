"""The three sites at which a layer's activations are recorded: each holds what its name says."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from clinometer.nn.vgg import VGG
from clinometer.objective.objective import Objective
from clinometer.papers.santurkar2018 import probes
from clinometer.papers.santurkar2018.configs import SITES
from clinometer.papers.santurkar2018.networks.deep_linear import DeepLinear
from clinometer.probes.base import Step
from clinometer.store import Row

IMAGES = torch.randn(16, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def rows_of(model: torch.nn.Module, inputs: Tensor) -> dict[str, Row]:
    objective = Objective(model, lambda net, batch: net(batch).square().sum(), inputs)
    here = objective.here()
    return {site: getattr(probes, site)(Step(0, objective, here, here, None, {})) for site in SITES}


def moments(values: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return values.mean((0, 2, 3)).numpy(), values.var((0, 2, 3), correction=0).numpy()


def assert_recorded(row: Row, layer: int, values: Tensor) -> None:
    width = values.shape[1]
    for name, expected in zip(("mean", "var"), moments(values), strict=True):
        np.testing.assert_allclose(np.asarray(row[name])[layer, :width], expected, rtol=1e-4, atol=1e-5)


def by_hand(model: VGG, images: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Convolution, norm and ReLU of two layers with a pool between, out of place, in torch's functions."""
    found, x = [], images
    for name in ("layer1", "layer2"):
        layer = getattr(model.features, name)
        before = F.conv2d(x, layer.conv.weight, layer.conv.bias, padding=1)
        at = before
        if isinstance(layer.norm, torch.nn.BatchNorm2d):
            at = F.batch_norm(before, None, None, layer.norm.weight, layer.norm.bias, training=True)
        after = at.clamp(min=0)
        found.append((before, at, after))
        x = F.max_pool2d(after, 2)
    return found


def test_each_site_holds_what_its_name_says() -> None:
    """The truth is the forward pass by hand, out of place: the network's own ReLU works in place."""
    for norm in ("none", "batch"):
        torch.manual_seed(0)
        model = VGG((3, "pool", 5, "pool"), norm, in_channels=1)
        if norm == "batch":
            with torch.no_grad():
                model.features.layer1.norm.bias.uniform_(-1, 1)
        rows = rows_of(model, IMAGES)
        with torch.no_grad():
            for index, values in enumerate(by_hand(model, IMAGES)):
                for site, expected in zip(SITES, values, strict=True):
                    assert_recorded(rows[site], index, expected)
        ends = ["conv", "norm", "relu"]
        assert [[str(name).rpartition(".")[2] for name in rows[site]["layer"]] for site in SITES] == [
            [e] * 2 for e in ends
        ]
        assert np.isnan(np.asarray(rows["activations_after_relu"]["mean"])[0, 3:]).all()


def test_the_standard_networks_norm_changes_nothing() -> None:
    """An identity stands for the norm: before it and at its output are equal, bit for bit, and negative in places."""
    rows = rows_of(VGG((3, "pool", 5, "pool"), "none", in_channels=1), IMAGES)
    for name in ("mean", "var"):
        before, at = (np.asarray(rows[site][name]) for site in SITES[:2])
        np.testing.assert_array_equal(before, at)
    assert (
        np.nanmin(np.asarray(rows["activations"]["mean"]))
        < 0
        <= np.nanmin(np.asarray(rows["activations_after_relu"]["mean"]))
    )


def test_the_deep_linear_network_has_two_sites() -> None:
    """It has no ReLU: there is no row of that site. BatchNorm's outputs have mean 0 at first, its inputs have not."""
    rows = rows_of(DeepLinear("batch", depth=3, width=4), torch.randn(20, 4, dtype=torch.float64) + 1)
    assert rows["activations_after_relu"] == {}
    assert (
        np.abs(np.asarray(rows["activations"]["mean"])).max()
        < 1e-12
        < np.abs(np.asarray(rows["activations_before_norm"]["mean"])).max()
    )
