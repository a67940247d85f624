"""Find the layer that breaks a diverging run, before the loss shows it.

    python examples/diverging.py

A network reads digits and guesses how much ink they have; the second head takes pixels that nobody scaled. The learning
rate warms up, the loss falls, and near step 100 it explodes. Headroom per layer names the head long before: its own
step could be hardly longer, the others' hundreds of times. The proof is in the last lines.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, every, headroom
from clinometer.training.data.datasets import digits


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


def train(slowed: str = "") -> tuple[list[float], Recorder]:
    torch.manual_seed(0)
    data, model, losses = digits(), TwoHeads(), [0.0]
    groups = [{"params": m.parameters(), "lr": 0.02 if name == slowed else 0.2} for name, m in model.named_children()]
    optimizer = torch.optim.SGD(groups)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (step + 1) / 200)
    recorder = Recorder(model, loss_fn, [headroom(blocks="layers")], every(10), optimizer=optimizer)
    while len(losses) <= 300 and losses[-1] < 1e6:
        chosen = torch.randint(len(data.train_labels), (128,))
        with recorder.step(batch := (data.normalized(data.train_images[chosen]).flatten(1), data.train_labels[chosen])):
            loss = loss_fn(model, batch)
            loss.backward(), optimizer.step(), optimizer.zero_grad(), warm_up.step()
        losses.append(loss.item())
    return losses[1:], recorder


losses, recorder = train()
rows, names = recorder.read("headroom_blocks"), ["stem", "body", "digit", "ink"]
print(f"step    loss  headroom of {', '.join(names)}: below 1 a layer's own step overshoots")
for step, room in zip(rows["step"], rows["loss"], strict=True):
    print(f"{step:4d}  {losses[step]:6.4g}  " + "".join(f"{r:8.4g}" for r in room))
first = next(i for i, room in enumerate(rows["loss"]) if room.min() < 2)
suspect, lowest = names[rows["loss"][first].argmin()], losses.index(min(losses))
print(f"{suspect}: below 2 at step {rows['step'][first]}; the loss falls until step {lowest}")
for name in names:
    print(f"with a tenth of the learning rate for {name:5s} the loss ends at {train(name)[0][-1]:.3g}")
