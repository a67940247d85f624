"""The axes of a plane that given points span, and where the points lie in it: checkpoints of a run, or solutions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.measures.directions import orthogonal
from clinometer.measures.plane import evenly
from clinometer.objective.params import Point, check_direction, distance, dot, norm, scale, sub
from clinometer.readable.results import readable

_CHUNK = 2**20  # parameters of each checkpoint that are in memory as float64 at one time: 8 MiB
_FLAT = 1e-6  # of the extent along the first axis: less along the second is rounding


@readable
@dataclass(frozen=True)
class Axes:
    """A plane through `origin` along two orthogonal directions of length 1, and points that are projected on it."""

    origin: Point
    one: Point
    two: Point
    path: Tensor  # (k, 2) the coordinates of the points: distances from the origin along `one` and `two`
    outside: Tensor  # (k,) how far each point lies from the plane
    explained: Tensor | None = None  # (2,) shares of the points' variance along `one` and `two`, for principal axes

    def sizes(self, count: int = 25, margin: float = 0.25) -> tuple[list[float], list[float]]:
        """Sizes along both axes that cover the points, with 0 among them.

        Args:
            count: How many, for each axis.
            margin: How far beyond the points, as a share of their extent.

        Example:
            >>> path = torch.tensor([[-3.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
            >>> Axes({}, {}, {}, path, path[:, 0]).sizes(3, margin=0.5)
            ([-5.0, 0.0, 5.0], [-3.0, 0.0, 3.0])
        """
        lows, highs = self.path.min(0).values, self.path.max(0).values
        low, high = lows - margin * (highs - lows), highs + margin * (highs - lows)
        one, two = (evenly(min(a, 0.0), max(b, 0.0), count) for a, b in zip(low.tolist(), high.tolist(), strict=True))
        return one, two


def trajectory_axes(checkpoints: Sequence[Point], like: Point | None = None) -> Axes:
    """The two principal axes of a run's checkpoints, through the last one, and the run's path in their plane.

        D = rows θ_i − θ_T,   C = (I − 11ᵀ/k) D = U S Vᵀ,   directions v₁, v₂,   path_i = (D_i v₁, D_i v₂)

    by the eigenvectors of the k × k matrix C Cᵀ, in float64. Each axis points to where the checkpoint that is farthest
    along it lies. The path is a projection: a checkpoint lies `outside` the plane, and its own loss is not that of the
    point where it is drawn. A random walk also explains 0.61 and 0.15 of its variance by two axes, and its path there
    is a smooth arc (Antognini and Sohl-Dickstein, 2018): neither is evidence of structure.

    Cost: no pass; reads the checkpoints twice. Memory: the directions, and 8 MiB for each checkpoint. Those that
    `torch.load(file, mmap=True)` reads stay on disk.

    Args:
        checkpoints: Three or more points of the run in order, such as the model's `state_dict()` at some epochs. They
            may hold more than parameters.
        like: What the plane's points are to be: the names, devices and types of `objective.here()`; by default those
            of the last checkpoint.

    Raises:
        ValueError: if there are fewer than three, they lie on one line, or a parameter is missing or has another shape.
    Source: Li, Xu, Taylor, Studer, Goldstein (2018), arXiv:1712.09913, section 7.2.

    Example:
        >>> steps = [(-2.0, 0.0), (-1.0, 1.0), (0.0, 0.0)]
        >>> found = trajectory_axes([{"w": torch.tensor(each)} for each in steps])
        >>> found.path.abs().round(decimals=3).tolist(), found.explained.round(decimals=2)
        ([[2.0, 0.0], [1.0, 1.0], [0.0, 0.0]], tensor([0.7500, 0.2500], dtype=torch.float64))
    """
    points = list(checkpoints)
    if len(points) < 3:
        raise ValueError(f"expected three checkpoints or more; found {len(points)}. Keep the state more often.")
    like = points[-1] if like is None else like
    _check(points, like)
    gram = sum((chunk @ chunk.T for _, chunk in _differences(points, like)), torch.zeros(()))
    centred = gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean()
    squares, vectors = torch.linalg.eigh(centred)
    squares, vectors = squares.flip(0).clamp_min(0), vectors.flip(1)
    if not float(squares[1]) > (_FLAT**2) * float(squares[0]):
        raise ValueError(
            "the checkpoints lie on one line, which leaves the second axis open; keep more of them, or use "
            "`plane` with a direction of your own."
        )
    weights = vectors[:, :2] / squares[:2].sqrt()  # (k, 2): the directions are Dᵀ times these
    path = gram @ weights
    signs = path.gather(0, path.abs().argmax(0, keepdim=True)).sign()
    path, weights = path * signs, weights * signs
    one, two = _combined(points, like, weights)
    outside = (gram.diagonal() - path.square().sum(1)).clamp_min(0).sqrt()
    return Axes(_taken(points[-1], like), one, two, path, outside, squares[:2] / squares.sum())


def solutions_axes(a: Point, b: Point, c: Point) -> Axes:
    """The plane through three solutions: `a` at the origin, `b` on the first axis, `c` above it.

        u = b − a,   v = (c − a) − ⟨c − a, u⟩/‖u‖² u,   directions u/‖u‖ and v/‖v‖

    The three lie in the plane, up to rounding: their coordinates are `path`, in this order.

    Cost: no pass. Memory: the two directions.

    Raises:
        ValueError: if they lie on one line, or have other names or shapes.
    Source: Garipov, Izmailov, Podoprikhin, Vetrov, Wilson (2018), arXiv:1802.10026, appendix A.1.

    Example:
        >>> a, b, c = ({"w": torch.tensor(each)} for each in ([0.0, 0.0], [2.0, 0.0], [1.0, 3.0]))
        >>> solutions_axes(a, b, c).path
        tensor([[0., 0.],
                [2., 0.],
                [1., 3.]], dtype=torch.float64)
    """
    check_direction(a, b)
    check_direction(a, c)
    u, w = sub(b, a), sub(c, a)
    extent = max(float(norm(u)), float(norm(w)))
    v = orthogonal(w, u) if float(norm(u)) > 0 else u
    if not float(norm(v)) > _FLAT * extent:
        raise ValueError("the three solutions lie on one line and so on many planes; `barrier` follows the line.")
    one, two = (scale(each, 1 / float(norm(each))) for each in (u, v))
    return projected(a, one, two, [a, b, c])


def projected(origin: Point, one: Point, two: Point, points: Sequence[Point]) -> Axes:
    """Where points lie in a plane that is given by orthogonal directions of length 1.

    Cost: no pass. Memory: one copy of the parameters.

    Raises:
        ValueError: if the directions are not orthogonal and of length 1, or a point has other names or shapes.

    Example:
        >>> x, one, two, p = ({"w": torch.tensor(e)} for e in ([0.0, 0, 0], [1.0, 0, 0], [0.0, 1, 0], [1.0, 2, 5]))
        >>> found = projected(x, one, two, [p])
        >>> found.path.tolist(), found.outside.tolist()
        ([[1.0, 2.0]], [5.0])
    """
    products = [float(dot(d, e)) for d, e in ((one, one), (two, two), (one, two))]
    if any(abs(found - wanted) > 1e-3 for found, wanted in zip(products, (1.0, 1.0, 0.0), strict=True)):
        raise ValueError(
            "expected orthogonal directions of length 1; found ⟨d₁, d₁⟩, ⟨d₂, d₂⟩ and ⟨d₁, d₂⟩ of "
            f"{', '.join(f'{each:.4g}' for each in products)}. See `directions.orthogonal` and `params.scale`."
        )
    path: list[tuple[float, float]] = []
    outside: list[float] = []
    for point in points:
        check_direction(origin, point)
        away = {name: point[name] - origin[name] for name in point}
        a, b = float(dot(one, away)), float(dot(two, away))
        path.append((a, b))
        foot = {name: a * one[name] + b * two[name] for name in away}
        outside.append(float(distance(away, foot)))
    return Axes(origin, one, two, torch.tensor(path, dtype=torch.float64), torch.tensor(outside, dtype=torch.float64))


def _check(points: Sequence[Point], like: Point) -> None:
    """Raise ValueError unless every checkpoint has the parameters."""
    for index, point in enumerate(points):
        for name, value in like.items():
            found = point.get(name)
            if found is None or found.shape != value.shape:
                what = "lacks it" if found is None else f"has shape {tuple(found.shape)}"
                raise ValueError(
                    f"expected {name!r} of shape {tuple(value.shape)} in every checkpoint; number {index} {what}. "
                    f"It has {', '.join(map(repr, list(point)[:4]))}: strip what DDP or torch.compile put before."
                )


def _differences(points: Sequence[Point], like: Point) -> Iterator[tuple[tuple[str, slice], Tensor]]:
    """θ_i − θ_T, (k, n) in float64 on the CPU, a piece of one parameter at a time."""
    for name, value in like.items():
        flat = [point[name].detach().reshape(-1) for point in points]
        for start in range(0, value.numel(), _CHUNK):
            part = slice(start, start + _CHUNK)
            rows = torch.stack([each[part].to("cpu", torch.float64) for each in flat])
            yield (name, part), rows.sub_(rows[-1].clone())


def _combined(points: Sequence[Point], like: Point, weights: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Two combinations of the differences, with weights (k, 2)."""
    made: tuple[dict[str, Tensor], dict[str, Tensor]] = (
        {name: torch.empty_like(value).detach() for name, value in like.items()},
        {name: torch.empty_like(value).detach() for name, value in like.items()},
    )
    for (name, part), rows in _differences(points, like):
        for target, values in zip(made, weights.T @ rows, strict=True):
            target[name].view(-1)[part] = values.to(target[name].device, target[name].dtype)
    return made


def _taken(point: Point, like: Point) -> dict[str, Tensor]:
    return {name: point[name].detach().to(value.device, value.dtype) for name, value in like.items()}
