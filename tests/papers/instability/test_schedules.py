"""The corpus's learning rates against torch's own schedulers."""

import pytest
import torch

from clinometer.papers.instability.schedules import warmed_up


def rates(decay: str, warm_up: int, steps: int = 12) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=2.0)
    scheduler = warmed_up(optimizer, steps, warm_up, decay)
    found: list[float] = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_the_cosine_is_torchs() -> None:
    """torch's CosineAnnealingLR is the truth, begun where the warm-up of 4 steps ends."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=2.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)
    expected: list[float] = []
    for _ in range(8):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    found = rates("cosine", 4)
    assert found[:4] == pytest.approx([0.4, 0.8, 1.2, 1.6])
    assert found[4:] == pytest.approx(expected)


def test_the_warm_up_is_torchs() -> None:
    """torch's LinearLR is the truth: from a fifth of the rate to all of it in 4 steps, and constant from there."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=2.0)
    theirs = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.2, total_iters=4)
    expected: list[float] = []
    for _ in range(12):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert rates("constant", 4) == pytest.approx(expected)
    assert rates("constant", 0) == [2.0] * 12


def test_an_unknown_decay_is_refused() -> None:
    """The error names the two that there are."""
    with pytest.raises(ValueError, match="no decay 'linear'; there are constant, cosine"):
        rates("linear", 0)
