"""Watch a warm-up run into the critical learning rate, and stop another one before that.

    python examples/warm_up.py [PICTURE.png]

The learning rate of gradient descent rises by 0.01 a step. The critical one, from which on a step would no longer lower
the loss, falls from 10 to 0.4 while the network learns; they meet near step 50, and the run ends where it began. The
second run keeps the rate once it is half of the critical one.
"""

import sys

import torch
from torch import nn
from torch.nn import functional as F

from clinometer import Recorder, every, headroom
from clinometer.training.data.datasets import digits

DATA = digits()


def loss_fn(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def train(enough: float) -> tuple[list[float], list[float], Recorder]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recorder, losses, rates = Recorder(model, loss_fn, [headroom()], every(5), optimizer=optimizer), [], []
    for _ in range(200):
        chosen = torch.randint(len(DATA.train_labels), (128,))
        with recorder.step(batch := (DATA.normalized(DATA.train_images[chosen]).flatten(1), DATA.train_labels[chosen])):
            loss = loss_fn(model, batch)
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        losses.append(loss.item()), rates.append(optimizer.param_groups[0]["lr"])
        if recorder.read("headroom")["loss"].min() > enough:
            optimizer.param_groups[0]["lr"] += 0.01
    return losses, rates, recorder


losses, rates, recorder = train(enough=0.0)
rows = recorder.read("headroom")
print("step   loss    lr  critical")
for step, critical in zip(rows["step"][::2], rows["critical_lr"][::2], strict=True):
    print(f"{step:4d}  {losses[step]:5.2f}  {rates[step]:4.2f}  {critical:8.2f}")
if sys.argv[1:]:
    from matplotlib import pyplot as plt

    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(6, 4.2), height_ratios=[2, 1], layout="constrained")
    above.semilogy(rows["step"], rows["critical_lr"], "o-", ms=3, label="critical learning rate")
    above.semilogy(rates, label="learning rate")
    above.legend()
    below.plot(losses, "0.3")
    below.set(xlabel="step", ylabel="loss", ylim=(0, 4))
    figure.savefig(sys.argv[1], dpi=80)
losses, rates, _ = train(enough=2.0)
print(f"kept at {rates[-1]:.2f}, the learning rate ends at a loss of {sum(losses[-20:]) / 20:.2f}")
