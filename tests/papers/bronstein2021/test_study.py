"""The study: its runs, its probes in a run, and one command from nothing to its claims."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from reproducing import reproduce

from clinometer.papers import load_study
from clinometer.papers.bronstein2021.configs import (
    DIGITS,
    bases,
    deep_graphs,
    digits,
    flat,
    network,
    on_orbits,
    tiny_networks,
    trained,
)
from clinometer.papers.bronstein2021.probes import deformation, equivariance, over_smoothing
from clinometer.results.run_table import RunTable
from clinometer.studies.plan import plan
from clinometer.training.config import RunConfig
from clinometer.training.run import run
from clinometer.training.run_folder import run_folder

STUDY = load_study("bronstein2021")


def made(config: RunConfig, folder: Path) -> RunTable:
    run(config, run_folder(folder, config))
    return RunTable.read(folder, [config])


def test_every_claim_has_the_runs_of_its_figures() -> None:
    """A claim is decided where its figures' runs are made: each arm that it reads is one of theirs."""
    for scale in ("smoke", "laptop"):
        planned = plan(STUDY, scale)
        assert {claim.id for claim in planned.claims} == {f"G{number}" for number in range(1, 9)}
        assert len({run.key for run in planned.configs}) == len(planned.configs)
    assert [plan(STUDY, scale).first_seed for scale in ("laptop", "smoke")] == [100, 200], "no seed of a pilot"


def test_networks_of_one_comparison_differ_in_the_network_alone() -> None:
    """Equal seeds see equal batches at one learning rate, as long, measured at the same steps."""
    arms = list(trained(bases(10, 5)).values())
    for arm in arms:
        assert {name: arm[name] for name in ("data", "lr", "turns", "depth", "steps", "batch_size", "probes")} == {
            name: arms[0][name] for name in ("data", "lr", "turns", "depth", "steps", "batch_size", "probes")
        }
        assert arm.data == DIGITS


def test_a_run_records_errors_of_each_stage(tmp_path: Path) -> None:
    """The p4 network is exact at every measured step, in both precisions, and is left as training had it."""
    config = network(digits(3, 1), "p4").vary(intervals={"deformation": 2})
    table = made(config, tmp_path)
    assert table.values(config, "equivariance", "rotation").shape == (1, 3, 6)
    assert np.nanmax(table.values(config, "equivariance", "rotation")) < 1e-6
    assert np.nanmax(table.values(config, "equivariance", "rotation_float64")) < 1e-13
    assert np.isnan(table.values(config, "equivariance", "permutation")).all()
    assert table.values(config, "deformation", "constant").shape == (1, 2, 3)
    bare = config.vary(probes=(), intervals={})
    losses = [made(each, tmp_path / "again").values(each, "train", "loss") for each in (config, bare)]
    np.testing.assert_array_equal(losses[0], losses[1])


def test_a_deep_graph_network_is_measured_before_its_norms(tmp_path: Path) -> None:
    """PairNorm's output has a mean of 0 over nodes, and so a small cosine by construction: what it is given is read."""
    config = deep_graphs(bases(8, 4))["pair"].vary(depth=3)
    cosines = made(config, tmp_path).values(config, "over_smoothing", "cosine")
    assert cosines.shape == (1, 2, 3)
    assert bool((np.abs(cosines) <= 1 + 1e-12).all())


def test_a_symmetric_start_stays_symmetric_on_symmetric_images_alone(tmp_path: Path) -> None:
    """The consequence for training: on all rotations the weights stay in the fixed subspace, on upright digits not."""
    for name, config in on_orbits(bases(50, 5)).items():
        table = made(config, tmp_path)
        outside = table.values(config, "fixed_subspace", "weights")[0]
        assert outside[0] < 1e-14
        assert outside[-1] < 1e-13 if name == "all rotations" else outside[-1] > 1e-4


def test_a_tiny_network_ends_at_a_critical_point(tmp_path: Path) -> None:
    """Counted against the symmetries that its kind has; the eigenvalues are kept for the figure."""
    config = flat("linear")
    row = made(config, tmp_path).row(config, "spectrum")
    assert float(row["zeros"]) == float(row["expected"]) == 20
    assert len(row["eigenvalues"]) == 98
    assert float(np.max(row["identity"])) < 1e-12
    assert float(np.min(row["bent"])) > 1e-9


def test_what_is_flat_everywhere_has_no_bend(tmp_path: Path) -> None:
    """A bias before BatchNorm, the second of each channel's three symmetries, may move anywhere."""
    config = flat("conv").vary(hidden=2, count=60, batch_size=60)
    bent = np.asarray(made(config, tmp_path).row(config, "spectrum")["bent"], dtype=float)
    assert np.isnan(bent).tolist() == [False, True, False] * 2


def test_tiny_networks_of_the_study_are_all_kinds() -> None:
    """The symmetries of each kind are known in closed form."""
    assert [arm["kind"] for arm in tiny_networks(bases(10, 5)).values()] == ["tanh", "relu", "linear", "conv", "p4"]


def test_probes_refuse_what_they_cannot_measure() -> None:
    """Before any step, in words."""
    with pytest.raises(ValueError, match=r"where no image folds; found \[2.0\]"):
        deformation(sizes=[2.0])
    with pytest.raises(ValueError, match="at least one image"):
        equivariance(samples=0)
    check = vars(over_smoothing())["check"]
    with pytest.raises(ValueError, match="needs a network on a graph; found Linear"):
        check(torch.nn.Linear(1, 1))


@pytest.mark.long
def test_one_command_makes_the_study(tmp_path: Path) -> None:
    """At the smoke scale: what holds by construction holds, and every figure is drawn."""
    reproduce("bronstein2021", tmp_path / "study")
    claims = {row["id"]: row for row in json.loads((tmp_path / "study" / "claims.json").read_text())}
    assert claims["G1"]["value"] < 1e-6
    assert claims["G7"]["verdict"] == "holds"
    assert all(row["n"] > 0 for row in claims.values())
    assert {file.stem for file in (tmp_path / "study" / "figures").glob("*.png")} >= set(STUDY.figures)
