"""Lightning, transformers and accelerate on two processes under DDP; `trainers_checks.py` runs there, once."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import distributed as dist
from torch import nn

pytest.importorskip("lightning.pytorch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from launch import Found, launched_by_torchrun, of

from clinometer.recorder.integrations.transformers import LandscapeCallback

GLOO = dist.is_available() and dist.is_gloo_available()
pytestmark = [pytest.mark.long, pytest.mark.skipif(not GLOO, reason="needs torch.distributed with gloo")]

RUNS = [
    *[("lightning", run) for run in ("gpt2, 1", "resnet, 2")],
    *[(trainer, run) for trainer in ("transformers", "accelerate") for run in ("gpt2, 2", "resnet, 1")],
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return launched_by_torchrun("integrations/trainers_checks.py", tmp_path_factory.mktemp("trainers"))


@pytest.mark.parametrize(("trainer", "run"), RUNS)
def test_a_run_is_bit_identical_on_both_ranks(found: Found, trainer: str, run: str) -> None:
    """The truth is the same run unmeasured: weights, buffers, momentum, random streams, hooks, and all that is logged.

    No warning was given on the way either: there it would have been an error.
    """
    assert [rank[run]["difference"] for rank in of(found, trainer)] == [None, None]


@pytest.mark.parametrize(("trainer", "run"), RUNS)
def test_rows_are_the_mean_of_the_losses_that_training_saw(found: Found, trainer: str, run: str) -> None:
    """What each trainer itself called backward on, added up over a step's batches, exchanged by the test's own means.

    An epoch's last step has one batch where the others have two.
    """
    first, second = (rank[run] for rank in of(found, trainer))
    assert first["rows"] == pytest.approx(first["losses"], rel=4 * torch.finfo(torch.float32).eps)
    assert len(first["rows"]) > 3
    assert "rank 1 keeps no rows" in second["rows"]


def test_rank_0_writes(found: Found) -> None:
    """Each rank was given a folder of its own for each trainer's rows."""
    first, second = of(found, "who_writes")
    assert first == ["accelerate0", "lightning0", "transformers0"]
    assert second == []


def test_wrappers_of_earlier_runs_are_forgotten(found: Found) -> None:
    """One left on one rank alone, until garbage is collected there, would exchange buffers with nobody."""
    assert of(found, "wrappers_of_earlier_runs") == [1, 1]


def test_other_strategies_of_lightning_are_refused(found: Found) -> None:
    """On both ranks, before training has called anything."""
    for refused in of(found, "refusal"):
        assert "found 2 of ModelParallelStrategy. Train with strategy='ddp'" in refused["said"]
        assert refused["calls"] == 0


@pytest.mark.parametrize("kind", ["DEEPSPEED", "FSDP"])
def test_other_ways_of_transformers_are_refused(kind: str) -> None:
    """What accelerate calls them is said, and what to do; they themselves need GPUs."""
    trainer: Any = SimpleNamespace(
        accelerator=SimpleNamespace(distributed_type=kind),
        args=SimpleNamespace(n_gpu=1),
        model_wrapped=nn.Linear(1, 1),
    )
    with pytest.raises(ValueError, match=rf"found {kind} and 1 GPUs .* without DeepSpeed and FSDP"):
        LandscapeCallback(trainer, None, ()).on_train_begin(None, SimpleNamespace(global_step=0))
