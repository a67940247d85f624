"""The rules of the claims, on studies whose answer was chosen."""

from pathlib import Path

import pytest
from stored import Curve, study

from clinometer.papers import PAPERS
from clinometer.study.claims import Finding, decided
from clinometer.study.config import Config

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
    return lambda config, _step: values[config.norm] * (1 + jitter(config))


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


def test_one_seed_leaves_every_claim_undecided(tmp_path: Path) -> None:
    """Whatever the numbers: without a spread there is no interval."""
    arms = [arm for exhibit in STUDY.exhibits.values() for arm in exhibit.arms(BASE)]
    rows = decided(STUDY.claims, study(tmp_path, arms, seeds=1, variation=by_norm_or(5.0)), BASE)
    assert {row["verdict"] for row in rows if row["id"] != "C1"} <= {"undecided"}
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


def by_norm_or(value: float) -> Curve:
    return lambda config, _step: value if config.norm == "none" else 1.0
