"""The rules of the claims on training, distributions and our decisions, on studies whose answer was chosen."""

import pytest
from stored import BASES, STUDY, by_norm, deep, find, jitter, table

from clinometer.papers import find_papers, load_study
from clinometer.studies.claims_json import claim_rows
from clinometer.training.config import RunConfig


@pytest.mark.parametrize(
    ("none_high", "verdict"), [(0.1, "holds"), (0.9, "fails"), (0.2, "undecided")], ids=["dead", "trains", "borderline"]
)
def test_c1(none_high: float, verdict: str) -> None:
    """BatchNorm at 95% everywhere, the standard network at 60% and, at lr 0.5, where the case puts it."""

    def accuracy(config: RunConfig, step: int) -> float:
        if config["norm"] == "batch":
            return 0.95 + 0.2 * jitter(config)
        return (0.6 if config["lr"] == 0.1 else none_high) + jitter(config)

    found = find("C1", accuracy=accuracy)
    assert found.verdict == verdict
    assert found.parts[0].interval.value == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("noisy_speed", "noisy_drift", "verdict"),
    [(0.92, 2.0, "holds"), (0.85, 2.0, "fails"), (0.92, 0.1, "fails")],
    ids=["as the paper says", "noise hurts", "noise leaves it stable"],
)
def test_c4(noisy_speed: float, noisy_drift: float, verdict: str) -> None:
    """Speed 60%, 95% and as given; each unit's mean goes from 0 to the drift in a step, of deviation 1."""
    speeds = {"none": 0.6, "batch": 0.95, "noisy_batch": noisy_speed}
    drifts = {"none": 1.0, "batch": 0.1, "noisy_batch": noisy_drift}
    found = find(
        "C4",
        accuracy=lambda c, _s: speeds[c["norm"]] + 0.1 * jitter(c),
        mean=lambda c, s: drifts[c["norm"]] * (1 + jitter(c)) * (s % 2),
    )
    assert found.verdict == verdict
    assert 10 ** found.parts[2].interval.value == pytest.approx(noisy_drift)


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

    BatchNorm's shift is ten times larger there and a hundred times smaller elsewhere: C6 holds by its rule. Over the
    first fifth (0 to 30) the mean logarithm is (2 · 1 − 2 · 2) / 4, over all 15 steps (3 · 1 − 12 · 2) / 15.
    """

    def l2(config: RunConfig, step: int) -> float:
        larger = config["norm"] == "batch" and not deep(config)
        return (1.0 if not larger else 10.0 if 11 <= step <= 45 else 0.01) * (1 + jitter(config))

    found = find("C6", l2=l2)
    assert found.parts[0].interval.value == pytest.approx(1.0)
    values = {part.name: part.interval.value for part in found.beside}
    assert values["VGG, the first 20%: log10 of ‖G − G′‖, BatchNorm − standard"] == pytest.approx(-0.5)
    assert values["VGG, the whole run: log10 of ‖G − G′‖, BatchNorm − standard"] == pytest.approx(-1.4)


def test_c6_is_undecided_where_the_networks_never_learn_at_once() -> None:
    """BatchNorm is done before the standard network begins: there is no step to compare them at."""
    found = find("C6", accuracy=lambda c, s: 0.95 if c["norm"] == "batch" else 0.1 if s < 80 else 0.5, l2=by_norm())
    assert found.verdict == "undecided"
    assert "in 3 of 3 seeds at no measured step did both VGGs learn" in found.note
    assert len(found.beside) == 12


def test_c4_measures_the_drift_in_standard_deviations() -> None:
    """Noisy activations of ten times the spread that drift five times as far are the more stable ones."""
    found = find(
        "C4",
        accuracy=lambda c, _s: (0.6 if c["norm"] == "none" else 0.95) + 0.1 * jitter(c),
        mean=lambda c, s: (5.0 if c["norm"] == "noisy_batch" else 1.0) * (1 + jitter(c)) * (s % 2),
        variance=lambda c, _s: 100.0 if c["norm"] == "noisy_batch" else 1.0,
    )
    assert found.parts[2].verdict == "fails"
    assert 10 ** found.parts[2].interval.value == pytest.approx(0.5)


@pytest.mark.parametrize("diverged", [{0, 1, 2}, {1}], ids=["all seeds", "one seed"])
def test_a_standard_network_that_diverged_decides_as_the_rules_say(diverged: set[int]) -> None:
    """It ended at step 45 with 90% accuracy. From there it has no accuracy, and no landscape to be smooth or rough."""
    arms = [arm for figure in STUDY.figures.values() for arm in figure.arms(BASES)]
    runs = table(
        arms, accuracy=lambda c, _s: 0.9 + jitter(c), ends=lambda c: c["norm"] == "none" and c.seed in diverged
    )
    rows = {row["id"]: row for row in claim_rows(STUDY.claims, runs, BASES)}
    high = rows["C1"]["parts"][2]
    assert high["value"] == pytest.approx(0.9 * (3 - len(diverged)) / 3, abs=0.02)
    assert {rows[claim]["verdict"] for claim in ("C7", "C8", "C9")} == {"undecided"}
    assert rows["C6"]["verdict"] == "undecided", "the standard network learns no longer"
    if len(diverged) == 3:
        assert high["value"] == 0.0


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
    """The standard network tests at 80%; before the last pass BatchNorm is at 0, which must not count."""
    last = BASES["vgg"].steps - 1
    found = find(
        "C2",
        test=lambda c, s: (
            ((batch if s == last else 0.0) if c["norm"] == "batch" else 0.8) + jitter(c) * (c["norm"] == "batch")
        ),
    )
    assert found.verdict == verdict
    assert found.parts[0].interval.value == pytest.approx(batch - 0.8)


@pytest.mark.parametrize(("factor", "verdict"), [(1.1, "holds"), (5.0, "fails"), (0.2, "fails")])
def test_c3_is_about_likeness(factor: float, verdict: str) -> None:
    """Less stable by a factor 5 breaks "differs little", and so does more stable by a factor 5."""
    found = find("C3", mean=lambda c, s: (factor if c["norm"] == "batch" else 1.0) * (1 + jitter(c)) * (s % 2))
    assert found.verdict == verdict


@pytest.mark.parametrize(("noisy", "verdict"), [(0.1, "holds"), (0.8, "fails")])
def test_c5_asks_whether_noise_stops_training(noisy: float, verdict: str) -> None:
    """At chance to the end, or at 80% after a delay of 60 steps, which stands beside."""
    found = find(
        "C5",
        accuracy=lambda c, s: (0.1 if s < 60 else noisy) + jitter(c) if c["norm"] == "noise" else 0.5 + jitter(c),
    )
    assert found.verdict == verdict
    assert ("3 of 3 dead" in found.note) == (verdict == "holds")
    if verdict == "fails":
        assert found.beside[0].interval.value == pytest.approx(58.0, abs=3.0)  # windows of 9 steps blur both ends


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


def test_c11_fails_where_another_norm_is_best_in_the_deep_linear_network() -> None:
    """L2 brings the loss down further than L1 by a factor 10."""
    found = find(
        "C11",
        accuracy=lambda c, _s: 0.95 + 0.1 * jitter(c),
        loss=lambda c, s: 1.0 if s == 0 else (0.01 if c["norm"] == "l2" else 0.1) * (1 + jitter(c)),
    )
    assert found.verdict == "fails"
    assert [part.verdict for part in found.parts if "L2" in part.name and "DLN" in part.name] == ["fails"]


@pytest.mark.parametrize(("factor", "verdict"), [(5.0, "holds"), (0.2, "fails")])
def test_c12_measures_from_step_0(factor: float, verdict: str) -> None:
    """The units' means stand at 0 first and at the factor (1 in the standard network) ever after."""
    lps = ("l1", "l2", "linf")
    found = find(
        "C12",
        mean=lambda c, s: 0.0 if s == 0 else (factor if c["norm"] in lps else 1.0) * (1 + jitter(c)),
    )
    assert found.verdict == verdict


@pytest.mark.parametrize(("literal", "verdict"), [(0.4, "holds"), (0.95, "fails")])
def test_d1_compares_the_readings_of_the_statistic(literal: float, verdict: str) -> None:
    """Ours trains at 90%; the reading of each sample, at 20%, stands beside and does not count."""

    def accuracy(config: RunConfig, _step: int) -> float:
        readings = {"literal": literal, "sample": 0.2}
        return readings.get(config["norm"].partition("_")[2], 0.9) + jitter(config) * (config["norm"] == "l2_literal")

    found = find("D1", accuracy=accuracy)
    assert found.verdict == verdict
    assert [part.interval.value for part in found.beside] == pytest.approx([-0.7] * 3)


@pytest.mark.parametrize(("claim", "reading"), [("D2", "dln_mean"), ("D3", "dln_bare")])
def test_the_other_decisions_compare_the_losses(claim: str, reading: str) -> None:
    """The last loss is 0.1 of the first under our reading; under another ten times as much, or as little."""

    def loss(config: RunConfig, step: int) -> float:
        factor = {"dln_mean": 10.0, "dln_bare": 0.1}.get(config.settings.get("reading"), 1.0)
        return 1.0 if step == 0 else 0.1 * factor * (1 + jitter(config) * (config.settings.get("reading") == reading))

    found = find(claim, loss=loss)
    assert found.verdict == "holds"
    assert abs(found.parts[0].interval.value) == pytest.approx(1.0, rel=0.01)
