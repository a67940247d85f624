"""Write the tables of the README and the docs that follow from `results/` and from the list of probes.

A table stands between `<!-- KEY -->` and `<!-- end -->`, where KEY is one of

- `claim C7`: the parts of a claim of the first paper, with a column for each scale that has results;
- `verdicts`: the confirmatory verdicts of all its claims, with the seeds that an undecided one would take;
- `outcome`: which claims hold, fail, depend on the scale or are open, in a sentence each;
- `forest PATH`: the confirmatory effects as a picture in PATH; `seeds`: the seeds behind each scale's verdicts;
- `probes PATH`: every probe, what it tells and its cost, with links to the pages in PATH;
- `papers PATH`: which claims of each paper hold, fail or are open, with links to the pages in PATH; `tally PATH`: the
  same by the claims' numbers alone;
- `kept`: the studies and scales that `results/` has, and what they were made of;
- `claims NAME`: the claims of a paper, with a column for each scale that has results;
- `norms PART`: a part of the table of all norms, by its heading;
- `learning_rates`: the scores of `suggest_lr` and other predictors on the held-out set;
- `fields NAME`: the fields of a probe's rows; `pages` and `reference`: the probes' pages and their entries;
- `commands`: every command with its arguments, and what it does;
- `names`: every public name, and the page of the reference that describes it;
- `signals`: what signals of every step cost, if that was measured; else what stands there stays;
- `alarms`, `alert NAME`, `rates`, `advice NAME`: how often alarms, suggested learning rates and advice are right.

`python docs/fill.py` rewrites the pages and `llms.txt` and draws the picture; tests compare both with what it would
write.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from generators import claims, commands, names, papers, probes, scores
from generators.kept import NOTHING, confirmed
from generators.llms import llms
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clinometer.plots.forest import forest_figure
from clinometer.plots.matplotlib import save
from clinometer.studies.figure import Figure

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
IMAGES = ROOT / "docs" / "images"
FOREST = IMAGES / "claims.png"
LLMS = ROOT / "docs" / "llms.txt"
PAGES = (
    *(ROOT / name for name in ("README.md", "mkdocs.yml", "results/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)


def filled(text: str, results: Path = RESULTS) -> str:
    """The page with every table made anew."""

    def table(match: re.Match[str]) -> str:
        made = TABLES[match["kind"]](match["rest"], results)
        return match[0] if made is None else f"{match['head']}\n{made}\n{match['indent']}<!-- end -->"

    return TABLE.sub(table, text)


def forest(results: Path = RESULTS) -> Figure:
    """The confirmatory effects of the paper's claims and of our findings, each by the parts that decide it."""
    sure = confirmed(claims.of_first_paper(results))
    shown = {scale: [row for row in rows.values() if row["id"][0] in "CF"] for scale, rows in sure.items()}
    return forest_figure(shown, "What holds, how large it is, and at which scale", deciding=True)


def forest_link(images: str, results: Path) -> str:
    """The picture in the page, if there is anything to show."""
    shown = forest(results).panels
    return f"![What holds, how large it is, and at which scale]({images}/{FOREST.name})" if shown else NOTHING


# Each kind of table, of what follows the kind and the folder of results; None leaves the page as it is.
TABLES: Mapping[str, Callable[[str, Path], str | None]] = {
    "claim": claims.claim,
    "verdicts": claims.verdicts,
    "outcome": claims.outcome,
    "seeds": claims.seeds,
    "claims": claims.claims,
    "forest": forest_link,
    "papers": papers.papers,
    "tally": papers.tally,
    "kept": papers.kept,
    "probes": probes.probes,
    "fields": probes.fields,
    "pages": probes.pages,
    "reference": probes.reference,
    "commands": commands.commands,
    "names": names.names,
    "norms": scores.norms,
    "learning_rates": scores.learning_rates,
    "alarms": scores.alarms,
    "alert": scores.alert,
    "rates": scores.rates,
    "advice": scores.advice,
    "signals": scores.signals,
}
_HEAD = rf"(?P<head><!-- (?P<kind>{'|'.join(TABLES)})(?: (?P<rest>[^>\n]*?))? -->)"
TABLE = re.compile(rf"{_HEAD}\n.*?(?P<indent> *#? ?)<!-- end -->", re.DOTALL)


def drawn_numbers(figure: Figure) -> str:
    """All that the picture shows, as the text that is kept inside it."""
    return json.dumps([dataclasses.asdict(estimate) for panel in figure.panels for estimate in panel.estimates])


def draw_forest(figure: Figure) -> None:
    """Write the picture, and inside it the numbers that it shows."""
    save(figure, FOREST.with_suffix(""), ["png"])
    numbers = PngInfo()
    numbers.add_itxt("estimates", drawn_numbers(figure))
    with Image.open(FOREST) as image:
        image.load()
        image.save(FOREST, pnginfo=numbers, optimize=True)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text()))
    LLMS.write_text(llms())
    if (picture := forest()).panels:
        draw_forest(picture)
