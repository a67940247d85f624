"""The losses of one plane, each evaluated once, and kept in a file if that is asked for.

The file is a store: a row per point, with the multiples of the two directions and the loss. It is written point by
point, in one transaction each, so an interruption costs the point in flight. It belongs to an origin, two directions
and a loss, not to a grid: a finer grid, or another part of the plane, goes on with it.
"""

import contextlib
import hashlib
import math
from collections.abc import Callable, Generator
from pathlib import Path

import torch
from torch import Tensor

from clinometer.objective.dtensor import to_local
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, check_direction, step
from clinometer.store import Store

LossAt = Callable[[float, float], Tensor]  # the loss at multiples of the two directions

_ROUNDING = 100  # epsilons by which the loss at one point may differ between machines, and numbers of threads


@contextlib.contextmanager
def open_losses(
    objective: Objective, origin: Point, one: Point, two: Point, to: str | Path | None
) -> Generator[LossAt]:
    """A function that gives the loss at `origin + a · one + b · two`, each point evaluated once; see `plane`."""
    check_direction(origin, one)
    check_direction(origin, two)
    with contextlib.ExitStack() as open_files, objective.isolated():
        known: dict[tuple[float, float], Tensor] = {}
        file = None
        if to is not None:
            loss = objective.loss(origin)
            ranks = objective.ranks
            with ranks.all_or_none():
                file = open_files.enter_context(_open(Path(to), origin, one, two, loss)) if ranks.is_first else None
            for a, b, value in _shared(objective, file.points() if file else []):
                known[a, b] = torch.tensor(value, dtype=loss.dtype, device=loss.device)
            known[0.0, 0.0] = loss

        def loss_at(a: float, b: float) -> Tensor:
            if (a, b) not in known:
                known[a, b] = loss = objective.loss(point_at(origin, one, two, a, b))
                if to is not None:
                    with objective.ranks.all_or_none():
                        if file:
                            file.append(a, b, float(loss))
            return known[a, b]

        yield loss_at


def point_at(origin: Point, one: Point, two: Point, a: float, b: float) -> dict[str, Tensor]:
    """The point `origin + a · one + b · two`, in one copy of the parameters that move.

    Example:
        >>> x, one, two = ({"w": torch.tensor(each)} for each in (1.0, 2.0, 4.0))
        >>> point_at(x, one, two, 0.5, -1.0)
        {'w': tensor(-2.)}
    """
    there = step(origin, one, a)
    if b != 0:
        for name, value in two.items():
            if a != 0 and name in one:  # a tensor of our own
                there[name].add_(value, alpha=b)
            else:
                there[name] = torch.add(there[name], value, alpha=b)
    return there


class PlaneFile:
    """The losses of a plane on disk.

    Args:
        path: The file, made if it is not there.
        digest: What tells the plane's origin and directions from others.
        loss: The loss at its origin.

    Raises:
        ValueError: if the file is of something else.
    """

    def __init__(self, path: Path, digest: str, loss: Tensor) -> None:
        self._store = Store(path)
        try:
            if not self._store.meta and not self._store.probes():
                self._store.set_meta(plane=digest)
            self._check(digest, loss)
            self._count = len(self.points())
            if not self._count:
                self.append(0.0, 0.0, float(loss))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def points(self) -> list[tuple[float, float, float]]:
        """Both sizes and the loss of each point."""
        rows = self._store.rows("plane").get("plane", {}).values()
        return [(float(row["one"]), float(row["two"]), float(row["loss"])) for row in rows]

    def append(self, a: float, b: float, loss: float) -> None:
        """Keep a loss."""
        self._store.append(self._count, {"plane": {"one": a, "two": b, "loss": loss}})
        self._count += 1

    def _check(self, digest: str, loss: Tensor) -> None:
        found = self._store.meta.get("plane")
        if found is None:
            raise ValueError(f"{self._store.path} holds the rows of a run, not a plane. Choose another file.")
        if found != digest:
            raise ValueError(
                f"{self._store.path} holds a plane with another origin or other directions. "
                "Choose another file, or delete that one."
            )
        kept = next((value for a, b, value in self.points() if a == b == 0), None)
        if kept is not None and not _agree(kept, loss):
            raise ValueError(
                f"{self._store.path} holds a plane with loss {kept:.9g} at its origin; here it is {float(loss):.9g}. "
                "The batch, the model's mode or buffers, or loss_fn is another. Choose another file, or delete it."
            )


def _open(path: Path, origin: Point, one: Point, two: Point, loss: Tensor) -> contextlib.closing[PlaneFile]:
    return contextlib.closing(PlaneFile(path, _digest(origin, one, two), loss))


def _shared(objective: Objective, points: list[tuple[float, float, float]]) -> list[tuple[float, ...]]:
    """The points that the first process has read, on all of them."""
    ranks = objective.ranks
    count = ranks.broadcast(len(points))
    found = points if ranks.is_first else [(math.nan, math.nan, math.nan)] * count
    return [tuple(ranks.all_gather(number)[0] for number in point) for point in found]


def _agree(kept: float, loss: Tensor) -> bool:
    """Whether two losses differ by rounding at most."""
    here = float(loss)
    if not (math.isfinite(kept) and math.isfinite(here)):
        return kept == here or (math.isnan(kept) and math.isnan(here))
    return abs(kept - here) <= _ROUNDING * torch.finfo(loss.dtype).eps * max(abs(kept), abs(here))


def _digest(*points: Point) -> str:
    """SHA-256 of the points' names, types, shapes and bytes; of this process's shards."""
    digest = hashlib.sha256()
    for point in points:
        for name, value in point.items():
            local = to_local(value).detach().cpu().contiguous().reshape(-1)
            digest.update(f"{name} {local.dtype} {tuple(value.shape)} ".encode())
            digest.update(local.view(torch.uint8).numpy().data)
        digest.update(b"|")
    return digest.hexdigest()
