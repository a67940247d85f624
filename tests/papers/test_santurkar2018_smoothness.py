"""The rules of the claims on the landscape, and matched loss, on studies whose answer was chosen."""

import numpy as np
import pytest
from stored import BASES, CLAIMS, STUDY, by_norm, deep, find, jitter, over_time, table

from clinometer.results.run_table import RunTable
from clinometer.studies.claims import decide
from clinometer.training.config import RunConfig


@pytest.mark.parametrize(("claim", "curve"), [("C7", "variation"), ("C8", "gap"), ("C9", "beta")])
@pytest.mark.parametrize(("factor", "verdict"), [(5.0, "holds"), (0.2, "fails"), (1.0, "undecided")])
def test_smoothness(claim: str, curve: str, factor: float, verdict: str) -> None:
    """The standard network's quantity is `factor` times BatchNorm's, seeds deviating on their own."""

    def quantity(config: RunConfig, _step: int) -> float:
        none = config["norm"] == "none"
        return (factor if none else 1.0) * (1 + jitter(config) * (1 if none else -1))

    found = find(claim, **{curve: quantity})
    assert found.verdict == verdict
    assert 10 ** found.parts[0].interval.value == pytest.approx(factor, rel=0.02)


def test_a_network_at_chance_is_not_read_as_smooth() -> None:
    """BatchNorm is rougher by a factor 100 than a standard network that never learns: no verdict, and it says why."""
    found = find(
        "C7",
        accuracy=lambda c, _s: 0.1 if c["norm"] == "none" else 0.9,
        variation=by_norm(none=0.01, batch=1.0),
    )
    assert found.verdict == "undecided"
    assert "never began to learn" in found.note
    assert "Standard at lr 0.1: final training accuracy 10%, 3 of 3 dead" in found.note


def test_the_time_at_chance_does_not_count() -> None:
    """For 60 steps the standard network is flat and untrained; from then on it is ten times as rough: C7 holds."""
    found = find(
        "C7",
        accuracy=lambda c, s: 0.1 if c["norm"] == "none" and s < 60 else 0.9,
        variation=lambda c, s: (1e-6 if s < 60 and not deep(c) else 10.0 + jitter(c)) if c["norm"] == "none" else 1.0,
    )
    assert found.verdict == "holds"
    assert 10 ** found.parts[0].interval.value == pytest.approx(10.0, rel=0.01)


def test_c9_compares_the_largest_beta_of_the_whole_run() -> None:
    """One peak of 100 against a constant 10: the ratio of maxima is 10, of means 1.6; the peak lies at step 0."""
    found = find("C9", beta=over_time(lambda k: 100.0 if k == 0 else 10.0, lambda _k: 10.0))
    assert 10 ** found.parts[0].interval.value == pytest.approx(10.0)


def test_c7_averages_logarithms() -> None:
    """1 and 100 in turn against 1: the geometric mean over 7 and 7 steps is 10, the arithmetic 50.5."""
    accuracy = over_time(lambda _k: 0.9, lambda _k: 0.9)
    found = find(
        "C7",
        accuracy=accuracy,
        variation=over_time(lambda k: 1.0 if k == 0 else 100.0 ** (k % 2), lambda _k: 1.0),
    )
    assert 10 ** found.parts[0].interval.value == pytest.approx(100 ** (7 / 15), rel=1e-6)


def test_c8_compares_the_largest_change() -> None:
    """The smallest change is stored as equal in both networks, the largest as five times larger in the standard one."""
    arms = [arm for name in CLAIMS["C8"].figures for arm in STUDY.figures[name].arms(BASES)]
    runs = table(arms, gap=by_norm(none=5.0, batch=1.0), gap_min=lambda _c, _s: 0.5)
    found = decide(CLAIMS["C8"], runs, BASES)
    assert 10 ** found.parts[0].interval.value == pytest.approx(5.0)


def test_either_network_at_chance_holds_the_window_back() -> None:
    """Here it is BatchNorm that learns late: the steps before must not count either."""
    found = find(
        "C7",
        accuracy=lambda c, s: 0.1 if c["norm"] == "batch" and s < 60 else 0.9,
        variation=lambda c, s: (1e6 if s < 60 and not deep(c) else 10.0 + jitter(c)) if c["norm"] == "none" else 1.0,
    )
    assert 10 ** found.parts[0].interval.value == pytest.approx(10.0, rel=0.01)


def test_seeds_that_only_one_network_has_are_left_out() -> None:
    """A pair needs both: a third BatchNorm run without its partner must neither count nor confuse."""
    arms = [arm for name in CLAIMS["C7"].figures for arm in STUDY.figures[name].arms(BASES)]
    runs = table(arms, variation=by_norm(none=5.0, batch=1.0))
    partial = RunTable({c: run for c, run in runs.runs.items() if (c["norm"], c.seed) != ("none", 2)})
    found = decide(CLAIMS["C7"], partial, BASES)
    assert found.parts[0].interval.n == 2
    assert 10 ** found.parts[0].interval.value == pytest.approx(5.0, rel=0.03)


def test_an_arm_that_diverged_has_no_accuracy_and_no_smoothness() -> None:
    """NaN in one seed's landscape leaves the claim undecided: it is not dropped, and not taken for a number."""
    found = find("C9", beta=lambda c, _s: float("nan") if (c["norm"], c.seed) == ("none", 1) else 10.0)
    assert found.verdict == "undecided"


def test_c10_looks_along_random_directions_alone() -> None:
    """Along the gradient the standard network is 5 times as rough; along random directions BatchNorm is."""
    found = find("C10", gap=by_norm(none=5.0, batch=1.0), random_gap=by_norm(none=1.0, batch=5.0))
    assert [part.verdict for part in found.parts if "change of the gradient" in part.name] == ["fails", "fails"]


@pytest.mark.parametrize(("times", "verdict"), [(1.0, "holds"), (5.0, "fails"), (0.1, "fails")])
def test_f1_asks_where_beta_settles(times: float, verdict: str) -> None:
    """β is far from 2/lr in the first half of the run, and at the given multiple of it in the second."""

    def beta(config: RunConfig, step: int) -> float:
        return 2 / config["lr"] * (100.0 if step < config.steps / 2 else times) * (1 + jitter(config))

    assert find("F1", beta=beta).verdict == verdict


def test_matched_loss_undoes_the_advantage_of_speed() -> None:
    """The change of the gradient is a power of the loss, and BatchNorm's loss falls four times as fast.

    At equal steps the standard network's is larger by orders of magnitude; at equal losses it is the same, and since
    powers are straight lines between logarithms, interpolation says so exactly.
    """

    def loss(config: RunConfig, step: int) -> float:
        return 10 * float(np.exp(-step * (4.0 if config["norm"] == "batch" else 1.0) / config.steps))

    found = find("C8", accuracy=lambda _c, _s: 0.5, loss=loss, gap=lambda c, s: loss(c, s) ** 2)
    assert found.parts[0].interval.value > 0.5
    assert [part.interval.value for part in found.beside] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_matched_loss_begins_where_learning_does() -> None:
    """The standard network's loss creeps down at chance for 60 steps, and its flat landscape there must not count."""

    def quantity(config: RunConfig, step: int) -> float:
        none = config["norm"] == "none"
        return 1e-6 if step < 60 and none and not deep(config) else 10.0 if none else 1.0

    found = find(
        "C8",
        accuracy=lambda c, s: 0.1 if c["norm"] == "none" and s < 60 else 0.5,
        gap=lambda c, s: quantity(c, s) * (1 + jitter(c)),
    )
    assert found.beside[0].interval.value == pytest.approx(1.0, abs=0.05)


def test_losses_that_do_not_overlap_have_nothing_to_match() -> None:
    """BatchNorm starts where the standard network will never be."""
    found = find("C8", accuracy=lambda _c, _s: 0.5, loss=lambda c, s: (1.0 if c["norm"] == "batch" else 5.0) - s / 1e3)
    assert {part.verdict for part in found.beside} == {"undecided"}


def test_f2_adds_the_shares_of_both_terms() -> None:
    """Stored: of ‖g‖² = 10 the mean takes 2 and the correlation 3, a half; 20 pass, by a factor 4."""
    found = find("F2")
    assert found.verdict == "fails"
    assert 10 ** found.parts[0].interval.value == pytest.approx(0.5)
    assert [10**part.interval.value for part in found.beside] == pytest.approx([4.0, 2.0])
