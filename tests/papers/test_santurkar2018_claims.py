"""The rules of the claims on training, distributions and our decisions, on studies whose answer was chosen."""

import pytest
from stored import BASES, STUDY, Curve, by_norm, deep, find, jitter, table

from clinometer.papers import find_papers, load_study
from clinometer.studies.claims_json import claim_rows
from clinometer.training.config import RunConfig


@pytest.mark.parametrize(
    ("none_high", "verdict"), [(0.1, "holds"), (0.9, "fails"), (0.2, "undecided")], ids=["dead", "trains", "borderline"]
)
def test_c1(none_high: float, verdict: str) -> None:
    """BatchNorm at 95% everywhere, the standard network at 60% and, at the high rate, where the case puts it.

    The effects are told in percentage points: 35 from 60 to 95%, 10 from chance to the bound.
    """

    def accuracy(config: RunConfig, step: int) -> float:
        if config["norm"] == "batch":
            return 0.95 + 0.2 * jitter(config)
        return (0.6 if config["lr"] == 0.1 else none_high) + jitter(config)

    found = find("C1", accuracy=accuracy)
    assert found.verdict == verdict
    faster, trains, dead = found.parts
    assert faster.effect.value == pytest.approx(35, abs=0.1)
    assert trains.verdict == "holds"
    assert trains.bounds[0] == pytest.approx(-10, abs=0.01)
    assert dead.effect.value == pytest.approx(100 * none_high - 10, abs=0.3)
    assert dead.bounds[1] == pytest.approx(10)
    assert all(0 <= 60 + end <= 100 for end in (faster.effect.low, faster.effect.high))


@pytest.mark.parametrize(("high", "verdict"), [(0.88, "holds"), (0.75, "fails")])
def test_c1_allows_ten_points_at_the_high_rate(high: float, verdict: str) -> None:
    """BatchNorm ends at 90% at lr 0.1."""
    found = find("C1", accuracy=lambda c, _s: (0.9 if c["lr"] == 0.1 else high) + jitter(c) * (c["lr"] != 0.1))
    assert found.parts[1].verdict == verdict
    assert found.parts[1].bounds[0] == pytest.approx(-10, abs=0.01)


def test_c1_takes_the_high_rate_of_the_scale() -> None:
    """Digits take the paper's 0.5 in stride: at smoke scale the rate is 1, elsewhere the paper's."""
    rates = {
        name: {arm["lr"] for arm in STUDY.figures["figure_01"].arms(scale.bases)}
        for name, scale in STUDY.scales.items()
    }
    assert rates == {"smoke": {0.1, 1.0}, "laptop": {0.1, 0.5}, "paper": {0.1, 0.5}}


@pytest.mark.parametrize(
    ("noisy_speed", "noisy_drift", "verdict"),
    [(0.88, 2.0, "holds"), (0.7, 2.0, "fails"), (0.88, 0.1, "fails")],
    ids=["as the paper says", "noise hurts", "noise leaves it stable"],
)
def test_c4(noisy_speed: float, noisy_drift: float, verdict: str) -> None:
    """Speed 60%, 95% and as given: of 35 points 28 are kept, or 10. The means go from 0 to the drift in a step."""
    speeds = {"none": 0.6, "batch": 0.95, "noisy_batch": noisy_speed}
    drifts = {"none": 1.0, "batch": 0.1, "noisy_batch": noisy_drift}
    found = find(
        "C4",
        accuracy=lambda c, _s: speeds[c["norm"]] + 0.1 * jitter(c) * (c["norm"] == "noisy_batch"),
        after=lambda c, s: drifts[c["norm"]] * (1 + jitter(c)) * (s % 2),
    )
    assert found.verdict == verdict
    kept, drift = found.parts
    assert kept.effect.value == pytest.approx(100 * (noisy_speed - 0.6) / 0.35)
    assert (kept.unit, kept.bounds[0]) == ("%", 50)
    assert drift.effect.value == pytest.approx(noisy_drift)


def test_c4_needs_an_advantage_to_keep_a_share_of() -> None:
    """BatchNorm gains 4 points in one seed and 35 in the others: the ratio of two small numbers is no share."""
    found = find(
        "C4",
        accuracy=lambda c, _s: 0.6 if c["norm"] == "none" else 0.64 if c.seed == 1 else 0.95,
        after=lambda c, s: (2.0 if c["norm"] == "noisy_batch" else 1.0) * (1 + jitter(c)) * (s % 2),
    )
    assert [part.verdict for part in found.parts] == ["undecided", "holds"]


@pytest.mark.parametrize(
    ("l2", "cosine", "verdict"),
    [(10.0, 0.3, "holds"), (0.9, 0.52, "holds"), (0.1, 0.3, "fails"), (10.0, 0.9, "fails")],
    ids=["larger", "similar", "smaller l2", "larger cosine"],
)
def test_c6(l2: float, cosine: float, verdict: str) -> None:
    """The standard networks, convolutional and deep linear, have ‖G − G′‖ = 1 and cosine 0.5."""
    found = find("C6", l2=by_norm(none=1.0, batch=l2), cosine=by_norm(none=0.5, batch=cosine))
    assert found.verdict == verdict


def test_c6_looks_where_both_networks_learn() -> None:
    """Accuracy rises by 2% a step: past twice chance from step 11 on, past 90% from 46. Measured between: 20, 30, 40.

    BatchNorm's shift is ten times larger there and a hundred times smaller elsewhere: C6 holds by its rule. Over
    all 15 steps, the plateau and the end included, the mean logarithm is (3 · 1 − 12 · 2) / 15.
    """

    def l2(config: RunConfig, step: int) -> float:
        larger = config["norm"] == "batch" and not deep(config)
        return (1.0 if not larger else 10.0 if 11 <= step <= 45 else 0.01) * (1 + jitter(config))

    found = find("C6", l2=l2)
    assert found.parts[0].interval.value == pytest.approx(1.0)
    assert found.parts[0].effect.value == pytest.approx(10)
    values = {part.name: part.interval.value for part in found.beside}
    assert values["VGG, the whole run: ‖G − G′‖, BatchNorm over standard"] == pytest.approx(-1.4)


def test_c6_is_undecided_where_the_networks_never_learn_at_once() -> None:
    """BatchNorm is done before the standard network begins: there is no step to compare them at."""
    found = find("C6", accuracy=lambda c, s: 0.95 if c["norm"] == "batch" else 0.1 if s < 80 else 0.5, l2=by_norm())
    assert found.verdict == "undecided"
    assert "in 12 of 12 seeds at no measured step did both VGGs learn" in found.note
    assert len(found.beside) == 8


@pytest.mark.parametrize(("dead", "n"), [({0}, 11), (set(range(9)), 12)], ids=["one of 12", "nine of 12"])
def test_c6_speaks_for_the_seeds_in_which_both_networks_learn(dead: set[int], n: int) -> None:
    """Where the standard network is dead in one seed the others decide; where it is in most, nothing does."""
    found = find(
        "C6",
        accuracy=lambda c, s: 0.1 if c["norm"] == "none" and c.seed in dead else min(1.0, s / 50),
        l2=by_norm(none=1.0, batch=10.0),
        cosine=by_norm(none=0.5, batch=0.3),
    )
    assert f"in {len(dead)} of 12 seeds at no measured step did both VGGs learn" in found.note
    assert found.parts[0].interval.n == n
    assert found.verdict == ("holds" if len(dead) == 1 else "undecided")


def test_c6_reads_every_layer_that_was_measured_but_the_first_of_the_network() -> None:
    """The first layer's shift is 0 by definition, which has no logarithm; the deep linear network has layers 9 and 17.

    Stored: ‖G − G′‖ = 10 with BatchNorm at every other layer.
    """
    found = find("C6", l2=by_norm(none=1.0, batch=10.0), cosine=by_norm(none=0.5, batch=0.3))
    assert [part.effect.value for part in found.parts[::2]] == pytest.approx([10, 10], rel=1e-3)


def test_c4_measures_the_drift_in_standard_deviations() -> None:
    """Noisy activations of ten times the spread that drift five times as far are the more stable ones."""
    found = find(
        "C4",
        accuracy=lambda c, _s: (0.6 if c["norm"] == "none" else 0.95) + 0.1 * jitter(c),
        mean=lambda c, s: (5.0 if c["norm"] == "noisy_batch" else 1.0) * (1 + jitter(c)) * (s % 2),
        variance=lambda c, _s: 100.0 if c["norm"] == "noisy_batch" else 1.0,
    )
    assert found.parts[1].verdict == "fails"
    assert found.parts[1].effect.value == pytest.approx(0.5)


@pytest.mark.parametrize("diverged", [set(range(12)), {1}], ids=["all seeds", "one seed"])
def test_a_standard_network_that_diverged_decides_as_the_rules_say(diverged: set[int]) -> None:
    """It ended at step 45 with 90% accuracy. From there it answers as chance does, and has no landscape to measure."""
    arms = [arm for figure in STUDY.figures.values() for arm in figure.arms(BASES)]
    runs = table(
        arms, 12, accuracy=lambda c, _s: 0.9 + jitter(c), ends=lambda c: c["norm"] == "none" and c.seed in diverged
    )
    rows = {row["id"]: row for row in claim_rows(STUDY.claims, runs, BASES)}
    high = rows["C1"]["parts"][2]
    ends = sorted(10 + sample for sample in high["samples"])
    assert ends == pytest.approx([10] * len(diverged) + [90] * (12 - len(diverged)), abs=1.1)
    assert {rows[claim]["verdict"] for claim in ("C7", "C9")} == {"undecided"}
    assert rows["C8"]["parts"][0]["verdict"] == "fails", "before it ended its gradients changed as BatchNorm's do"
    assert rows["C6"]["verdict"] == ("undecided" if len(diverged) == 12 else "holds"), "one of 12 seeds is left out"


def test_one_seed_leaves_every_claim_undecided() -> None:
    """Whatever the numbers: without a spread there is no interval."""
    arms = [arm for figure in STUDY.figures.values() for arm in figure.arms(BASES)]
    rows = claim_rows(STUDY.claims, table(arms, seeds=1, variation=by_norm(none=5.0, batch=1.0)), BASES)
    assert {row["verdict"] for row in rows} == {"undecided"}
    assert all(row["low"] is None for row in rows)


def test_no_runs_leave_every_claim_undecided() -> None:
    """A study whose runs all failed still has a table."""
    rows = claim_rows(STUDY.claims, table([], seeds=1), BASES)
    assert {row["verdict"] for row in rows} == {"undecided"}
    assert [row["id"] for row in rows] == [*(f"C{number}" for number in range(1, 13)), "D1", "D2", "D3", "F1", "F2"]


def test_every_paper_is_described_whole() -> None:
    """The claims table's columns are promised to whoever reads claims.json; claims name figures that exist."""
    for name in find_papers():
        paper = load_study(name)
        for claim in paper.claims:
            assert set(claim.figures) <= set(paper.figures)
            assert claim.rule
            assert claim.source
        for scale in paper.scales.values():
            for figure in paper.figures.values():
                assert {arm.data for arm in figure.arms(scale.bases)} <= {base.data for base in scale.bases.values()}


@pytest.mark.parametrize(("batch", "verdict"), [(0.9, "holds"), (0.7, "fails")])
def test_c2_compares_test_accuracy_at_the_end(batch: float, verdict: str) -> None:
    """The standard network tests at 80%; before the last pass BatchNorm is at 50%, which must not count there."""
    last = BASES["vgg"].steps - 1
    found = find(
        "C2",
        test=lambda c, s: 0.8 if c["norm"] == "none" else batch + jitter(c) if s == last else 0.5,
    )
    assert found.verdict == verdict
    assert found.parts[0].effect.value == pytest.approx(100 * (batch - 0.8), abs=0.2)
    assert found.beside[0].effect.value == pytest.approx(-30, abs=1)


@pytest.mark.parametrize(("factor", "verdict"), [(1.1, "holds"), (5.0, "fails"), (0.2, "fails")])
def test_c3_is_about_likeness_of_what_the_next_layer_receives(factor: float, verdict: str) -> None:
    """Less stable by a factor 5 breaks "differs little", and so does more stable: after the ReLU, where it counts.

    Before the norm both drift alike, and at its output BatchNorm a hundred times less: neither counts.
    """

    def times(of_batch: float) -> Curve:
        return lambda c, s: (of_batch if c["norm"] == "batch" else 1.0) * (1 + jitter(c)) * (s % 2)

    found = find("C3", before=times(1.0), mean=times(0.01), after=times(factor))
    assert found.verdict == verdict
    assert found.parts[0].effect.value == pytest.approx(factor)
    assert found.parts[0].bounds == pytest.approx((0.5, 2))
    beside = {part.name: part.effect.value for part in found.beside}
    assert beside["drift from step to step at the norm's output, BatchNorm over standard"] == pytest.approx(0.01)
    assert beside["drift from step to step before the norm, BatchNorm over standard"] == pytest.approx(1)


def test_c3_measures_the_variances_over_their_own_size() -> None:
    """From 1 to 4 and from 100 to 400 in a step is the same drift, though the second changes by a hundred times more.

    BatchNorm's goes from 1 to 2: half of its later value, where the standard network's is three quarters.
    """
    found = find(
        "C3",
        mean=lambda _c, s: float(s % 2),
        variance=lambda c, s: (1 + s % 2) * (1 + jitter(c)) if c["norm"] == "batch" else 100.0 * (1 + 3 * (s % 2)),
    )
    assert found.beside[-1].effect.value == pytest.approx((1 / 2) / (3 / 4))


@pytest.mark.parametrize(("noisy", "verdict"), [(0.1, "holds"), (0.8, "fails")])
def test_c5_asks_whether_noise_stops_training(noisy: float, verdict: str) -> None:
    """At chance to the end, or at 80% after a delay of 60 steps, which stands beside. Eight seeds: it is a sign test.

    A network that never leaves chance has an infinite delay: it is known to be longer than the run, which decides.
    """
    found = find(
        "C5",
        seeds=8,
        accuracy=lambda c, s: (0.1 if s < 60 else noisy) + jitter(c) if c["norm"] == "noise" else 0.5 + jitter(c),
    )
    assert found.verdict == verdict
    assert ("8 of 8 dead" in found.note) == (verdict == "holds")
    delay = found.beside[0]
    assert delay.verdict == "holds"
    assert delay.unit == "steps"
    if verdict == "fails":
        assert delay.interval.value == pytest.approx(58.0, abs=3.0)  # windows of 9 steps blur both ends


def test_c5_is_undecided_where_the_network_is_dead_without_noise() -> None:
    """There noise has nothing to stop: that both networks stay at chance is no sign of harm."""
    found = find("C5", seeds=8, accuracy=lambda c, _s: 0.1 + jitter(c))
    assert found.verdict == "undecided"


def test_c5_leaves_out_seeds_in_which_the_network_is_dead_without_noise() -> None:
    """Two of eight are; in the other six noise delays leaving chance from step 0 to 60."""

    def accuracy(config: RunConfig, step: int) -> float:
        dead = config.seed < 2 or (config["norm"] == "noise" and step < 60)
        return 0.1 if dead else 0.5

    found = find("C5", seeds=8, accuracy=accuracy)
    assert found.parts[0].interval.n == 6
    assert found.beside[0].samples == pytest.approx([58.0] * 6, abs=3)


@pytest.mark.parametrize(
    ("speed", "beta", "verdict"), [(0.93, 12.0, "holds"), (0.8, 12.0, "fails"), (0.93, 40.0, "fails")]
)
def test_c11(speed: float, beta: float, verdict: str) -> None:
    """BatchNorm at 95% with β = 10; in the deep linear network L1 ends lowest."""

    def loss(config: RunConfig, step: int) -> float:
        return 1.0 if step == 0 else (0.1 if config["norm"] == "l1" else 0.2) * (1 + jitter(config))

    found = find(
        "C11",
        accuracy=lambda c, _s: (speed if c["norm"] in ("l1", "l2", "linf") else 0.95) + 0.1 * jitter(c),
        beta=by_norm(none=10.0, batch=10.0, l1=beta, l2=beta, linf=beta),
        loss=loss,
    )
    assert found.verdict == verdict


@pytest.mark.parametrize(("best", "verdict"), [("batch", "fails"), ("l2", "undecided")])
def test_c11_fails_where_batchnorm_is_best_in_the_deep_linear_network(best: str, verdict: str) -> None:
    """BatchNorm brings the loss down further than L1 by a factor 10; L2's doing so stands beside and does not count.

    L1 and BatchNorm then end alike but for the seed, which decides nothing.
    """
    found = find(
        "C11",
        accuracy=lambda c, _s: 0.95 + 0.1 * jitter(c),
        loss=lambda c, s: (
            1.0 if s == 0 else (0.01 if c["norm"] == best else 0.1) * (1 + jitter(c) * (c["norm"] == "l1"))
        ),
    )
    assert found.verdict == verdict
    assert [part.verdict for part in found.beside if "L2" in part.name] == ["fails" if best == "l2" else "undecided"]


@pytest.mark.parametrize(("factor", "verdict"), [(5.0, "holds"), (0.2, "fails")])
def test_c12_measures_from_step_0_after_the_relu(factor: float, verdict: str) -> None:
    """The units' means stand at 0 first and at the factor (1 in the standard network) ever after; elsewhere alike."""
    lps = ("l1", "l2", "linf")
    found = find(
        "C12",
        mean=lambda c, s: 0.0 if s == 0 else 1 + jitter(c),
        after=lambda c, s: 0.0 if s == 0 else (factor if c["norm"] in lps else 1.0) * (1 + jitter(c)),
    )
    assert found.verdict == verdict
    assert [part.effect.value for part in found.parts] == pytest.approx([factor] * 3)


@pytest.mark.parametrize(("literal", "verdict"), [(0.4, "holds"), (0.95, "fails")])
def test_d1_compares_the_readings_of_the_statistic(literal: float, verdict: str) -> None:
    """Ours trains at 90%; the reading of each sample, at 20%, stands beside and does not count."""

    def accuracy(config: RunConfig, _step: int) -> float:
        readings = {"literal": literal, "sample": 0.2}
        return readings.get(config["norm"].partition("_")[2], 0.9) + jitter(config) * (config["norm"] == "l2_literal")

    found = find("D1", accuracy=accuracy)
    assert found.verdict == verdict
    assert [part.effect.value for part in found.beside] == pytest.approx([-70] * 3, abs=0.1)


@pytest.mark.parametrize(
    ("claim", "reading", "factor", "verdict"),
    [("D2", "dln_mean", 10.0, "holds"), ("D3", "dln_bare", 0.1, "fails"), ("D3", "dln_bare", 1.2, "holds")],
)
def test_the_other_decisions_compare_the_losses(claim: str, reading: str, factor: float, verdict: str) -> None:
    """The last loss is 0.1 of the first under our reading, and the factor times as much under another."""

    def loss(config: RunConfig, step: int) -> float:
        other = config.settings.get("reading") == reading
        return 1.0 if step == 0 else 0.1 * (factor * (1 + jitter(config)) if other else 1.0)

    found = find(claim, loss=loss)
    assert found.verdict == verdict
    assert found.parts[0].effect.value == pytest.approx(factor, rel=0.01)
    assert found.parts[0].unit == "factor"
