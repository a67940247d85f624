"""Plans: what a study would run, before any of it runs."""

import dataclasses
from collections import Counter
from typing import Any

import pytest

from clinometer.papers import load_study
from clinometer.papers.santurkar2018.configs import GAUSSIAN
from clinometer.studies.plan import plan

STUDY = load_study("santurkar2018")


def test_each_base_has_its_own_number_of_seeds() -> None:
    """By hand: at laptop scale 8 per convolutional arm, 20 per deep linear one."""
    configs = plan(STUDY, "laptop", ["figure_05"]).configs
    seeds = Counter((config.data, config["norm"]) for config in configs)
    assert set(seeds.values()) == {8, 20}
    assert all(count == (20 if data == GAUSSIAN else 8) for (data, _), count in seeds.items())
    assert len({config.seed for config in configs}) == 20


def test_a_number_of_seeds_is_for_all() -> None:
    """As the option says: seeds per arm."""
    configs = plan(STUDY, "laptop", ["figure_05"], seeds=2).configs
    assert set(Counter((config.data, config["norm"]) for config in configs).values()) == {2}


def test_a_papers_seeds_are_those_that_no_rule_was_tried_on() -> None:
    """Pilots have the seeds below 100: by default none of them is made, and the first seed changes nothing else."""
    for scale in STUDY.scales:
        ours, pilots = plan(STUDY, scale), plan(STUDY, scale, first_seed=0)
        first = min(config.seed for config in ours.configs)
        assert first >= 100
        assert ours.configs == [config.vary(seed=config.seed + first) for config in pilots.configs]
    assert "8 seeds (vgg), 20 seeds (dln) from 100 on" in plan(STUDY, "laptop", ["figure_05"]).about


def test_an_arms_seeds_follow_its_own() -> None:
    """By hand: two arms that differ in their seed alone have the runs of both, and the first seed shifts them all."""
    figure = STUDY.figures["figure_05"]
    arm = next(iter(figure.arms(STUDY.scales["smoke"].bases)))
    halves = dataclasses.replace(figure, arms=lambda _bases: [arm, arm.vary(seed=1000)])
    study = dataclasses.replace(STUDY, figures={"figure_05": halves}, claims=())
    assert [c.seed for c in plan(study, "smoke", seeds=2, first_seed=7).configs] == [7, 1007, 8, 1008]


def test_a_claims_seeds_are_those_of_its_own_arms() -> None:
    """C3 compares the VGGs of figures 1 and 2, C4 those of figure 5 as well: by hand, only C3's grow.

    C1, which shares an arm with C3, is still decided by its own three seeds.
    """
    planned = plan(STUDY, "smoke", first_seed=100, claim_seeds={"C3": 8})
    of = {claim.id: claim for claim in planned.claims}
    grown = {config for config in planned.configs if config.seed >= 103}
    assert grown == {run for run in planned.runs_of(of["C3"]) if run.seed >= 103}
    assert {run.seed for run in planned.runs_of(of["C3"])} == set(range(100, 108))
    shared = set(planned.arms_of(of["C1"])) & set(planned.arms_of(of["C3"]))
    assert shared
    assert {run.seed for run in planned.runs_of(of["C1"])} == {100, 101, 102}
    assert "3 to 8 seeds" in planned.about


def test_a_claims_seeds_replace_the_scales_and_both_give_way_to_a_number_for_all() -> None:
    """The largest of what is asked for, by hand; and a scale may ask for more seeds of a claim by itself."""
    own = dataclasses.replace(STUDY.scales["smoke"], claim_seeds={"C3": 8})
    study = dataclasses.replace(STUDY, scales={"smoke": own})

    def most(*given: int | None, **more: Any) -> int:
        return max(Counter(config.vary(seed=0) for config in plan(study, "smoke", (), *given, **more).configs).values())

    assert (most(), most(2), most(claim_seeds={}), most(2, claim_seeds={"C1": 4})) == (8, 2, 3, 4)
    assert most(5, claim_seeds={"C1": 4}) == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"first_seed": -1}, "--first-seed must lie in 0 to 1000000000; found -1"),
        ({"first_seed": 10**10}, "--first-seed must lie in 0 to"),
        ({"claim_seeds": {"C3": 0}}, "the seeds of C3 must be at least 1; found 0"),
        ({"claim_seeds": {"C33": 5}}, "no claim 'C33'"),
    ],
)
def test_seeds_that_make_no_sense_are_refused(given: dict[str, Any], message: str) -> None:
    """As a user would slip."""
    with pytest.raises(ValueError, match=message):
        plan(STUDY, "smoke", **given)


def test_nothing_is_planned_twice() -> None:
    """All figures together need fewer runs than one by one, since they share them."""
    whole = plan(STUDY, "smoke", claim_seeds={}).configs
    apart = [config for name in STUDY.figures for config in plan(STUDY, "smoke", [name], claim_seeds={}).configs]
    assert len(set(whole)) == len(whole) < len(apart)
    assert set(whole) == set(apart)


def test_early_runs_are_whole_seeds() -> None:
    """Every arm has its first seed before any has its second."""
    seeds = [config.seed for config in plan(STUDY, "smoke").configs]
    assert seeds == sorted(seeds)


def test_the_first_claim_can_be_decided_early() -> None:
    """The runs to make are those that are planned, and a first claim has all of its own within the first tenths."""
    planned = plan(STUDY, "smoke")
    order = planned.run_order
    assert set(order) == set(planned.configs)
    assert len(order) == len(planned.configs)
    last = sorted(max(order.index(run) for run in planned.runs_of(claim)) for claim in planned.claims)
    assert last[0] == min(len(planned.runs_of(claim)) for claim in planned.claims) - 1
    assert last[0] < len(order) / 4


def test_a_claim_brings_its_figures_and_no_others() -> None:
    """C7 is asked of both kinds of network, in figures 4 and 10."""
    planned = plan(STUDY, "smoke", ["C7"])
    assert planned.figures == ("figure_04", "figure_10")
    assert {"C7", "C8", "C9"} == {claim.id for claim in planned.claims}
    assert planned.used == ["vgg", "dln"]


def test_a_diagram_needs_no_run() -> None:
    """Figure 7 alone: nothing to train, nothing to read."""
    planned = plan(STUDY, "smoke", ["figure_07"])
    assert planned.configs == []
    assert planned.used == []


@pytest.mark.parametrize("scale", STUDY.scales)
def test_all_thirteen_figures_are_there_at_every_scale(scale: str) -> None:
    """The paper has 13, and 12 claims are made of it."""
    planned = plan(STUDY, scale)
    assert [f"figure_{n:02}" for n in range(1, 14)] == [name for name in planned.figures if name.startswith("figure")]
    assert {f"C{n}" for n in range(1, 13)} <= {claim.id for claim in planned.claims}
