"""Pages in a real browser: the fixture `page`, and `check_page`, what every page of ours must be.

One Chromium is started for a session. It is Debian's, or the one that CLINOMETER_CHROMIUM names.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PHONE, DESK = {"width": 390, "height": 800}, {"width": 1280, "height": 900}

# Of each chart: does each of its canvases have coloured pixels, or, where it has none, each of its drawings a mark.
_MARKED = """() => [...document.querySelectorAll("figure.chart")].map((figure) => {
  const coloured = (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue] = data.subarray(at, at + 3);
      if (data[at + 3] > 40 && Math.max(red, green, blue) - Math.min(red, green, blue) > 24) count += 1;
    }
    return count;
  };
  const sized = (mark) => { const box = mark.getBoundingClientRect(); return box.width + box.height > 1; };
  const panels = [...figure.querySelectorAll(".panel")].filter((panel) => panel.offsetParent);
  return [figure.id, panels.length, panels.every((panel) => {
    const canvas = panel.querySelector("canvas");
    return canvas ? coloured(canvas) > 20 : [...panel.querySelectorAll("path, rect, circle, image")].some(sized);
  })];
})"""

# Canvases remember what is written on them: uPlot writes below an axis centred, and beside one right-aligned.
_REMEMBER_TEXT = """() => {
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    (this.canvas.written ??= []).push([this.textAlign, text]);
    return write.call(this, text, ...place);
  };
}"""
_WITHOUT_TICKS = """() => [...document.querySelectorAll("figure.chart")].filter((figure) => {
  const canvases = [...figure.querySelectorAll(".panel canvas")].filter((canvas) => canvas.offsetParent);
  const ticks = (canvas, align) => (canvas.written || []).filter(([how, text]) => how === align && text).length;
  return canvases.some((canvas) => ticks(canvas, "center") < 2 || ticks(canvas, "right") < 2);
}).map((figure) => figure.id)"""


def chromium_path() -> str | None:
    """Where Chromium is, if it is installed."""
    named = os.environ.get("CLINOMETER_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests of a session."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium is found; name one by CLINOMETER_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses it to root
        browser = playwright.chromium.launch(executable_path=path, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """An empty page; `page.errors` has what the console called an error, and a policy's refusals."""
    context = chromium.new_context(viewport=DESK, color_scheme="light", accept_downloads=True)
    context.set_default_timeout(60_000)
    context.add_init_script(f"({_REMEMBER_TEXT})()")
    opened = context.new_page()
    opened.errors = []
    opened.on("console", lambda message: opened.errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    yield opened
    context.close()


def show(page: Any, path: Path) -> None:
    """Open a page and scroll over all of it, so that every chart is drawn."""
    page.goto(path.resolve().as_uri())
    for chart in page.locator("figure.chart").all():
        chart.evaluate("(chart) => chart.scrollIntoView({ behavior: 'instant' })")
        if chart.locator(".by-script").count():
            chart.locator("canvas").first.wait_for()
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")


def check_page(page: Any, path: Path) -> None:
    """No error on the console, marks and ticks in each figure, no violation that axe knows, a phone's width."""
    show(page, path)
    charts = page.evaluate(_MARKED)
    assert [name for name, panels, marked in charts if not (panels and marked)] == [], "figures without marks"
    assert page.evaluate(_WITHOUT_TICKS) == [], "figures with an axis without ticks"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == [], scheme
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert violations(page) == [], "on a phone"
    page.set_viewport_size(DESK)
    assert page.errors == []


def violations(page: Any) -> list[str]:
    """What axe finds at any level: the rule, and the first place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [f"{each['id']} ({len(each['nodes'])}): {each['nodes'][0]['html'][:300]}" for each in found]


def coloured(page: Any, selector: str) -> int:
    """How many pixels of the first canvas in there are neither transparent nor grey."""
    return page.locator(f"{selector} canvas").first.evaluate("""(canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue] = data.subarray(at, at + 3);
        if (data[at + 3] > 40 && Math.max(red, green, blue) - Math.min(red, green, blue) > 24) count += 1;
      }
      return count;
    }""")
