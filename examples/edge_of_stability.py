"""See training come to the edge of stability: each optimizer to its own line, and minibatch SGD below it.

    python examples/edge_of_stability.py [STEPS [FILE.png]]

A tanh network fits 1000 digits by squared error, full batch. The largest eigenvalue of the Hessian rises to the
optimizer's threshold and stays there: 2/lr, 2(1 + momentum)/lr, and for Adam, in the metric of its preconditioner,
38/lr. With batches of 4, that of the full loss stays far below, and batch sharpness comes nearer. About half a minute.
"""

import sys
from functools import partial

import numpy as np
import torch
from torch import nn

from clinometer import Recorder, batch_sharpness, every, sharpness
from clinometer.measures.batch_sharpness import batch_sharpness_of
from clinometer.training.data.datasets import digits

STEPS, DATA, SGD = int(sys.argv[1]) if sys.argv[1:] else 3000, digits(), torch.optim.SGD
ALL = DATA.normalized(DATA.train_images[:1000]).flatten(1), nn.functional.one_hot(DATA.train_labels[:1000], 10).float()
RUNS = {  # the optimizer, the batch size, and what is measured when
    "descent": (partial(SGD, lr=0.15), 1000, {sharpness(): every(25)}),
    "heavy ball": (partial(SGD, lr=0.24, momentum=0.5), 1000, {sharpness(): every(25)}),
    "Adam": (partial(torch.optim.Adam, lr=0.006), 1000, {sharpness(): every(25)}),
    "batches of 4": (partial(SGD, lr=0.25), 4, {sharpness(batches=[ALL]): every(100), batch_sharpness(): every(10)}),
}


def run(make, size, probes):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 10))
    optimizer, loss_fn = make(model.parameters()), lambda m, b: (m(b[0]) - b[1]).square().sum(1).mean() / 2
    recorder = Recorder(model, loss_fn, [*probes], {p.__name__: w for p, w in probes.items()}, optimizer=optimizer)
    for _ in range(STEPS):
        chosen = torch.randperm(1000)[:size]
        with recorder.step(batch := (ALL[0][chosen], ALL[1][chosen])):
            loss_fn(model, batch).backward(), optimizer.step(), optimizer.zero_grad()
    return recorder


print("λ over the threshold in the last half of the run: median (lowest to highest)")
for name, recorder in (recorders := {name: run(*each) for name, each in RUNS.items()}).items():
    ratio = recorder.read(next(iter(recorder.probes)))["ratio"]
    ratio = ratio[len(ratio) // 2 :]
    print(f"{name:12s}  {np.median(ratio):.3f}  ({ratio.min():.3f} to {ratio.max():.3f})")
found = batch_sharpness_of(recorders["batches of 4"].read("batch_sharpness"), window=STEPS // 20)
for name, mean in (("mean of ratios", found.mean_of_ratios), ("ratio of means", found.ratio_of_means)):
    print(f"batch sharpness, {name}: {mean.value / 8:.3f} of 2/lr [{mean.low / 8:.3f}, {mean.high / 8:.3f}]")
if sys.argv[2:]:
    from matplotlib import pyplot

    for name, probe, table in ((n, p, r.read(p)) for n, r in recorders.items() for p in r.probes):
        length = 20 if probe == "batch_sharpness" else 1  # of the running mean
        ratio = np.convolve(table["ratio"], np.full(length, 1 / length), "valid")
        pyplot.plot(table["step"][length - 1 :], ratio, label=f"{name}: {probe}", linewidth=1)
    pyplot.gca().set(ylim=(0, 1.3), xlabel="step", ylabel="curvature over threshold")
    pyplot.gca().legend(fontsize="small").figure.savefig(sys.argv[2], dpi=90)
