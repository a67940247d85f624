"""Planes: the loss at exact coordinates, kept as it is, by forward passes alone."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from memory import peak
from models import batch, cross_entropy, everything, quadratic
from properties import assert_same, traces
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from clinometer import Objective, walk
from clinometer.measures.directions import gaussian, orthogonal, random_directions
from clinometer.measures.eigenpairs import top_eigenpairs
from clinometer.measures.plane import evenly, plane
from clinometer.objective.params import dot, scale

SIZES = [-1.0, 0.0, 0.5]


class Counted:
    """A loss that counts its forward passes."""

    def __init__(self) -> None:
        self.passes = 0

    def __call__(self, model: nn.Module, data: Any) -> Tensor:
        self.passes += 1
        return cross_entropy(model, data)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=4), st.integers(0, 1000))
def test_a_quadratic_is_known_everywhere(eigenvalues: list[float], seed: int) -> None:
    """Closed form: ½ Σ λ (x + a d + b e)² in float64, whose few terms round to 1e-12; d and e are not orthogonal."""
    generator = torch.Generator().manual_seed(seed)
    x, d, e = torch.randn(3, len(eigenvalues), generator=generator, dtype=torch.float64)
    h = torch.tensor(eigenvalues, dtype=torch.float64)
    found = plane(quadratic(eigenvalues, x.tolist()), {"w": x}, {"w": d}, {"w": e}, SIZES, sizes_two=[2.0, 0.0])
    a, b = found.sizes_one[:, None, None], found.sizes_two[None, :, None]
    torch.testing.assert_close(found.losses, (h * (x + a * d + b * e) ** 2).sum(2) / 2, rtol=1e-10, atol=1e-12)
    assert found.losses.shape == found.evaluated.shape == (3, 2)
    torch.testing.assert_close(found.cosine, d @ e / d.norm() / e.norm())
    torch.testing.assert_close(found.norms, torch.stack([d.norm(), e.norm()]))


@pytest.mark.parametrize("train", [True, False])
def test_losses_are_those_of_a_loop_written_by_hand(train: bool) -> None:
    """A loop over the live model in place, on BatchNorm, dropout and changing buffers, gives each loss bit for bit."""
    model = everything().train(train)
    objective = Objective(model, cross_entropy, batch(), seed=3)
    here = objective.here()
    one, two = random_directions(here)
    found = plane(objective, here, one, two, SIZES)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    calls, average = model.calls.clone(), model.average.clone()
    for (i, a), (j, b) in ((x, y) for x in enumerate(SIZES) for y in enumerate(SIZES)):
        model.load_state_dict(start)
        model.calls, model.average = calls.clone(), average.clone()
        with torch.no_grad():
            for name, p in model.named_parameters():
                if p.requires_grad and (a or b):
                    p.copy_((here[name] + a * one[name] if a else here[name]) + (b * two[name] if b else 0))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            assert_same(found.losses[i, j], cross_entropy(model, batch()).detach())


def test_an_axis_is_a_walk_and_the_origin_the_loss_there() -> None:
    """`walk` was written before, with gradients: its losses along either direction are equal bit for bit."""
    objective = Objective(everything(), cross_entropy, batch())
    here = objective.here()
    one, two = random_directions(here, seed=1)
    found = plane(objective, here, one, two, SIZES)
    assert_same(found.losses[:, 1], walk(objective, here, one, SIZES).losses)
    assert_same(found.losses[1, :], walk(objective, here, two, SIZES).losses)
    assert_same(found.losses[1, 1], objective.loss_and_grad(here)[0])


def test_25_points_are_25_forward_passes() -> None:
    """Counted by the loss function, and told to `progress`."""
    loss_fn = Counted()
    objective = Objective(everything(), loss_fn, batch())
    here = objective.here()
    seen: list[tuple[int, int]] = []
    plane(
        objective,
        here,
        *random_directions(here),
        evenly(-1, 1, 5),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert loss_fn.passes == 25
    assert seen == [(number, 25) for number in range(1, 26)]


def test_two_copies_of_the_parameters_are_made_for_each_point_and_held_at_a_time() -> None:
    """By torch's own profiler: the point, and the objective's copy of it; a layer is a 64th of either."""
    model = nn.Sequential(*[nn.Linear(128, 128, bias=False) for _ in range(64)])
    objective = Objective(model, lambda m, x: m(x).square().mean(), torch.ones(2, 128))
    here = objective.here()
    one, two = gaussian(here, 0), gaussian(here, 1)
    copy = sum(value.nbytes for value in here.values())

    def made() -> None:
        plane(objective, here, one, two, [0.5, 1.0])

    assert peak(made) < 2.1 * copy
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        made()
    events = [event for event in found.events() if event.name in ("aten::add", "aten::clone", "aten::add_")]
    assert 4 * 2 * copy <= sum(max(event.cpu_memory_usage, 0) for event in events) < 4 * 2.1 * copy


def test_a_plane_through_eigenvectors_has_their_eigenvalues_for_curvatures() -> None:
    """Closed form: L = ½ wᵀHw at w = 0 is ½ (θ₁ a² + θ₂ b²) along eigenvectors, the two largest of four."""
    objective = quadratic([1.0, 7.0, -2.0, 3.0], [0.0] * 4)
    here = objective.here()
    found = plane(objective, here, *top_eigenpairs(objective, here, k=2).vectors, SIZES)
    a, b = found.sizes_one[:, None], found.sizes_two
    torch.testing.assert_close(found.losses, (7 * a**2 + 3 * b**2) / 2, rtol=1e-9, atol=1e-9)


def test_nan_and_infinity_stay_where_they_are() -> None:
    """√(1 − w) has no value beyond 1, and 1/w² none at 0: those points are as torch has them, and no others."""
    model = nn.Linear(2, 1, bias=False)
    objective = Objective(model, lambda m, _: (1 - m.weight[0, 0]).sqrt() + m.weight[0, 1] ** -2.0, None)
    x, one, two = ({"weight": torch.tensor([each])} for each in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0]))
    losses = plane(objective, x, one, two, [-3.0, 0.0, 2.0], sizes_two=[0.0, 1.0]).losses
    assert losses.isnan().tolist() == [[False, False], [False, False], [True, True]]
    assert losses.isposinf().tolist() == [[True, False], [True, False], [False, False]]
    assert losses[0, 1] == 3.0


def test_no_trace_is_left() -> None:
    """Weights, buffers, gradients, modes, hooks, optimizer and all random streams, bit for bit."""
    model = everything()
    optimizer = torch.optim.Adam(model.parameters())
    cross_entropy(model, batch()).backward()
    before = traces(model, optimizer)
    objective = Objective(model, cross_entropy, batch())
    here = objective.here()
    plane(objective, here, *random_directions(here), SIZES)
    assert_same(traces(model, optimizer), before)


def test_directions_that_lack_parameters_do_not_move_them() -> None:
    """A direction of one layer is the same as one that is zero elsewhere, cosine included."""
    objective = Objective(everything(), cross_entropy, batch())
    here = objective.here()
    one, two = random_directions(here, by="none")
    part = {name: value for name, value in one.items() if name.startswith("head")}
    padded = {name: part.get(name, torch.zeros_like(value)) for name, value in here.items()}
    found, expected = (plane(objective, here, each, two, SIZES) for each in (part, padded))
    assert_same(found.losses, expected.losses)
    torch.testing.assert_close(found.cosine, expected.cosine)
    assert 0 < abs(float(found.cosine)) < 1


@given(st.floats(0.0, 10.0), st.floats(1e-3, 10.0), st.integers(3, 60))
def test_even_sizes_have_a_zero_and_cover_what_they_shall(below: float, above: float, count: int) -> None:
    """Checked by their definition: `count` of them, one exactly 0, at one spacing, from below `low` to above `high`."""
    sizes = evenly(-below, above, count)
    assert len(sizes) == count
    assert sizes.count(0.0) == 1
    assert sizes[0] <= -below * (1 - 1e-12)
    assert sizes[-1] >= above * (1 - 1e-12)
    assert np.ptp(np.diff(sizes)) <= 1e-12 * (below + above)
    assert sizes[1] - sizes[0] <= 2 * (below + above) / (count - 1)


def test_what_cannot_be_a_plane_is_refused_before_a_pass() -> None:
    """Sizes, directions and ranges, each in words; nothing was evaluated."""
    loss_fn = Counted()
    objective = Objective(everything(), loss_fn, batch())
    here = objective.here()
    one, two = random_directions(here)
    with pytest.raises(ValueError, match="`sizes` must be finite"):
        plane(objective, here, one, two, [0.0, math.nan])
    with pytest.raises(ValueError, match="moves 'other', which is not a parameter of the origin"):
        plane(objective, here, one, {"other": torch.ones(1)}, SIZES)
    with pytest.raises(ValueError, match="expected low <= 0 <= high"):
        evenly(1.0, 2.0, 5)
    with pytest.raises(ValueError, match="at least three sizes"):
        evenly(-1.0, 2.0, 2)
    assert loss_fn.passes == 0


def test_random_directions_are_their_seed_and_draw_from_no_stream() -> None:
    """Equal seeds give equal bits, others none; the program's stream stands still; Gaussian by its first moments."""
    here = {"w": torch.zeros(200, 300), "b": torch.zeros(40)}
    before = torch.get_rng_state()
    first, again, other = (gaussian(here, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    assert_same(first, again)
    drawn = first["w"]
    assert abs(float(drawn.mean())) < 5 / math.sqrt(60_000)
    assert abs(float(drawn.var()) - 1) < 5 * math.sqrt(2 / 60_000)
    assert abs(float(dot(first, other))) < 5 * math.sqrt(60_040)


def test_random_directions_have_filters_as_long_as_the_weights() -> None:
    """Li et al.'s definition, per output filter, and zero for parameters of one dimension, read from the tensors."""
    here = Objective(everything(), cross_entropy, batch()).here()
    for direction in random_directions(here):
        for name, value in here.items():
            expected = value.flatten(1).norm(dim=1) if value.ndim > 1 else torch.zeros(len(value))
            found = direction[name].reshape(len(value), -1).norm(dim=1)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    one, two = random_directions(here)
    straight = orthogonal(two, to=one)
    assert abs(float(dot(straight, one))) < 1e-5 * float(dot(one, one))
    with pytest.raises(ValueError, match="not zero"):
        orthogonal(two, to=scale(one, 0.0))


def test_loss_landscapes_moves_elsewhere(tmp_path: Path) -> None:
    """loss-landscapes 3.0.6 is asked for a plane about the weights: its nearest point to them is not the weights.

    The truth is the loss at the weights, from the model itself. Ours has it in the middle of the grid.
    """
    landscapes = pytest.importorskip("loss_landscapes")
    metrics = pytest.importorskip("loss_landscapes.metrics")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
    data = batch()
    truth = cross_entropy(model, data).item()
    metric = metrics.Loss(nn.functional.cross_entropy, *data)
    theirs = landscapes.random_plane(model, metric, 1.0, 5, "filter", deepcopy_model=True)
    objective = Objective(model, cross_entropy, data)
    here = objective.here()
    ours = plane(objective, here, *random_directions(here), evenly(-1.0, 1.0, 5)).losses
    assert float(ours[2, 2]) == truth
    assert np.abs(theirs - truth).min() > 1e-4


def test_filter_normalised_planes_do_not_see_the_scale_of_filters_before_batchnorm() -> None:
    """The function is the same whatever the length of these filters, and so is the picture; without it, it is not.

    ε of BatchNorm is 1e-12, so that the scale drops out to rounding, in float64.
    """
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8, eps=1e-12), nn.Tanh(), nn.Linear(8, 4)
    ).double()
    x, y = batch()
    planes: dict[str, list[Tensor]] = {"filter": [], "none": []}
    for factor in (1.0, 10.0):
        with torch.no_grad():
            model[0].weight *= factor
        objective = Objective(model, cross_entropy, (x.double(), y))
        here = objective.here()
        for by, losses in planes.items():
            losses.append(plane(objective, here, *random_directions(here, by=by), SIZES).losses)
    torch.testing.assert_close(*planes["filter"], rtol=1e-9, atol=1e-12)
    assert (planes["none"][0] - planes["none"][1]).abs().max() > 0.1
