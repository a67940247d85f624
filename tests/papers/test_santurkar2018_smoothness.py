"""The rules of the claims on the landscape, in their windows, on studies whose answer was chosen."""

from typing import Any

import numpy as np
import pytest
from stored import BASES, CLAIMS, STUDY, by_norm, deep, find, jitter, over_time, table

from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Finding, Part, decide
from clinometer.training.config import RunConfig


def part(found: Finding, start: str) -> Part:
    """The one part, counted or beside, whose name starts so."""
    (only,) = [each for each in (*found.parts, *found.beside) if each.name.startswith(start)]
    return only


@pytest.mark.parametrize(
    ("claim", "curve", "factor", "verdict"),
    [
        ("C7", "variation", 5.0, "holds"),
        ("C7", "variation", 0.2, "fails"),
        ("C7", "variation", 1.0, "undecided"),
        ("C8", "gap", 50.0, "holds"),
        ("C8", "gap", 20.0, "fails"),
        ("C8", "gap", 10**1.5, "undecided"),
        ("C9", "beta", 5.0, "holds"),
        ("C9", "beta", 0.2, "fails"),
        ("C9", "beta", 1.0, "undecided"),
    ],
)
def test_smoothness(claim: str, curve: str, factor: float, verdict: str) -> None:
    """The standard network's quantity is `factor` times BatchNorm's, give or take 1%; C8 asks for 10^1.5."""

    def quantity(config: RunConfig, _step: int) -> float:
        none = config["norm"] == "none"
        return (factor if none else 1.0) * (1 + jitter(config) * (1 if none else -1))

    found = find(claim, **{curve: quantity})
    assert found.verdict == verdict
    assert len(found.parts) == 2, "one for the VGG, one for the deep linear network"
    assert found.parts[0].effect.value == pytest.approx(factor, rel=0.02)


def test_a_network_at_chance_is_not_read_as_smooth() -> None:
    """BatchNorm is rougher by a factor 100 than a standard network that never learns: no verdict, and it says why."""
    found = find(
        "C7",
        accuracy=lambda c, _s: 0.1 if c["norm"] == "none" else 0.9,
        variation=lambda c, _s: 0.01 if c["norm"] == "none" and not deep(c) else 1.0 + jitter(c),
    )
    assert {each.verdict for each in (*found.parts, *found.beside) if each.name.startswith("VGG")} == {"undecided"}
    assert "in 12 of 12 seeds a VGG never began to learn" in found.note
    assert "Standard at lr 0.1: final training accuracy 10%, 12 of 12 dead" in found.note


def test_dead_seeds_are_left_out_if_they_are_few() -> None:
    """In 4 of 12 seeds the standard network never learns and is flat; in the others it is ten times as rough."""
    found = find(
        "C7",
        accuracy=lambda c, _s: 0.1 if c["norm"] == "none" and c.seed < 4 else 0.9,
        variation=lambda c, _s: (
            (0.01 if c.seed < 4 and not deep(c) else 10.0) * (1 + jitter(c)) if c["norm"] == "none" else 1.0
        ),
    )
    assert found.verdict == "holds"
    assert [each.interval.n for each in found.parts] == [8, 12]
    assert found.parts[0].effect.value == pytest.approx(10.0, rel=0.01)
    assert "in 4 of 12 seeds a VGG never began to learn" in found.note


def test_the_window_that_counts_begins_with_training() -> None:
    """For 60 steps the standard network is at chance, and flat: early is what comes after it, and they stand beside."""
    found = find(
        "C7",
        accuracy=lambda c, s: 0.1 if c["norm"] == "none" and s < 60 else 0.9,
        variation=lambda c, s: (
            (0.01 if s < 60 and not deep(c) else 10.0) * (1 + jitter(c)) if c["norm"] == "none" else 1.0
        ),
    )
    assert found.parts[0].effect.value == pytest.approx(10.0, rel=0.01)
    assert found.verdict == "holds"
    assert part(found, "VGG, from step 0").effect.value == pytest.approx(0.01, rel=0.01)
    assert part(found, "VGG, once both have begun").effect.value == pytest.approx(10.0, rel=0.01)
    assert "Standard began at step 57 to 57" in found.note, "two accuracies of 0.9 lift the mean of nine past 0.2"


def test_early_is_a_tenth_of_a_vgg_and_400_steps_of_a_deep_linear_network() -> None:
    """Ten times as rough until the last early step, a thousand times after it: early sees ten alone.

    The convolutional networks begin at step 37: five accuracies of 0.9 in nine lift their mean past 0.2 when one does.
    """
    bases = STUDY.scales["smoke"].bases
    assert (bases["vgg"].steps, bases["dln"].steps) == (150, 500)

    def variation(config: RunConfig, step: int) -> float:
        early = step <= 400 if deep(config) else 37 <= step <= 52
        return (10.0 if early else 1e3) * (1 + jitter(config)) if config["norm"] == "none" else 1.0

    arms = [arm for name in CLAIMS["C7"].figures for arm in STUDY.figures[name].arms(bases)]
    found = decide(
        CLAIMS["C7"], table(arms, variation=variation, accuracy=lambda _c, s: 0.9 if s >= 40 else 0.1), bases
    )
    assert [each.effect.value for each in found.parts] == pytest.approx([10.0, 10.0], rel=0.01)
    assert part(found, "VGG, from step 0").effect.value == pytest.approx(1e3, rel=0.01)
    assert part(found, "VGG, peak").effect.value == pytest.approx(1e3, rel=0.01)
    assert part(found, "DLN, whole run").effect.value == pytest.approx(10 * 100 ** (4 / 25), rel=0.01)


def test_c9_compares_the_largest_beta_of_the_whole_run() -> None:
    """One peak of 100 against a constant 10: the ratio of maxima is 10, of means 1.6; the peak lies at step 0."""
    found = find("C9", beta=over_time(lambda k: 100.0 if k == 0 else 10.0, lambda _k: 10.0))
    assert found.parts[0].effect.value == pytest.approx(10.0)


def test_c7_averages_logarithms() -> None:
    """1 and 100 in turn against 1, over the two early steps: the geometric mean is 10, the arithmetic 50.5."""
    found = find("C7", accuracy=lambda _c, _s: 0.9, variation=over_time(lambda k: 100.0 ** (k % 2), lambda _k: 1.0))
    assert found.parts[0].effect.value == pytest.approx(10.0, rel=1e-6)


def test_c8_compares_the_largest_change() -> None:
    """The smallest change is stored as equal in both networks, the largest as five times larger in the standard one."""
    arms = [arm for name in CLAIMS["C8"].figures for arm in STUDY.figures[name].arms(BASES)]
    runs = table(arms, gap=by_norm(none=5.0, batch=1.0), gap_min=lambda _c, _s: 0.5)
    found = decide(CLAIMS["C8"], runs, BASES)
    assert found.parts[0].effect.value == pytest.approx(5.0)


def test_c8_tells_the_change_of_direction_from_the_size_of_the_gradient() -> None:
    """The standard network's gradients are 100 times as large: their change is, and relative to them it is equal."""
    larger = {"gap": by_norm(none=100.0, batch=1.0), "grad_norm": by_norm(none=100.0, batch=1.0)}
    found = find("C8", **larger)
    assert found.verdict == "holds"
    assert part(found, "VGG, early: largest relative change").effect.value == pytest.approx(1.0)


def test_either_network_at_chance_holds_the_window_back() -> None:
    """Here it is BatchNorm that learns late: the steps before must not count once both have begun."""
    found = find(
        "C7",
        accuracy=lambda c, s: 0.1 if c["norm"] == "batch" and s < 60 else 0.9,
        variation=lambda c, s: (1e6 if s < 60 and not deep(c) else 10.0 + jitter(c)) if c["norm"] == "none" else 1.0,
    )
    assert part(found, "VGG, once both have begun").effect.value == pytest.approx(10.0, rel=0.01)


def test_seeds_that_only_one_network_has_are_left_out() -> None:
    """A pair needs both: a third BatchNorm run without its partner must neither count nor confuse."""
    arms = [arm for name in CLAIMS["C7"].figures for arm in STUDY.figures[name].arms(BASES)]
    runs = table(arms, variation=by_norm(none=5.0, batch=1.0))
    partial = RunTable({c: run for c, run in runs.runs.items() if (c["norm"], c.seed) != ("none", 2)})
    found = decide(CLAIMS["C7"], partial, BASES)
    assert found.parts[0].interval.n == 2
    assert found.parts[0].effect.value == pytest.approx(5.0, rel=0.03)


def test_an_arm_that_diverged_has_no_accuracy_and_no_smoothness() -> None:
    """NaN in one seed's landscape leaves the claim undecided: it is not dropped, and not taken for a number."""
    found = find("C9", beta=lambda c, _s: float("nan") if (c["norm"], c.seed) == ("none", 1) else 10.0)
    assert found.verdict == "undecided"


def test_c10_looks_along_random_directions_alone() -> None:
    """Along the gradient the standard network is 50 times as rough; along random directions BatchNorm is, by 5."""
    found = find(
        "C10",
        gap=by_norm(none=50.0, batch=1.0),
        random_gap=by_norm(none=1.0, batch=5.0),
        random_variation=by_norm(none=5.0, batch=1.0),
    )
    assert [each.verdict for each in found.parts] == ["holds", "fails", "holds", "fails"]
    assert found.parts[1].effect.value == pytest.approx(0.2)


def test_c10_leaves_out_the_steps_before_both_have_begun() -> None:
    """The standard network is at chance, and as flat, for 60 steps; from then on it is ten times as rough."""

    def quantity(config: RunConfig, step: int) -> float:
        at_chance = step < 60 and not deep(config)
        return (1e-6 if at_chance else 10.0) * (1 + jitter(config)) if config["norm"] == "none" else 1.0

    found = find(
        "C10",
        accuracy=lambda c, s: 0.1 if c["norm"] == "none" and s < 60 else 0.9,
        random_gap=quantity,
        random_variation=quantity,
    )
    assert found.verdict == "holds"
    assert [each.effect.value for each in found.parts] == pytest.approx([10.0] * 4, rel=0.01)


def test_both_networks_of_a_pair_walk_equal_distances() -> None:
    """What each run is told to walk along random directions is read from the arms' own configs."""
    walked: dict[str, set[Any]] = {}
    for arm in STUDY.figures["random_directions"].arms(BASES):
        (random,) = [given for _, given in arm.probes if given and given.get("direction") == "random"]
        walked.setdefault(arm.model, set()).add(tuple(random["distances"]))
    assert len(walked) == 2
    assert all(len(distances) == 1 for distances in walked.values())


@pytest.mark.parametrize(("times", "verdict"), [(1.0, "holds"), (5.0, "fails"), (0.1, "fails")])
def test_f1_asks_where_beta_settles(times: float, verdict: str) -> None:
    """β is far from 2/lr in the first half of the run, and at the given multiple of it in the second."""

    def beta(config: RunConfig, step: int) -> float:
        return 2 / config["lr"] * (100.0 if step < config.steps / 2 else times) * (1 + jitter(config))

    assert find("F1", seeds=12, beta=beta).verdict == verdict


def test_f1_does_not_count_the_deep_linear_network_without_batchnorm() -> None:
    """It alone is far from 2/lr, by a factor that depends on the seed: F1 holds, and says so beside."""

    def beta(config: RunConfig, _step: int) -> float:
        away = deep(config) and config["norm"] == "none"
        return 2 / config["lr"] * (1 + jitter(config)) * (10.0 ** -(3 + config.seed % 3) if away else 1.0)

    found = find("F1", seeds=12, beta=beta)
    assert found.verdict == "holds"
    assert part(found, "DLN, Standard: β").verdict == "fails"


def test_f1_puts_batch_sharpness_beside_beta() -> None:
    """β is at 2/lr; batch sharpness at 4.2/lr without BatchNorm, at 1.9/lr with it."""
    found = find(
        "F1",
        seeds=12,
        beta=lambda c, _s: 2 / c["lr"] * (1 + jitter(c)),
        sharpness=lambda c, _s: {"none": 4.2, "batch": 1.9}[c["norm"]] / c["lr"] * (1 + jitter(c)),
    )
    assert found.verdict == "holds"
    beside = [part(found, f"VGG, {name}: batch sharpness") for name in ("Standard", "Standard + BatchNorm")]
    assert [each.verdict for each in beside] == ["fails", "holds"]
    assert beside[0].effect.value == pytest.approx(2.1, rel=0.02)


def test_matched_loss_undoes_the_advantage_of_speed() -> None:
    """The change of the gradient is a power of the loss, and BatchNorm's loss falls four times as fast.

    At equal steps the standard network's is larger by orders of magnitude; at equal losses it is the same, and since
    powers are straight lines between logarithms, interpolation says so exactly.
    """

    def loss(config: RunConfig, step: int) -> float:
        return 10 * float(np.exp(-step * (4.0 if config["norm"] == "batch" else 1.0) / config.steps))

    found = find("C8", accuracy=lambda _c, _s: 0.5, loss=loss, gap=lambda c, s: loss(c, s) ** 2)
    assert part(found, "VGG, whole run: largest change").interval.value > 0.5
    for kind in ("VGG", "DLN"):
        assert part(found, f"{kind}, at matched loss: largest change").interval.value == pytest.approx(0.0, abs=1e-9)


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
    assert part(found, "VGG, at matched loss: largest change").interval.value == pytest.approx(1.0, abs=0.05)


def test_losses_that_do_not_overlap_have_nothing_to_match() -> None:
    """BatchNorm starts where the standard network will never be."""
    found = find("C8", accuracy=lambda _c, _s: 0.5, loss=lambda c, s: (1.0 if c["norm"] == "batch" else 5.0) - s / 1e3)
    assert {each.verdict for each in found.beside if "matched" in each.name} == {"undecided"}


def test_f2_adds_the_shares_of_both_terms() -> None:
    """Stored: of ‖g‖² = 10 the mean takes 2 and the correlation 3, a half; 20 pass, by a factor 4."""
    found = find("F2")
    assert found.verdict == "fails"
    assert found.parts[0].effect.value == pytest.approx(50.0), "percent"
    assert part(found, "γ²/σ²").effect.value == pytest.approx(4.0)
    assert part(found, "what passes").effect.value == pytest.approx(2.0)


@pytest.mark.parametrize(("times", "verdict"), [(1.0, "holds"), (3.0, "fails"), (0.3, "fails")])
def test_f2_holds_the_share_against_a_random_gradient(times: float, verdict: str) -> None:
    """Stored is `times` 2/m at every layer, by m counted by hand: 8×8, 8×8, 4×4, 4×4, 2×2 positions of 128 images."""
    m = 128 * np.array([64, 64, 16, 16, 4])[:, None]
    found = find("F2", taken=(0.4 * times * 2 / m * 10, 0.6 * times * 2 / m * 10))
    assert found.verdict == verdict
    assert found.parts[1].effect.value == pytest.approx(times)
    assert part(found, "share · m/2 in the last layer").effect.value == pytest.approx(times)
