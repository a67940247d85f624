"""A page of parts in a real Chromium: what it draws, what its controls change, and what remains without script."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import check_page, coloured, show
from jinja2 import FileSystemLoader

from clinometer.pages.html import engine
from clinometer.plots.data import COLUMNS, table
from clinometer.studies.figure import Figure, HeatMap, Heights, Mark, Panel, Ridges, Series, Vertical, Walk

STEPS = np.arange(0, 200, 2)
HOSTILE = "</script><script>document.title = 'broken out'</script><!-- <img src=x onerror=alert(1)>\x1b[2J' \" &lt;"


def seeds(shift: float) -> dict[str, Any]:
    each = np.exp(-STEPS / 60) * np.linspace(0.7, 1.4, 3)[:, None] + shift
    return {"y": each.mean(0), "low": each.min(0), "high": each.max(0), "each": each, "seeds": (0, 1, 2)}


def figures() -> dict[str, Figure]:
    broken = np.where(STEPS[-1] == STEPS, np.inf, np.exp(-STEPS / 50))
    arms = (Series("with BatchNorm", 0, STEPS, **seeds(0.1)), Series("without", 1, STEPS, **seeds(0.5), dashed=True))
    bound = Series("2/lr", "reference", STEPS, np.full(len(STEPS), 1.0))
    at = np.linspace(-1, 1, 9)
    heights = Heights(at, at, np.add.outer(at**2, at**2), "loss", marks=(Mark("origin", 0, 0),))
    sizes = np.tile(np.linspace(0.5, 4, 8), (20, 1))
    counts = np.tile(np.arange(8.0), (10, 1))
    ridges = Ridges(0, STEPS[:10], np.tile(np.linspace(-1, 1, 9), (10, 1)), counts)
    layers = tuple(
        Panel(f"panel of {name}", "step", "β", (Series("β", 2, STEPS, broken + place),), group=name)
        for place, name in enumerate(("conv1", "conv2"))
    )
    cells = np.add.outer(np.arange(3.0), STEPS / 100)
    cells[1, 4:6] = np.inf, np.nan
    heat = HeatMap(("first", "second", "third"), STEPS, cells, "share", 1.0)
    many = tuple(Series(f"arm {n}", n, STEPS, **seeds(0.1 * n)) for n in range(5))
    return {
        "arms": Figure(
            "Arms",
            "Line: mean; band: range.",
            (
                Panel("loss", "step", "loss", (*arms, bound), yscale="log"),
                Panel("again", "step", "loss", arms[:1], verticals=(Vertical("alarm", 60.0),)),
            ),
        ),
        "layers": Figure("Layers", "One layer at a time.", layers),
        "walk": Figure(
            "Walk",
            "Along the step.",
            (Panel("", "size", "loss", walk=Walk(np.arange(20), sizes, sizes**2 / (1 + np.arange(20)[:, None]))),),
        ),
        "heat": Figure(
            "Heat", "A row for each.", (Panel("share", "step", "", heat_map=heat), Panel("", "step", "loss", arms))
        ),
        "many": Figure("Many", "Five ranges.", (Panel("", "step", "loss", many),)),
        "others": Figure(
            "Others", "Drawn once.", (Panel("", "a", "b", heights=heights), Panel("", "a", "b", ridges=ridges))
        ),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("page") / "page.html", "A page", figures())


def write(path: Path, name: str, shown: Mapping[str, Figure]) -> Path:
    made = engine._engine().overlay()
    made.loader = FileSystemLoader([Path(__file__).parent, *engine._engine().loader.searchpath])  # type: ignore[union-attr]
    text = made.get_template("kit.html.j2").render(sheet="", name=name, figures=shown, walked=np.sin(np.arange(40)))
    path.write_text(text, encoding="utf-8")
    return path


def test_a_page_is_what_every_page_must_be(page: Any, made: Path) -> None:
    """Chromium and axe judge: nothing is refused or wrong, nothing is wider than a phone, in light and in dark."""
    check_page(page, made)


def test_a_legend_button_takes_its_line_away(page: Any, made: Path) -> None:
    """Counting coloured pixels of the canvas before, between and after."""
    show(page, made)
    button = page.locator("#arms .legend button", has_text="without")
    before = coloured(page, "#arms")
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    between = coloured(page, "#arms")
    button.click()
    assert between < 0.8 * before
    assert coloured(page, "#arms") == before


def test_one_seed_or_all_of_them(page: Any, made: Path) -> None:
    """A band has more coloured pixels than three lines, and three lines more than one."""
    show(page, made)
    found: dict[str, int] = {}
    for choice in ("all", "each", "2"):
        page.locator('#arms [data-choice="seeds"]').select_option(choice)
        found[choice] = coloured(page, "#arms")
    assert found["all"] > found["each"] > found["2"] > 0


def test_an_axis_may_be_logarithmic(page: Any, made: Path) -> None:
    """The picture's own bytes: a logarithmic axis moves every line, and back again each is where it was."""
    show(page, made)
    canvas = page.locator("#arms canvas").first
    choice = page.locator('#arms [data-choice="axis"]')
    pictures: list[str] = []
    for axis in ("drawn", "linear", "log"):
        choice.select_option(axis)
        pictures.append(canvas.evaluate("(canvas) => canvas.toDataURL()"))
    assert pictures[0] != pictures[1]
    assert pictures[0] == pictures[2], "it is drawn on a logarithmic one"


def test_one_layer_is_shown_at_a_time(page: Any, made: Path) -> None:
    """What is laid out, by its box."""
    show(page, made)
    panels = page.locator("#layers .panel")
    assert [panels.nth(at).is_visible() for at in range(2)] == [True, False]
    page.locator('#layers [data-choice="group"]').select_option("conv2")
    assert [panels.nth(at).is_visible() for at in range(2)] == [False, True]
    assert coloured(page, "#layers .panel:nth-child(2)") > 20


def test_values_at_the_cursor_are_the_figures_own(page: Any, made: Path) -> None:
    """Arrow keys move along the steps; what is said there is the figure's value, in every panel of it."""
    show(page, made)
    page.locator("#arms .canvas").first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    series = figures()["arms"].panels[0].series[0]
    assert series.y is not None
    for panel in range(2):
        said = page.locator("#arms .readout").nth(panel).inner_text()
        assert "step 4" in said
        assert f"{series.y[2]:.4g}" in said


def test_an_infinite_value_is_marked_and_named(page: Any, made: Path) -> None:
    """The last value is infinite: it is said so, the legend has its mark, and pixels stand at the frame above it."""
    show(page, made)
    page.locator("#layers .canvas").first.press("End")
    assert "∞" in page.locator("#layers .readout").first.inner_text()
    assert page.locator("#layers .legend li", has_text="infinite").count() == 1
    corner = page.locator("#layers canvas").first.evaluate("""(canvas) => {
      const { width } = canvas;
      const { data } = canvas.getContext("2d").getImageData(width - 60, 0, 60, 30);
      return [...data].filter((_, at) => at % 4 === 3 && data[at] > 200).length;
    }""")
    assert corner > 10


def test_a_walk_is_shown_at_the_slider_s_step(page: Any, made: Path) -> None:
    """The keyboard moves the slider, its text says where, and the picture changes."""
    show(page, made)
    slider, canvas = page.locator("#walk input[type=range]"), page.locator("#walk canvas").first
    before = canvas.evaluate("(canvas) => canvas.toDataURL()")
    slider.press("Home")
    assert page.locator("#walk output").inner_text() == "step 0"
    assert canvas.evaluate("(canvas) => canvas.toDataURL()") != before


def test_data_and_drawing_can_be_kept(page: Any, made: Path, tmp_path: Path) -> None:
    """NumPy reads the numbers again; the drawing is XML, which names no variable of a page."""
    show(page, made)
    with page.expect_download() as kept:
        page.locator("#layers .chart-tools button", has_text="CSV").click()
    kept.value.save_as(table := tmp_path / "kept.csv")
    read = np.genfromtxt(table, delimiter=",", names=True, dtype=None, encoding="utf-8")
    values = figures()["layers"].panels[0].series[0].y
    assert values is not None
    assert np.allclose(read["y"][: len(values)], values, rtol=1e-3)
    assert read.dtype.names == COLUMNS
    with page.expect_download() as kept:
        page.locator("#arms .chart-tools button", has_text="SVG").click()
    kept.value.save_as(drawing := tmp_path / "kept.svg")
    page.goto(drawing.as_uri())
    assert page.locator("svg svg").count() >= 2, "panels, and what the legend has"
    assert "var(" not in drawing.read_text(encoding="utf-8")


def test_every_figure_has_csv_with_the_numbers_of_its_file(page: Any, made: Path, tmp_path: Path) -> None:
    """The CSV that a command writes beside a drawing, read by Python: the same rows, each number to its four digits."""
    show(page, made)
    for name in ("heat", "others"):
        with page.expect_download() as kept:
            page.locator(f"#{name} .chart-tools button", has_text="CSV").click()
        kept.value.save_as(file := tmp_path / f"{name}.csv")
        page_s, own = (list(csv.reader(io.StringIO(text))) for text in (file.read_text(), table(figures()[name])))
        assert sorted(row[:5] for row in page_s) == sorted(row[:5] for row in own)
        shown = sorted((row for row in page_s[1:] if row[2] != "line"), key=_place)
        expected = sorted((row for row in own[1:] if row[2] != "line"), key=_place)
        for one, other in zip(shown, expected, strict=True):
            for a, b in zip(one[5:], other[5:], strict=True):
                assert a == b == "" or np.isclose(float(a), float(b), rtol=1e-3, atol=1e-9, equal_nan=True), (
                    one,
                    other,
                )


def _place(row: list[str]) -> tuple[object, ...]:
    return (*row[:5], *(round(float(cell or 0), 3) for cell in row[5:7] if cell != "nan"))


def test_a_heat_map_says_its_cell_and_shares_the_cursor(page: Any, made: Path) -> None:
    """Keys go over steps and rows: what is said is the figure's own cell; the chart beside it is at the same step."""
    show(page, made)
    cells = page.locator("#heat .canvas").first
    cells.focus()
    page.keyboard.press("Home")  # the cursor begins in the row that has the highest value
    assert page.locator("#heat .readout").first.inner_text().split("\n") == ["step 0", "second: 1"]
    page.keyboard.press("ArrowUp")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.locator("#heat .readout").first.inner_text().split("\n") == ["step 10", "first: 0.1"]
    assert "step 10" in page.locator("#heat .readout").nth(1).inner_text()
    page.keyboard.press("ArrowDown")
    assert "second: not known" in page.locator("#heat .readout").first.inner_text()
    page.keyboard.press("ArrowLeft")
    assert "second: ∞" in page.locator("#heat .readout").first.inner_text()
    assert page.locator("#heat .legend li", has_text="infinite").count() == 1


def test_a_heat_map_says_what_the_mouse_is_at(page: Any, made: Path) -> None:
    """The middle of the last row, by its box: of three rows the third, of steps 0 to 198 about 99."""
    show(page, made)
    over = page.locator("#heat .u-over").first
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.9 * box["height"])
    step, value = page.locator("#heat .readout").first.inner_text().split("\n")
    at = int(step.removeprefix("step "))
    assert 96 <= at <= 102
    assert value == f"third: {2 + at / 100:.4g}"


def test_many_ranges_are_bars_and_the_one_that_is_looked_at_is_a_band(page: Any, made: Path) -> None:
    """Coloured pixels: five bands would fill more than bars do; the band of the focused arm comes, and goes again."""
    show(page, made)
    few, button = coloured(page, "#many"), page.locator("#many .legend button").first
    button.focus()
    focused = page.locator("#many canvas").first.evaluate("(canvas) => canvas.toDataURL()")
    button.blur()
    assert coloured(page, "#many") == few
    assert page.locator("#many canvas").first.evaluate("(canvas) => canvas.toDataURL()") != focused
    for other in page.locator("#many .legend button").all()[3:]:
        other.click()
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    assert coloured(page, "#many") > few, "three ranges are bands"


def test_a_long_block_is_packed_and_drawn_the_same(page: Any, tmp_path: Path) -> None:
    """A spike of one seed among 3 000 steps, in a block that gzip packed: Chromium unpacks it, and says the spike."""
    x = np.arange(3_000)
    each = np.random.default_rng(0).normal(size=(50, len(x)))
    each[17, 1234] = 77.0
    series = Series("a", 0, x, each.mean(0), each.min(0), each.max(0), each=each, seeds=tuple(range(50)))
    path = write(tmp_path / "page.html", "Long", {"long": Figure("Long", "", (Panel("", "step", "y", (series,)),))})
    assert 'type="application/gzip"' in path.read_text(encoding="utf-8")
    show(page, path)
    page.locator('#long [data-choice="seeds"]').select_option("17")
    over = page.locator("#long .u-over")
    box = over.bounding_box()
    page.locator("#long .canvas").focus()
    said = {page.locator("#long .readout").inner_text() for _ in range(60) if not page.keyboard.press("ArrowRight")}
    assert "step 1234\na 77" in said
    assert box["width"] > 100
    assert page.errors == []


def test_rows_are_chosen_by_verdict(page: Any, made: Path) -> None:
    """What is visible."""
    show(page, made)
    rows = page.locator("[data-verdict]")
    page.locator('[data-filter="holds"]').click()
    assert [rows.nth(at).is_visible() for at in range(2)] == [False, True]


def test_without_script_all_is_there(chromium: Any, made: Path) -> None:
    """A browser without script: every figure's drawings have size, captions are read, no control is dead."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(made.as_uri())
    drawings = page.locator("figure .panel > svg")
    assert drawings.count() == sum(len(figure.panels) for figure in figures().values())
    assert all((drawings.nth(at).bounding_box() or {})["height"] > 50 for at in range(drawings.count()))
    assert page.locator("button:visible, select:visible, input:visible").count() == 0
    assert "Line: mean; band: range." in page.locator("body").inner_text()
    context.close()


def test_on_paper_drawings_stand_in_for_charts(page: Any, made: Path) -> None:
    """Printed media: canvases and controls are hidden, drawings are not."""
    show(page, made)
    page.emulate_media(media="print")
    assert page.locator("canvas:visible, .chart-tools:visible, nav:visible").count() == 0
    shown = page.locator("figure .panel > svg:visible").count()
    assert shown == sum(len(figure.panels) for figure in figures().values())


def test_hostile_names_do_not_break_out(page: Any, tmp_path: Path) -> None:
    """Chromium runs nothing of theirs: the title is theirs as text, no element of theirs is there, no error."""
    series = (Series(HOSTILE, 0, STEPS, STEPS + 1.0), Series(f"{HOSTILE}2", 1, STEPS, STEPS + 2.0))
    panel = Panel(HOSTILE, HOSTILE, HOSTILE, series, verticals=(Vertical(HOSTILE, 5.0),), group=HOSTILE)
    path = write(tmp_path / "page.html", HOSTILE, {HOSTILE: Figure(HOSTILE, HOSTILE, (panel,))})
    show(page, path)
    page.locator(".legend button").first.click()
    assert page.title().startswith("</script>")
    assert page.locator("img, body > script:not(:last-child)").count() == 0
    assert "\x1b" not in page.content()
    assert page.errors == []


def test_the_policy_names_one_script_and_one_style(made: Path) -> None:
    """The text of the page: no 'unsafe-' anything, no style attribute, no address."""
    text = made.read_text(encoding="utf-8")
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert len(policy) == 1
    assert policy[0].count("sha256-") == 2
    assert "unsafe" not in policy[0]
    assert not re.search(r"<[^>]+ style=", text)
    assert len(text) < 500_000
