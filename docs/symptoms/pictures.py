"""Train a sick, a healthy and a cured run for each symptom, and draw them for the pages beside this file.

    python docs/symptoms/pictures.py [loss_spikes loss_does_not_fall became_nan learning_rate batch_size]

Small networks on the bundled digits, on one thread: about a minute for all. Each function is one picture.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, activation_moments, alert, at, every, headroom, noise_scale, sharpness, suggest_lr
from clinometer.plots.matplotlib import save
from clinometer.studies.figure import Figure, Panel, Series, Vertical
from clinometer.training.data.datasets import digits

IMAGES = Path(__file__).parents[1] / "images"
PALETTE = {"healthy": "#009E73", "sick": "#D55E00", "cured": "#0072B2"}
DATA = digits()
INPUTS, LABELS = DATA.normalized(DATA.train_images).flatten(1), DATA.train_labels

Batch = tuple[Tensor, Tensor]


def perceptron() -> nn.Module:
    """Three layers on the pixels."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """The loss of all runs but one."""
    return F.cross_entropy(model(batch[0]), batch[1])


class Run:
    """A training on batches drawn with replacement, and what a recorder saw of it."""

    def __init__(
        self,
        make_model: Callable[[], nn.Module],
        make_optimizer: Callable[..., torch.optim.Optimizer],
        probes: list[Any],
        when: Any,
        loss_fn: Callable[[nn.Module, Batch], Tensor] = cross_entropy,
        **recorder: Any,
    ) -> None:
        torch.manual_seed(1)
        self.model, self.loss_fn, self.losses = make_model(), loss_fn, []
        self.optimizer = make_optimizer(self.model.parameters())
        self.recorder = Recorder(self.model, loss_fn, probes, when, optimizer=self.optimizer, **recorder)

    def steps(self, batches: Sequence[int]) -> Iterator[int]:
        """Train on batches of these sizes; at the end of each step its number is yielded."""
        for step, batch in enumerate(batches):
            chosen = torch.randint(len(LABELS), (batch,))
            with self.recorder.step(drawn := (INPUTS[chosen], LABELS[chosen])):
                loss = self.loss_fn(self.model, drawn)
                self.optimizer.zero_grad(), loss.backward(), self.optimizer.step()
            self.losses.append(loss.item())
            yield step

    def scale_rate(self, factor: float) -> None:
        """Multiply the learning rate."""
        self.optimizer.param_groups[0]["lr"] *= factor

    def read(self, probe: str, field: str) -> Any:
        """One field of the rows so far."""
        return self.recorder.read(probe)[field]


def losses(runs: Mapping[str, Run]) -> Panel:
    """The training losses over the steps."""
    found = [Series(name, name, np.arange(len(run.losses)), np.array(run.losses)) for name, run in runs.items()]
    return Panel("loss", "step", "loss", tuple(found), yscale="log")


def readings(
    runs: Mapping[str, Run], probe: str, field: str, ylabel: str, *, limit: float, median_of: int = 1
) -> Panel:
    """One field of each run over the steps, or the median of its last few values, and a limit."""
    found: list[Series] = []
    for name, run in runs.items():
        values = run.read(probe, field)
        values = values if values.ndim == 1 else values.max(axis=1)  # of all blocks or layers
        smooth = [np.median(values[max(0, i + 1 - median_of) : i + 1]) for i in range(len(values))]
        found.append(Series(name, name, run.read(probe, "step"), np.array(smooth)))
    steps = found[0].x
    found.append(Series("", "reference", steps, np.full(len(steps), limit)))
    title = ylabel + f", median of {median_of}" * (median_of > 1)
    return Panel(title, "step", ylabel, tuple(found), yscale="log")


def marked(panel: Panel, run: Run) -> Panel:
    """The panel with a line at the first alarm of a run."""
    return replace(panel, verticals=(Vertical("alarm", run.recorder.alarms[0].step),))


def loss_spikes() -> Figure:
    """Heavy ball, its rate rising to 0.3 and to 1 in 300 steps; and to 1, but halved and kept at an alarm."""
    runs: dict[str, Run] = {}
    for name, top in {"healthy": 0.3, "sick": 1.0, "cured": 1.0}.items():
        sharp = alert("sharpness/ratio", above=1, sustained=2)
        descent = partial(torch.optim.SGD, lr=top / 300, momentum=0.9)
        run = runs[name] = Run(perceptron, descent, [sharpness()], every(4), alerts=[sharp])
        for step in run.steps([256] * 300):
            alarmed = name == "cured" and run.recorder.alarms
            if alarmed and alarmed[0].step == step:
                run.scale_rate(0.5)
            elif not alarmed:
                run.scale_rate((step + 2) / (step + 1))
    told = marked(readings(runs, "sharpness", "ratio", "sharpness / threshold", limit=1), runs["cured"])
    return Figure("My loss spikes", "", (marked(losses(runs), runs["cured"]), told), 2, PALETTE)


def loss_does_not_fall() -> Figure:
    """AdamW at a rate a hundred times too low, at a good one, and at the low one, raised until headroom is below 6."""
    runs: dict[str, Run] = {}
    for name, lr in {"healthy": 3e-3, "sick": 3e-5, "cured": 3e-5}.items():
        run = runs[name] = Run(perceptron, partial(torch.optim.AdamW, lr=lr), [headroom()], every(5))
        raising = name == "cured"
        for step in run.steps([128] * 300):
            raising = raising and (step < 100 or np.median(run.read("headroom", "loss")[-3:]) >= 6)
            if raising and step >= 100:
                run.scale_rate(1.1)
    room = readings(runs, "headroom", "loss", "headroom", limit=2, median_of=5)
    return Figure("My loss does not fall", "", (losses(runs), room), 2, PALETTE)


class Block(nn.Module):
    """A residual block with squared ReLU, whose outputs grow without a norm."""

    def __init__(self, norm: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(64) if norm else nn.Identity()
        self.up, self.down = nn.Linear(64, 128), nn.Linear(128, 64)

    def forward(self, x: Tensor) -> Tensor:
        """The block's inputs and what it adds."""
        return x + self.down(F.relu(self.up(self.norm(x))).square())


def half_precision(model: nn.Module, batch: Batch) -> Tensor:
    """The loss with activations in float16, whose largest number is 65504."""
    with torch.autocast("cpu", dtype=torch.float16):
        return F.cross_entropy(model(batch[0]).float(), batch[1])


def residual(norm: bool) -> nn.Module:
    """Five residual blocks."""
    return nn.Sequential(nn.Linear(64, 64), *(Block(norm) for _ in range(5)), nn.Linear(64, 10))


def became_nan() -> Figure:
    """A residual network in float16, its rate rising to 0.01; with norms; and without, but slowed down by an alarm."""
    runs: dict[str, Run] = {}
    for name, norm in {"healthy": True, "sick": False, "cured": False}.items():
        large = alert("activation_moments/largest", above=256, sustained=1)
        adam = partial(torch.optim.AdamW, lr=0.01 / 150)
        run = runs[name] = Run(
            partial(residual, norm), adam, [activation_moments()], every(2), half_precision, alerts=[large]
        )
        for step in run.steps([64] * 250):
            alarmed = name == "cured" and run.recorder.alarms
            if alarmed and alarmed[0].step == step:
                run.scale_rate(0.2)
            elif not alarmed and step < 149:
                run.scale_rate((step + 2) / (step + 1))
    largest = readings(runs, "activation_moments", "largest", "largest activation", limit=65504)
    return Figure(
        "It became NaN", "", (marked(losses(runs), runs["cured"]), marked(largest, runs["cured"])), 2, PALETTE
    )


def learning_rate() -> Figure:
    """Heavy ball at a rate of 1, of 0.05, and of what `suggest_lr` says; and where a sweep of eleven rates ends."""
    descent = partial(torch.optim.SGD, momentum=0.9)
    asked = Run(perceptron, partial(descent, lr=1.0), [headroom()], at())
    chosen = [torch.randint(len(LABELS), (128,)) for _ in range(60)]
    found = suggest_lr(asked.model, cross_entropy, [(INPUTS[each], LABELS[each]) for each in chosen], asked.optimizer)
    print(found)

    def trained(lr: float) -> Run:
        run = Run(perceptron, partial(descent, lr=lr), [headroom()], at())
        for _ in run.steps([128] * 300):
            pass
        return run

    runs = {name: trained(lr) for name, lr in (("healthy", 0.05), ("sick", 1.0), ("cured", found.suggested))}
    rates = np.geomspace(0.001, 1.0, 11)
    ends = Series("mean loss of the last 50 steps", "reference", rates, np.array([final(trained(lr)) for lr in rates]))
    lines = (
        Vertical("suggested", found.suggested, "cured"),
        Vertical("largest stable, 90% interval", found.largest, "sick"),
    )
    band = Series("", "sick", np.array([found.low, found.high]), None, np.full(2, 1e-4), np.full(2, 10.0))
    swept = Panel("a sweep", "learning rate", "loss", (ends, band), verticals=lines, xscale="log", yscale="log")
    return Figure("Which learning rate", "", (losses(runs), swept), 2, PALETTE)


def final(run: Run) -> float:
    """The mean loss of the last 50 steps, at most 10."""
    return min(10.0, float(np.nan_to_num(np.mean(run.losses[-50:]), nan=10.0)))


def batch_size() -> Figure:
    """SGD with batches of 32, of 512, and of 512 until its noise scale is read: 25,600 samples each."""
    batches = {"healthy": [32] * 800, "sick": [512] * 50, "cured": [512] * 20 + [32] * 480}
    by_samples: list[Series] = []
    for name, sizes in batches.items():
        when = every(2) if name == "sick" else at()
        run = Run(perceptron, partial(torch.optim.SGD, lr=0.2), [noise_scale(window=20)], when)
        losses = [cross_entropy(run.model, (INPUTS, LABELS)).item() for _ in run.steps(sizes)]
        by_samples.append(Series(name, name, np.cumsum(sizes), np.array(losses)))
        if name == "sick":
            rows, x = run.recorder.read("noise_scale"), by_samples[-1].x
    noise = Series("noise scale, 95% interval", "sick", x[rows["step"]], rows["value"], rows["low"], rows["high"])
    used = [Series("the batch", "reference", x, np.full(len(x), 512))]
    panels = (
        Panel("loss on all training data", "samples", "loss", tuple(by_samples), yscale="log"),
        Panel("noise scale of the sick run", "samples", "samples", (noise, *used), yscale="log", ylim=(3, 2000)),
    )
    return Figure("Does my batch pay", "", panels, 2, PALETTE)


SYMPTOMS = {f.__name__: f for f in (loss_spikes, loss_does_not_fall, became_nan, learning_rate, batch_size)}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or SYMPTOMS:
        save(SYMPTOMS[chosen](), IMAGES / f"symptom_{chosen}", ["png"])
