"""Attach the recorder to a plain loop, and read the landscape that it walked.

    python examples/attach.py

Trains a small network with BatchNorm on the bundled digits for 100 steps, measures every 20, and keeps the rows in
runs/attach/rows.sqlite.
"""

import shutil

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import NORMS, Recorder, every, internal_shift, landscape
from clinometer.training.data.datasets import digits

Batch = tuple[Tensor, Tensor]


def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def main() -> None:
    torch.manual_seed(0)
    data = digits()
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), NORMS["batch"](64, 0), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    shutil.rmtree("runs/attach", ignore_errors=True)  # a folder holds one run
    probes = [landscape(), internal_shift()]
    recorder = Recorder(model, loss_fn, probes, every(20), optimizer=optimizer, to="runs/attach")
    for _ in range(100):
        chosen = torch.randint(len(data.train_labels), (128,))
        batch = data.normalized(data.train_images[chosen]), data.train_labels[chosen]
        with recorder.step(batch):
            loss = loss_fn(model, batch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    rows = recorder.read("landscape")
    print("step   loss      β   2/β, where plain gradient descent would turn unstable along this line")
    for step, loss, beta in zip(rows["step"], rows["loss"], rows["beta"], strict=True):
        print(f"{step:4d}  {loss:5.3f}  {beta:5.1f}   {2 / beta:.2f}")
    print("shift of the last layer's gradient:", recorder.read("internal_shift")["l2"][:, -1].round(4))


if __name__ == "__main__":
    main()
