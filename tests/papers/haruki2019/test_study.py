"""The study: its runs, what refuses a wasted one, and that its smoke scale is made from end to end."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from clinometer.papers import load_study
from clinometer.papers.haruki2019.configs import ARMS, GNC, SGD, SMALL, arm, large_batch
from clinometer.papers.haruki2019.images import images
from clinometer.papers.haruki2019.trainer import convolved
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import decide
from clinometer.studies.plan import plan
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_training, data_of
from clinometer.training.run import run
from clinometer.training.run_folder import run_folder

STUDY = load_study("haruki2019")
BRIEF: dict[str, Any] = {"batch_size": 128, "workers": 4, "steps": 6}


def made(to: Path, *configs: RunConfig) -> RunTable:
    for config in configs:
        run(config, run_folder(to, config))
    return RunTable.read(to, configs)


def test_every_scale_plans_all_ways_to_train_with_seeds_that_confirm() -> None:
    """Each arm has every seed, none of a pilot, and all see as many images."""
    for name, scale in STUDY.scales.items():
        planned = plan(STUDY, name).configs
        assert len(planned) == len(ARMS) * scale.seeds["large"]
        assert min(each.seed for each in planned) >= 100
        assert len({each.batch_size * each.steps for each in planned}) == 1


def test_tuning_sees_no_test_image() -> None:
    """The images that rates are tuned by are training images, and none of those that are trained on."""
    (train, _), (tuning, _) = images("digits", "tuning")
    test = images("digits", "test")[1][0]
    sets = [{each.numpy().tobytes() for each in part} for part in (train, tuning, test)]
    assert len(train) == 1_200
    assert len(test) == 297
    assert not sets[1] & sets[2]
    assert len(sets[0] & sets[1]) <= 1  # of 300; a few digits of the data set are there twice


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "one worker": (lambda: large_batch("own", workers=1), "one worker has no gradient noise"),
    "a batch that does not divide": (lambda: large_batch(batch_size=100, workers=16), "100 does not divide into 16"),
    "another noise": (lambda: large_batch("pink"), "no noise 'pink'"),
    "other images": (lambda: large_batch(dataset="mnist"), "no data set 'mnist'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_that_cannot_be_made_is_refused(name: str) -> None:
    """Before any training, in words."""
    call, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        call()


def test_a_config_that_was_varied_into_one_worker_trains_nothing(tmp_path: Path) -> None:
    """A config does not ask its maker again, so the trainer refuses; no row is written."""
    config = large_batch("own", **BRIEF).vary(workers=1)
    with pytest.raises(ValueError, match="one worker has no gradient noise"):
        run(config, run_folder(tmp_path, config))
    assert not list(tmp_path.rglob("rows.sqlite"))


def test_without_noise_it_is_the_ordinary_loop(tmp_path: Path) -> None:
    """The truth is torch's SGD on the same batches: the losses of a run with one worker, bit for bit."""
    config = large_batch("none", **{**BRIEF, "workers": 1})
    losses = made(tmp_path, config).values(config, "train", "loss", [0])[0]
    training = build_training(config, "cpu", data_of(config))
    for loss, batch in zip(losses, training.batches(0), strict=True):
        expected = nn.functional.cross_entropy(training.model(batch[0]), batch[1])
        assert loss == expected.item()
        training.optimizer.zero_grad()
        expected.backward()
        training.optimizer.step()


def test_a_run_made_again_is_the_same_and_seeds_pair_the_arms(tmp_path: Path) -> None:
    """Every number comes from the config; arms of one seed start alike, so their first losses are one number."""
    noises = ("none", "own", "isotropic")
    configs = [
        large_batch(noise, scale=0.5, geometry=noise == "none", **BRIEF).vary(measure_every=6) for noise in noises
    ]
    first, again = (made(tmp_path / name, *configs) for name in ("one", "two"))
    for probe, field in (("noise", "share"), ("noise", "smoothing"), ("noise", "smoothing_isotropic")):
        one, two = (table.values(configs[0], probe, field, [0]) for table in (first, again))
        assert one.tobytes() == two.tobytes()
    losses = [[table.values(config, "train", "loss", [0])[0] for config in configs] for table in (first, again)]
    assert [each.tobytes() for each in losses[0]] == [each.tobytes() for each in losses[1]]
    assert len({each[0] for each in losses[0]}) == 1
    assert len({each[-1] for each in losses[0]}) == 3


def test_a_run_that_diverges_ends_and_says_where(tmp_path: Path) -> None:
    """Lagged noise at a reach beyond 1/λ feeds back: the loss overflows, which is data."""
    config = large_batch("own", scale=1e6, lr=1.0, **{**BRIEF, "steps": 40})
    table = made(tmp_path, config)
    assert table.diverged(config) == 1
    assert math.isnan(table.values(config, "train", "loss", [0])[0, -1])


def test_arms_are_what_they_are_called() -> None:
    """SGD moves no worker, GNC does, and a small batch has one worker and as many images."""
    bases = STUDY.scales["smoke"].bases
    parameter = [nn.Parameter(torch.zeros(1))]
    scales = {
        name: convolved(arm(bases, name), torch.optim.SGD(parameter, lr=0.1)).param_groups[0]["scale"] for name in ARMS
    }
    assert scales[SGD] == scales[SMALL] == 0
    assert scales[GNC] > 0
    assert arm(bases, SMALL).batch_size * 16 == arm(bases, SGD).batch_size


@pytest.mark.long
def test_the_smoke_scale_is_made(tmp_path: Path) -> None:
    """Every claim gets evidence and every figure its panels, from the runs that the command makes."""
    planned = plan(STUDY, "smoke")
    table = made(tmp_path, *planned.configs)
    for figure in STUDY.figures.values():
        assert figure.draw(table, planned.variants).panels
    found = {claim.id: decide(claim, table, planned.variants) for claim in STUDY.claims}
    assert all(math.isfinite(part.interval.value) for each in found.values() for part in each.parts)
    assert found["N1"].verdict == "holds"
