"""The trainer of the study of where gradients point: a network whose filters are symmetric, on symmetric images or not.

Rotating the filters of a network of grid convolutions by T_g is the same as rotating its images: the pooled features
of ρ(g) x with the filters T_g w are those of x with w. So the loss of images that are closed under rotations has
L(T_g w) = L(w), and its gradient g(T_g w) = T_g g(w) at every w. Only where w is fixed by all T_g does it follow that
the gradient is, too: then ‖(I − Π) g‖ = 0 with the projection Π onto the fixed subspace, the mean over all T_g, and
gradient descent never leaves it.

Source: Bronstein et al. (2021), section 3.1, for symmetries; the rest is ours.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from clinometer.objective.params import Point, norm
from clinometer.papers.bronstein2021.names import FIXED_SUBSPACE
from clinometer.papers.bronstein2021.networks.staged import Staged
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_model, data_of
from clinometer.training.keeper import Keeper
from clinometer.training.own_settings import reads_settings
from clinometer.training.parts import samples_of
from clinometer.training.trainer import seeds_together


def rotated_filters(at: Point, quarters: int) -> dict[str, Tensor]:
    """T_g w: every filter (O, I, k, k) rotated by so many right angles; all other parameters as they are.

    Example:
        >>> rotated_filters({"w": torch.tensor([[[[1, 2], [3, 4]]]])}, 2)["w"].flatten()
        tensor([4, 3, 2, 1])
    """
    return {name: torch.rot90(value, quarters, (-2, -1)) if value.ndim == 4 else value for name, value in at.items()}


def projected(at: Point) -> dict[str, Tensor]:
    """Π w: the mean over the four rotations, which is fixed by each of them."""
    turned = [rotated_filters(at, quarters) for quarters in range(4)]
    return {name: torch.stack([each[name] for each in turned]).mean(0) for name in at}


def share_outside(at: Point) -> float:
    """‖(I − Π) w‖ / ‖w‖: 0 in the fixed subspace, and at most 1.

    Example:
        >>> share_outside({"w": torch.tensor([[[[1.0, -1.0], [-1.0, 1.0]]]])})       # a quarter turn changes its sign
        1.0
    """
    fixed = projected(at)
    return float(norm({name: value - fixed[name] for name, value in at.items()}) / norm(at))


@seeds_together(lambda _config: True)
@reads_settings("lr")
def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Train the network of each config in float64 from filters that are their own rotations.

    Rows: `train`, the loss at each step; `fixed_subspace` at the measured ones: the shares outside of the fixed
    subspace of the `gradient` and of the `weights`; that of the gradient at the filters as they were drawn, `drawn`, on
    the same batch; and `equivariance`, ‖g(T w) − T g(w)‖ / ‖g(w)‖ there, for a quarter turn T.

    A batch is whole orbits: with four `turns` each image is in it with all its rotations.
    """
    for config, keeper in runs.items():
        data = (keeper.data or data_of(config)).train
        model = build_model(config).double().to(device)
        assert isinstance(model, Staged)
        drawn = {name: value.detach().clone() for name, value in model.named_parameters()}
        at = projected(drawn)
        turns = config["turns"]
        measured = set(config.steps_of(FIXED_SUBSPACE))
        orbits = samples_of(len(data.targets) // turns, config.batch_size // turns, config.steps, config.seed)
        with keeper.rows() as store:
            for step, chosen in enumerate(orbits):
                images = (chosen[:, None] * turns + torch.arange(turns)).flatten()
                batch = data.inputs[images].double().to(device), data.targets[images].to(device)
                loss, gradient = _gradient(model, at, batch)
                row = {"train": {"loss": loss}}
                if step in measured:
                    row[FIXED_SUBSPACE] = _row(model, at, gradient, drawn, batch)
                store.append(step, row)
                at = {name: value - config["lr"] * gradient[name] for name, value in at.items()}


def _row(model: Staged, at: Point, gradient: Point, drawn: Point, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
    of_drawn = _gradient(model, drawn, batch)[1]
    of_turned = _gradient(model, rotated_filters(drawn, 1), batch)[1]
    turned = rotated_filters(of_drawn, 1)
    return {
        "gradient": share_outside(gradient),
        "weights": share_outside(at),
        "drawn": share_outside(of_drawn),
        "equivariance": float(norm({n: of_turned[n] - turned[n] for n in turned}) / norm(of_drawn)),
    }


def _gradient(model: Staged, at: Point, batch: tuple[Tensor, Tensor]) -> tuple[float, dict[str, Tensor]]:
    moved = {name: value.detach().requires_grad_() for name, value in at.items()}
    loss = F.cross_entropy(torch.func.functional_call(model, moved, (batch[0],)), batch[1])
    found = torch.autograd.grad(loss, list(moved.values()))
    return float(loss.detach()), dict(zip(moved, found, strict=True))
