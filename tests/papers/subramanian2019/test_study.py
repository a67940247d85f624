"""The study: which runs it plans, what its claims need, and that its smoke scale is made by one command."""

import json
from pathlib import Path

import pytest
from reproducing import reproduce

from clinometer.papers import load_study
from clinometer.papers.subramanian2019.configs import ARMS, arm_of
from clinometer.papers.subramanian2019.drift import levels
from clinometer.papers.subramanian2019.variants import GANS, classifiers
from clinometer.results.run_table import RunTable
from clinometer.studies.plan import plan

STUDY = load_study("subramanian2019")


def test_every_scale_plans_all_arms_with_seeds_that_confirm() -> None:
    """Classifiers and GANs with each of their norms, and what times steps; no seed is one of pilots."""
    for scale in STUDY.scales:
        planned = plan(STUDY, scale).configs
        for kind, names in {"loop": ARMS, "gan.trainer": GANS}.items():
            assert {arm_of(each) for each in planned if f"{kind}:" in each.trainer} == set(names)
        assert any("timing" in each.trainer for each in planned)
        assert min(each.seed for each in planned) >= 100


@pytest.mark.long
def test_the_smoke_scale_is_made_by_one_command(tmp_path: Path) -> None:
    """From the command line to claims and figures; what is by construction so comes out so.

    The mean before the ReLU is β where the mean is subtracted: its κ begins at 0, where spectral normalization's does
    not. Parameters are not fewer.
    """
    folder = tmp_path / "study"
    reproduce("subramanian2019", folder)
    claims = {row["id"]: row for row in json.loads((folder / "claims.json").read_text())}
    assert list(claims) == [claim.id for claim in STUDY.claims]
    assert all(row["status"] == "confirmatory" for row in claims.values())
    assert claims["M5"]["verdict"] == "fails"
    assert {path.stem for path in (folder / "figures").glob("*.png")} >= set(STUDY.figures)
    runs = RunTable.read(folder, plan(STUDY, "smoke").configs)
    plain, centred = classifiers(STUDY.scales["smoke"].bases, ["spectral", "mean_spectral"])
    first = {arm: levels(runs, arm, runs.common(arm), "norm")[:, 0].max() for arm in (plain, centred)}
    assert first[centred] < 1e-4 < 0.1 < first[plain]
