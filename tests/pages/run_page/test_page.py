"""The page of one run, and the ranking of its blocks."""

import re
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from clinometer import Store, headroom, landscape
from clinometer.cli import main
from clinometer.pages.blocks import rank_texts
from clinometer.pages.run_page.page import report_run
from clinometer.pages.run_page.tiles import tiles_of
from clinometer.plots.matplotlib import draw
from clinometer.plots.run_figures import figures_of
from clinometer.probes.field import declared_by, to_json
from clinometer.probes.ranking import ranked
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import FIELDS, ROWS, as_row
from clinometer.recorder.verdict.verdict import verdict_of
from clinometer.results.run_tables import read_run, tables_of
from clinometer.studies.figure import Figure, Panel, Series

STEPS = np.arange(0, 50, 10)
DECLARED = declared_by({p.__name__: p for p in (landscape(blocks="layers"), headroom(blocks="layers"), headroom())})
NAMES = np.array([["calm", "late", "<b>early"]] * 5)


def test_the_block_that_breaks_first_comes_first() -> None:
    """A run whose answer we chose: one block crosses 1 at step 20, one higher but later, one never."""
    beta = np.array([[0.1, 0.1, 0.5], [0.1, 0.2, 0.9], [0.3, 0.4, 1.1], [0.2, 5.0, 1.2], [0.1, 9.0, 0.8]])
    tables = {"landscape_blocks": {"step": STEPS, "block": NAMES, "beta_lr_half": beta}}
    ranking = ranked(tables, DECLARED)["landscape_blocks"]
    assert ranking.label == "β·lr/2"
    assert [(r.block, r.beyond, r.highest, r.step) for r in ranking.ranks] == [
        ("<b>early", 20, 1.2, 30),
        ("late", 30, 9.0, 40),
        ("calm", None, 0.3, 20),
    ]


def test_blocks_are_ranked_by_what_has_numbers() -> None:
    """By hand: with momentum β·lr/2 is NaN, and the share of the optimizer's own threshold ranks; else nothing."""
    nothing, share = np.full((5, 3), np.nan), np.array([[0.1, np.nan, 0.3]] * 5)
    table = {"step": STEPS, "block": NAMES, "beta_lr_half": nothing, "beta_over_threshold": share, "beta": 9 * share}
    ranking = ranked({"landscape_blocks": table}, DECLARED)["landscape_blocks"]
    assert ranking.label == "β/threshold"
    assert [rank_texts(rank) for rank in ranking.ranks] == [
        ("<b>early", "0.3", "0.3", "0", "–"),
        ("calm", "0.1", "0.1", "0", "–"),
        ("late", "nan", "–", "–", "–"),
    ]
    assert ranked({"landscape_blocks": {**table, "beta_over_threshold": nothing}}, DECLARED) == {}


def test_headroom_is_ranked_by_what_it_leaves() -> None:
    """Headroom ½ is a share of 2, infinite headroom one of 0, and a step of no length (NaN) is no danger."""
    room = np.array(
        [[np.inf, 4.0, 2.0], [np.inf, 2.0, 1.5], [np.nan, 1.0, 0.5], [np.nan, 2.0, 4.0], [8.0, 2.0, np.nan]]
    )
    ranking = ranked({"headroom_blocks": {"step": STEPS, "block": NAMES, "loss": room}}, DECLARED)["headroom_blocks"]
    assert ranking.label == "1 / headroom"
    assert [(r.block, r.beyond, r.highest) for r in ranking.ranks] == [
        ("<b>early", 20, 2.0),
        ("late", None, 1.0),
        ("calm", None, 0.125),
    ]


def test_a_recorders_folder_gives_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through the command: both figures, the ranking, and names that look like markup kept as text."""
    store = Store(tmp_path / "rows.sqlite")
    store.set_meta(fields=to_json(DECLARED))
    for step in STEPS:
        store.append(
            int(step),
            {
                "landscape_blocks": {"block": NAMES[0], "beta_lr_half": [0.1, 0.2, 0.02 * step]},
                "headroom": {"loss": 3.0, "critical_sharpness": 1.5, "evaluations": 7},
            },
        )
    store.close()
    with pytest.raises(SystemExit) as ended:
        main(["report", str(tmp_path)])
    assert ended.value.code == 0
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;early" in page
    assert "<b>early" not in page
    assert {"headroom-numbers", "landscape_blocks-layers"} <= set(
        re.findall(r'<figure class="chart" id="([^"]+)"', page)
    )
    assert "early" in capsys.readouterr().out
    assert [rank.block for rank in report_run(tmp_path).rankings["landscape_blocks"].ranks] == [
        "<b>early",
        "late",
        "calm",
    ]


def test_alarms_lead_the_page_and_are_marked_in_what_is_drawn_over_steps(tmp_path: Path) -> None:
    """Two alarms of one step and one of another, stored as a recorder does: read from the page and from the axes."""
    said = [
        Alarm(20, "mine", "headroom/loss", "headroom", "below", value=0.5, limit=1.0, advice="lower the <rate>"),
        Alarm(20, "other", "landscape/beta", "β", "rises", value=9.0, usual=3.0),
        Alarm(40, "mine", "headroom/loss", "headroom", "not finite"),
    ]
    store = Store(tmp_path / "rows.sqlite")
    store.set_meta(fields=to_json(DECLARED | {ROWS: FIELDS}))
    for step in map(int, STEPS):
        now = [alarm for alarm in said if alarm.step == step]
        store.append(step, {"headroom": {"loss": 3.0}} | ({ROWS: as_row(now)} if now else {}))
    store.close()
    report_run(tmp_path)
    page = (tmp_path / "report.html").read_text()
    for alarm in said:
        assert str(alarm).replace("<", "&lt;").replace(">", "&gt;") in page
    assert page.index("step 40: ") < page.index('id="probe-headroom"'), "before everything that was measured"
    figure = figures_of(*tables_of(tmp_path))["numbers"]
    lines = [line for line in draw(figure).axes[0].lines if line.get_label() == "alarm"]
    assert [list(line.get_xdata()) for line in lines] == [[20, 20], [40, 40]]


def test_of_many_alarms_the_first_are_shown(tmp_path: Path) -> None:
    """By count: a page that is to be read does not hold thousands of them, and says how many it leaves out."""
    store = Store(tmp_path / "rows.sqlite")
    for step in range(30):
        store.append(step, {"p": {"x": 1.0}, ROWS: as_row([Alarm(step, "mine", "p/x", "x", "above")])})
    store.close()
    report_run(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert page.count('<li class="alarm">') == 21
    assert "step 19: " in page
    assert "step 20: " not in page
    assert "and 10 more, which `clinometer.load` has" in page


def test_tiles_of_one_label_say_their_probe(tmp_path: Path) -> None:
    """Two walks have a β · lr / 2 each, and one label: a reader could not tell which of them is near its edge."""
    both = {p.__name__: p for p in (landscape(), landscape(direction="random"))}
    with closing(Store(tmp_path / "rows.sqlite")) as store:
        store.set_meta(fields=to_json(declared_by(both)))
        store.append(0, {name: {"beta_lr_half": 0.5} for name in both})
    run = read_run(tmp_path)
    labels = [tile.label for tile in tiles_of(run, verdict_of(run))]
    assert sorted(labels) == ["landscape: β·lr/2", "landscape_random: β·lr/2"]


def test_a_negative_loss_is_drawn_whole() -> None:
    """Log-likelihoods and policies have negative losses, which a logarithmic axis would leave out: the limits tell."""
    loss = Series("loss", 0, STEPS, np.array([100.0, -5.0, -50.0, -80.0, -90.0]))
    axes = draw(Figure("f", "", (Panel("p", "step", "loss", (loss,), yscale="log"),))).axes[0]
    assert axes.get_ylim()[0] < -90


def test_long_names_fit_into_the_legend() -> None:
    """The names are what a figure of blocks is for: the legend must lie within the canvas, as it is drawn."""
    lines = tuple(Series(f"blocks.{i}.attention.heads.0.value", i, STEPS, STEPS + 1.0) for i in range(6))
    canvas = draw(Figure("f", "", (Panel("p", "step", "β", lines, yscale="log"),)))
    canvas.draw_without_rendering()
    box = canvas.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= canvas.bbox.x1
