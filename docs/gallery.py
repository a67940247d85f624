"""Draw each quantity in a healthy run and in a sick one, for its page.

    python docs/gallery.py [sharpness headroom ...]

One small network learns the bundled digits, with attention over the rows of an image. The sick run differs in one
thing, which the caption in the page says. The first panel is the loss of each step's batch, and the others are what the
probe measured. All together take half a minute.
"""

import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import clinometer
from clinometer import Recorder, every
from clinometer.plots.matplotlib import draw
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.training.data.datasets import digits

IMAGES = Path(__file__).parent / "images" / "gallery"
STEPS = 60
Rows = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """What a run differs in."""

    optimizer: Any = torch.optim.SGD
    lr: float = 0.1
    batch: int = 64
    norm: bool = True  # BatchNorm after the hidden layer
    attention: float = 1.0  # a factor on the weights of queries and keys, as they are drawn
    weights: float = 1.0  # a factor on the weights of the hidden layer, as they are drawn
    shuffled: bool = False  # labels that have nothing to do with the images
    dtype: torch.dtype = torch.float32


@dataclass(frozen=True)
class View:
    """What a panel shows of a probe's rows."""

    title: str
    read: Callable[[Rows], Any]  # a number for each measured step
    scale: Literal["linear", "log"] = "linear"
    unit: str = ""
    edge: tuple[float, str] | None = None  # drawn across, and its name


@dataclass(frozen=True)
class Entry:
    """How a quantity is shown."""

    views: tuple[View, ...]
    sick: Case
    healthy: Case = Case()
    look: int = 3  # at every third step
    options: Mapping[str, Any] | None = None  # of the probe


def field(name: str, unit: str = "", edge: tuple[float, str] | None = None, title: str = "") -> View:
    """A field as it is, on a logarithmic axis."""
    return View(title or name, lambda rows: rows[name], "log", unit, edge)


def of_layer(name: str, layer: str, scale: Literal["linear", "log"] = "log") -> View:
    """A field of one layer; the mean over its units where it has a number for each."""

    def read(rows: Rows) -> Any:
        values = rows[name][:, list(rows["layer"][0]).index(layer)]
        return np.nanmean(values, axis=1) if values.ndim > 1 else values

    return View(f"{name} of {layer}", read, scale)


def moved(rows: Rows) -> Any:
    """How far the step moved all parameters, over their norm."""
    return rows["total_update_norm"] / rows["total_weight_norm"]


def taken(rows: Rows) -> Any:
    """The share of the gradient that BatchNorm takes out by its mean and its correlation."""
    return np.nansum(rows["mean"] + rows["correlation"], axis=(1, 2)) / np.nansum(rows["gradient"], axis=(1, 2))


SLOW = Case(lr=0.01)
FAST = Case(lr=5.0)
SIGNS = Case(lr=0.001, optimizer=torch.optim.Adam)
BARE = Case(lr=0.5, norm=False)
HEAVY = replace(BARE, weights=12.0)
PEAKED = Case(lr=0.5, attention=12.0)
ONE = 1.0, "1"
BATCH = 64.0, "the batch, 64"
CURVATURE = "loss / parameter²"
GALLERY = {
    "landscape": Entry((field("beta", CURVATURE), field("beta_lr_half", edge=ONE)), FAST),
    "headroom": Entry((field("loss", "multiples of the step", ONE, "headroom"), field("critical_lr")), FAST),
    "internal_shift": Entry((of_layer("l2", "head"), of_layer("cosine", "head", "linear")), FAST),
    "activations": Entry((of_layer("var", "hidden"),), HEAVY, BARE, options={"modules": ["hidden"]}),
    "batchnorm_terms": Entry((View("share of ‖g‖² that is taken out", taken),), Case(batch=4)),
    "trace": Entry((field("value", CURVATURE),), HEAVY, BARE),
    "density": Entry((field("largest", CURVATURE), field("negative", "share")), HEAVY, BARE, 6),
    "noise_floor": Entry((field("loss", title="noise floor of the loss"),), replace(SLOW, dtype=torch.bfloat16), SLOW),
    "noise_scale": Entry((field("value", "samples", BATCH),), Case(shuffled=True), look=1),
    "sharpness": Entry((field("value", CURVATURE), field("ratio", edge=ONE)), FAST),
    "batch_sharpness": Entry((field("value", CURVATURE), field("ratio", edge=ONE)), FAST),
    "directional_sharpness": Entry((field("value", CURVATURE), field("quadratic_headroom", edge=ONE)), FAST),
    "scale_free": Entry((field("beta", "loss"), of_layer("update_ratio", "hidden.weight")), FAST),
    "generalised_sharpness": Entry(
        (field("value"), field("ratio", edge=ONE)), replace(SIGNS, lr=1.0), SIGNS, 6, {"norm": "max"}
    ),
    "step_norms": Entry((View("update_ratio of all", moved, "log"),), FAST, look=1),
    "activation_moments": Entry((of_layer("largest", "hidden"), of_layer("kurtosis", "hidden")), HEAVY, BARE),
    "attention_logits": Entry(
        (of_layer("largest", "Reader"), of_layer("entropy", "Reader", "linear")), PEAKED, Case(lr=0.5)
    ),
}


class Reader(nn.Module):
    """Attention over the eight rows of an image, and a hidden layer."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.rows = nn.Linear(8, 48)
        self.hidden = nn.Linear(8 * 16, 32)
        self.norm = nn.BatchNorm1d(32) if case.norm else nn.Identity()
        self.head = nn.Linear(32, 10)
        with torch.no_grad():
            self.rows.weight[:32] *= case.attention
            self.hidden.weight *= case.weights

    def forward(self, images: Tensor) -> Tensor:
        queries, keys, values = self.rows(images[:, 0]).chunk(3, dim=-1)
        seen = F.scaled_dot_product_attention(queries, keys, values)
        return self.head(F.relu(self.norm(self.hidden(seen.flatten(1)))))


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy."""
    return F.cross_entropy(model(batch[0]), batch[1])


def train(case: Case, name: str, entry: Entry) -> tuple[Rows, list[float]]:
    """What the probe measured, and the loss of each step."""
    torch.manual_seed(0)
    model = Reader(case).to(case.dtype)
    optimizer = case.optimizer(model.parameters(), lr=case.lr)
    data = digits()
    images, labels = data.normalized(data.train_images).to(case.dtype), torch.as_tensor(data.train_labels)
    probe = getattr(clinometer, name)(**entry.options or {})
    recorder = Recorder(model, loss_fn, [probe], every(entry.look), optimizer=optimizer)
    losses: list[float] = []
    for _ in range(STEPS):
        chosen = torch.randint(len(labels), (case.batch,))
        batch = images[chosen], torch.randint(10, (case.batch,)) if case.shuffled else labels[chosen]
        with recorder.step(batch):
            loss = loss_fn(model, batch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
    return recorder.read(name), losses


def figure_of(name: str) -> Figure:
    """The loss of both runs, and each view of the quantity."""
    entry = GALLERY[name]
    runs = {"healthy": train(entry.healthy, name, entry), "sick": train(entry.sick, name, entry)}
    every_step = np.arange(STEPS)
    lines = [Series(run, n, every_step, np.array(losses)) for n, (run, (_, losses)) in enumerate(runs.items())]
    panels = [Panel("training loss", "step", "loss", tuple(lines), yscale="log")]
    for view in entry.views:
        shown = [
            Series(run, n, rows["step"], np.asarray(view.read(rows), float))
            for n, (run, (rows, _)) in enumerate(runs.items())
        ]
        if view.edge is not None:
            height, edge = view.edge
            shown.append(Series(edge, "reference", np.array([0.0, STEPS - 1.0]), np.full(2, height)))
        panels.append(Panel(view.title, "step", view.unit, tuple(shown), yscale=view.scale))
    return Figure(f"{name}: healthy and sick", "", tuple(panels))


def picture_of(name: str, folder: Path = IMAGES) -> Path:
    """Write the picture of a quantity, in few colours, so that the file is small."""
    folder.mkdir(parents=True, exist_ok=True)
    draw(figure_of(name)).savefig(pixels := io.BytesIO(), format="png", dpi=90)
    with Image.open(pixels) as drawn:
        drawn.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)
    return folder / f"{name}.png"


if __name__ == "__main__":
    torch.set_num_threads(1)  # the network is small
    for quantity in sys.argv[1:] or GALLERY:
        picture_of(quantity)
