"""The mistakes of the corpus: nothing before their step, then what they say, and the same after an interruption."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from properties import assert_same
from torch import Tensor

from clinometer import Store
from clinometer.papers.instability.causes import CAUSES, NONE
from clinometer.papers.instability.tampering import Tampering, tampered
from clinometer.training import from_config
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_training
from clinometer.training.run import run, run_group
from clinometer.training.settings import Settings

HERE = "clinometer.papers.instability"
FROM, STEPS = 3, 9
# cause, strength, network, optimizer, settings, the block to blame
CASES: list[tuple[str, float, str, str, dict[str, Any], str | None]] = [
    ("learning_rate", 3.0, "mlp", "sgd", {"momentum": 0.9}, None),
    ("short_warm_up", 1.0, "resnet", "adamw", {"warm_up": 10}, None),
    ("adam_constants", 0.0, "recurrent", "adamw", {}, None),
    ("undivided_accumulation", 8.0, "mlp", "sgd", {}, None),
    ("half_precision", 2.0**40, "mlp", "sgd", {}, None),
    ("corrupted_batches", 5.0, "cnn", "sgd", {"norm": "batch"}, None),
    ("corrupted_batches", 5.0, "gpt", "adamw", {}, None),
    ("flipped_labels", 0.8, "mlp", "muon", {}, None),
    ("scaled_head", 4.0, "cnn", "sgd", {"norm": "none"}, "head"),
    ("scaled_input", 30.0, "mlp", "sgd", {}, "layer1.linear"),
    ("attention_logits", 9.0, "gpt", "adamw", {}, "blocks.0.attention.query"),
    ("late_unfreezing", 5.0, "mlp", "sgd", {}, "layer2.linear"),
    ("scale_invariant_decay", 90.0, "resnet", "sgd", {"norm": "batch", "weight_decay": 0.01}, "stem.conv"),
    ("scale_invariant_decay", 0.0, "cnn", "sgd", {"norm": "batch", "weight_decay": 0.01}, "layer1.conv"),
]
each_cause = pytest.mark.parametrize(
    ("cause", "strength", "network", "optimizer", "settings", "block"), CASES, ids=lambda value: str(value)
)


def config(
    cause: str, strength: float, network: str, optimizer: str, settings: dict[str, Any], **more: Any
) -> RunConfig:
    facts = {"cause": cause, "strength": strength, "from_step": FROM, "over": 4, "lr": 0.01, **settings}
    return RunConfig(
        f"{HERE}.networks.{network}:{network}",
        f"{HERE}.data:{'pixels' if network == 'gpt' else 'images'}",
        optimizer=f"{HERE}.optimizers:{optimizer}",
        scheduler=f"{HERE}.schedules:warmed_up",
        trainer=f"{HERE}.trainer:train",
        settings=Settings({**facts, **more}),
        probes=(),
        steps=STEPS,
        batch_size=32,
        test_every=STEPS,
    )


def weights(of: RunConfig, steps: int) -> list[dict[str, Tensor]]:
    """The parameters before each step and after the last, by a loop that is written here."""
    training = build_training(of)
    mistake = CAUSES[of["cause"]].tampering(training, of["strength"], of.seed)
    training = tampered(training, mistake, of["from_step"], of["over"])
    assert training.scheduler
    named = dict(training.model.named_parameters())
    found = [{name: p.detach().clone() for name, p in named.items()}]
    for _, batch in zip(range(steps), training.batches(0), strict=False):
        training.loss_fn(training.model, batch).backward()
        training.optimizer.step()
        training.scheduler.step()
        training.optimizer.zero_grad()
        found.append({name: p.detach().clone() for name, p in named.items()})
    return found


def changed(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name for name in one if not torch.equal(one[name], other[name])}


@each_cause
def test_it_tampers_from_its_step_on_and_not_before(
    cause: str, strength: float, network: str, optimizer: str, settings: dict[str, Any], block: str | None
) -> None:
    """The truth is the same run without the mistake, bit for bit: what is frozen before is frozen in it as well."""
    ours = weights(config(cause, strength, network, optimizer, settings, over=0), STEPS)
    never = weights(config(cause, strength, network, optimizer, settings, over=0, from_step=STEPS), STEPS)
    for step in range(FROM + 1):
        assert not changed(ours[step], never[step]), step
    assert changed(ours[-1], never[-1])
    if cause != "late_unfreezing":
        healthy = weights(config(NONE, 1.0, network, optimizer, settings), FROM)
        assert not changed(ours[FROM], healthy[FROM])


@pytest.mark.parametrize(
    ("cause", "strength", "network", "optimizer", "settings", "block"),
    [case for case in CASES if case[0] in ("attention_logits", "late_unfreezing", "scale_invariant_decay")],
)
def test_a_mistake_in_the_update_changes_that_of_its_block_alone(
    cause: str, strength: float, network: str, optimizer: str, settings: dict[str, Any], block: str
) -> None:
    """At its first step loss and gradient are still those of the healthy run: only its own block moves otherwise."""
    ours = weights(config(cause, strength, network, optimizer, settings), FROM + 1)
    never = weights(config(cause, strength, network, optimizer, settings, from_step=STEPS), FROM + 1)
    found = changed(ours[-1], never[-1])
    assert found
    assert all(name.startswith(f"{block}.") for name in found)


def test_a_scaled_head_and_a_scaled_input_change_what_they_say_alone() -> None:
    """The logits are linear in the head's scale, and one pixel differs: both are compared with plain products."""
    of = config("scaled_head", 4.0, "mlp", "sgd", {}, over=0, from_step=0)
    training = build_training(of)
    batch = next(training.batches(0))
    plain = training.model(batch[0]).detach()
    mistake = CAUSES["scaled_head"].tampering(training, 4.0, 0)
    next(tampered(training, mistake, 0, 0).batches(0))
    assert torch.equal(training.model(batch[0]), 4.0 * plain)
    mistake = CAUSES["scaled_input"].tampering(training, 30.0, 0)
    scaled, labels = next(tampered(training, mistake, 0, 0).batches(0))
    assert torch.equal(labels, batch[1])
    assert {tuple(place[2:]) for place in (scaled != batch[0]).nonzero().tolist()} == {(4, 4)}
    assert torch.equal(scaled[:, :, 4, 4], 30.0 * batch[0][:, :, 4, 4])


def test_a_mistake_grows_to_its_strength_over_the_steps_that_it_takes() -> None:
    """The rate is read from the optimizer: it rises by the fourth root of 16 a step, and stays at 16 times."""
    training = build_training(config(NONE, 1.0, "mlp", "sgd", {}))
    wrong = tampered(training, CAUSES["learning_rate"].tampering(training, 16.0, 0), FROM, 4)
    rates = [training.optimizer.param_groups[0]["lr"] for _ in wrong.batches(0)]
    expected = [1.0] * FROM + [2.0, 4.0, 8.0] + [16.0] * (STEPS - FROM - 3)
    assert rates == pytest.approx([0.01 * factor for factor in expected])


def test_a_warm_up_that_is_cut_short_has_the_full_rate_from_there() -> None:
    """By the schedule's own formula the rate is (t + 1)/11 of the full one at step t."""
    training = build_training(config(NONE, 1.0, "mlp", "sgd", {"warm_up": 10}))
    wrong = tampered(training, CAUSES["short_warm_up"].tampering(training, 1.0, 0), FROM, 0)
    found: list[float] = []
    for _ in wrong.batches(0):
        found.append(training.optimizer.param_groups[0]["lr"])
        training.optimizer.step()
        assert training.scheduler
        training.scheduler.step()
    assert found == pytest.approx([0.01 * (step + 1) / 11 for step in range(FROM)] + [0.01] * (STEPS - FROM))


def test_half_precision_rounds_until_it_overflows() -> None:
    """float16 has 11 bits and ends at 65,504: gradients keep three digits, and become infinite under a large scale."""
    training = build_training(config(NONE, 1.0, "mlp", "sgd", {}))
    inputs, labels = next(training.batches(0))
    for scale, finite in ((2.0**8, True), (2.0**40, False)):
        mistake = CAUSES["half_precision"].tampering(training, scale, 0)
        training.loss_fn(training.model, (inputs, labels)).backward()
        plain = [p.grad.clone() for p in training.model.parameters() if p.grad is not None]
        next(tampered(training, mistake, 0, 0).batches(0))
        hook = next(reversed(training.optimizer._optimizer_step_pre_hooks.values()))
        hook(training.optimizer, (), {})
        cast = [p.grad for p in training.model.parameters() if p.grad is not None]
        assert all(bool(g.isfinite().all()) for g in cast) == finite
        if finite:
            for one, other in zip(cast, plain, strict=True):
                torch.testing.assert_close(one, other, rtol=2.0**-11, atol=2.0**-24 / scale)
        training.optimizer.zero_grad()


class PowerCutError(Exception):
    """Nothing else raises it."""


def interrupt(patch: pytest.MonkeyPatch, step: int) -> None:
    whole = from_config.batches_of

    def batches(*args: Any) -> Iterator[Any]:
        for index, batch in enumerate(whole(*args), args[3]):
            if index == step:
                raise PowerCutError
            yield batch

    patch.setattr(from_config, "batches_of", batches)


def read(folder: Path) -> dict[str, object]:
    store = Store(folder / "rows.sqlite", read_only=True)
    return {probe: store.read(probe) for probe in store.probes()} | {"meta": store.meta}


@each_cause
def test_an_interrupted_run_goes_on_with_its_mistake(
    cause: str,
    strength: float,
    network: str,
    optimizer: str,
    settings: dict[str, Any],
    block: str | None,
    tmp_path: Path,
) -> None:
    """The truth is the same run without an interruption, bit for bit: it ends while the mistake grows."""
    of = config(cause, strength, network, optimizer, settings)
    run(of, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(PowerCutError):
        interrupt(patch, FROM + 2)
        run_group({of: tmp_path / "parts"}, every=0.0)
    run(of, tmp_path / "parts")
    assert_same(read(tmp_path / "parts"), read(tmp_path / "whole"))
    facts = read(tmp_path / "whole")["meta"]
    assert isinstance(facts, dict)
    assert (facts["cause"], facts["from_step"], facts["tampered_block"]) == (cause, FROM, block)


def test_a_run_that_overflows_says_when_it_broke(tmp_path: Path) -> None:
    """Infinite gradients make the next loss not a number, so the step is known beforehand."""
    run(config("half_precision", 2.0**40, "mlp", "sgd", {}, over=0), tmp_path)
    with contextlib.closing(Store(tmp_path / "rows.sqlite", read_only=True)) as store:
        assert store.meta["broke_at"] == store.meta["diverged_at"] == FROM + 1
        assert math.isnan(store.read("train")["loss"][-1])


@pytest.mark.parametrize(
    ("cause", "network", "optimizer", "words"),
    [
        ("adam_constants", "mlp", "sgd", "needs an optimizer with betas"),
        ("attention_logits", "mlp", "sgd", "no block is called"),
        ("scale_invariant_decay", "cnn", "sgd", "needs SGD with a weight decay"),
        ("scale_invariant_decay", "mlp", "sgd", "no layer has a norm"),
        ("scaled_input", "gpt", "adamw", "needs images"),
        ("unheard_of", "mlp", "sgd", "no cause 'unheard_of'"),
    ],
)
def test_a_cause_that_cannot_befall_a_run_is_refused(
    cause: str, network: str, optimizer: str, words: str, tmp_path: Path
) -> None:
    """A run would otherwise carry the name of a mistake that was never made."""
    settings = {"norm": "batch"} if network == "cnn" else {}
    with pytest.raises(ValueError, match=words):
        run(config(cause, 2.0, network, optimizer, settings, from_step=0), tmp_path)


def test_both_sets_are_balanced_in_kind() -> None:
    """Scores on held-out causes say little if all of one kind are in one set."""
    kinds = {
        name: (each.set == "A", each.tampering.__module__.rpartition(".")[2])
        for name, each in CAUSES.items()
        if name != NONE
    }
    for kind in ("rate_mistakes", "data_mistakes", "layer_mistakes"):
        in_a = sum(a for a, of in kinds.values() if of == kind)
        in_b = sum(not a for a, of in kinds.values() if of == kind)
        assert in_a >= 1
        assert abs(in_a - in_b) <= 1
    assert Tampering().block is None
