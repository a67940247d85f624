"""The study: which runs it plans, what its claims do with runs that are made up, and its smoke scale by one command."""

import dataclasses
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reproducing import reproduce

from clinometer.papers import load_study
from clinometer.papers.toth2019.arms import heard, median_headroom, plain, unheard
from clinometer.papers.toth2019.claims import TIGHTEST
from clinometer.papers.toth2019.configs import BLOCKS
from clinometer.results.run_table import Arrays, RunTable
from clinometer.studies.claims import Finding, decide
from clinometer.studies.plan import plan
from clinometer.training.config import RunConfig

STUDY = load_study("toth2019")
BASES = STUDY.scales["smoke"].bases
SEEDS = range(100, 108)


def rows(arm: RunConfig, seed: int, level: float) -> Arrays:
    """Rows of a run with errors, losses and variations `level` times those of 1; the tightest part has room for 2."""
    measured, steps = len(arm.steps_of("landscape")), arm.steps
    jitter = 1 + 0.01 * np.random.default_rng(seed).standard_normal()
    ones = np.full(measured, level * jitter)
    room = np.full((measured, len(BLOCKS)), 8.0 * jitter)
    room[:, BLOCKS.index(TIGHTEST)] = 2.0
    room[:, 0] = np.inf
    room[0, 1:] = np.nan  # as where rounding hides it
    walk = {"loss_max": 2 * ones, "loss_min": ones, "gap_max": ones, "grad_norm": ones, "beta": ones, "gap_min": ones}
    tests = len(arm.steps_of("test"))
    return {
        "train": {"loss": np.full(steps, level * jitter)},
        "test": {"mse": np.full(tests, 0.07 * level * jitter), "mean_image": np.full(tests, 0.07)},
        "headroom": {"loss": 5 * ones},
        "headroom_blocks": {"loss": room},
        "landscape": walk,
        "landscape_update": walk,
    }


def table(levels: dict[str, float]) -> RunTable:
    arms = {"heard": heard(BASES), "unheard": unheard(BASES), "plain": plain(BASES)}
    made = {
        dataclasses.replace(arms[name], seed=seed): rows(arms[name], seed, level)
        for name, level in levels.items()
        for seed in SEEDS
    }
    return RunTable.of_arrays(made)


def findings(levels: dict[str, float]) -> dict[str, Finding]:
    return {claim.id: decide(claim, table(levels), BASES) for claim in STUDY.claims}


def test_every_scale_plans_three_networks_with_seeds_that_confirm() -> None:
    """Whoever hears, who does not, and who is not normalised; no seed is one of pilots."""
    for scale in STUDY.scales:
        planned = plan(STUDY, scale)
        assert {(each["hearing"], each["norm"]) for each in planned.configs} == {
            ("mfcc", "layer"),
            ("off", "layer"),
            ("mfcc", "none"),
        }
        assert min(each.seed for each in planned.configs) >= 100
        for claim in planned.claims:
            assert set(planned.runs_of(claim)) <= set(planned.configs)


def test_claims_hold_where_runs_are_as_they_say() -> None:
    """Made-up runs: sound draws at half the mean image's error, hearing doubles it, and a norm halves variation."""
    found = findings({"heard": 0.5, "unheard": 0.25, "plain": 1.0})
    assert {name: finding.verdict for name, finding in found.items()} == dict.fromkeys(
        ("S1", "S2", "S3", "S4"), "holds"
    )
    effects = {name: finding.parts[0].effect.value for name, finding in found.items()}
    assert effects["S1"] == pytest.approx(0.5, rel=0.02)
    assert effects["S2"] == pytest.approx(2.0, rel=0.02)
    assert effects["S4"] == pytest.approx(2.0, rel=0.02)
    assert len(found["S3"].parts) == len(BLOCKS) - 1


def test_claims_fail_where_runs_are_otherwise() -> None:
    """The other way round, and with the tightest part's room given to no other."""
    found = findings({"heard": 1.5, "unheard": 3.0, "plain": 0.5})
    assert {name: found[name].verdict for name in ("S1", "S2", "S4")} == dict.fromkeys(("S1", "S2", "S4"), "fails")


def test_endless_headroom_counts_as_far_as_it_is_sought() -> None:
    """The search ends at 4,096 steps: an infinity would make every ratio with it certain."""
    runs = table({"heard": 1.0})
    found = median_headroom(runs, heard(BASES))
    assert (found["read"] == 4096).all()
    assert (found[TIGHTEST] == 2).all()


def test_a_claim_without_its_runs_is_undecided() -> None:
    """Hearing off was not trained: S2 compares with it, and says that a run is missing."""
    found = findings({"heard": 0.5, "plain": 1.0})
    assert found["S2"].verdict == "undecided"
    assert "no finished run" in found["S2"].note


def test_figures_are_drawn_from_such_runs() -> None:
    """Each has its panels, and in them a line for each network or part."""
    runs = table({"heard": 0.5, "unheard": 0.25, "plain": 1.0})
    lines = {name: [len(p.series) for p in spec.draw(runs, BASES).panels] for name, spec in STUDY.figures.items()}
    assert lines == {"reconstruction": [4, 3], "parts": [8, 7], "landscape": [2, 2, 2, 2]}


@pytest.mark.long
def test_the_smoke_scale_is_made_by_one_command_and_can_be_heard(tmp_path: Path) -> None:
    """From the command line to claims, figures and sounds: 16 bits for two ears at the study's rate."""
    folder = tmp_path / "study"
    reproduce("toth2019", folder, "--listen")
    claims: dict[str, Any] = {row["id"]: row for row in json.loads((folder / "claims.json").read_text())}
    assert list(claims) == ["S1", "S2", "S3", "S4"]
    assert all(row["status"] == "confirmatory" for row in claims.values())
    assert {name: row["parts"][0]["n"] for name, row in claims.items()} == {"S1": 3, "S2": 3, "S3": 8, "S4": 3}
    assert {path.stem for path in (folder / "figures").glob("*.png")} >= set(STUDY.figures)
    with wave.open(str(folder / "listen" / "digit_1.wav"), "rb") as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (2, 2, 8000)
        assert sound.getnframes() == heard(BASES)["glimpses"] * 192
    assert (folder / "listen" / "spectrograms.png").is_file()
    assert "--listen" in json.loads((folder / "study.json").read_text())["command"]
