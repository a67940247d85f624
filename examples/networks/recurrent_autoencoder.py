"""Images to sound and back: a recurrent autoencoder whose code is a waveform.

    python examples/networks/recurrent_autoencoder.py

After Tóth and Parkkonen, Autoencoding sensory substitution (2019). In each of four steps a GRU looks at a digit and at
what is not yet drawn of it, and sounds eight oscillators; another hears them in noise, and draws. Trains 150
steps with Adam, measures every 25, and prints loss, β-smoothness and headroom along what Adam did.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, every, headroom, landscape
from clinometer.recorder.schedules import Schedule
from clinometer.training.data.datasets import digits


class Voice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.look, self.code = nn.GRUCell(64 + 64 + 64, 64), nn.Linear(64, 2 * 8)
        self.hear, self.draw = nn.GRUCell(48, 64), nn.Linear(64, 64)

    def forward(self, image: Tensor) -> Tensor:
        looked, heard, canvas = image.new_zeros(3, *image.shape)
        pitches, time = torch.arange(4, 20, 2).view(-1, 1), torch.arange(48) / 48
        for _ in range(4):
            looked = self.look(torch.cat([image, image - canvas.sigmoid(), heard], 1), looked)
            loudness, bend = self.code(looked).tanh().unsqueeze(2).chunk(2, 1)  # (batch, oscillator, 1)
            sound = (loudness * torch.sin(2 * torch.pi * (pitches + 2 * bend) * time)).sum(1)
            heard = self.hear(sound + 0.1 * torch.randn_like(sound), heard)
            canvas = canvas + self.draw(heard)
        return canvas


def loss_fn(model: nn.Module, image: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(model(image), image, reduction="sum") / len(image)


def train(when: Schedule) -> tuple[Recorder, list[Tensor]]:
    torch.manual_seed(0)
    images, model, losses = digits().train_images.flatten(1) / 16, Voice(), []
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    recorder = Recorder(model, loss_fn, [landscape(direction="update"), headroom()], when, optimizer=optimizer)
    for _ in range(150):
        with recorder.step(batch := images[torch.randint(len(images), (64,))]):
            loss = loss_fn(model, batch)
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        losses.append(loss.detach())
    return recorder, losses


if __name__ == "__main__":
    recorder, _ = train(every(25))
    walked, room = recorder.read("landscape_update"), recorder.read("headroom")
    print("step   loss      β  headroom")
    for row in zip(walked["step"], walked["loss"], walked["beta"], room["loss"], strict=True):
        print("{:4d}  {:5.2f}  {:5.1f}  {:8.1f}".format(*row))
