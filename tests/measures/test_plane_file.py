"""The file of a plane: written point by point, gone on with, and refused where it is another's."""

import math
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same
from torch import Tensor, nn

from clinometer import Objective, Store
from clinometer.measures.directions import random_directions
from clinometer.measures.plane import Plane, plane
from clinometer.measures.refined_plane import refined_plane
from clinometer.objective.params import Point, scale
from clinometer.store import DamagedError

SIZES = [-1.0, 0.0, 0.5]


class Counted:
    """A loss that counts its passes, and is interrupted after some."""

    def __init__(self, allowed: float = math.inf) -> None:
        self.passes, self.allowed = 0, allowed

    def __call__(self, model: nn.Module, data: Any) -> Tensor:
        if self.passes == self.allowed:
            raise KeyboardInterrupt
        self.passes += 1
        return cross_entropy(model, data)


def made(loss_fn: Any, to: Path | None, sizes: Any = SIZES, origin: Point | None = None, data: Any = None) -> Plane:
    objective = Objective(everything(), loss_fn, batch() if data is None else data, seed=0)
    here = objective.here()
    return plane(objective, origin or here, *random_directions(here), sizes, to=to)


@pytest.mark.parametrize("allowed", [1, 2, 5, 8])
def test_an_interrupted_plane_is_gone_on_with(allowed: int, tmp_path: Path) -> None:
    """The truth is the plane made at once, without a file: equal bit for bit, and only what is missing is evaluated."""
    with pytest.raises(KeyboardInterrupt):
        made(Counted(allowed), tmp_path / "plane.sqlite")
    rest = Counted()
    found = made(rest, tmp_path / "plane.sqlite")
    assert rest.passes == 1 + 9 - allowed  # one more at the origin, to see that the file is this plane's
    assert_same(found.losses, made(cross_entropy, None).losses)
    again = Counted()
    assert_same(made(again, tmp_path / "plane.sqlite").losses, found.losses)
    assert again.passes == 1


def test_another_grid_goes_on_with_the_same_file(tmp_path: Path) -> None:
    """Counted: a grid of 5 × 5 that contains one of 3 × 3 takes 16 more passes, and one without 0 the check alone."""
    made(cross_entropy, tmp_path / "plane.sqlite", [-1.0, 0.0, 1.0])
    finer = Counted()
    found = made(finer, tmp_path / "plane.sqlite", [-1.0, -0.5, 0.0, 0.5, 1.0])
    assert finer.passes == 1 + 16
    assert_same(found.losses, made(cross_entropy, None, [-1.0, -0.5, 0.0, 0.5, 1.0]).losses)
    part = Counted()
    made(part, tmp_path / "plane.sqlite", [-0.5, 0.5])
    assert part.passes == 1


def test_a_refined_plane_goes_on_with_it_to_the_same_result(tmp_path: Path) -> None:
    """The truth is the refinement made at once: its decisions follow from the losses, which the file has exactly."""

    def refined(loss_fn: Any, to: Path | None) -> Plane:
        objective = Objective(everything(), loss_fn, batch(), seed=0)
        here = objective.here()
        sizes = np.linspace(-1, 1, 33)
        return refined_plane(objective, here, *random_directions(here), sizes, budget=150, tolerance=0.001, to=to)

    with pytest.raises(KeyboardInterrupt):
        refined(Counted(100), tmp_path / "plane.sqlite")
    rest = Counted()
    found, whole = refined(rest, tmp_path / "plane.sqlite"), refined(cross_entropy, None)
    assert_same([found.losses, found.evaluated, found.error], [whole.losses, whole.evaluated, whole.error])
    assert rest.passes == 1 + int(whole.evaluated.sum()) - 100


def test_nan_and_infinite_losses_come_back(tmp_path: Path) -> None:
    """They are data in the file as well, and are not evaluated again."""
    count = Counted()

    def root(model: nn.Module, data: Any) -> Tensor:
        count.passes += 1
        return (1 - model.weight[0, 0]).sqrt() + model.weight[0, 1] ** -2.0

    x, one, two = ({"weight": torch.tensor([each])} for each in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0]))
    first, second = (
        plane(Objective(nn.Linear(2, 1, bias=False), root, None), x, one, two, [*SIZES, 3.0], to=tmp_path / "p.sqlite")
        for _ in range(2)
    )
    assert count.passes == 16 + 1
    assert first.losses.isnan().any()
    assert first.losses.isinf().any()
    assert_same(first.losses, second.losses)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_loss_of_any_precision_comes_back_as_it_was(dtype: torch.dtype, tmp_path: Path) -> None:
    """Type and bits, through the file's float64."""
    model = nn.Linear(3, 1, bias=False).to(dtype)
    objective = Objective(model, lambda m, _: m.weight.square().sum(), None)
    here = objective.here()
    found = [plane(objective, here, *random_directions(here), SIZES, to=tmp_path / "p.sqlite") for _ in range(2)]
    assert found[1].losses.dtype == dtype
    assert_same(found[0].losses, found[1].losses)


def test_a_file_of_another_plane_is_refused(tmp_path: Path) -> None:
    """Another origin, directions, batch or mode, the rows of a run, or no store: each in words, and nothing changes."""
    path = tmp_path / "plane.sqlite"
    made(cross_entropy, path)
    before = path.read_bytes()
    objective = Objective(everything(), cross_entropy, batch(), seed=0)
    with pytest.raises(ValueError, match="another origin or other directions"):
        made(cross_entropy, path, origin=scale(objective.here(), 0.5))
    with pytest.raises(ValueError, match="another origin or other directions"):
        plane(objective, objective.here(), *random_directions(objective.here(), seed=1), SIZES, to=path)
    with pytest.raises(ValueError, match=r"with loss [\d.]+ at its origin; here it is [\d.]+"):
        made(cross_entropy, path, data=batch(1))
    assert path.read_bytes() == before

    run = Store(tmp_path / "rows.sqlite")
    run.append(0, {"train": {"loss": 1.0}})
    run.close()
    with pytest.raises(ValueError, match="holds the rows of a run, not a plane"):
        made(cross_entropy, tmp_path / "rows.sqlite")
    (tmp_path / "other").write_text("not a store at all, but long enough to look like a file of another kind\n" * 9)
    with pytest.raises(ValueError, match="other"):
        made(cross_entropy, tmp_path / "other")


def test_rounding_of_another_machine_is_no_other_plane(tmp_path: Path) -> None:
    """Sums in another order differ in their last digits; a file with such a loss at the origin is this plane's."""
    path = tmp_path / "plane.sqlite"
    whole = made(cross_entropy, path)
    rows = Store(path, read_only=True).rows("plane")["plane"]
    meta = Store(path, read_only=True).meta
    path.unlink()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    other = Store(path)
    other.set_meta(**meta)
    other.append(0, {"plane": dict(rows[0]) | {"loss": float(rows[0]["loss"]) * (1 + 1e-6)}})
    other.close()
    assert_same(made(cross_entropy, path).losses, whole.losses)


def test_damage_is_told_and_never_read_as_a_loss(tmp_path: Path) -> None:
    """One flipped bit in a stored loss: the store's checksum finds it."""
    path = tmp_path / "plane.sqlite"
    made(cross_entropy, path)
    db = sqlite3.connect(path)
    step, data = db.execute("SELECT step, data FROM rows ORDER BY step DESC LIMIT 1").fetchone()
    db.execute("UPDATE rows SET data = ? WHERE step = ? AND data = ?", (bytes([data[0] ^ 1]) + data[1:], step, data))
    db.commit()
    db.close()
    with pytest.raises(DamagedError):
        made(cross_entropy, path)
