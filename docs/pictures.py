"""Photograph the pages that the front page and the README show, by the Chromium that is installed.

    python docs/pictures.py [run_page study_page compare_page]

`run_page` trains the first runs of `tutorial.md` anew, and `compare_page` those of `compare.md`, some seconds each;
`study_page` is the page that `results/` keeps.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

from PIL import Image

from clinometer.cli import main

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1280, 960


def run_page(folder: Path) -> Path:
    """The page of the run that explodes in the tutorial."""
    run_and_call(folder, "tutorial.md", "## The layer", "report runs/sick")
    return folder / "runs" / "sick" / "report.html"


def compare_page(folder: Path) -> Path:
    """The page of the two runs of compare.md."""
    run_and_call(folder, "compare.md", "$ clinometer compare", "compare runs/base runs/mine --to page.html")
    return folder / "page.html"


def run_and_call(folder: Path, doc: str, until: str, command: str) -> None:
    """Run the Python of a page of the docs, as far as some words, and then a command."""
    told = (ROOT / "docs" / doc).read_text().partition(until)[0]
    with chdir(folder):
        exec("".join(re.findall(r"^```python\n(.*?)^```$", told, re.MULTILINE | re.DOTALL)), {})
        try:
            main(command.split())
        except SystemExit as ended:
            if ended.code:
                raise


def study_page(_: Path) -> Path:
    """The page of the paper at laptop scale, as it is kept."""
    return ROOT / "results" / "santurkar2018" / "laptop" / "report.html"


def photograph(page: Path, picture: Path) -> None:
    """What a screen shows of a page when it is opened, in few colours, so that the file is small."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is installed; a page is photographed by one of them.")
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"]
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [browser, *words, f"--user-data-dir={home}", f"--screenshot={picture}", page.resolve().as_uri()],
            check=True,
            capture_output=True,
            env=os.environ | {"HOME": home},
        )
    with Image.open(picture) as taken:
        taken.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(picture, optimize=True)


PICTURES: dict[str, Callable[[Path], Path]] = {
    "run_page": run_page,
    "study_page": study_page,
    "compare_page": compare_page,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            photograph(PICTURES[name](Path(folder)), IMAGES / f"{name}.png")
