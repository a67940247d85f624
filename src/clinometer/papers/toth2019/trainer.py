"""The trainer: the ordinary loop with each tensor's gradient clipped, and with what the held-out images become."""

import dataclasses
import functools
import warnings
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from clinometer.objective.rng import RngState
from clinometer.papers.toth2019.clipping import clip_each
from clinometer.papers.toth2019.network import Autoencoder, Drawing, check_images
from clinometer.store import Row
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_training, data_of
from clinometer.training.keeper import Keeper
from clinometer.training.loop import end, train_steps
from clinometer.training.own_settings import reads_settings

HEARD = 4  # held-out images whose sound a run keeps


@reads_settings("clip")
def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Train the autoencoder of each config.

    Rows: those of the ordinary loop, where `test` has `mse`, the mean squared error of the held-out images, and
    `mean_image`, that of the mean training image; and `listen` at the last step: `image`, `drawing` and `waveform`, for
    two ears, of some of them.

    Raises:
        ValueError: if the images are not squares of one channel.
    """
    for config, keeper in runs.items():
        data = keeper.data or data_of(config)
        training = build_training(config, device, data)
        network = cast("Autoencoder", training.model)
        check_images(data.train.inputs, network.side)
        clip_each(network, config["clip"])
        held_out = (data.test or data.train).inputs.to(device)
        mean = data.train.inputs.to(device).mean(0)
        test = functools.partial(_tested, network, held_out, mean)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*is not that of loss_fn")  # each tensor is clipped: the page says so
            recorder = train_steps(config, dataclasses.replace(training, test=test), keeper)
        images = held_out[:HEARD]
        drawing = drawn(network, images, listen=True)
        kept = {"image": images[:, 0], "drawing": drawing.image, "waveform": drawing.waveform}
        recorder.store.append(config.steps - 1, {"listen": cast("Row", kept)})
        end(recorder)


@torch.no_grad()
def drawn(network: Autoencoder, images: Tensor, *, listen: bool = False) -> Drawing:
    """What a network makes of images without noise, in evaluation mode; its mode and all random streams stay."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with RngState.put_back():
            return network(images, listen=listen)
    finally:
        for module, training in modes.items():
            module.training = training


def _tested(network: Autoencoder, images: Tensor, mean: Tensor) -> Row:
    errors = (drawn(network, images).image - images[:, 0]).square()
    return {"mse": errors.mean(), "mean_image": (mean - images).square().mean()}
