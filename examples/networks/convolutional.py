"""A small residual network with BatchNorm on the bundled digits, by SGD with momentum.

    python examples/networks/convolutional.py

Trains 100 steps, measures every 20, and prints loss, effective β-smoothness and headroom. In the last two columns 1 is
the edge of what plain gradient descent could bear, and of what the loss could have borne.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, every, headroom, landscape
from clinometer.recorder.schedules import Schedule
from clinometer.training.data.datasets import digits


class Block(nn.Module):
    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.first, self.norm1 = nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.second, self.norm2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.shortcut = nn.Identity() if into == out else nn.Conv2d(into, out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm2(self.second(F.relu(self.norm1(self.first(x)))))
        return F.relu(h + self.shortcut(x))


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def train(when: Schedule) -> tuple[Recorder, list[Tensor]]:
    torch.manual_seed(0)
    data, losses = digits(), []
    blocks = Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), *blocks, *head)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    recorder = Recorder(model, loss_fn, [landscape(), headroom()], when, optimizer=optimizer)
    for _ in range(100):
        chosen = torch.randint(len(data.train_labels), (128,))
        batch = data.normalized(data.train_images[chosen]), data.train_labels[chosen]
        with recorder.step(batch):
            loss = loss_fn(model, batch)
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        losses.append(loss.detach())
    return recorder, losses


if __name__ == "__main__":
    recorder, _ = train(every(20))
    walked, room = recorder.read("landscape"), recorder.read("headroom")
    print("step   loss      β  β/limit  headroom")
    for row in zip(*(walked[k] for k in ("step", "loss", "beta", "beta_over_threshold")), room["loss"], strict=True):
        print("{:4d}  {:5.3f}  {:5.1f}  {:7.2f}  {:8.2f}".format(*row))
