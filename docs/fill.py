"""Write the tables of the README and the docs that follow from `results/` and from the list of probes.

A table stands between `<!-- KEY -->` and `<!-- end -->`, where KEY is one of

- `C7`: the parts of a claim, with a column for each scale that has results;
- `verdicts`: the confirmatory verdicts of all claims, with the seeds that an undecided one would take;
- `outcome`: which claims hold, fail, depend on the scale or are open, in a sentence each;
- `forest PATH`: the confirmatory effects as a picture in PATH; `seeds`: the seeds behind each scale's verdicts;
- `probes PATH`: every probe, what it tells and its cost, with links to the pages in PATH;
- `papers PATH`: which claims of each paper hold, fail or are open, with links to the pages in PATH;
- `kept`: the studies and scales that `results/` has, and what they were made of;
- `claims NAME`: the claims of a paper, with a column for each scale that has results;
- `norms PART`: a part of the table of all norms, by its heading;
- `learning_rates`: the scores of `suggest_lr` and other predictors on the held-out set;
- `fields NAME`: the fields of a probe's rows; `pages` and `reference`: the probes' pages and their entries;
- `signals`: what signals of every step cost, if that was measured; else what stands there stays;
- `alarms`, `alert NAME`, `rates`, `advice NAME`: how often alarms, suggested learning rates and advice are right.

`python docs/fill.py` rewrites the pages and draws the picture, and a test compares both with what it would write.
"""

import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clinometer.papers import find_papers, load_paper, load_study
from clinometer.plots.forest import forest_figure
from clinometer.plots.matplotlib import save
from clinometer.probes.registry import PROBES
from clinometer.report.tables import status_text
from clinometer.studies.effect_text import bounds_text, effect_text, name_text, seeds_needed_text, seeds_text
from clinometer.studies.figure import Figure

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "santurkar2018"
NORMS = ROOT / "results" / "norms" / "laptop" / "norms.md"
LEARNING_RATES = ROOT / "results" / "learning_rates" / "scores.md"
FOREST = ROOT / "docs" / "images" / "claims.png"
SOUND = RESULTS.parent / "toth2019" / "laptop"
COPIED = {
    ROOT / "docs" / "images" / "figure_04.png": RESULTS / "laptop" / "figures" / "figure_04.png",
    ROOT / "docs" / "images" / "toth2019_parts.png": SOUND / "figures" / "parts.png",
    ROOT / "docs" / "images" / "toth2019_reconstruction.png": SOUND / "figures" / "reconstruction.png",
    ROOT / "docs" / "images" / "toth2019_sounds.png": SOUND / "listen" / "spectrograms.png",
    ROOT / "docs" / "images" / "norm_smoothness.png": NORMS.parent / "figures" / "smoothness.png",
    ROOT / "docs" / "images" / "norm_training.png": NORMS.parent / "figures" / "training.png",
}
PAGES = (
    *(ROOT / name for name in ("README.md", "mkdocs.yml", "results/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
SCALES = ("smoke", "laptop", "paper")
PAGE_OF = {
    "santurkar2018": "paper",
    "norms": "norm_study",
    "learning_rates": "learning_rate",
}  # a paper's page, if it is not called like it
KEYS = r"verdicts|outcome|seeds|learning_rates|forest \S+|[CFD]\d+|probes \S+|fields \w+|pages|reference"
KEYS += r"|alarms|alert [\w ]+|rates|advice \w+|papers \S+|claims \w+|norms [\w: ]+|signals|kept"
TABLE = re.compile(rf"<!-- ({KEYS}) -->\n.*?( *#? ?)<!-- end -->", re.DOTALL)
NOTHING = "No confirmatory study is kept yet."
NOT_COUNTED = "Not counted yet: `{}` does."
ADVICE = {
    "rate": {
        "rate_told": "headroom above 30 in runs at a hundredth of the best rate",
        "rate_not_told_when_healthy": "headroom below 30 in runs at the best rate",
        "rate_cured": "the raised rate brings the loss down to where the best one does, in twice the steps",
    },
    "batch": {
        "batch_smaller": "a quarter of the batch takes at most two thirds of the samples, where that is the advice",
        "batch_larger": "four times the batch takes at most two thirds of the steps, where that is the advice",
    },
}
COST = re.compile(r"Cost: (.+?)\.(?=\s|$)", re.DOTALL)


def filled(text: str, results: Path = RESULTS) -> str:
    """The page with every table made anew."""
    found = read_results(results)

    def table(match: re.Match[str]) -> str:
        if match[1] == "signals" and not _counts("signals.json"):
            return match[0]
        return f"<!-- {match[1]} -->\n{_table(match[1], found)}\n{match[2]}<!-- end -->"

    return TABLE.sub(table, text)


def read_results(results: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """The rows of each scale that measured anything, by the claim's id."""
    found = {scale: _claims(results / scale / "claims.json") for scale in SCALES}
    return {scale: rows for scale, rows in found.items() if any(map(_measured, rows.values()))}


def confirmed(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows whose rule was fixed before the seeds that decided it."""
    chosen = {
        scale: {claim: row for claim, row in rows.items() if row["status"] == "confirmatory" and _measured(row)}
        for scale, rows in found.items()
    }
    return {scale: rows for scale, rows in chosen.items() if rows}


def forest(found: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The confirmatory effects of the paper's claims and of our findings, each by the parts that decide it."""
    shown = {scale: [row for row in rows.values() if row["id"][0] in "CF"] for scale, rows in confirmed(found).items()}
    return forest_figure(shown, "What holds, how large it is, and at which scale", deciding=True)


def _table(key: str, found: dict[str, dict[str, Any]]) -> str:
    kind, _, rest = key.partition(" ")
    if kind == "probes":
        return _probes_table(rest)
    if kind == "fields":
        return _fields_table(PROBES[rest])
    if kind == "norms":
        return _part_of(NORMS, rest)
    if kind == "learning_rates":
        return _held_out_scores()
    if kind == "pages":
        return "\n".join(f"      - {name}.md" for name in PROBES)
    if kind == "reference":
        return "\n\n".join(f"::: clinometer.probes.{name}.{name}" for name in PROBES)
    if kind == "forest":
        there = forest(found).panels
        return f"![What holds, how large it is, and at which scale]({rest}/{FOREST.name})" if there else NOTHING
    if kind in OF_A_FILE:
        return OF_A_FILE[kind](rest)
    named = {"verdicts": _verdicts, "outcome": _outcome, "seeds": _seeds}
    return named[kind](found) if kind in named else _parts_table(kind, found)


def _held_out_scores() -> str:
    """The table and the remarks of the held-out set, as they are kept."""
    return _part_of(LEARNING_RATES, "The held-out set")


def _part_of(page: Path, heading: str) -> str:
    """What stands under a heading of a page of results, given by how it begins."""
    (found,) = [part for part in page.read_text().split("\n## ") if part.startswith(heading)]
    return found.partition("\n")[2].strip()


def _probes_table(pages: str) -> str:
    lines = ["| probe | what it tells | cost, beside the pass that all probes of a step share |", "|---" * 3 + "|"]
    for name, factory in PROBES.items():
        what, cost = told_by(factory)
        lines.append(f"| [`{name}`]({Path(pages) / name}.md) | {what} | {cost} |")
    return "\n".join(lines)


def told_by(factory: Callable[..., Any]) -> tuple[str, str]:
    """What a probe tells and costs: the first line and the cost of its factory's docstring."""
    text = inspect.getdoc(factory) or ""
    cost = COST.search(text)
    if not cost:
        raise ValueError(f"the docstring of {factory.__name__} must name its cost: 'Cost: one forward pass.'")
    return text.splitlines()[0].rstrip("."), " ".join(cost[1].split())


def _fields_table(factory: Callable[..., Any]) -> str:
    """The declared fields; those that summaries show first are bold."""
    required = [p for p in inspect.signature(factory).parameters.values() if p.default is p.empty]
    fields: Mapping[str, Any] = factory(*(["any"] for _ in required)).fields
    lines = ["| field | axes | unit | meaning |", "|---" * 4 + "|"]
    for name, field in fields.items():
        called = f"**`{name}`**" if field.headline else f"`{name}`"
        lines.append(f"| {called} | {', '.join(field.axes)} | {field.unit} | {field.meaning} |")
    return "\n".join(lines)


def _verdicts(found: dict[str, dict[str, Any]]) -> str:
    """A row for each claim, a column for each scale with confirmatory verdicts."""
    scales = confirmed(found)
    if not scales:
        return NOTHING
    every = {claim: row["statement"] for rows in found.values() for claim, row in rows.items() if claim[0] in "CF"}
    lines = [_line("", "claim", *scales), _line(*["---"] * (len(scales) + 2))]
    for claim, statement in every.items():
        verdicts = [_verdict(found[scale].get(claim)) for scale in scales]
        lines.append(_line(claim, statement, *verdicts))
    return "\n".join(lines)


def _outcome(found: dict[str, dict[str, Any]]) -> str:
    """What became of the claims at the scales at which they are decided by confirmatory seeds."""
    told: dict[str, list[str]] = {"Holds": [], "Fails": [], "Depends on the scale": [], "Open": []}
    for claim, verdicts in _by_claim(confirmed(found)).items():
        if claim[0] in "CF":
            fate, where = _fate(verdicts)
            told[fate].append(f"{claim} ({where})")
    return "\n".join(f"- **{name}**: {', '.join(claims)}" for name, claims in told.items() if claims) or NOTHING


def _by_claim(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The verdict at each scale that has one, by the claim's id, in the order of the ids."""
    verdicts: dict[str, dict[str, str]] = {}
    for scale, of_scale in rows.items():
        for claim, row in of_scale.items():
            verdicts.setdefault(claim, {})[scale] = row["verdict"]
    return {claim: verdicts[claim] for claim in sorted(verdicts, key=lambda name: (name[0], int(name[1:])))}


def _fate(verdicts: Mapping[str, str]) -> tuple[str, str]:
    """What became of a claim, and at which scales."""
    decided = {scale: verdict for scale, verdict in verdicts.items() if verdict != "undecided"}
    if len(set(decided.values())) > 1:
        return "Depends on the scale", ", ".join(f"{scale} {verdict}" for scale, verdict in decided.items())
    if decided:
        return "Holds" if "holds" in decided.values() else "Fails", ", ".join(decided)
    return "Open", ", ".join(verdicts)


def _papers(pages: str) -> str:
    """A line for each paper: what holds, what fails, and what is open or depends on the scale."""
    lines = [_line("paper", "holds", "fails", "open"), _line(*["---"] * 4)]
    return "\n".join([*lines, *(_paper(name, Path(pages)) for name in built_in())])


def built_in() -> list[str]:
    """The papers and studies of this package, in their order."""
    return [name for name, module in find_papers().items() if module.startswith("clinometer.")]


def _paper(name: str, pages: Path) -> str:
    page = f"{PAGE_OF.get(name, name)}.md"
    title = load_paper(name).TITLE
    linked = f"[{title}]({pages / page})" if (ROOT / "docs" / page).is_file() else title
    return _line(f"{linked} (`{name}`)", *_fates(read_results(RESULTS.parent / name)))


def _kept(_: str) -> str:
    """A line for each study and scale whose claims are kept."""
    lines = [_line("study", "scale", "what was made"), _line(*["---"] * 3)]
    for name in built_in():
        scales, found = load_study(name).scales, read_results(RESULTS.parent / name)
        lines += [_line(f"[{name}]({name}/{scale})", scale, scales[scale].about) for scale in found]
    return "\n".join(lines)


def _fates(found: Mapping[str, Mapping[str, Any]]) -> tuple[str, str, str]:
    """The claims that hold, that fail, and the others: by confirmatory seeds, or else by those that were explored.

    Decisions of ours (D1, D2 ...), where a text is silent, are told on the paper's page alone.
    """
    if not found:
        return ("not run yet",) * 3
    sure = _by_claim(confirmed(found))
    told: dict[str, list[str]] = {"Holds": [], "Fails": [], "Open": []}
    statements = {claim: row["statement"] for rows in found.values() for claim, row in rows.items()}
    for claim, verdicts in _by_claim(_measured_rows(found)).items():
        if claim.startswith("D"):
            continue
        fate, where = _fate(sure.get(claim, verdicts))
        where += "" if claim in sure else "; exploratory"
        told[fate if fate in told else "Open"].append(f"**{claim}** {statements[claim]} ({where})")
    holds, fails, others = ("<br>".join(claims).replace("|", "\\|") or "–" for claims in told.values())
    return holds, fails, others


def _measured_rows(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {scale: {claim: row for claim, row in rows.items() if _measured(row)} for scale, rows in found.items()}


def _claims_of(name: str) -> str:
    """A row for each claim of a paper, and in a column for each scale its verdict and what was measured."""
    found = read_results(RESULTS.parent / name)
    if not found:
        return NOT_COUNTED.format(f"clinometer reproduce {name}")
    statements = {claim: row["statement"] for rows in found.values() for claim, row in rows.items()}
    lines = [_line("", "claim", *found), _line(*["---"] * (len(found) + 2))]
    for claim, statement in statements.items():
        cells = [_verdict_and_effects(rows.get(claim)) for rows in found.values()]
        lines.append(_line(claim, statement, *cells))
    return "\n".join(lines)


def _verdict_and_effects(row: dict[str, Any] | None) -> str:
    if row is None or not _measured(row):
        return "not run"
    parts = [f"{name}: {_cell(part)}" if name else _cell(part) for name, part in _parts(row).items()]
    return "<br>".join([f"**{row['verdict']}** {status_text(row)}".strip(), *parts])


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _verdict(row: dict[str, Any] | None) -> str:
    """The claim's verdict if it is confirmatory; where it is asked of both kinds of network, theirs beside it."""
    if row is None or not _measured(row):
        return "not run"
    if row["status"] != "confirmatory":
        return "not confirmed"
    kinds: dict[str, set[str]] = {}
    for part in row["parts"]:
        kinds.setdefault("DLN" if part["name"].startswith("DLN") else "VGG", set()).add(part["verdict"])
    beside = [f"{kind} {_all(verdicts)}" for kind, verdicts in kinds.items()]
    beside = beside if len(kinds) > 1 and len(set(map(_all, kinds.values()))) > 1 else []
    beside += [f"Holm: {row['holm']}"] * (row["holm"] != row["verdict"])
    beside += filter(None, [seeds_needed_text(row)])
    return _marked(row["verdict"]) + f" ({', '.join(beside)})" * bool(beside)


def _marked(verdict: str) -> str:
    return f"**{verdict}**" if verdict == "fails" else verdict


def _all(verdicts: set[str]) -> str:
    return "fails" if "fails" in verdicts else "holds" if verdicts == {"holds"} else "undecided"


def _claims(path: Path) -> dict[str, Any]:
    return {row["id"]: row for row in json.loads(path.read_text())} if path.is_file() else {}


def _parts_table(claim: str, found: dict[str, dict[str, Any]]) -> str:
    """A row for each part, with what it is held against, and a column for each scale."""
    scales = {scale: rows[claim] for scale, rows in found.items() if claim in rows and _measured(rows[claim])}
    if not scales:
        return NOTHING
    names = dict.fromkeys(name for row in scales.values() for name in _parts(row))
    lines = [_line("", "holds", *scales), _line(*["---"] * (len(scales) + 2))]
    lines.append(
        _line("**verdict**", "", *(f"**{row['verdict']}** {status_text(row)}".strip() for row in scales.values()))
    )
    for name in names:
        parts = [_parts(row).get(name) for row in scales.values()]
        bounds = dict.fromkeys(bounds_text(part) for part in parts if part)
        lines.append(_line(name, " or ".join(filter(None, bounds)), *map(_cell, parts)))
    return "\n".join(lines)


def _measured(row: dict[str, Any]) -> bool:
    return any(part["n"] for part in row["parts"])


def _parts(row: dict[str, Any]) -> dict[str, Any]:
    """The parts by what they are called on the page, those that do not count after the others."""
    beside = {f"*beside:* {name_text(part)}": part for part in row["beside"]}
    return {name_text(part): part for part in row["parts"]} | beside


def _cell(part: dict[str, Any] | None) -> str:
    if part is None or not part["n"]:
        return "not measured"
    remark = f" ({part['remark']})" * bool(part["remark"])
    return f"{part['verdict']}: {effect_text(part)}, {seeds_text(part)}{remark}"


def _seeds(found: dict[str, dict[str, Any]]) -> str:
    """How many seeds the parts of each scale's claims rest on, which they are, and after how many looks."""
    lines = [_line("scale", "seeds of a part", "which", "looks", "confirmatory claims"), _line(*["---"] * 5)]
    for scale, rows in found.items():
        measured = [row for row in rows.values() if _measured(row)]
        parts = [part for row in measured for part in row["parts"] if part["n"]]
        first = _range([row["first_seed"] for row in measured])
        looks = _range([len(part["looks"]) for part in parts])
        fixed = f"{sum(row['status'] == 'confirmatory' for row in measured)} of {len(measured)}"
        lines.append(_line(scale, _range([part["n"] for part in parts]), f"from {first}", looks, fixed))
    return "\n".join(lines)


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _alarms(_: str) -> str:
    """What the default alert is worth on held-out runs, and the best of the alarms that people have."""
    found = _counts("instability/scores.json")
    if not found:
        return NOT_COUNTED.format("clinometer reproduce instability --scale laptop")
    held = [line for line in found["lines"] if line["part"] == "all held out"]
    score = next(line["score"] for line in held if line["is_default"])
    usual = max(
        (line for line in held if line["kind"] == "usual"), key=lambda line: line["score"]["announced"]["value"]
    )
    announced = score["announced"]
    return (
        f"Of {announced['n']} held-out runs that broke, the default alert announced {_percent(announced)} "
        f"at least 20 steps before, and {_percent(score['of_possible'])} of those that took so long to break. It gave "
        f"{_false(score)} false alarms in 10,000 healthy steps, and had the block to blame among its first two in "
        f"{_percent(score['guilty'])}. The aim was 90%, 1 and 80%. The best of the usual alarms, {usual['alert']}, "
        f"announced {_percent(usual['score']['announced'])} for {_false(usual['score'])} false ones. All of them: "
        "`results/instability/scores.md`."
    )


def _alert(name: str) -> str:
    """The same of one alert, in a sentence."""
    found = _counts("instability/scores.json")
    if not found:
        return NOT_COUNTED.format("clinometer reproduce instability --scale laptop")
    score = next(x["score"] for x in found["lines"] if x["part"] == "all held out" and x["alert"] == name)
    announced = f"announced {_percent(score['announced'])} of the same breaks 20 steps ahead"
    return f"An alert on {name} {announced}, for {_false(score)} false alarms in 10,000 healthy steps."


def _false(score: Mapping[str, Any]) -> str:
    rate = score["false_alarms"]
    return f"{rate['value']:.1f} ({rate['low']:.1f} to {rate['high']:.1f})"


def _rates(_: str) -> str:
    """How often `suggest_lr` is right."""
    found = _counts("learning_rates/scores.json")
    if not found:
        return NOT_COUNTED.format("clinometer reproduce learning_rates --scale laptop")
    score = next(each for each in found["scores"] if each["predictor"] == "suggest_lr")
    return (
        f"On {score['right']['n']} held-out configurations the largest stable rate was within a factor 1.5 of the "
        f"predicted one in {_percent(score['right'])}; the interval held it in {_percent(score['covered'])}. The rate "
        f"ended within 5% of the loss of a sweep's best in {_percent(score['close'])}, and within 10% in "
        f"{_percent(score['near'])}; in {_percent(score['failed'])} it did not train. Beside simpler predictors: "
        "`results/learning_rates/scores.md`."
    )


def _advice(name: str) -> str:
    """How often the advice on a symptom was right."""
    found = _counts("advice.json")
    if not found:
        return NOT_COUNTED.format("python benchmarks/advice.py --to results/advice.json")
    rows = [f"| {text} | {found[key]['right']} of {found[key]['of']} |" for key, text in ADVICE[name].items()]
    return "\n".join([f"By `python benchmarks/advice.py`, {found['about']}:", "", "| | |", "|---|---|", *rows])


def _signals(_: str) -> str:
    """What signals add to a bare step and to a run, for each network."""
    found = _counts("signals.json")
    networks = list(found["networks"].values())
    lines = [_line("", "at every", *(f"{n['name']}, added | of the run" for n in networks))]
    lines.append(_line(*["---"] * (2 + 2 * len(networks))))
    for name, signal in networks[0]["signals"].items():
        cells: list[str] = []
        for network in networks:
            low, middle, high = network["signals"][name]["added"]
            cells += [f"{middle:.2g} ({low:.2g} to {high:.2g})", f"{100 * middle / signal['every']:.1f}%"]
        lines.append(_line(f"`{name}`", str(signal["every"]), *cells))
    runs = "; ".join(f"{n['budget']['added']:.1%} to {n['budget']['steps']} steps of {n['name']}" for n in networks)
    bare = ", ".join(f"{1000 * n['bare']:.0f} ms of {n['name']}" for n in networks)
    return "\n".join(
        [
            *lines,
            "",
            "`step_norms()` at every step and all others but the one per layer `within_budget(0.05)` add together "
            f"{runs}. A bare step takes {bare}; {found['about']}, on a machine that did nothing else.",
        ]
    )


OF_A_FILE: Mapping[str, Callable[[str], str]] = {
    "alarms": _alarms,
    "alert": _alert,
    "rates": _rates,
    "advice": _advice,
    "papers": _papers,
    "claims": _claims_of,
    "signals": _signals,
    "kept": _kept,
}


def _percent(share: Mapping[str, Any]) -> str:
    """A share with its interval."""
    if not share["n"]:
        return "no run (there was none to count)"
    return f"{100 * share['value']:.0f}% ({100 * share['low']:.0f} to {100 * share['high']:.0f})"


def _counts(path: str) -> Any:
    """What a benchmark has kept in `results/`; None before it was run."""
    file = RESULTS.parent / path
    return json.loads(file.read_text()) if file.is_file() else None


def drawn_numbers(figure: Figure) -> str:
    """All that the picture shows, as the text that is kept inside it."""
    return json.dumps([dataclasses.asdict(estimate) for panel in figure.panels for estimate in panel.estimates])


def draw_forest(figure: Figure) -> None:
    """Write the picture, and inside it the numbers that it shows."""
    save(figure, FOREST.with_suffix(""))
    FOREST.with_suffix(".svg").unlink()  # pages show the pixels
    numbers = PngInfo()
    numbers.add_itxt("estimates", drawn_numbers(figure))
    with Image.open(FOREST) as image:
        image.load()
        image.save(FOREST, pnginfo=numbers, optimize=True)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text()))
    for copy, original in COPIED.items():
        copy.write_bytes(original.read_bytes())
    if (picture := forest(read_results())).panels:
        draw_forest(picture)
