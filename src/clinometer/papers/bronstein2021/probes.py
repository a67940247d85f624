"""What is recorded of a network during training: equivariance errors, stability to deformations, over-smoothing."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from clinometer.papers.bronstein2021.equivariance import equivariance_errors
from clinometer.papers.bronstein2021.networks.staged import Staged
from clinometer.papers.bronstein2021.smoothing import mean_cosine
from clinometer.papers.bronstein2021.warps import random_warp, warped
from clinometer.probes.base import LAYER, Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.store import Row

GROUPS = ("rotation", "shift", "even_shift", "permutation")
_SEED = 0  # of the warps, which are alike for all networks, seeds and steps


@probe_factory
def equivariance(samples: int = 32) -> Probe:
    """The equivariance errors of each stage at the start of the step, on the first images of its batch.

    Fields: `layer` (stages + 2,) names, the last two being the mean over the domain and the logits; and for each group
    its name, `rotation`, `shift`, `even_shift` and `permutation`, the error up to each stage; `NAME_alone` of the stage
    alone; `NAME_float64` up to the stage, all computed in float64. NaN where the group does not act. Cost: about 20
    forward passes of these images, of which 10 in float64.

    Args:
        samples: How many images.
    """
    _check_samples(samples)
    fields = {"layer": LAYER}
    for group in GROUPS:
        told = group.replace("_", " ")
        fields[group] = Field(("layer",), meaning=f"equivariance error up to each stage: {told}", headline=True)
        fields[f"{group}_alone"] = Field(("layer",), meaning=f"the same of the stage alone: {told}", drawing="none")
        fields[f"{group}_float64"] = Field(("layer",), meaning=f"the same in float64: {told}", drawing="none")

    def measure(network: Staged, images: Tensor) -> Row:
        single, double = (equivariance_errors(network, images[:samples].to(t)) for t in (torch.float32, torch.float64))
        row: dict[str, object] = {"layer": tuple(single["rotation"])}
        for group, errors in single.items():
            row[group] = torch.tensor([each.through for each in errors.values()], dtype=torch.float64)
            row[f"{group}_alone"] = torch.tensor([each.alone for each in errors.values()], dtype=torch.float64)
            in_double = [each.through for each in double[group].values()]
            row[f"{group}_float64"] = torch.tensor(in_double, dtype=torch.float64)
        return row

    return make_probe("equivariance", _of_network(measure), fields, 10.0)


@probe_factory
def deformation(sizes: Sequence[float] = (0.1, 0.2, 0.4), warps: int = 8, samples: int = 32) -> Probe:
    """How far the features, the mean over the domain of the last stage, move when images are deformed.

    Fields: `size` (s,) of the warps, ‖∇τ‖; `constant` (s,), the mean over warps and images of
    ‖f(x_τ) − f(x)‖ / (‖∇τ‖ ‖x‖), and `largest` (s,) the largest; `relative` (s,), the mean of ‖f(x_τ) − f(x)‖ over
    ‖∇τ‖ · mean ‖f(x)‖, which does not change when the network's features are rescaled. Cost: a forward pass of these
    images for each warp.

    Args:
        sizes: ‖∇τ‖, in (0, 1).
        warps: How many of each size; alike for all networks, seeds and steps.
        samples: How many images.

    Raises:
        ValueError: if a size does not lie in (0, 1), or a number is below 1.
    """
    _check_samples(samples, warps)
    if not sizes or not all(0 < size < 1 for size in sizes):
        raise ValueError(f"sizes of warps must lie in (0, 1), where no image folds; found {list(sizes)}.")
    axis = ("size",)
    fields = {
        "size": Field(axis, meaning="‖∇τ‖ of the warps", drawing="none"),
        "constant": Field(axis, meaning="‖f(x_τ) − f(x)‖ / (‖∇τ‖ ‖x‖), the mean", headline=True, along="size"),
        "largest": Field(axis, meaning="the largest of it", along="size"),
        "relative": Field(axis, meaning="‖f(x_τ) − f(x)‖ / (‖∇τ‖ mean ‖f(x)‖), the mean", along="size"),
    }

    def measure(network: Staged, images: Tensor) -> Row:
        chosen = images[:samples]
        generator = torch.Generator().manual_seed(_SEED)
        plain = network.features(chosen)
        of_images, of_features = chosen.flatten(1).norm(dim=1), plain.norm(dim=1).mean()
        rows: list[Tensor] = []
        for size in sizes:
            taus = [random_warp(chosen.shape[-1], size, generator).displacement for _ in range(warps)]
            moved = torch.stack([network.features(warped(chosen, tau)) for tau in taus])
            gaps = (moved - plain).norm(dim=2) / size  # (warps, samples)
            constants = gaps / of_images
            rows.append(torch.stack([constants.mean(), constants.max(), gaps.mean() / of_features]))
        values = torch.stack(rows).double().T
        return {"size": torch.tensor(sizes, dtype=torch.float64)} | dict(
            zip(("constant", "largest", "relative"), values, strict=True)
        )

    return make_probe("deformation", _of_network(measure), fields, len(sizes) * warps / 4)


@probe_factory
def over_smoothing(samples: int = 32) -> Probe:
    """How alike the nodes of a graph are after each convolution, before its norm, on the first images of the batch.

    Fields: `layer` (convolutions,) names; `cosine` (convolutions,), the mean over pairs of nodes and images of the
    cosine between their features. 1 where all nodes point the same way. It is taken before the norm, since PairNorm
    takes the mean off, and would have it small by construction. Cost: one forward pass.

    Args:
        samples: How many images.
    """
    _check_samples(samples)
    fields = {
        "layer": LAYER,
        "cosine": Field(
            ("layer",),
            meaning="mean cosine between two nodes' features, before the norm",
            headline=True,
            worst="highest",
        ),
    }

    def probe(step: Step) -> Row:
        names = [name for name, _ in step.objective.model.named_modules() if name.endswith(".linear")]
        outputs = step.objective.outputs(step.before, names)
        cosines = [mean_cosine(outputs[name][:samples]) for name in names]
        return {"layer": tuple(names), "cosine": torch.tensor(cosines, dtype=torch.float64)}

    return make_probe("over_smoothing", probe, fields, 0.5, _check_graph)


def _of_network(measure: Callable[[Staged, Tensor], Row]) -> Probe:
    """A probe that runs parts of the network where the step starts, on the batch's inputs, and leaves no trace."""

    def probe(step: Step) -> Row:
        found: dict[str, Row] = {}

        def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
            assert isinstance(model, Staged)
            found["row"] = measure(model, batch[0])
            return batch[0].new_zeros(())

        step.on(None, loss_fn).objective.loss(step.before)
        return found["row"]

    return probe


def _check_graph(model: nn.Module) -> None:
    if not any(name.endswith(".linear") for name, _ in model.named_modules()):
        raise ValueError(f"over_smoothing needs a network on a graph; found {type(model).__name__} without GraphConv.")


def _check_samples(*counts: int) -> None:
    if min(counts) < 1:
        raise ValueError(f"expected at least one image and one warp; found {min(counts)}.")
