"""The trainer of the GANs: a step of the discriminator, which is recorded, and one of the generator, in turns."""

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.papers.subramanian2019.gan.distance import Real, squared_mmd, unbiased_frechet
from clinometer.papers.subramanian2019.gan.networks import LATENT, generator
from clinometer.papers.subramanian2019.rows import SAMPLES
from clinometer.recorder.recorder import Recorder
from clinometer.recorder.schedules import at
from clinometer.store import Row
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_optimizer, build_training, data_of
from clinometer.training.keeper import Keeper
from clinometer.training.loop import end
from clinometer.training.parts import seed_all

IMAGES = 3_000  # generated images that are compared
SHOWN = 16  # of them, are kept

Pair = tuple[Tensor, Tensor]  # real and generated images


def discriminator_loss(model: nn.Module, batch: Pair) -> Tensor:
    """log(1 + e^{−D(x)}) + log(1 + e^{D(x')}), means over real x and generated x', each a forward pass of its own."""
    real, generated = batch
    return F.softplus(-model(real)).mean() + F.softplus(model(generated)).mean()


def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Train the discriminator of each config against a generator, with one learning rate.

    Rows: `train` (the discriminator's loss at every step, and the generator's), those of the config's probes, of the
    discriminator's loss, and `samples`: `frechet` and `mmd`, how far 3,000 generated images are from the real ones;
    `slope`, the largest ‖∇_x D(x)‖ over the batch's real and generated images in evaluation; `images` (16, 8, 8).
    """
    for config, keeper in runs.items():
        end(_train(config, keeper, device))


def _train(config: RunConfig, keeper: Keeper, device: str) -> Recorder:
    data = keeper.data or data_of(config)
    training = build_training(config, device, data)
    model, optimizer = training.model, training.optimizer
    maker = generator(seed=config.seed).to(device)
    makers = build_optimizer(config, maker.parameters())
    schedules = {name: at(*config.steps_of(name)) for name in training.probes}
    recorder = Recorder(
        model, discriminator_loss, training.probes, schedules, optimizer=optimizer, to=keeper.run, strict=True
    )
    real = Real(data.train.inputs)
    compared = set(config.steps_of(SAMPLES))
    seed_all(config.seed)
    for step, (images, _) in enumerate(training.batches(0)):
        generated = maker(torch.randn(len(images), LATENT, 1, 1, device=device))
        batch = (images, generated.detach())
        rows: dict[str, Row] = {}
        if step in compared:
            rows[SAMPLES] = compare(model, maker, real, batch)
        with recorder.step(batch):
            loss = discriminator_loss(model, batch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        makers_loss = F.softplus(-model(generated)).mean()
        makers_loss.backward()
        makers.step()
        makers.zero_grad()
        optimizer.zero_grad()  # the generator's loss has left gradients in the discriminator
        recorder.store.append(step, {"train": {"loss": loss, "generator_loss": makers_loss}, **rows})
        if not math.isfinite(loss.item() + makers_loss.item()):
            recorder.store.set_meta(diverged_at=step)
            break
    return recorder


def compare(model: nn.Module, maker: nn.Module, real: Real, batch: Pair) -> Row:
    """A row of `samples`. Both networks are copied, so that evaluation leaves nothing behind."""
    maker, model = copy.deepcopy(maker).eval(), copy.deepcopy(model).eval()
    noise = torch.randn(IMAGES, LATENT, 1, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        images = maker(noise.to(batch[0].device)).cpu()
    return {
        "frechet": unbiased_frechet(real.features(images), real.own),
        "mmd": squared_mmd(images[: len(real.pixels)].double().flatten(1), real.pixels),
        "slope": steepest(model, torch.cat(batch)),
        "images": images[:SHOWN, 0],
    }


def steepest(model: nn.Module, images: Tensor) -> float:
    """The largest ‖∇_x D(x)‖ over some images: a lower bound of the discriminator's Lipschitz constant."""
    at = images.detach().clone().requires_grad_()
    (slopes,) = torch.autograd.grad(model(at).sum(), at)
    return float(slopes.flatten(1).norm(dim=1).max())
