"""The study's figures and claims on a made-up table whose truth is known, and its smallest scale from end to end."""

import json
from pathlib import Path

import numpy as np
import pytest
from norm_runs import BASES, SEEDS, STUDY, table
from reproducing import reproduce

from clinometer.papers.norms.configs import NORMS, VGG, arms, networks
from clinometer.papers.norms.quantities import QUANTITIES, of_norms
from clinometer.papers.norms.table import page
from clinometer.plots.matplotlib import draw
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Finding, decide
from clinometer.studies.plan import plan
from clinometer.studies.rules import CONFIRMATORY


def found(claim: str, runs: RunTable) -> Finding:
    (chosen,) = [each for each in STUDY.claims if each.id == claim]
    return decide(chosen, runs, BASES)


def test_every_scale_can_confirm() -> None:
    """A rule is confirmed by seeds from 100 on, and no two scales share one."""
    firsts = {name: scale.first_seed for name, scale in STUDY.scales.items()}
    assert min(firsts.values()) >= CONFIRMATORY
    assert len(set(firsts.values())) == len(firsts)
    for name in STUDY.scales:
        assert len({arm.key for arm in plan(STUDY, name).configs}) == len(plan(STUDY, name).configs)


def test_arms_are_both_networks_with_each_norm_at_both_rates() -> None:
    """Counted: 2 networks with each norm at 2 rates."""
    assert len(set(arms(BASES))) == len(arms(BASES)) == 2 * len(NORMS) * 2


def test_quantities_are_the_ones_that_were_written() -> None:
    """By hand: the k-th norm varies the loss by 0.9^k, a fourth root of 2 more in rate, 0.1 more in log odds."""
    runs, place = table(noise=0.0), np.arange(len(NORMS))
    for network in networks(BASES).values():
        for name in ("variation", "gap", "beta", "raw_variation", "raw_gap", "raw_beta"):
            expected = np.repeat(place[:, None] * np.log10(0.9), len(SEEDS), axis=1)
            np.testing.assert_allclose(of_norms(runs, network, name), expected, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(of_norms(runs, network, "largest")[:, 0], place / 4)
        np.testing.assert_allclose(of_norms(runs, network, "best")[:, 0], -2.0)
        np.testing.assert_allclose(of_norms(runs, network, "headroom")[:, 0], np.log10(4.0))
        np.testing.assert_allclose(of_norms(runs, network, "critical_sharpness")[:, 0], place * np.log10(0.9))
        np.testing.assert_allclose(of_norms(runs, network, "best_accuracy")[:, 0], -1 + 0.1 * place, atol=0.02)


def test_claims_hold_where_they_are_true() -> None:
    """Every norm is smoother than none by a tenth or more, and later ones train better.

    Only none is behind BatchNorm, by 0.1 in log odds, which is two points of accuracy where the margin is five.
    """
    runs = table()
    for claim in ("N1", "N2", "N3", "N4", "N5", "N6"):
        assert found(claim, runs).verdict == "holds", claim
    assert "{0} of {0}".format(len(NORMS) - 1) in found("N1", runs).note


def test_claims_fail_where_the_opposite_is_true() -> None:
    """The smoother a norm is, the worse it trains: ranks are reversed, and most norms are worse than BatchNorm."""
    runs = table(better=-1.0)
    for claim in ("N3", "N4", "N5", "N6"):
        assert found(claim, runs).verdict == "fails", claim
    assert found("N5", runs).parts[0].effect.value == pytest.approx(-1.0, abs=0.01)


def test_without_runs_nothing_is_decided() -> None:
    """A missing run is said, and no number is made up."""
    for claim in STUDY.claims:
        assert decide(claim, RunTable.of_arrays({}), BASES).verdict == "undecided"


def test_norms_without_runs_are_named_and_leave_the_rest_as_it_is() -> None:
    """The runs of two norms taken away: their parts are open, the others' numbers and the ranks of the others stay."""
    runs = table()
    fewer = runs.only([run for run in runs.configs if run["norm"] not in ("fixup", "l1")])
    whole, part = found("N1", runs), found("N1", fewer)
    assert "No finished runs of l1, fixup (vgg)" in part.note
    assert part.verdict == "undecided"
    for one, other in zip(whole.parts, part.parts, strict=True):
        if one.name.partition(":")[0] in ("fixup", "l1"):
            assert other.verdict == "undecided"
        else:
            assert other == one
    assert found("N5", fewer).parts[0].interval.n == len(NORMS) - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        for figure in STUDY.figures.values():
            assert draw(figure.draw(fewer, BASES))


def test_a_network_without_runs_leaves_the_other_one() -> None:
    """The VGG's runs alone: what is claimed of it is decided, and the ranks of the other network are not measured."""
    runs = table()
    half = runs.only([run for run in runs.configs if run.model == VGG])
    assert found("N1", half) == found("N1", runs)
    assert found("N2", half).verdict == found("N5", half).verdict == "undecided"
    assert found("N5", half).parts[0] == found("N5", runs).parts[0]
    assert [panel.title for panel in STUDY.figures["training"].draw(half, BASES).panels] == ["VGG", "VGG"]
    assert draw(STUDY.figures["smoothness"].draw(RunTable.of_arrays({}), BASES))


def test_figures_show_each_norm_at_its_numbers() -> None:
    """Matplotlib's own axes have as many names as there are norms; the description has the means over seeds."""
    runs = table(noise=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        training, smoothness = (STUDY.figures[name].draw(runs, BASES) for name in ("training", "smoothness"))
    for panel in training.panels:
        assert [point.name for point in panel.points] == list(NORMS)
        np.testing.assert_allclose([point.x for point in panel.points], 0.9 ** (np.arange(len(NORMS)) - 1), rtol=1e-6)
    for axes in draw(training).axes:
        assert {text.get_text() for text in axes.texts} == set(NORMS)
    for place, panel in enumerate(smoothness.panels):
        on = place % 2  # none, which is the first norm, or BatchNorm, the second
        assert [each.name for each in panel.estimates] == [norm for norm in NORMS if norm != NORMS[on]]
        expected = [0.9 ** (k - on) for k in range(len(NORMS)) if k != on]
        np.testing.assert_allclose([each.value for each in panel.estimates], expected, rtol=1e-6)


def test_tables_have_a_line_for_each_norm() -> None:
    """By hand: equal seeds, a best rate of 1/4 of every norm, and a headroom of 4."""
    lines = page(table(noise=0.0), BASES, "smoke").splitlines()
    assert sum(line.startswith("| `batch` |") for line in lines) == 4
    trained = [line for line in lines if line.startswith("| `linf` | 4 [4, 4] | 0.25 [0.25, 0.25] |")]
    assert len(trained) == 2


def test_every_quantity_has_a_unit_that_can_be_told() -> None:
    """The three scales on which norms are compared are those that the table can tell."""
    assert {quantity.scale for quantity in QUANTITIES.values()} == {"log10", "log2", "logit"}


@pytest.mark.long
def test_the_smoke_scale_is_made_by_one_command(tmp_path: Path) -> None:
    """As a reader makes it: every claim has parts with numbers, and every figure is there."""
    reproduce("norms", tmp_path / "norms")
    claims = json.loads((tmp_path / "norms" / "claims.json").read_text())
    assert [claim["id"] for claim in claims] == ["N1", "N2", "N3", "N4", "N5", "N6"]
    assert all(claim["parts"][0]["value"] is not None for claim in claims)
    for name in STUDY.figures:
        assert (tmp_path / "norms" / "figures" / f"{name}.png").is_file()
