"""A DCGAN on the bundled digits: two networks, two optimizers, two recorders.

    python examples/networks/gan.py

Each network's loss asks the other one, which is held still, running statistics too, while it is measured. Trains 120
steps with Adam, measures every 20, and prints loss, β-smoothness and headroom of both, along what Adam did.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, every, headroom, landscape
from clinometer.recorder.schedules import Schedule
from clinometer.training.data.datasets import digits


def train(when: Schedule) -> list[tuple[Recorder, list[Tensor]]]:
    torch.manual_seed(0)
    images = digits().train_images / 8 - 1
    generator = nn.Sequential(
        *(nn.Linear(16, 256, bias=False), nn.Unflatten(1, (64, 2, 2)), nn.BatchNorm2d(64), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh()),
    )
    discriminator = nn.Sequential(
        *(nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1, bias=False)),
        *(nn.BatchNorm2d(64), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(256, 1)),
    )

    def fooling(generator: nn.Module, noise: Tensor) -> Tensor:
        return F.softplus(-discriminator(generator(noise))).mean()

    def telling(discriminator: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.softplus(-discriminator(batch[0])).mean() + F.softplus(discriminator(batch[1])).mean()

    of_g, of_d = (torch.optim.Adam(m.parameters(), lr=1e-3, betas=(0.5, 0.999)) for m in (generator, discriminator))
    probes, losses = [landscape(direction="update"), headroom()], ([], [])
    forger = Recorder(generator, fooling, probes, when, optimizer=of_g)
    judge = Recorder(discriminator, telling, probes, when, optimizer=of_d)
    for _ in range(120):
        noise, real = torch.randn(64, 16), images[torch.randint(len(images), (64,))]
        pair = real, generator(noise).detach()
        with forger.step(noise):
            fooled = fooling(generator, noise)
            of_g.zero_grad(), fooled.backward(), of_g.step()
        with judge.step(pair):
            told = telling(discriminator, pair)
            of_d.zero_grad(), told.backward(), of_d.step()
        losses[0].append(fooled.detach()), losses[1].append(told.detach())
    return [(forger, losses[0]), (judge, losses[1])]


if __name__ == "__main__":
    for name, (recorder, _) in zip(("generator", "discriminator"), train(every(20)), strict=True):
        walked, room = recorder.read("landscape_update"), recorder.read("headroom")
        print(f"{name:>13}  step   loss      β  headroom")
        for row in zip(walked["step"], walked["loss"], walked["beta"], room["loss"], strict=True):
            print("               {:4d}  {:5.3f}  {:5.1f}  {:8.1f}".format(*row))
