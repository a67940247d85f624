"""Names that would do something, if they were taken for more than text: on pages, in figures, on terminals."""

import contextlib
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hostile_names import HOSTILE, STEERING, Tags
from PIL import Image
from rich.console import Group

from clinometer import Store
from clinometer.cli.errors import bad_input, print_error
from clinometer.cli.foreign_exits import CommandExit
from clinometer.pages.blocks import ranks_table
from clinometer.pages.console import PlainConsole
from clinometer.pages.progress import show_progress
from clinometer.pages.run_page.page import report_run
from clinometer.pages.tables import claims_table, theorems_table
from clinometer.pages.watch import watch
from clinometer.papers.santurkar2018.configs import vgg
from clinometer.plots.matplotlib import draw, save
from clinometer.readable.text import plain
from clinometer.runner.scheduler import Progress
from clinometer.studies.figure import Box, Diagram, Figure, Panel, Series

STEPS = np.arange(3)


# Of a page with charts, whose own tests hold them in a browser: the tags of SVG, and one script with its hash.
WITH_CHARTS = {
    *("html", "meta", "title", "style", "h1", "h2", "p", "pre", "table", "tr", "th", "td", "ul", "li", "b", "br"),
    *("small", "details", "summary", "span", "figure", "img", "figcaption"),
    "head",
    "body",
    "header",
    "nav",
    "main",
    "section",
    "footer",
    "div",
    "a",
    "h3",
    "strong",
    "em",
    "code",
}
WITH_CHARTS |= {"dl", "dt", "dd", "thead", "tbody", "caption", "svg", "g", "path", "rect", "defs", "clippath", "text"}
WITH_CHARTS |= {"tspan", "image", "desc", "script", "wbr"}


def seen_with_charts(path: Path) -> Tags:
    """What a browser would see: no tag but ours, and no attribute that does something."""
    page = path.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.tags <= WITH_CHARTS
    assert not {name for name in tags.attributes if name.startswith("on") or name in ("style", "src", "action")}
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in tags.attributes["href"])
    assert "default-src &#39;none&#39;" in page
    assert page.count("<script>") == 1
    assert not STEERING.search(page)
    return tags


def test_plain_text_is_left_alone_and_no_steering_character_is() -> None:
    """Unicode's own categories, over all of its first plane, are the truth."""
    assert plain("β·lr/2 ‖∇L‖ 漢字\n\tx é") == "β·lr/2 ‖∇L‖ 漢字\n\tx é"
    assert not STEERING.search(plain("".join(map(chr, range(0x10000)))))


def figure(name: str) -> Figure:
    line = Series(name, 0, STEPS, STEPS + 1.0, STEPS + 0.5, STEPS + 2.0)
    band = Series(f"{name} band", 1, STEPS, None, STEPS + 0.5, STEPS + 2.0)
    diagram = Diagram((Box(name, 0, 0), Box(name, 2, 0)), ((0, 1, name),))
    panels = (Panel(name, name, name, (line, band), yscale="log"), Panel(name, "", "", diagram=diagram))
    return Figure(name, name, panels)


@pytest.mark.parametrize("name", [HOSTILE[1] + HOSTILE[5], HOSTILE[6] + HOSTILE[7], HOSTILE[12]], ids=range(3))
def test_a_figure_draws_names_as_they_are(name: str, tmp_path: Path) -> None:
    """A parser of XML reads the SVG, Pillow the PNG; no mathematics is tried, and no label makes the image huge."""
    save(figure(name), tmp_path / "f")
    tags = {element.tag.rpartition("}")[2] for element in ET.parse(tmp_path / "f.svg").iter()}
    assert not tags & {"script", "image", "a", "foreignObject", "iframe", "img"}
    with Image.open(tmp_path / "f.png") as image:
        assert max(image.size) < 3_000


def test_a_name_that_begins_with_an_underscore_is_in_the_legend() -> None:
    """matplotlib leaves such labels out, and torch.compile gives every module one: `_orig_mod.head`."""
    drawn = draw(figure("_orig_mod.$x$"))
    assert [text.get_text().strip() for text in drawn.legends[0].get_texts()] == [
        r"_orig_mod.\$x\$",
        r"_orig_mod.\$x\$ band",
    ]


def told(*shown: object) -> str:
    out = io.StringIO()
    PlainConsole(file=out, width=20_000).print(Group(*shown))  # type: ignore[arg-type]
    assert not STEERING.search(out.getvalue())
    return out.getvalue()


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_terminal_shows_names_and_obeys_none(name: str) -> None:
    """What a terminal would receive, for plain text, tables and lines of progress: no escape, and every letter."""
    part = {"name": name, "verdict": "holds", "value": 1.0, "low": 0.5, "high": 2.0, "n": 3, "p": 0.5, "looks": [3]}
    part |= {"unit": name, "bounds": [0.0, None], "remark": name}
    claim = dict.fromkeys(("id", "statement", "note"), name)
    theorem = dict.fromkeys(("id", "hypothesis", "printed", "true", "cases"), name)
    broken = {"name": name, "false": 0.5, "error": 0.1}
    out = told(
        name,
        claims_table([claim | {"verdict": "holds", "parts": [part], "beside": [part], "seeds_needed": None}]),
        theorems_table([theorem | {"verdict": "failed", "breaks": [broken], "worst": 0.5}]),
        ranks_table("landscape_blocks", []),
    )
    expected = re.sub(r"\s+", "", plain(name).replace("�", ""))
    assert re.sub(r"\s+", "", out.replace("�", "")).count(expected) >= 6
    stream = io.StringIO()
    with show_progress(PlainConsole(file=stream, width=20_000)) as show:
        show(Progress(2, 1, 0, 0, (vgg(),), 1.0))
    assert "1 of 2 runs done" in stream.getvalue()


def test_colours_and_live_displays_still_work() -> None:
    """The console that takes names as text must still send Rich's own escapes."""
    out = io.StringIO()
    console = PlainConsole(file=out, width=80, force_terminal=True)
    with show_progress(console) as show:
        show(Progress(2, 1, 0, 0, (), 1.0))
        show(Progress(2, 2, 0, 0, (), 1.0))
    assert "\x1b[" in out.getvalue()
    assert "�" not in out.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose folder, probes, fields, layers and blocks all have hostile names."""
    folder = tmp_path_factory.mktemp("runs") / "<b>[red]$x$\x1b[2J"
    names = [name for name in HOSTILE if "\ud800" not in name]
    for step in (0, 10):
        with_names = {name: {name: 1.0, "layer": names, "l2": np.arange(len(names)) + 0.5} for name in names}
        blocks = {"block": names, "beta_lr_half": 0.3 * np.arange(len(names)) + step}
        with contextlib.closing(Store(folder / "rows.sqlite")) as store:
            store.append(step, {**with_names, "landscape_blocks": blocks})
    return folder


def test_a_run_of_hostile_names_is_stored_and_reported(folder: Path) -> None:
    """Through the store and back, name by name; then its page, with its figure of blocks."""
    names = [name for name in HOSTILE if "\ud800" not in name]
    with contextlib.closing(Store(folder / "rows.sqlite")) as store:
        assert store.probes() == sorted([*names, "landscape_blocks"])
        assert all(store.read(name)[name].tolist() == [1.0, 1.0] for name in names)
        with pytest.raises(ValueError, match="surrogates"):
            store.append(20, {"p": {HOSTILE[7]: 1.0}})
    report_run(folder)
    text = "".join(seen_with_charts(folder / "report.html").text)
    assert all(plain(name) in text for name in names)
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"report.html", "rows.sqlite"}


def test_a_run_of_hostile_names_is_watched(folder: Path) -> None:
    """What `clinometer watch` sends to the terminal has names, and no escapes of theirs."""
    out = io.StringIO()
    watch(folder, PlainConsole(file=out, width=20_000), once=True)
    assert not STEERING.search(out.getvalue())
    assert "[red]x[/] [/]" in out.getvalue()
    assert "]0;title" in out.getvalue()


def test_an_error_is_printed_without_its_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    """Errors quote what was found in a file."""
    with pytest.raises(CommandExit) as ended, bad_input():
        raise ValueError(f"no store at {HOSTILE[6]}[red]")
    print_error(ended.value.message)  # as `clinometer` does at its end
    said = capsys.readouterr().err
    assert not STEERING.search(said)
    assert "[red]" in said
