"""A network equivariant to quarter turns, by group convolutions over p4, on the bundled digits; it checks that it is.

    python examples/networks/group_equivariant.py

After Cohen and Welling (2016). Prints what SGD on upright digits meets, and the accuracy on upright and on turned ones.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, every, headroom, landscape
from clinometer.recorder.schedules import Schedule
from clinometer.training.data.datasets import digits


class GroupConv(nn.Module):
    def __init__(self, into: int, out: int, turns: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into, turns, 3, 3) * (2 / (9 * into * turns)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:  # (n, into, turns, side, side) to (n, out, 4, side, side)
        filters = torch.stack([self.weight.rot90(r, (3, 4)).roll(r, 2) for r in range(4)], 1)
        return F.conv2d(x.flatten(1, 2), filters.flatten(2, 3).flatten(0, 1), padding=1).unflatten(1, (-1, 4))


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def train(when: Schedule) -> tuple[Recorder, list[Tensor]]:
    torch.manual_seed(0)
    data, losses = digits(), []
    layers = [(GroupConv(into, 16, turns), nn.BatchNorm3d(16), nn.ReLU()) for into, turns in ((1, 1), (16, 4), (16, 4))]
    features = nn.Sequential(*layers[0], *layers[1], nn.AvgPool3d((1, 2, 2)), *layers[2])
    model = nn.Sequential(features, nn.AdaptiveMaxPool3d(1), nn.Flatten(), nn.Linear(16, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    recorder = Recorder(model, loss_fn, [landscape(), headroom()], when, optimizer=optimizer)
    for _ in range(80):
        chosen = torch.randint(len(data.train_labels), (128,))
        batch = data.normalized(data.train_images[chosen])[:, :, None], data.train_labels[chosen]
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
    data, model = digits(), recorder.model.eval()
    upright = data.normalized(data.test_images)[:, :, None]
    turned, features = upright.rot90(1, (3, 4)), model[0]
    torch.testing.assert_close(features(turned), features(upright).rot90(1, (3, 4)).roll(1, 2))
    print("accuracy:", *(f"{(model(x).argmax(1) == data.test_labels).float().mean():.3f}" for x in (upright, turned)))
