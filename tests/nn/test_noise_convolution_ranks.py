"""Two processes as workers: what they train is what one process trains with two simulated workers."""

from pathlib import Path

import pytest
import torch
from launch import Found, launched, of
from torch import distributed as dist

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="needs torch.distributed with gloo"
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return launched(str(Path(__file__).with_name("ddp_noise_checks.py")), tmp_path_factory.mktemp("ddp"), (0, 0))


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("noise", ["own", "permuted", "isotropic"])
def test_real_workers_are_as_simulated_ones(found: Found, noise: str, lag: int) -> None:
    """The simulated run is the truth: losses and parameters agree to a few roundings after four steps."""
    for real, simulated in (each[f"{noise}, lag {lag}"] for each in of(found, "as_simulated")):
        for ours, theirs in zip(real, simulated, strict=True):
            torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-4, atol=1e-6)


def test_with_scale_0_it_is_ddp(found: Found) -> None:
    """The truth is DDP's own averaged training, bit for bit: half and half have one sum, in either order."""
    for ours, theirs in of(found, "plain_at_scale_0"):
        assert ours == theirs


def test_the_noise_of_the_processes_sums_to_zero(found: Found) -> None:
    """Algebra: n₁ = −n₂ for two workers, to roundings of their gradients; they look apart and end together."""
    for each in of(found, "noise_of_both"):
        for one, two in zip(*each["noise"], strict=True):
            torch.testing.assert_close(torch.tensor(one), -torch.tensor(two), rtol=1e-4, atol=1e-7)
        assert each["apart"] == [False, True]  # the first step has no noise
        assert each["after"][0] == each["after"][1]


def test_a_parameter_that_one_process_reaches(found: Found) -> None:
    """The mean of gradients 1 and none is 1/2, on both processes; what none reaches has no gradient."""
    for gradient, value, unused in of(found, "a_branch_of_one_process"):
        assert gradient == [0.5, 0.5]
        assert value == pytest.approx([0.9, 0.9])
        assert unused


def test_running_statistics_are_the_processs_own(found: Found) -> None:
    """The truth is torch's BatchNorm on the process's part; the two processes' parts differ."""
    both = of(found, "running_statistics")
    for ours, theirs in both:
        assert ours == theirs
    assert both[0][0] != both[1][0]


def test_the_others_state_is_told(found: Found) -> None:
    """Rank 0 loads its own in silence, rank 1 says whose noise it was given and leaves it out."""
    first, second = of(found, "another_processes_state")
    assert first == []
    assert len(second) == 1
    assert "worker 0 of 2, and this is worker 1 of 2" in second[0]
