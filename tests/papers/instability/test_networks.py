"""The corpus's networks, each built and trained by the ordinary machinery from a config."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from clinometer.papers.instability import data
from clinometer.papers.instability.networks.cnn import cnn
from clinometer.papers.instability.networks.gpt import Attention, gpt
from clinometer.papers.instability.networks.mlp import mlp
from clinometer.papers.instability.networks.recurrent import recurrent
from clinometer.papers.instability.networks.resnet import resnet
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_training

HERE = "clinometer.papers.instability"
CASES: list[tuple[str, dict[str, Any]]] = [
    ("mlp", {}),
    ("mlp", {"norm": "batch", "activation": "tanh"}),
    ("cnn", {}),
    ("cnn", {"norm": "batch"}),
    ("cnn", {"norm": "layer"}),
    ("resnet", {}),
    ("resnet", {"norm": "none"}),
    ("gpt", {}),
    ("recurrent", {"cell": "tanh"}),
    ("recurrent", {"cell": "gru"}),
    ("recurrent", {"cell": "lstm"}),
]


def config(network: str, **settings: Any) -> RunConfig:
    kind = "pixels" if network == "gpt" else "images"
    settings = {"optimizer": "adamw", "lr": 3e-3} | settings
    optimizer = settings.pop("optimizer")
    return RunConfig(
        f"{HERE}.networks.{network}:{network}",
        f"{HERE}.data:{kind}",
        optimizer=f"{HERE}.optimizers:{optimizer}",
        scheduler=f"{HERE}.schedules:warmed_up",
        settings=settings,
        probes=(),
        steps=40,
        batch_size=32,
    )


def losses(of: RunConfig) -> list[float]:
    training = build_training(of)
    found: list[float] = []
    for batch in training.batches(0):
        loss = training.loss_fn(training.model, batch)
        loss.backward()
        training.optimizer.step()
        assert training.scheduler
        training.scheduler.step()
        training.optimizer.zero_grad()
        found.append(loss.item())
    return found


@pytest.mark.parametrize(("network", "settings"), CASES)
def test_each_network_learns_digits(network: str, settings: dict[str, Any]) -> None:
    """What nobody wrote is the truth, the digits' labels: the loss falls below that of a guess, log of the classes."""
    found = losses(config(network, **settings))
    guess = torch.tensor(17.0 if network == "gpt" else 10.0).log().item()
    assert found[0] < 1.1 * guess  # it begins near that of a guess, from which the break rule reckons
    assert sum(found[-5:]) / 5 < 0.9 * guess


@pytest.mark.parametrize("factory", [mlp, cnn, resnet, recurrent, gpt])
def test_the_head_scale_multiplies_the_logits(factory: Any) -> None:
    """Two networks of one seed differ by the factor alone: a power of two, so that no rounding differs."""
    inputs = (data.pixels() if factory is gpt else data.images())[0][0][:4]
    plain, scaled = (_seeded(factory, head_scale=scale)(inputs) for scale in (1.0, 8.0))
    assert torch.equal(scaled, 8 * plain)


def test_the_input_scale_multiplies_one_pixel_alone() -> None:
    """The digits themselves are the truth: all other pixels, and the labels, are untouched."""
    (plain, labels), (scaled, same) = data.images()[0], data.images(input_scale=16.0)[0]
    row, column = data.BAD_PIXEL
    assert torch.equal(labels, same)
    assert torch.equal(scaled[:, 0, row, column], 16 * plain[:, 0, row, column])
    assert plain[:, 0, row, column].std() > 0.5  # of a pixel that varies
    differ = (plain != scaled).any(0)[0]
    assert differ.sum() == 1
    assert differ[row, column]


def test_noisy_labels_are_the_same_ones_in_every_run() -> None:
    """A count is the truth: 30% are drawn anew, of which a tenth by chance as they were; of 1,500, within 4 sigma."""
    clean, noisy, again = (data.images(label_noise=share)[0][1] for share in (0.0, 0.3, 0.3))
    assert torch.equal(noisy, again)
    share = float((noisy != clean).double().mean())
    assert abs(share - 0.27) < 4 * (0.27 * 0.73 / 1500) ** 0.5


def test_a_later_token_does_not_change_an_earlier_output() -> None:
    """Causality by its definition, at each position: outputs up to it stay the same bit for bit, its own changes."""
    model = _seeded(gpt)
    tokens = data.pixels()[0][0][:3]
    logits = model(tokens)
    for position in (1, 15, 30):
        other = tokens.clone()
        other[:, position:] = (other[:, position:] + 5) % 17
        changed = model(other)
        torch.testing.assert_close(changed[:, :, :position], logits[:, :, :position], rtol=1e-5, atol=1e-6)
        assert not torch.allclose(changed[:, :, position], logits[:, :, position], atol=1e-3)


def test_attention_by_its_formula() -> None:
    """Written out with softmax and a mask for one head: the logit scale multiplies q kᵀ / √d."""
    torch.manual_seed(0)
    layer, x = Attention(width=6, heads=1, logit_scale=3.0), torch.randn(2, 5, 6)
    q, k, v = layer.query(x), layer.key(x), layer.value(x)
    logits = 3.0 * q @ k.transpose(1, 2) / 6**0.5
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected = layer.output(logits.masked_fill(later, -torch.inf).softmax(-1) @ v)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("factory", [mlp, cnn, resnet])
def test_an_unknown_norm_is_refused(factory: Any) -> None:
    """A norm is a row of a dict, and the error names the rows."""
    with pytest.raises(ValueError, match="no norm 'bacth'; there are none, batch"):
        factory(norm="bacth")


def test_bad_arguments_are_refused() -> None:
    """Heads that do not divide the width, and a cell that is not there."""
    with pytest.raises(ValueError, match="width must be a multiple of heads"):
        gpt(width=30, heads=4)
    with pytest.raises(ValueError, match="no cell 'grue'; there are tanh, gru, lstm"):
        recurrent(cell="grue")


def _seeded(factory: Any, **arguments: Any) -> nn.Module:
    torch.manual_seed(3)
    made: nn.Module = factory(**arguments)
    assert all(isinstance(p, Tensor) for p in made.parameters())
    return made
