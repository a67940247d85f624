"""Adaptive refinement of a plane: nothing interpolated in silence."""

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same
from torch import nn

from clinometer import Objective
from clinometer.measures.directions import random_directions
from clinometer.measures.plane import evenly, plane
from clinometer.measures.refined_plane import refined_plane


def test_a_networks_plane_is_refined_to_its_losses() -> None:
    """The truth is the whole plane of a network with BatchNorm and dropout, in float32: types and evaluated bits."""
    objective = Objective(everything(), cross_entropy, batch(), seed=0)
    here = objective.here()
    one, two = random_directions(here)
    sizes = evenly(-1.0, 1.0, 17)
    seen: list[tuple[int, int]] = []
    found = refined_plane(
        objective, here, one, two, sizes, budget=289, progress=lambda done, total: seen.append((done, total))
    )
    whole = plane(objective, here, one, two, sizes)
    assert found.losses.dtype == whole.losses.dtype
    assert_same(found.losses[found.evaluated], whole.losses[found.evaluated])
    count = int(found.evaluated.sum())
    assert seen == [*((done, 289) for done in range(1, count + 1)), *([(count, count)] if count < 289 else [])]
    assert (found.losses - whole.losses).abs().max() < 0.1 * whole.losses.min()


def test_what_cannot_be_refined_is_refused() -> None:
    """In words, before a pass."""
    objective = Objective(nn.Linear(1, 1), lambda *_: 1 / 0, None)
    here = objective.here()
    one, two = random_directions(here, by="none")
    for sizes in ([0.0, 1.0], [0.0, 2.0, 1.0], [0.0, 0.0, 1.0]):
        with pytest.raises(ValueError, match="must rise, and be three or more"):
            refined_plane(objective, here, one, two, sizes)
    with pytest.raises(ValueError, match="a budget of 25 points or more"):
        refined_plane(objective, here, one, two, np.linspace(0, 1, 9), budget=24)
    with pytest.raises(ValueError, match="a positive tolerance; found 500 and 0"):
        refined_plane(objective, here, one, two, np.linspace(0, 1, 9), tolerance=0)


def test_a_loss_without_a_value_stays_without() -> None:
    """√w is NaN for w < 0: as the whole plane has it, and no number beyond the border is made up."""
    model = nn.Linear(2, 1, bias=False)
    objective = Objective(model, lambda m, _: 1 + m.weight[0, 0].sqrt() + 0 * m.weight.sum(), None)
    x, one, two = ({"weight": torch.tensor([each])} for each in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0]))
    sizes = evenly(-1.0, 1.0, 17)
    found = refined_plane(objective, x, one, two, sizes, budget=200)
    whole = plane(objective, x, one, two, sizes)
    assert_same(found.losses.isnan() | whole.losses.isnan(), found.losses.isnan())
    assert_same(found.losses[found.evaluated].isnan(), whole.losses[found.evaluated].isnan())
