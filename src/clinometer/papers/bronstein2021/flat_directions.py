"""The trainer of the study of flat directions: a tiny network to a critical point in float64, and its whole Hessian."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clinometer.measures.dense_hessian import dense_hessian
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, flattened, unflattened
from clinometer.papers.bronstein2021.names import TOLERANCE
from clinometer.papers.bronstein2021.networks.tiny import KINDS, Dense, Tiny, squared_error
from clinometer.papers.bronstein2021.null_space import null_space
from clinometer.papers.bronstein2021.symmetries import Generator, product_expected, tangent_of
from clinometer.store import Row
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_model, data_of
from clinometer.training.keeper import Keeper
from clinometer.training.own_settings import reads_settings
from clinometer.training.trainer import seeds_together

START = 0.1  # how far from the teacher the student starts, relative to each parameter's root mean square
ITERATIONS = 20  # of L-BFGS in each step
NEWTON = 60  # steps at most, at the end
CRITICAL = 1e-12  # the gradient's norm that ends them, relative to the Hessian's largest eigenvalue


@dataclass(frozen=True)
class Critical:
    """A point, and what is known of the loss there."""

    at: Point
    loss: float
    gradient: Point
    hessian: Tensor  # (n, n)
    eigenvalues: Tensor  # (n,) rising

    @property
    def gradient_norm(self) -> float:
        """‖g‖ over the largest |λ|: about how far a critical point is, in units of the parameters."""
        return float(flattened(self.gradient).norm() / self.eigenvalues.abs().max())


@seeds_together(lambda _config: True)
@reads_settings("noise")
def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Bring the tiny network of each config to a critical point of a squared error, and take its Hessian.

    The targets are what a network of the same kind, the teacher, makes of the images, with Gaussian noise of `noise`
    times their deviation; the student begins near the teacher. Without noise the teacher is a critical point. With
    noise a ReLU's descent ends at a kink, and on labels units saturate or die: no critical point was found there.

    Everything is in float64, on all images together. Rows: `train`, the loss before each step of L-BFGS; one of
    `spectrum`: `eigenvalues` (n,) at the critical point, how many are `zeros` and how many symmetries `expected`, the
    `gap`, the `gradient` there (‖g‖ over the largest |λ|), and for each symmetry, at a point far from critical,
    `identity` (t,), ‖H t + (Dt)ᵀ g‖ / (‖(Dt)ᵀ g‖ + ‖H‖ ‖t‖), and `bent` (t,), ‖H t‖ / ‖H‖ ‖t‖, NaN where it is
    0 everywhere; and `flat` (t,), the latter at the critical point.
    """
    for config, keeper in runs.items():
        data = (keeper.data or data_of(config)).train
        images, noise = data.inputs.to(device), data.targets.to(device)
        model = build_model(config).double().to(device)
        assert isinstance(model, Tiny)
        batch = images, targets_of(model, images, config["noise"] * noise)
        objective = Objective(model, _loss, batch)
        generators = KINDS[config["kind"]](config["hidden"])
        with torch.no_grad():
            elsewhere = {name: value + torch.randn_like(value) for name, value in objective.here().items()}
            for value in model.parameters():
                value += START * value.square().mean().sqrt() * torch.randn_like(value)
        losses = descend(model, batch, config.steps)
        end = critical_point(objective, objective.here())
        _write(keeper, losses, _spectrum(objective, generators, _described(objective, elsewhere), end))


@torch.no_grad()
def targets_of(teacher: Tiny, images: Tensor, noise: Tensor) -> Tensor:
    """What the teacher makes of images, plus noise in units of its deviation.

    The biases of a dense teacher are set so that each unit is active on half of the images.
    """
    if isinstance(teacher.first, Dense):
        teacher.first.linear.bias -= teacher.first(images).squeeze(2).median(0).values
    outputs = teacher(images)
    return outputs + outputs.std(0) * noise


def descend(model: nn.Module, batch: tuple[Tensor, Tensor], steps: int) -> list[float]:
    """So many steps of L-BFGS on one batch, each of 20 iterations; the losses before each."""
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=ITERATIONS,
        history_size=50,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def evaluated() -> Tensor:
        optimizer.zero_grad()
        loss = _loss(model, batch)
        loss.backward()
        return loss

    return [float(optimizer.step(evaluated).detach()) for _ in range(steps)]


def critical_point(objective: Objective, at: Point) -> Critical:
    """Newton's method from a point near a minimum, by |H|, with a damping that rises where a step does not help.

    It ends where the gradient is as short as `CRITICAL`, or no step makes it shorter. Steps do not move along those
    eigenvectors whose eigenvalues count as zero.
    """
    found, damping = _described(objective, at), 1e-3
    for _ in range(NEWTON):
        if found.gradient_norm < CRITICAL or damping > 1:
            break
        tried = _described(objective, _stepped(found, damping))
        if tried.loss < found.loss or tried.gradient_norm < found.gradient_norm:
            found, damping = tried, damping / 10
        else:
            damping = 10 * damping
    return found


def _stepped(found: Critical, damping: float) -> Point:
    values, vectors = torch.linalg.eigh(found.hessian)
    sizes, largest = values.abs(), values.abs().max()
    inverse = torch.where(sizes > TOLERANCE * largest, 1 / (sizes + damping * largest), 0)
    step = unflattened(vectors @ (inverse * (vectors.T @ flattened(found.gradient))), found.at)
    return {name: value - step[name] for name, value in found.at.items()}


def _loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return squared_error(model(batch[0]), batch[1])


def _described(objective: Objective, at: Point) -> Critical:
    hessian = dense_hessian(objective, at)
    loss, gradient = objective.loss_and_grad(at)
    return Critical(at, float(loss), gradient, hessian, torch.linalg.eigvalsh(hessian))


def _spectrum(objective: Objective, generators: list[Generator], elsewhere: Critical, end: Critical) -> Row:
    counted = null_space(end.eigenvalues)
    identity = [_identity_error(objective, each, elsewhere) for each in generators]
    return {
        "eigenvalues": end.eigenvalues,
        "zeros": counted.zeros,
        "expected": float(len(generators)),
        "gap": counted.gap,
        "gradient": end.gradient_norm,
        "identity": torch.tensor(identity, dtype=torch.float64),
        "bent": torch.tensor([_bent_elsewhere(each, elsewhere) for each in generators], dtype=torch.float64),
        "flat": torch.tensor([_bent(each, end) for each in generators], dtype=torch.float64),
    }


def _identity_error(objective: Objective, generator: Generator, where: Critical) -> float:
    tangent = tangent_of(generator, where.at)
    product = flattened(objective.hvp(where.at, tangent))
    expected = flattened(product_expected(generator, where.at, where.gradient))
    scale = expected.norm() + where.eigenvalues.abs().max() * flattened(tangent).norm()
    return float((product - expected).norm() / scale)


def _bent_elsewhere(generator: Generator, where: Critical) -> float:
    """The same away from a critical point; NaN for a translation, Dt = 0, which is flat everywhere."""
    expected = flattened(product_expected(generator, where.at, where.gradient))
    return _bent(generator, where) if bool(expected.any()) else torch.nan


def _bent(generator: Generator, where: Critical) -> float:
    """‖H t‖ / (‖H‖ ‖t‖): 0 for a flat direction."""
    tangent = flattened(tangent_of(generator, where.at))
    return float((where.hessian @ tangent).norm() / tangent.norm() / where.eigenvalues.abs().max())


def _write(keeper: Keeper, losses: list[float], spectrum: Row) -> None:
    with keeper.rows() as store:
        for step, loss in enumerate(losses):
            store.append(step, {"train": {"loss": loss}} | ({} if step else {"spectrum": spectrum}))
