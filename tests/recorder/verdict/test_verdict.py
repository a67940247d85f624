"""Whether a run is well: the rule on runs whose answer is known in closed form, or was chosen."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clinometer import Recorder, Store, every, headroom, landscape, sharpness, step_norms
from clinometer.pages.run_page.tiles import tiles_of
from clinometer.probes.field import Field, declared_by, to_json
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import ROWS, as_row
from clinometer.recorder.verdict.verdict import BEYOND, NEAR, Verdict, number_text, verdict_of
from clinometer.results.run_tables import run_in

EXACT = headroom(precision=0.01)


def quadratic(rate: float, *probes: Any, steps: int = 8) -> Verdict:
    """The verdict on gradient descent on ½ Σ λᵢ wᵢ², from a point along the first axis, whose curvature is 4."""
    weights = {"steep": torch.tensor([1.0], requires_grad=True), "flat": torch.tensor([1e-3], requires_grad=True)}
    optimizer = torch.optim.SGD(weights.values(), lr=rate)

    def loss_fn(params: Any, _batch: Any) -> torch.Tensor:
        return 2.0 * params["steep"].square().sum() + 0.5 * params["flat"].square().sum()

    chosen = probes or [EXACT, headroom(blocks=["steep", "flat"])]
    recorder = Recorder(params=weights, loss_fn=loss_fn, probes=chosen, when=every(1), optimizer=optimizer)
    for _ in range(steps):
        with recorder.step(None):
            loss_fn(weights, None).backward()
            optimizer.step()
            optimizer.zero_grad()
    recorder.settle()
    return verdict_of(run_in(recorder.store))


@pytest.mark.parametrize("probe", [EXACT, sharpness(), landscape()], ids=["headroom", "sharpness", "walk"])
@pytest.mark.parametrize(
    ("share", "state"), [(0.25, "stable"), (0.7, "stable"), (0.9, "near the edge"), (1.5, "beyond the edge")]
)
def test_a_quadratic_is_judged_by_its_rate_over_2_through_its_curvature(share: float, state: str, probe: Any) -> None:
    """Closed form: on a quadratic of curvature 4 a rate of s · 2/4 has the share s, by each way to measure it."""
    verdict = quadratic(share * 2 / 4, probe)
    assert verdict.state == state
    assert verdict.edge is not None
    assert verdict.edge.peak == pytest.approx(share, rel=0.02)


def test_the_sentence_says_how_far_the_edge_was() -> None:
    """By hand: a share of 0.35 leaves 1/0.35 = 2.9 times; the steep parameter has all of the curvature."""
    verdict = quadratic(0.35 * 2 / 4)
    assert str(verdict).startswith("Stable: λ_c·lr/2 peaked at 0.35 at step ")
    assert "; every measured step could have been 2.9 times as long; nearest to the edge: `steep`" in str(verdict)
    assert verdict.hint == ""
    assert "first beyond the edge: `steep`" in str(quadratic(1.5 * 2 / 4))


def test_what_was_not_recorded_is_not_said() -> None:
    """Norms alone have no edge: no share, no layer nearest to it; the one that moves most is called just that."""
    verdict = quadratic(0.1, step_norms(blocks=["steep", "flat"]))
    assert verdict.state == "cannot be told"
    assert verdict.layer == "steep"
    assert verdict.layer_is == "moving most for its size"
    assert "edge: `" not in str(verdict)
    assert "Record headroom()" in verdict.hint
    assert 'headroom(blocks="layers") says it' in quadratic(0.1, headroom()).hint


def stored(rows: dict[str, dict[str, list[float]]], declared: Any = None, **facts: Any) -> Verdict:
    """The verdict on rows that are chosen: probe to field to a value for each step."""
    store = Store()
    names = {"headroom": headroom(), "step_norms": step_norms()}
    store.set_meta(fields=to_json(declared_by(names) | (declared or {})), **facts)
    for probe, fields in rows.items():
        for step, values in enumerate(zip(*fields.values(), strict=True)):
            store.append(10 * step, {probe: dict(zip(fields, values, strict=True))})
    return verdict_of(run_in(store))


@pytest.mark.parametrize(
    ("losses", "state"),
    [
        ([2.0, 1.0, math.inf], "diverged"),
        ([2.0, math.nan, math.nan], "diverged"),
        ([2.0, math.inf, 1.0], "beyond the edge"),
        ([2.0, 1.0, 0.5, *[1.9] * 10], "beyond the edge"),
        ([2.0, 1.0, 0.5, *[1.9] * 9, 0.4], "cannot be told"),
    ],
)
def test_losses_alone_tell_what_they_can(losses: list[float], state: str) -> None:
    """By hand: infinite at the end, infinite for a while, high for ten steps and for nine."""
    assert stored({"train": {"loss": losses}}).state == state


def test_an_unknown_loss_is_no_divergence() -> None:
    """`step_norms` writes NaN for a loss that it does not know; with an update that is NaN as well, it is one."""
    known = {"loss": [1.0, math.nan, math.nan], "total_update_norm": [0.1, 0.1, 0.1]}
    assert stored({"step_norms": known}).state == "cannot be told"
    assert stored({"step_norms": known | {"loss": [math.nan] * 3}}).state == "cannot be told"
    lost = known | {"total_update_norm": [0.1, math.nan, math.nan]}
    verdict = stored({"step_norms": lost})
    assert verdict.state == "diverged"
    assert "from step 10 on" in verdict.why


def test_who_trained_may_have_written_down_that_it_diverged() -> None:
    """A study's loop does so: the fact counts also where rows end before."""
    assert stored({"train": {"loss": [2.0, 1.0]}}, diverged_at=17).why == "the loss was not finite from step 17 on"


def test_a_lone_crossing_is_near_and_three_in_a_row_are_beyond() -> None:
    """By hand, of headroom 0.5, a share of 2; and fewer measured steps than three, all of them beyond."""
    assert stored({"headroom": {"loss": [4.0, 0.5, 4.0, 0.5, 0.5, 4.0]}}).state == "near the edge"
    assert stored({"headroom": {"loss": [4.0, 0.5, 0.5, 0.5, 4.0]}}).state == "beyond the edge"
    assert stored({"headroom": {"loss": [0.5]}}).state == "beyond the edge"
    assert "∞" in str(stored({"headroom": {"loss": [0.0, 0.0, 0.0]}}))
    assert stored({"headroom": {"loss": [math.nan, math.nan]}}).state == "cannot be told"


def test_an_alarm_is_no_good_sign() -> None:
    """The same run, once with an alarm among its rows."""
    store = Store()
    store.set_meta(fields=to_json(declared_by({"headroom": headroom()})))
    said = Alarm(0, "mine", "step_norms/update_ratio", "update_ratio", "rises", block="head", value=9.0)
    store.append(0, {"headroom": {"loss": 3.0}, ROWS: as_row([said])})
    verdict = verdict_of(run_in(store))
    assert verdict.state == "near the edge"
    assert verdict.why.startswith("an alarm at step 0, update_ratio of head; 1 / headroom peaked at 0.33 at step 0")


def test_a_users_own_limit_decides_where_nothing_else_does() -> None:
    """A probe of nobody's knowledge that declares a limit of 6: a share of ½, and headroom before it if recorded."""
    own = {"mine": {"speed": Field(worst="highest", limit=6.0, label="v")}}
    verdict = stored({"mine": {"speed": [1.0, 3.0, 2.0]}}, own)
    assert str(verdict) == "Stable: v / 6 peaked at 0.5 at step 10; its edge was 2 times as far."
    both = stored({"mine": {"speed": [9.0] * 3}, "headroom": {"loss": [4.0] * 3}}, own)
    assert both.state == "stable"


def test_a_run_without_rows_says_so() -> None:
    """Nothing was recorded, and nothing is claimed."""
    verdict = stored({})
    assert (verdict.state, verdict.why) == ("cannot be told", "no step was measured yet")


SHARES = st.lists(st.floats(0.0, 5.0) | st.just(math.inf) | st.just(math.nan), min_size=1, max_size=12)


@given(SHARES)
def test_the_state_is_what_the_thresholds_say_of_any_shares(shares: list[float]) -> None:
    """The rule written a second time, by NumPy's windows over the shares that are known."""
    declared = {"mine": {"x": Field(worst="highest", limit=1.0)}}
    verdict = stored({"mine": {"x": shares}}, declared)
    known = np.array([share for share in shares if not math.isnan(share)])
    if not len(known):
        assert verdict.state == "cannot be told"
        return
    windows = np.lib.stride_tricks.sliding_window_view(known > BEYOND, min(3, len(known)))
    expected = "near the edge" if known.max() >= NEAR else "stable"
    assert verdict.state == ("beyond the edge" if windows.all(axis=1).any() else expected)


def test_numbers_are_short() -> None:
    """What a sentence prints of a number is within 5% of it, over twelve orders of magnitude."""
    for value in np.geomspace(1e-6, 1e6, 97):
        assert float(number_text(float(value))) == pytest.approx(value, rel=0.06)


def test_the_rule_is_written_in_the_docs() -> None:
    """The page in docs has the thresholds of the code, and each state."""
    told = (Path(__file__).parents[3] / "docs" / "run_page.md").read_text()
    assert f"{NEAR:g}" in told
    assert f"{BEYOND:g}" in told
    for state in ("diverged", "beyond the edge", "near the edge", "stable", "cannot be told"):
        assert f"**{state}**" in told


def test_what_came_before_a_break_is_what_came_before_it() -> None:
    """By hand: a share of 2 at step 10 comes before an infinite loss at step 20, one at step 20 does not."""
    early = {"headroom": {"loss": [2.0, 0.5, 0.5]}, "train": {"loss": [1.0, 1.0, math.inf]}}
    assert stored(early).why == "the loss was not finite from step 20 on; 1 / headroom had passed 1 at step 10"
    late = early | {"headroom": {"loss": [2.0, 2.0, 0.5]}}
    assert stored(late).why == "the loss was not finite from step 20 on"


def test_a_headline_that_was_never_a_number_is_a_tile_of_its_own() -> None:
    """As in a run that diverged before a probe had its first row: NaN, and no line."""
    store = Store()
    store.append(0, {"mine": {"x": math.nan, "y": 1.0}})
    run = run_in(store)
    tiles = {tile.label: tile.value for tile in tiles_of(run, verdict_of(run))}
    assert tiles == {"mine: x": "NaN", "mine: y": "1"}
