"""Training of the autoencoder with the instrument on it: what is recorded, and that nothing else changes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clinometer import Recorder, Store, at, headroom, landscape
from clinometer.papers.toth2019.clipping import clip_each
from clinometer.papers.toth2019.configs import BLOCKS, PARTS, autoencoder
from clinometer.papers.toth2019.network import Autoencoder
from clinometer.papers.toth2019.network import autoencoder as network
from clinometer.papers.toth2019.objective import loss
from clinometer.papers.toth2019.trainer import drawn
from clinometer.training.config import RunConfig
from clinometer.training.run import run

SMALL = autoencoder(glimpses=2, hidden=8, layers=1, batch_size=8, steps=4, measure_every=2, test_every=3)
CLIPPED = "is not that of loss_fn"


def images(seed: int) -> Tensor:
    return torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def loss_fn(model: nn.Module, batch: Tensor) -> Tensor:
    return loss(model(batch), batch)


def trained(*probes: object) -> tuple[Autoencoder, Recorder | None, torch.optim.Optimizer]:
    """Three steps of Adam, each tensor clipped, with a recorder attached in two lines or without."""
    torch.manual_seed(0)
    model = network(hidden=8, glimpses=2, layers=1)
    clip_each(model, 0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    if not probes:
        for step in range(3):
            loss_fn(model, images(step)).backward()
            optimizer.step()
            optimizer.zero_grad()
        return model, None, optimizer
    recorder = Recorder(model, loss_fn, list(probes), at(0, 1, 2), optimizer=optimizer)  # pyright: ignore[reportArgumentType]
    for step in range(3):
        with recorder.step(images(step)):
            loss_fn(model, images(step)).backward()
            optimizer.step()
            optimizer.zero_grad()
    recorder.state_dict()
    return model, recorder, optimizer


PROBES = (headroom(), headroom(blocks={name: [f"{name}.*"] for name in BLOCKS}), landscape(direction="update"))


def test_a_run_is_bit_identical_with_the_recorder_and_without() -> None:
    """Weights, Adam's state and the next random draw, compared bit by bit after three recorded steps."""
    bare, _, their = trained()
    drew = torch.rand(3)
    with pytest.warns(UserWarning, match=CLIPPED):
        model, _, optimizer = trained(*PROBES)
    assert torch.equal(torch.rand(3), drew)
    for ours, theirs in zip(model.parameters(), bare.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert all(torch.equal(optimizer.state[ours][key], their.state[theirs][key]) for key in their.state[theirs])


def test_what_is_recorded_speaks_of_the_clipped_step() -> None:
    """Each tensor is clipped on its own: the step is no multiple of the gradient, and the walk follows the step.

    The losses along the update are those of the loss function at the weights themselves, with the step's own draws.
    Thresholds, which know one learning rate, are not known.
    """
    with pytest.warns(UserWarning, match=CLIPPED):
        _, recorder, _ = trained(landscape([1.0], direction="update"))
    assert recorder is not None
    rows = recorder.read("landscape_update")
    assert np.isnan(rows["beta_lr_half"]).all()
    assert np.isnan(rows["beta_over_threshold"]).all()
    torch.manual_seed(0)
    model = network(hidden=8, glimpses=2, layers=1)
    clip_each(model, 0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(3):
        state = torch.get_rng_state()
        loss_fn(model, images(step)).backward()
        optimizer.step()
        optimizer.zero_grad()
        now = torch.get_rng_state()
        torch.set_rng_state(state)
        with torch.no_grad():
            assert float(rows["losses"][step, 0]) == pytest.approx(float(loss_fn(model, images(step))), rel=1e-5)
        torch.set_rng_state(now)


def test_each_gradient_is_clipped_alone() -> None:
    """Against torch's own clipping of one tensor at a time, on gradients above and below the limit."""
    torch.manual_seed(0)
    layers = [nn.Linear(4, 3) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    clip_each(layers[0], 1.0)
    for layer in layers:
        (torch.ones(1, 4) @ layer.weight.T * torch.tensor([3.0, 0.1, 0.0]) + 0.2 * layer.bias).sum().backward()
    for parameter in layers[1].parameters():
        nn.utils.clip_grad_norm_([parameter], 1.0)
    for ours, theirs in zip(layers[0].parameters(), layers[1].parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)
    assert float(layers[0].bias.grad.norm()) < 1 - 1e-3  # pyright: ignore[reportOptionalMemberAccess]


def test_a_gradient_of_zero_stays_zero() -> None:
    """0/0 would be NaN, and end the run."""
    layer = nn.Linear(2, 1)
    clip_each(layer, 5.0)
    (0.0 * layer(torch.ones(1, 2))).sum().backward()
    assert all(not p.grad.any() for p in layer.parameters())  # pyright: ignore[reportOptionalMemberAccess]


def test_a_run_has_its_rows_and_made_again_the_same(tmp_path: Path) -> None:
    """Every number follows from the config: two runs agree bit by bit, and each has what claims and pictures read."""
    for name in ("one", "two"):
        run(SMALL, tmp_path / name)
    one, two = (Store(tmp_path / name / "rows.sqlite", read_only=True) for name in ("one", "two"))
    for probe in ("train", "test", "headroom", "headroom_blocks", "landscape", "landscape_update", "listen"):
        for field, values in one.read(probe).items():
            np.testing.assert_array_equal(values, two.read(probe)[field], err_msg=f"{probe}.{field}")
    assert one.read("test")["step"].tolist() == [0, 3]
    assert list(one.read("headroom_blocks")["block"][0]) == list(BLOCKS)
    heard = one.read("listen")
    assert heard["waveform"].shape == (1, 4, 2, 2 * 192)
    assert heard["image"].shape == heard["drawing"].shape == (1, 4, 8, 8)
    expected = float(((one.read("listen")["image"] - heard["image"]) ** 2).mean())
    assert expected == 0.0


def test_every_option_of_the_network_is_one_of_the_config(tmp_path: Path) -> None:
    """The author's readings together: lines, products, whole samples, learned starts, more latents, both models."""
    author = {"write": "lines", "phase": "product", "delay": "samples", "fixed_starts": False, "counted_from": 0}
    more = {"latents": 30, "hearing": "both", "sample_rate": 16000, "gain": 1.0, "hearing_norm": "batch"}
    small = {"glimpses": 2, "hidden": 8, "layers": 1, "batch_size": 8, "steps": 1}
    run(autoencoder(**author, **more, **small), tmp_path)  # pyright: ignore[reportArgumentType]
    rows = Store(tmp_path / "rows.sqlite", read_only=True)
    assert np.isfinite(rows.read("train")["loss"]).all()
    assert rows.read("listen")["waveform"].shape == (1, 4, 2, 2 * 384)


def test_the_mean_image_is_the_best_constant(tmp_path: Path) -> None:
    """NumPy's mean over the training digits, held against the held-out ones, is the error that sound must beat."""
    from clinometer.training.data.datasets import digits

    run(SMALL, tmp_path)
    found = digits()
    train, held_out = (each.numpy().astype(float) / 16 for each in (found.train_images, found.test_images))
    row = Store(tmp_path / "rows.sqlite", read_only=True).read("test")
    np.testing.assert_allclose(row["mean_image"], ((train.mean(0) - held_out) ** 2).mean(), rtol=1e-5)


def test_drawing_leaves_modes_and_random_streams_alone() -> None:
    """A test in the middle of training must not change what is drawn after it."""
    model = network(hidden=8, glimpses=2)
    model.decoder.eval()
    state = torch.get_rng_state()
    drawn(model, images(0))
    assert torch.equal(torch.get_rng_state(), state)
    assert (model.training, model.decoder.training) == (True, False)


def test_parts_are_all_parameters_and_each_in_one() -> None:
    """A part that is left out would look like one with endless room."""
    patterns = dict(dict(PARTS)["headroom"]["blocks"])  # pyright: ignore[reportOptionalSubscript]
    names = [name for name, _ in network(hidden=8).named_parameters()]
    assert list(patterns) == list(BLOCKS)
    assert all(sum(name.startswith(f"{block}.") for block in BLOCKS) == 1 for name in names)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 6000}, "sample_rate 6000 holds frequencies below 3000 Hz"),
        ({"streams": 0}, "streams must be at least 1"),
        ({"glimpses": 1}, "glimpses must be at least 2"),
        ({"grid": 1}, "grid must be at least 2"),
        ({"hearing": "mfc"}, "Did you mean 'mfcc'"),
        ({"norm": "batch"}, "no norm of an LSTM called 'batch'"),
        ({"lr": math.nan}, "lr must be positive"),
        ({"room": 0.1}, "room must be at least 1"),
    ],
)
def test_a_config_that_cannot_be_trained_is_refused(options: dict[str, object], message: str) -> None:
    """When it is planned: no run has begun."""
    with pytest.raises(ValueError, match=message):
        autoencoder(**options)  # pyright: ignore[reportArgumentType]


def test_images_that_do_not_fit_are_refused_before_the_first_step(tmp_path: Path) -> None:
    """Data of another size, named in a config: no row is written."""
    config: RunConfig = SMALL.vary(data=f"{__name__}:oblong")
    with pytest.raises(ValueError, match="expected square images of one channel"):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run" / "rows.sqlite").exists() or not Store(
        tmp_path / "run" / "rows.sqlite", read_only=True
    ).read("train")


def oblong() -> tuple[Tensor, Tensor]:
    """Images that are no squares."""
    return torch.zeros(16, 1, 8, 9), torch.zeros(16, 1, 8, 9)
