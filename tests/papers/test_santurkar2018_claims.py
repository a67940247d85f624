"""The rules of the claims, on studies whose answer was chosen."""

from collections.abc import Callable
from pathlib import Path

import pytest
from stored import Curve, study

from clinometer.papers import PAPERS
from clinometer.study.claims import Finding, decided
from clinometer.study.config import Config
from clinometer.study.table import Runs

STUDY = PAPERS["santurkar2018"]()
BASE = STUDY.scales["smoke"].base
CLAIMS = {claim.id: claim for claim in STUDY.claims}


def jitter(config: Config) -> float:
    """A seed's own deviation, so that intervals have a width: −0.01, 0 or 0.01."""
    return 0.01 * (config.seed % 3 - 1)


def find(folder: Path, claim: str, seeds: int = 3, **curves: Curve) -> Finding:
    arms = [arm for name in CLAIMS[claim].exhibits for arm in STUDY.exhibits[name].arms(BASE)]
    return CLAIMS[claim].decide(study(folder, arms, seeds, **curves), BASE)


def by_norm(**values: float) -> Curve:
    return lambda config, _step: values.get(config.norm, 1.0) * (1 + jitter(config))


@pytest.mark.parametrize(
    ("none_high", "verdict"), [(0.1, "holds"), (0.9, "fails"), (0.2, "undecided")], ids=["dead", "trains", "borderline"]
)
def test_c1(tmp_path: Path, none_high: float, verdict: str) -> None:
    """BatchNorm at 95% everywhere, the standard network at 60% and, at lr 0.5, where the case puts it."""

    def accuracy(config: Config, step: int) -> float:
        if config.norm == "batch":
            return 0.95 + 0.2 * jitter(config)
        return (0.6 if config.lr == 0.1 else none_high) + jitter(config)

    found = find(tmp_path, "C1", accuracy=accuracy)
    assert found.verdict == verdict
    assert found.parts[0].interval.value == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("noisy_speed", "noisy_drift", "verdict"),
    [(0.92, 2.0, "holds"), (0.85, 2.0, "fails"), (0.92, 0.1, "fails")],
    ids=["as the paper says", "noise hurts", "noise leaves it stable"],
)
def test_c4(tmp_path: Path, noisy_speed: float, noisy_drift: float, verdict: str) -> None:
    """Speed 60%, 95% and as given; each unit's mean alternates between 0 and the drift, of deviation 1."""
    speeds = {"none": 0.6, "batch": 0.95, "noisy_batch": noisy_speed}
    drifts = {"none": 1.0, "batch": 0.0, "noisy_batch": noisy_drift}
    found = find(
        tmp_path,
        "C4",
        accuracy=lambda c, _s: speeds[c.norm] + 0.1 * jitter(c),
        mean=lambda c, s: drifts[c.norm] * (1 + jitter(c)) * (s // BASE.measure_every % 2),
    )
    assert found.verdict == verdict
    assert found.parts[2].interval.value == pytest.approx(noisy_drift - 1.0)


@pytest.mark.parametrize(
    ("l2", "cosine", "verdict"),
    [(10.0, 0.3, "holds"), (0.9, 0.52, "holds"), (0.1, 0.3, "fails"), (10.0, 0.9, "fails")],
    ids=["larger", "similar", "smaller l2", "larger cosine"],
)
def test_c6(tmp_path: Path, l2: float, cosine: float, verdict: str) -> None:
    """The standard network has ‖G − G′‖ = 1 and cosine 0.5."""
    found = find(tmp_path, "C6", l2=by_norm(none=1.0, batch=l2), cosine=by_norm(none=0.5, batch=cosine))
    assert found.verdict == verdict


@pytest.mark.parametrize(("claim", "curve"), [("C7", "variation"), ("C8", "gap"), ("C9", "beta")])
@pytest.mark.parametrize(("factor", "verdict"), [(5.0, "holds"), (0.2, "fails"), (1.0, "undecided")])
def test_smoothness(tmp_path: Path, claim: str, curve: str, factor: float, verdict: str) -> None:
    """The standard network's quantity is `factor` times BatchNorm's, seeds deviating on their own."""

    def quantity(config: Config, _step: int) -> float:
        return (factor if config.norm == "none" else 1.0) * (1 + jitter(config) * (1 if config.norm == "none" else -1))

    found = find(tmp_path, claim, **{curve: quantity})
    assert found.verdict == verdict
    assert 10 ** found.parts[0].interval.value == pytest.approx(factor, rel=0.02)


def test_a_network_at_chance_is_not_read_as_smooth(tmp_path: Path) -> None:
    """BatchNorm is rougher by a factor 100 than a standard network that never learns: no verdict, and it says why."""
    found = find(
        tmp_path,
        "C7",
        accuracy=lambda c, _s: 0.1 if c.norm == "none" else 0.9,
        variation=by_norm(none=0.01, batch=1.0),
    )
    assert found.verdict == "undecided"
    assert "never left chance" in found.note
    assert "Standard at lr 0.1 10%" in found.note


def test_the_time_at_chance_does_not_count(tmp_path: Path) -> None:
    """For 60 steps the standard network is flat and untrained; from then on it is ten times as rough: C7 holds."""
    found = find(
        tmp_path,
        "C7",
        accuracy=lambda c, s: 0.1 if c.norm == "none" and s < 60 else 0.9,
        variation=lambda c, s: (1e-6 if s < 60 else 10.0 + jitter(c)) if c.norm == "none" else 1.0,
    )
    assert found.verdict == "holds"
    assert 10 ** found.parts[0].interval.value == pytest.approx(10.0, rel=0.01)


def over_time(none: Callable[[int], float], batch: Callable[[int], float]) -> Curve:
    """A curve over the measured steps, the networks' own, with a little of the seed."""
    return lambda config, step: (none if config.norm == "none" else batch)(step // 10) * (1 + jitter(config))


def test_c6_looks_at_the_first_fifth_alone(tmp_path: Path) -> None:
    """BatchNorm's shift is ten times larger in steps 0 to 30 and a hundred times smaller after: C6 holds by its rule.

    Over all 15 measured steps the mean logarithm is (4 · 1 − 11 · 2) / 15 = −1.2, and the note says so.
    """
    found = find(tmp_path, "C6", l2=over_time(lambda _k: 1.0, lambda k: 10.0 if k <= 3 else 0.01))
    assert found.verdict == "holds"
    assert found.parts[0].interval.value == pytest.approx(1.0)
    assert "are -1.20 and" in found.note


def test_c9_compares_the_largest_beta_of_the_whole_run(tmp_path: Path) -> None:
    """One peak of 100 against a constant 10: the ratio of maxima is 10, of means 1.6; the peak lies at step 0."""
    found = find(tmp_path, "C9", beta=over_time(lambda k: 100.0 if k == 0 else 10.0, lambda _k: 10.0))
    assert 10 ** found.parts[0].interval.value == pytest.approx(10.0)


def test_c7_averages_logarithms(tmp_path: Path) -> None:
    """1 and 100 in turn against 1: the geometric mean over 7 and 7 steps is 10, the arithmetic 50.5."""
    accuracy = over_time(lambda _k: 0.9, lambda _k: 0.9)
    found = find(
        tmp_path,
        "C7",
        accuracy=accuracy,
        variation=over_time(lambda k: 1.0 if k == 0 else 100.0 ** (k % 2), lambda _k: 1.0),
    )
    assert 10 ** found.parts[0].interval.value == pytest.approx(100 ** (7 / 15), rel=1e-6)


def test_c8_compares_the_largest_change(tmp_path: Path) -> None:
    """The smallest change is stored as equal in both networks, the largest as five times larger in the standard one."""
    arms = [arm for name in CLAIMS["C8"].exhibits for arm in STUDY.exhibits[name].arms(BASE)]
    runs = study(tmp_path, arms, gap=by_norm(none=5.0, batch=1.0), gap_min=lambda _c, _s: 0.5)
    found = CLAIMS["C8"].decide(runs, BASE)
    assert 10 ** found.parts[0].interval.value == pytest.approx(5.0)


def test_either_network_at_chance_holds_the_window_back(tmp_path: Path) -> None:
    """Here it is BatchNorm that learns late: the steps before must not count either."""
    found = find(
        tmp_path,
        "C7",
        accuracy=lambda c, s: 0.1 if c.norm == "batch" and s < 60 else 0.9,
        variation=lambda c, s: (1e6 if s < 60 else 10.0 + jitter(c)) if c.norm == "none" else 1.0,
    )
    assert 10 ** found.parts[0].interval.value == pytest.approx(10.0, rel=0.01)


def test_c4_measures_the_drift_in_standard_deviations(tmp_path: Path) -> None:
    """Noisy activations of ten times the spread that drift five times as far are the more stable ones."""
    found = find(
        tmp_path,
        "C4",
        accuracy=lambda c, _s: (0.6 if c.norm == "none" else 0.95) + 0.1 * jitter(c),
        mean=lambda c, s: (5.0 if c.norm == "noisy_batch" else 1.0) * (1 + jitter(c)) * (s // BASE.measure_every % 2),
        variance=lambda c, _s: 100.0 if c.norm == "noisy_batch" else 1.0,
    )
    assert found.parts[2].verdict == "fails"
    assert found.parts[2].interval.value == pytest.approx(0.5 - 1.0)


@pytest.mark.parametrize("diverged", [{0, 1, 2}, {1}], ids=["all seeds", "one seed"])
def test_a_standard_network_that_diverged_decides_as_the_rules_say(tmp_path: Path, diverged: set[int]) -> None:
    """It ended at step 45 with 90% accuracy. From there it has no accuracy, and no landscape to be smooth or rough."""
    arms = [arm for exhibit in STUDY.exhibits.values() for arm in exhibit.arms(BASE)]
    runs = study(
        tmp_path, arms, accuracy=lambda c, _s: 0.9 + jitter(c), ends=lambda c: c.norm == "none" and c.seed in diverged
    )
    rows = {row["id"]: row for row in decided(STUDY.claims, runs, BASE)}
    high = rows["C1"]["parts"][2]
    assert high["value"] == pytest.approx(0.9 * (3 - len(diverged)) / 3, abs=0.02)
    assert {rows[claim]["verdict"] for claim in ("C7", "C8", "C9")} == {"undecided"}
    assert rows["C6"]["verdict"] == "holds", "its window ends at step 30"
    if len(diverged) == 3:
        assert high["value"] == 0.0


def test_seeds_that_only_one_network_has_are_left_out(tmp_path: Path) -> None:
    """A pair needs both: a third BatchNorm run without its partner must neither count nor confuse."""
    arms = STUDY.exhibits["figure_04"].arms(BASE)
    runs = study(tmp_path, arms, variation=by_norm(none=5.0, batch=1.0))
    partial = Runs(runs.study, tuple(c for c in runs.configs if (c.norm, c.seed) != ("none", 2)))
    found = CLAIMS["C7"].decide(partial, BASE)
    assert found.parts[0].interval.n == 2
    assert 10 ** found.parts[0].interval.value == pytest.approx(5.0, rel=0.03)


def test_one_seed_leaves_every_claim_undecided(tmp_path: Path) -> None:
    """Whatever the numbers: without a spread there is no interval."""
    arms = [arm for exhibit in STUDY.exhibits.values() for arm in exhibit.arms(BASE)]
    rows = decided(STUDY.claims, study(tmp_path, arms, seeds=1, variation=by_norm(none=5.0, batch=1.0)), BASE)
    assert {row["verdict"] for row in rows} == {"undecided"}
    assert all(row["low"] is None for row in rows)


def test_no_runs_leave_every_claim_undecided(tmp_path: Path) -> None:
    """A study whose runs all failed still has a table."""
    rows = decided(STUDY.claims, study(tmp_path, [], seeds=1), BASE)
    assert {row["verdict"] for row in rows} == {"undecided"}
    assert [row["id"] for row in rows] == ["C1", "C4", "C6", "C7", "C8", "C9"]


def test_an_arm_that_diverged_has_no_accuracy_and_no_smoothness(tmp_path: Path) -> None:
    """NaN in one seed's landscape leaves the claim undecided: it is not dropped, and not taken for a number."""
    found = find(tmp_path, "C9", beta=lambda c, _s: float("nan") if (c.norm, c.seed) == ("none", 1) else 10.0)
    assert found.verdict == "undecided"


def test_every_paper_is_described_whole() -> None:
    """The claims table's columns are promised to whoever reads claims.json; claims name exhibits that exist."""
    for load in PAPERS.values():
        paper = load()
        for claim in paper.claims:
            assert set(claim.exhibits) <= set(paper.exhibits)
            assert claim.rule
            assert claim.source
        for scale in paper.scales.values():
            for exhibit in paper.exhibits.values():
                assert exhibit.arms(scale.base)
