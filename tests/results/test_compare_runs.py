"""Two runs, or two kinds of runs, held against each other: every number by hand, every doubt in words."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored import keep

from clinometer import Store, headroom, noise_floor
from clinometer.pages.compare_page.tables import block_rows, number_rows
from clinometer.pages.compare_page.words import alarm_texts, verdict_text, worth_text
from clinometer.probes.field import declared_by, to_json
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import FIELDS, ROWS, as_row
from clinometer.results.compare_runs import RunComparison, compare_runs

DECLARED = declared_by({p.__name__: p for p in (headroom(), headroom(blocks="layers"), noise_floor())})
STEPS = 100
Number = Callable[[int], Any]


def run(
    folder: Path,
    loss: Number,
    room: Number | None = None,
    blocks: dict[str, Number] | None = None,
    *,
    steps: range = range(STEPS),
    floor: float | None = None,
    **facts: Any,
) -> Path:
    """A recorder's folder with these numbers at each step."""
    store = Store(folder / "rows.sqlite")
    store.set_meta(fields=to_json(DECLARED | {ROWS: FIELDS}), **facts)
    for step in steps:
        rows: dict[str, Any] = {"train": {"loss": float(loss(step))}}
        rows |= {"headroom": {"loss": float(room(step))}} if room else {}
        of = {"block": list(blocks), "loss": [float(f(step)) for f in blocks.values()]} if blocks else {}
        rows |= {"headroom_blocks": of} if of else {}
        rows |= {"noise_floor": {"loss": floor}} if floor else {}
        store.append(step, rows)
    store.close()
    return folder


def noisy(centre: float, seed: int, spread: float = 0.1) -> Number:
    """White noise around a number, the same at each call."""
    values = centre * np.exp(spread * np.random.default_rng(seed).standard_normal(STEPS))
    return lambda step: values[step]


def compared(tmp_path: Path, base: Any, mine: Any, **given: Any) -> RunComparison:
    """Two runs with these losses."""
    one, other = run(tmp_path / "a", base, **given), run(tmp_path / "b", mine, **given)
    return compare_runs({"base": one, "mine": other})


def test_the_verdict_says_what_we_put_in(tmp_path: Path) -> None:
    """By construction: half the loss and twice the headroom, another block nearest to the edge, another rate."""
    a = run(
        tmp_path / "a", noisy(1.0, 0), noisy(2.0, 1), {"conv": noisy(1.5, 2), "head": noisy(4.0, 3)},
        run={"optimizer": {"class": "SGD", "lr": 0.1}},
    )  # fmt: skip
    b = run(
        tmp_path / "b", noisy(0.5, 4), noisy(4.0, 5), {"conv": noisy(9.0, 6), "head": noisy(3.0, 7)},
        run={"optimizer": {"class": "SGD", "lr": 0.05}},
    )  # fmt: skip
    found = compare_runs({"base": a, "mine": b})
    loss, share = found.compared
    assert (loss.curve.name, loss.verdict, share.curve.label, share.verdict) == (
        "train.loss", "better", "1 / headroom", "better",
    )  # fmt: skip
    assert loss.difference.low < -0.5 < loss.difference.high < 0
    assert share.difference.low < 0.5 < share.difference.high < 1
    assert found.window == (50, 99)
    assert loss.base == pytest.approx(float(np.median([noisy(1.0, 0)(s) for s in range(50, 100)])))
    (blocks,) = found.blocks
    assert blocks.nearest == ("conv", "head")
    assert [row[0] for row in block_rows(found, blocks)] == ["head", "conv"]
    said = verdict_text(found)
    assert said.startswith("mine is further from the edge (1 / headroom 0.2")
    assert "and trains faster (loss -0.49" in said
    assert "nearest to the edge is now head (it was conv)" in said
    assert said.endswith("they differ in: lr 0.1 → 0.05.")
    assert "One seed a side cannot tell a change from another draw of the seed" in worth_text(found)


def test_the_other_way_round_it_is_worse(tmp_path: Path) -> None:
    """A symmetry: with base and mine exchanged every verdict turns, and every difference changes its sign."""
    a, b = run(tmp_path / "a", noisy(1.0, 0), noisy(2.0, 1)), run(tmp_path / "b", noisy(0.5, 2), noisy(4.0, 3))
    one, other = compare_runs({"base": a, "mine": b}), compare_runs({"base": b, "mine": a})
    for forth, back in zip(one.compared, other.compared, strict=True):
        assert (forth.verdict, back.verdict) == ("better", "worse")
        value = back.difference.value
        assert forth.difference.value == pytest.approx(1 / value if forth.scale == "factor" else -value)
    assert "trains slower" in verdict_text(other)
    assert "nearer to the edge" in verdict_text(other)


def test_equal_runs_are_the_same_and_noise_is_no_difference(tmp_path: Path) -> None:
    """Copies, and two draws of one noise: neither is called a difference, and the second says how small it must be."""
    same = compared(tmp_path / "same", noisy(1.0, 0), noisy(1.0, 0))
    assert verdict_text(same).startswith("mine and base are the same at every step in all that is compared")
    few = compared(tmp_path / "few", noisy(1.0, 0), noisy(1.0, 0), steps=range(10))
    assert few.compared[0].reason == "the same at every step", "a fact, however few they are"
    drawn = compared(tmp_path / "drawn", noisy(1.0, 0), noisy(1.0, 1))
    assert "no difference seen: smaller than ±0.0" in verdict_text(drawn)


def test_what_rounding_explains_is_no_difference(tmp_path: Path) -> None:
    """The loss moved by 1e-7 at every step, and rounding moves it by 1e-6: sure by its spread, and yet nothing."""
    base = noisy(1.0, 0)
    moved = compared(tmp_path / "with", base, lambda s: base(s) - 1e-7, floor=1e-6).compared[0]
    assert (moved.verdict, moved.reason) == (
        "no difference seen", "no more than rounding changes the loss by, 1e-06",
    )  # fmt: skip
    assert compared(tmp_path / "without", base, lambda s: base(s) - 1e-7).compared[0].verdict == "better"


def test_a_smooth_difference_is_a_fact_and_no_verdict(tmp_path: Path) -> None:
    """Curves without noise: nothing says how far they may be off, so the steps at which mine is lower are counted."""
    found = compared(tmp_path, lambda s: math.exp(-s / 50), lambda s: math.exp(-s / 25))
    (loss,) = found.compared
    assert loss.verdict == "undecided"
    assert (loss.lower, loss.steps) == (50, 50)
    assert "lower at 50 of 50" in number_rows(found)[0][-1]
    assert verdict_text(found).startswith("whether mine is better cannot be told: its loss (-0.")


def test_a_run_that_diverged_is_said_to_have(tmp_path: Path) -> None:
    """NaN from step 80 on: the steps before would call it better, so it is left undecided, and said first."""
    mine = noisy(0.5, 1)
    found = compared(tmp_path, noisy(1.0, 0), lambda s: mine(s) if s < 80 else math.nan)
    assert found.compared[0].verdict == "undecided"
    assert found.compared[0].reason == "mine has no number at 20 of 50 steps"
    assert verdict_text(found).startswith("mine lost its loss at step 80; whether mine is better cannot be told")


def test_uphill_steps_do_not_hide_the_rest(tmp_path: Path) -> None:
    """Headroom 0 at every tenth step, an infinite share: the medians of the others still tell twice the headroom."""
    base, mine = noisy(2.0, 0), noisy(4.0, 1)
    a = run(tmp_path / "a", noisy(1, 2), lambda s: 0.0 if s % 10 == 3 else base(s))
    b = run(tmp_path / "b", noisy(1, 3), lambda s: 0.0 if s % 10 == 7 else mine(s))
    share = compare_runs({"base": a, "mine": b}).compared[1]
    assert share.verdict == "better"
    assert share.difference.value == pytest.approx(0.5, rel=0.1)
    assert share.worst == ((math.inf, 3.0), (math.inf, 7.0))


def test_several_seeds_are_held_against_several(tmp_path: Path) -> None:
    """By construction: four seeds a side whose medians differ by far more than they scatter, and then by far less."""
    base = [run(tmp_path / f"a{n}", noisy(1.0 + 0.01 * n, n)) for n in range(4)]
    mine = [run(tmp_path / f"b{n}", noisy(0.5 + 0.01 * n, 10 + n)) for n in range(4)]
    found = compare_runs({"base": base, "mine": mine})
    assert found.compared[0].verdict == "better"
    assert "beyond the noise between seeds" in verdict_text(found)
    assert "One seed" not in worth_text(found)
    mixed = compare_runs({"base": [base[0], mine[0]], "mine": [base[1], mine[1]]})
    assert mixed.compared[0].verdict == "no difference seen"
    with pytest.raises(ValueError, match="the noise between seeds is not known of one run"):
        compare_runs({"base": base, "mine": mine[0]})
    copy = run(tmp_path / "copy", noisy(1.0, 0))
    with pytest.raises(ValueError, match="a copy is not another seed"):
        compare_runs({"base": [base[0], copy], "mine": mine})


def test_a_loss_on_other_data_is_no_training(tmp_path: Path) -> None:
    """By construction: the training loss is the same noise, that on held-out data halves: it is named."""
    folders: list[Path] = []
    for name, val in (("a", 1.0), ("b", 0.5)):
        folders.append(run(tmp_path / name, noisy(1.0, len(folders))))
        store = Store(folders[-1] / "rows.sqlite")
        for step in range(STEPS):
            store.append(step, {"val": {"loss": noisy(val, 7 + len(folders))(step), "accuracy": 0.5 / val}})
        store.close()
    said = verdict_text(compare_runs({"base": folders[0], "mine": folders[1]}))
    assert "is better in val.loss (-0." in said
    assert "is better in val.accuracy (+0.5 [+0.5, +0.5])" in said
    assert "trains" not in said
    assert "in loss no difference seen" in said


def test_a_studys_runs_are_told_apart_by_their_configs(tmp_path: Path) -> None:
    """Two finished runs of a study, without what a recorder writes down: their configs say what differs."""
    rows = {step: {"train": {"loss": noisy(1.0, 0)(step)}} for step in range(STEPS)}
    a, b = (keep(tmp_path / "study", {"optimizer": {"lr": lr}, "seed": 0}, rows) for lr in (0.1, 0.2))
    assert compare_runs({"base": a, "mine": b}).settings == {"optimizer.lr": ("0.1", "0.2")}


def test_a_seed_that_diverged_leaves_its_side_undecided(tmp_path: Path) -> None:
    """NaN in the last 20 steps of one seed of three: the median of the others would call its side better."""
    base = [run(tmp_path / f"a{n}", noisy(1.0 + 0.01 * n, n)) for n in range(3)]
    lost = noisy(0.5, 7)
    mine = [run(tmp_path / f"b{n}", noisy(0.5 + 0.01 * n, 10 + n)) for n in range(2)]
    mine.append(run(tmp_path / "b2", lambda s: lost(s) if s < 80 else math.nan))
    found = compare_runs({"base": base, "mine": mine})
    assert (found.compared[0].verdict, found.compared[0].reason) == (
        "undecided", "mine has no number at 20 of 50 steps",
    )  # fmt: skip
    assert found.broken == ("mine (b2) lost its loss at step 80",)
    assert repr(found) == "mine against base, 3 and 3 runs, steps 50 to 99: train.loss undecided"


def test_alarms_of_each_are_told(tmp_path: Path) -> None:
    """Two alarms stored in one run: counted, with the first in words."""
    b = run(tmp_path / "b", noisy(1, 1))
    store = Store(b / "rows.sqlite")
    for step in (30, 40):
        store.append(step, {ROWS: as_row([Alarm(step, "mine", "headroom/loss", "headroom", "below", value=0.5)])})
    store.close()
    base, mine = alarm_texts(compare_runs({"base": run(tmp_path / "a", noisy(1, 0)), "mine": b}))
    assert base == "base: no alarm."
    assert mine.startswith("mine: 2 alarms, the first at step 30: headroom is 0.5")


def test_steps_that_only_one_has_are_left_out_and_said(tmp_path: Path) -> None:
    """Schedules of 1 and of 3, and a run that ended early; none in common is refused with both schedules."""
    a = run(tmp_path / "a", noisy(1, 0), steps=range(100))
    b = run(tmp_path / "b", noisy(1, 1), steps=range(0, 60, 3))
    found = compare_runs({"base": a, "mine": b}, over=(0, 1))
    assert (found.common, found.compared[0].steps) == ((0, 57), 20)
    assert found.compared[0].reason == "20 steps are too few, 24 are needed"
    assert found.remarks == ("base measured 100 steps, from 0 to 99, every 1; 20 of them are common.",)
    c = run(tmp_path / "c", noisy(1, 1), steps=range(1, 60, 3))
    with pytest.raises(ValueError, match=r"no step was measured in all runs.*0 to 57, every 3.*1 to 58, every 3"):
        compare_runs({"base": b, "mine": c})


def test_mistakes_are_refused_before_any_work(tmp_path: Path) -> None:
    """Each with what was expected and found."""
    a, b = run(tmp_path / "a", noisy(1, 0)), run(tmp_path / "b", noisy(1, 1))
    with pytest.raises(ValueError, match="two sides are compared; found 1"):
        compare_runs({"base": a})
    with pytest.raises(ValueError, match=r"expected two shares of the steps.*found 1 and 0"):
        compare_runs({"base": a, "mine": b}, over=(1, 0))
    with pytest.raises(ValueError, match=r"not all runs have a number train\.los; all have train\.loss"):
        compare_runs({"base": a, "mine": b}, ["train.los"])
    Store(tmp_path / "empty" / "rows.sqlite").close()
    with pytest.raises(ValueError, match="no step was measured yet"):
        compare_runs({"base": a, "mine": tmp_path / "empty"})
