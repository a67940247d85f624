"""The axes that checkpoints and solutions span."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import batch, cross_entropy, everything
from torch import Tensor, nn

from clinometer import Objective
from clinometer.measures import plane_axes
from clinometer.measures.plane import plane
from clinometer.measures.plane_axes import projected, solutions_axes, trajectory_axes
from clinometer.objective.params import Point, dot


def split(rows: Tensor) -> list[Point]:
    """Points of two parameters each, from rows (k, n)."""
    return [{"w": row[:4].reshape(2, 2), "b": row[4:]} for row in rows]


def joined(point: Point) -> Tensor:
    return torch.cat([point["w"].reshape(-1), point["b"]])


def rows_of(seed: int, count: int = 6, n: int = 9) -> Tensor:
    return torch.randn(count, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 10_000), st.integers(3, 9))
def test_the_axes_are_those_of_a_singular_value_decomposition(seed: int, count: int) -> None:
    """The truth is numpy's SVD of the whole centred matrix: directions up to sign, variances, and the projection."""
    rows = rows_of(seed, count)
    found = trajectory_axes(split(rows))
    matrix = rows.numpy()
    _, values, vectors = np.linalg.svd(matrix - matrix.mean(0), full_matrices=False)
    if values[0] - values[1] < 1e-3 or values[1] - (values[2] if count > 3 else 0.0) < 1e-3:
        return  # equal values leave the directions open
    for index, direction in enumerate((found.one, found.two)):
        assert abs(joined(direction).numpy() @ vectors[index]) == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(found.explained, values[:2] ** 2 / (values**2).sum(), rtol=1e-9)
    axes = np.stack([joined(found.one), joined(found.two)])
    away = matrix - matrix[-1]
    np.testing.assert_allclose(found.path, away @ axes.T, atol=1e-9)
    np.testing.assert_allclose(found.outside, np.linalg.norm(away - away @ axes.T @ axes, axis=1), atol=1e-6)
    assert all(float(found.path[found.path[:, k].abs().argmax(), k]) > 0 for k in (0, 1))


@given(st.integers(0, 10_000))
def test_rotation_turns_the_axes_and_leaves_the_path(seed: int) -> None:
    """An orthogonal map of parameter space changes no length and angle, so neither path nor variances."""
    rows = rows_of(seed)
    turn, _ = torch.linalg.qr(rows_of(seed + 1, 9))
    first, second = trajectory_axes(split(rows)), trajectory_axes(split(rows @ turn.T))
    ratio = float(first.explained[1] / first.explained[0])
    if ratio > 0.95:
        return
    torch.testing.assert_close(first.explained, second.explained)
    torch.testing.assert_close(first.path[:, 0].abs(), second.path[:, 0].abs(), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(first.outside, second.outside, rtol=1e-5, atol=1e-6)


def test_pieces_of_parameters_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """With pieces of three numbers each the result is that of whole parameters."""
    points = split(rows_of(0))
    whole = trajectory_axes(points)
    monkeypatch.setattr(plane_axes, "_CHUNK", 3)
    pieces = trajectory_axes(points)
    torch.testing.assert_close(pieces.path, whole.path)
    torch.testing.assert_close(joined(pieces.one), joined(whole.one))


def test_checkpoints_may_be_state_dicts_with_buffers_and_tied_weights() -> None:
    """A network with all of these trains; the plane through its path has its last loss at the origin, bit for bit."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    states: list[dict[str, Tensor]] = []
    for step in range(5):
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        optimizer.zero_grad()
        cross_entropy(model, batch(step)).backward()
        optimizer.step()
    states.append(model.state_dict())
    objective = Objective(model, cross_entropy, batch())
    axes = trajectory_axes(states, objective.live)
    assert set(axes.one) == set(objective.names)
    assert axes.path.shape == (6, 2)
    assert axes.path[-1].tolist() == [0.0, 0.0]
    assert axes.outside[-1] == 0.0
    sizes, sizes_two = axes.sizes(3)
    found = plane(objective, axes.origin, axes.one, axes.two, sizes, sizes_two=sizes_two)
    at_origin = found.losses[sizes.index(0.0), sizes_two.index(0.0)]
    assert torch.equal(at_origin, objective.loss(objective.here()))
    for values, column in zip((sizes, sizes_two), axes.path.T, strict=True):
        assert values[0] <= float(column.min())
        assert values[-1] >= float(column.max())
    assert abs(float(found.cosine)) < 1e-5
    torch.testing.assert_close(found.norms, torch.ones(2))


def test_a_random_walk_explains_as_much_as_is_said() -> None:
    """Closed form of Antognini and Sohl-Dickstein (2018): 6/(π² k²), so 0.608 and 0.152; 5% for finite dimensions."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.randn(200, 20_000, generator=generator)
    found = trajectory_axes([{"w": row} for row in steps.cumsum(0)])
    expected = torch.tensor([6 / math.pi**2, 6 / math.pi**2 / 4], dtype=torch.float64)
    torch.testing.assert_close(found.explained, expected, rtol=0.05, atol=0.0)


@given(st.integers(0, 10_000))
def test_three_solutions_lie_in_their_plane(seed: int) -> None:
    """Distances between them in the plane are their distances in space, and the directions are orthonormal."""
    rows = rows_of(seed, 3)
    axes = solutions_axes(*split(rows))
    torch.testing.assert_close(torch.cdist(axes.path, axes.path), torch.cdist(rows, rows), rtol=1e-9, atol=1e-6)
    torch.testing.assert_close(axes.outside, torch.zeros(3, dtype=torch.float64), rtol=0.0, atol=1e-9)
    products = [float(dot(d, e)) for d, e in ((axes.one, axes.one), (axes.two, axes.two), (axes.one, axes.two))]
    assert products == pytest.approx([1.0, 1.0, 0.0], abs=1e-9)
    for row, (a, b) in zip(rows, axes.path.tolist(), strict=True):
        there = joined(axes.origin) + a * joined(axes.one) + b * joined(axes.two)
        torch.testing.assert_close(there, row, rtol=1e-9, atol=1e-9)


def straight(count: int) -> list[Point]:
    return [{"w": torch.tensor([1.0, 2.0, -1.0]) * index} for index in range(count)]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (straight(2), "expected three checkpoints or more; found 2"),
        (straight(4), "lie on one line"),
        ([{"w": torch.ones(3)}] * 4, "lie on one line"),
        ([*straight(3), {"module.w": torch.ones(3)}], "lacks it"),
        ([{"w": torch.ones(2)}, *straight(3)], r"number 0 has shape \(2,\)"),
    ],
)
def test_checkpoints_without_a_plane_are_refused(points: Sequence[Point], message: str) -> None:
    """Too few, on a line, or of another network: in words, not as directions made of rounding."""
    like = {"w": torch.zeros(3)}
    with pytest.raises(ValueError, match=message):
        trajectory_axes(points, like)


def test_solutions_and_directions_without_a_plane_are_refused() -> None:
    """As the checkpoints."""
    a, b, c = straight(3)
    with pytest.raises(ValueError, match="lie on one line"):
        solutions_axes(a, b, c)
    with pytest.raises(ValueError, match="lie on one line"):
        solutions_axes(a, a, c)
    with pytest.raises(ValueError, match="orthogonal directions of length 1"):
        projected(a, b, c, [a])


def test_half_precision_checkpoints_keep_their_type() -> None:
    """Directions that are added to bfloat16 weights must be bfloat16; sums are taken in float64 all the same."""
    model = nn.Linear(3, 2).bfloat16()
    objective = Objective(model, lambda m, x: m(x).float().square().mean(), torch.ones(2, 3).bfloat16())
    here = objective.here()
    points = [{n: v + torch.randn_like(v) for n, v in here.items()} for _ in range(3)]
    axes = trajectory_axes([*points, here])
    assert {value.dtype for value in axes.one.values()} == {torch.bfloat16}
    assert torch.isfinite(plane(objective, axes.origin, axes.one, axes.two, [0.0, 1.0]).losses).all()
