"""An alarm stops a run that would have died, and names the layer; with what it advises the run goes on, and lives.

    python examples/alarm_stops_run.py

A network reads digits and guesses how much ink they have; the second head takes pixels that nobody scaled. The learning
rate warms up, and before the loss shows anything that head's own steps overshoot: its headroom stays below 1. How often
such alarms come in time, and how often for nothing, is counted in docs/symptoms/loss_spikes.md.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, alert, every, headroom
from clinometer.recorder.alerts.actions import StopTraining, stop
from clinometer.training.data.datasets import digits

DATA = digits()


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body = nn.Linear(64, 64), nn.Linear(64, 64)
        self.digit, self.ink = nn.Linear(64, 10), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.digit(F.relu(self.body(F.relu(self.stem(x))))), self.ink(2 * x)[:, 0]


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    digit, ink = model(batch[0])
    return F.cross_entropy(digit, batch[1]) + 0.1 * F.mse_loss(ink, batch[0].mean(1))


def train(alerts: list) -> list[float]:
    torch.manual_seed(0)
    model, losses = TwoHeads(), []
    optimizer = torch.optim.SGD([{"params": m.parameters(), "name": n, "top": 0.2} for n, m in model.named_children()])
    recorder = Recorder(model, loss_fn, [headroom(blocks="layers")], every(2), optimizer=optimizer, alerts=alerts)
    while len(losses) < 300 and sum(losses[-1:]) < 1e6:
        for group in optimizer.param_groups:
            group["lr"] = group["top"] * min(1, (len(losses) + 1) / 200)
        chosen = torch.randint(len(DATA.train_labels), (128,))
        batch = DATA.normalized(DATA.train_images[chosen]).flatten(1), DATA.train_labels[chosen]
        try:
            with recorder.step(batch):
                losses.append((loss := loss_fn(model, batch)).item())
                loss.backward(), optimizer.step(), optimizer.zero_grad()
        except StopTraining as stopped:
            print(f"stopped at a loss of {losses[-1]:.2f} by", str(stopped.alarm).replace(". ", ".\n"))
            for group in optimizer.param_groups:
                group["top"] /= 10 if group["name"] == stopped.alarm.block else 1
    return losses


died, lived = train([]), train([alert("headroom_blocks/loss", below=1, sustained=3, then=stop)])
print(f"with a tenth of the rate for that layer the run goes on: the loss is {lived[-1]:.2f} at step {len(lived) - 1}")
print(f"without the alarm it falls until step {died.index(min(died))}, and is {died[-1]:.0e} at step {len(died) - 1}")
