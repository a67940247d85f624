import multiprocessing as mp
from pathlib import Path

import numpy as np
import pytest
import torch
from properties import assert_same, without_when

from clinometer import NORMS, Store
from clinometer.papers.santurkar2018.configs import DLN_DISTANCES, DLN_SIZES, VGG, deep_linear, vgg
from clinometer.papers.santurkar2018.networks.gaussian import gaussian
from clinometer.papers.santurkar2018.networks.linear_statistics import EXACT
from clinometer.papers.santurkar2018.stacked import train
from clinometer.runner.scheduler import Progress, run_all
from clinometer.training.config import grid
from clinometer.training.from_config import build_model
from clinometer.training.keeper import Keeper
from clinometer.training.run import groups, run, run_group
from clinometer.training.run_folder import is_done, run_folder

DLN = deep_linear(samples=60, steps=5, measure_every=3)


def read(folder: Path) -> dict[str, object]:
    store = Store(folder / "rows.sqlite", read_only=True)
    return {probe: store.read(probe) for probe in store.probes()} | {"meta": without_when(store.meta)}


@pytest.mark.parametrize(
    ("reading", "norm"),
    [
        *(("dln", norm) for norm in NORMS if norm != "instance"),  # it needs space
        *((row, "batch") for row in ("dln_mean", "dln_bare")),
    ],
)
def test_it_is_gradient_descent_on_the_samples(reading: str, norm: str, tmp_path: Path) -> None:
    """The truth is torch's loop on the plain network and all samples, from the same start.

    Losses agree to 1e-9: an equal gradient but for 1e-14, grown a little in five steps.
    """
    config = DLN.vary(reading=reading, norm=norm, lr=1e-2 if reading == "dln_mean" else 1e-6)
    run(config, tmp_path)
    network, data = build_model(config), gaussian(config.seed, config["samples"])
    optimizer = torch.optim.SGD(network.parameters(), lr=config["lr"])
    torch.manual_seed(config.seed)
    expected: list[float] = []
    for _ in range(config.steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(
            network(data.inputs), data.targets, reduction="mean" if reading == "dln_mean" else "sum"
        )
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    found = Store(tmp_path / "rows.sqlite", read_only=True).read("train")["loss"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("norm", ["none", "batch", "l2", "l1", "noisy_batch"])
def test_the_measured_loss_is_the_trained_one(norm: str, tmp_path: Path) -> None:
    """Bit for bit, in a stack of three and alone; and each probe's rows stand where the schedule says."""
    configs = grid(DLN.vary(norm=norm), seed=range(3 if norm in EXACT else 1))
    run_group({config: tmp_path / str(config.seed) for config in configs})
    for config in configs:
        rows = read(tmp_path / str(config.seed))
        steps = {probe: table["step"].tolist() for probe, table in rows.items() if probe != "meta"}
        terms = {"batchnorm_terms": [0, 3]} if norm in ("batch", "noisy_batch") else {}
        assert steps == terms | {
            "train": [0, 1, 2, 3, 4],
            "landscape": [0, 3],
            "landscape_random": [0, 3],
            "internal_shift": [0, 3],
            "activations_before_norm": [0, 1, 3, 4],
            "activations": [0, 1, 3, 4],
            "batch_sharpness": [0, 3],
        }
        losses = rows["train"]["loss"]
        for probe in ("landscape", "landscape_random"):
            assert rows[probe]["loss"].tolist() == losses[[0, 3]].tolist()
        np.testing.assert_allclose(rows["landscape"]["sizes"][0], np.array(DLN_SIZES) * config["lr"])
        np.testing.assert_allclose(rows["landscape_random"]["distances"][0], DLN_DISTANCES, rtol=1e-9)
        if norm != "noisy_batch":  # one learning rate along minus the gradient is where the next step begins
            np.testing.assert_allclose(rows["landscape"]["losses"][0, 2], losses[1], rtol=1e-12)
        assert rows["activations"]["mean"].shape == (4, 25, 10)
        assert rows["internal_shift"]["layer"][0].tolist() == ["layers.layer9.linear", "layers.layer17.linear"]
        assert list(rows["train"]) == ["step", "loss"]


@pytest.mark.parametrize("norm", EXACT)
def test_a_seeds_rows_do_not_depend_on_those_beside_it(norm: str, tmp_path: Path) -> None:
    """Every byte that every probe wrote, made in a stack of four and made alone."""
    configs = grid(DLN.vary(norm=norm), seed=range(4))
    train({config: Keeper(tmp_path / "together" / str(config.seed)) for config in configs})
    for config in configs[1:3]:
        train({config: Keeper(tmp_path / "alone" / str(config.seed))})
        assert_same(*(read(tmp_path / where / str(config.seed)) for where in ("alone", "together")))


def test_measuring_does_not_change_the_training(tmp_path: Path) -> None:
    """Measured at every step and at the first alone, the losses are the same bit for bit."""
    for every in (1, 100):
        for norm in ("batch", "l1", "noise"):
            run(DLN.vary(norm=norm, measure_every=every), tmp_path / norm / str(every))
    for norm in ("batch", "l1", "noise"):
        often, seldom = (read(tmp_path / norm / every)["train"] for every in ("1", "100"))
        assert_same(often, seldom)


def test_a_seed_that_diverges_ends_alone(tmp_path: Path) -> None:
    """At lr 1e-5 without norms seeds 1 and 2 leave the floats within five steps and seeds 3 and 4 do not.

    Those that go on write what they would have written alone.
    """
    base = DLN.vary(norm="none", lr=1e-5, samples=1000, steps=6, measure_every=2)
    configs = grid(base, seed=[1, 2, 3, 4])
    assert not run_all(configs, tmp_path)
    facts = {config.seed: read(run_folder(tmp_path, config))["meta"] for config in configs}
    assert [seed for seed, meta in facts.items() if "diverged_at" in meta] == [1, 2]
    for config in configs:
        rows = read(run_folder(tmp_path, config))
        losses = rows["train"]["loss"]
        assert len(losses) == facts[config.seed].get("diverged_at", 5) + 1
        assert np.isfinite(losses[:-1]).all()
        assert np.isfinite(losses[-1]) == (config.seed in (3, 4))
        assert rows["meta"]["ended"]
    train({configs[2]: Keeper(tmp_path / "alone")})
    assert_same(read(tmp_path / "alone"), read(run_folder(tmp_path, configs[2])))


def test_groups_are_the_seeds_of_an_arm() -> None:
    """By hand: exact norms by arm; L1, and networks on images, each alone; in the order of first appearance."""
    digits = grid(vgg(), seed=range(2))
    batch, slow, l1 = (grid(DLN.vary(**arm), seed=range(2)) for arm in ({}, {"lr": 1e-7}, {"norm": "l1"}))
    mixed = [c for pair in zip(digits, batch, slow, l1, strict=True) for c in pair]
    assert groups(mixed) == [(digits[0],), tuple(batch), tuple(slow), (l1[0],), (digits[1],), (l1[1],)]


def test_progress_counts_runs_and_done_ones_are_left_alone(tmp_path: Path) -> None:
    """Two of four seeds are there already: they are found, not touched, and the other two are made."""
    configs = grid(DLN, seed=range(4))
    assert not run_all(configs[1:3], tmp_path)
    stamps = [run_folder(tmp_path, c).joinpath("rows.sqlite").stat().st_mtime_ns for c in configs[1:3]]
    seen: list[Progress] = []
    assert not run_all(configs, tmp_path, report=seen.append)
    assert (seen[0].total, seen[0].found, seen[0].running) == (4, 2, (configs[0], configs[3]))
    assert (seen[-1].done, seen[-1].failed) == (4, 0)
    assert stamps == [run_folder(tmp_path, c).joinpath("rows.sqlite").stat().st_mtime_ns for c in configs[1:3]]


def test_a_killed_group_costs_its_members_and_no_other(tmp_path: Path) -> None:
    """The process of two endless seeds is killed; the other arm ends, and each lost run is named."""
    endless = grid(DLN.vary(steps=10**6, measure_every=10**6), seed=range(2))
    other = DLN.vary(norm="l2")
    killed: list[int] = []

    def kill(now: Progress) -> None:
        if len(now.running) == 2 and not killed:  # the other arm has ended
            (process,) = mp.active_children()
            killed.append(process.pid or 0)
            process.kill()

    failures = run_all([other, *endless], tmp_path, jobs=2, retries=0, report=kill)
    assert [failure.config for failure in failures] == endless
    assert all("killed" in failure.reason for failure in failures)
    assert is_done(run_folder(tmp_path, other))


def test_a_failed_group_names_every_member(tmp_path: Path) -> None:
    """A file lies where a run's folder should be: the reason reaches both seeds' failures, and both logs."""
    configs = grid(DLN, seed=range(2))
    run_folder(tmp_path, configs[0]).parent.mkdir()
    run_folder(tmp_path, configs[1]).write_text("in the way")
    failures = run_all(configs, tmp_path)
    assert [failure.config for failure in failures] == configs
    assert all("FileExistsError" in failure.reason and failure.log.is_file() for failure in failures)


@pytest.mark.parametrize("bad", [{"data": "digits"}, {"model": VGG}])
def test_its_data_and_models_go_together(bad: dict[str, str], tmp_path: Path) -> None:
    """A VGG has no use for ten numbers, nor a linear network for images: its trainer says so before it trains."""
    with pytest.raises(ValueError, match="go with each other alone; found"):
        train({DLN.vary(**bad): Keeper(tmp_path)})
    assert not list(tmp_path.iterdir())
