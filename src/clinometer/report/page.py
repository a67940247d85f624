"""One self-contained page: claims, figures, theorems, how far each arm had trained, settings, versions, the command."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinometer.report.blocks import Rank, rank_texts
from clinometer.report.tables import break_text, error_text, interval_text
from clinometer.results.sanitize import plain
from clinometer.studies.figure import Figure
from clinometer.training.files import write_whole


@dataclass(frozen=True)
class Arm:
    """How far an arm of the study had trained."""

    name: str
    seeds: int
    diverged: int
    loss: str  # training loss of the first step and of the last
    accuracy: str = "–"  # final training accuracy, mean and range over seeds
    test: str = "–"  # final test accuracy
    left_chance: str = "–"  # the step at which its accuracy first exceeded twice chance


@dataclass(frozen=True)
class Page:
    """What a report shows."""

    title: str
    source: str
    about: str  # scale and data
    command: str  # what makes it again
    claims: Sequence[Mapping[str, Any]]
    arms: Sequence[Arm]
    figures: Mapping[str, Figure]
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    theorems: Sequence[Mapping[str, Any]] = ()
    finals: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict[str, dict[str, str]]
    )  # arm to quantity to value
    missing: Sequence[str] = ()  # what could not be made, and why
    ranks: Mapping[str, Sequence[Rank]] = field(default_factory=dict)  # what a share means -> blocks, the worst first


def write(page: Page, folder: Path) -> Path:
    """Write `folder/report.html`, with the figures of `folder/figures` inside it.

    Args:
        page: What to show.
        folder: The study's folder.
    """
    sections = [
        f"<h1>{_text(page.title)}</h1><p>{_text(page.source)}</p><p>{_text(page.about)}</p>",
        f"<pre>{_text(page.command)}</pre>",
        *(f"<p class=fails>{_text(reason)}</p>" for reason in page.missing),
        *(["<h2>Claims</h2>" + _claims(page.claims)] if page.claims else []),
        *(_trained(page) if page.arms else []),
        *(["<h2>At the end</h2>" + _finals(page.finals)] if page.finals else []),
        *(f"<h2>Blocks</h2><p>{_text(meaning)}.</p>{_ranks(rows)}" for meaning, rows in page.ranks.items()),
        *(["<h2>Figures</h2>"] if page.figures else []),
        *(_figure(name, figure, folder) for name, figure in page.figures.items()),
        *(["<h2>Theorems</h2>" + _theorems(page.theorems)] if page.theorems else []),
        *(_settings(page) if page.arms else []),
        "<h2>Versions and hardware</h2>" + _facts(page.environment),
    ]
    path = folder / "report.html"
    write_whole(path, _FRAME.format(title=_text(page.title), body="\n".join(sections)))
    return path


def _trained(page: Page) -> list[str]:
    about = (
        "A network that stays at chance has a flat landscape because it has not begun to learn, not because it is "
        "smooth. Mean and range over seeds."
    )
    return [f"<h2>How far each network had trained</h2><p>{about}</p>{_arms(page.arms)}"]


def _settings(page: Page) -> list[str]:
    about = "Shared by all networks of a kind, but where their names above say otherwise."
    return [f"<h2>Settings</h2><p>{about}</p>{_facts(page.settings)}"]


def _theorems(rows: Sequence[Mapping[str, Any]]) -> str:
    body = "".join(
        f"<tr><td>{_text(row['id'])}</td>{_verdict('td', row)}"
        f"<td>{_text(row['title'])}<br><small>{_text(row['source'])}; needs {_text(row['hypothesis'])}</small>"
        f"<ul><li>printed: {_text(row['printed'])}</li><li>true: <b>{_text(row['true'])}</b></li></ul>"
        f"<small>false:</small><ul>{''.join(f'<li>{_text(break_text(b))}</li>' for b in row['breaks'])}</ul></td>"
        f"<td>{_text(row['cases'])}</td><td>{error_text(row['worst'])}</td></tr>"
        for row in rows
    )
    head = "<tr><th>theorem<th>verdict<th>as printed, as true, and where it is false<th>cases<th>worst error</tr>"
    about = "Random inputs in float64, the left sides by differentiating through BatchNorm. Errors are relative."
    return f"<p>{about}</p><table>{head}{body}</table>"


def _claims(rows: Sequence[Mapping[str, Any]]) -> str:
    body = "".join(
        f"<tr><td>{_text(row['id'])}</td>{_verdict('td', row)}"
        f"<td>{_text(row['statement'])}<br><small>{_text(row['source'])}</small>{_parts(row['parts'])}{_beside(row['beside'])}"
        f"<details><summary>rule</summary>{_text(row['rule'])}</details><small>{_text(row['note'])}</small></td></tr>"
        for row in rows
    )
    head = "<tr><th>claim<th>verdict<th>statement, and what was measured (mean [95% interval], n seeds)</tr>"
    return f"<table>{head}{body}</table>"


def _beside(parts: Sequence[Mapping[str, Any]]) -> str:
    return f"<p class=beside>Beside it, not counted:</p>{_parts(parts)}" if parts else ""


def _parts(parts: Sequence[Mapping[str, Any]]) -> str:
    items = (
        f"<li>{_text(part['name'])}: <b>{_text(interval_text(part))}</b>, n = {_text(part['n'])}, "
        f"{_sign_flip(part)}"
        f"{_verdict('span', part)}</li>"
        for part in parts
    )
    return f"<ul>{''.join(items)}</ul>"


def _verdict(tag: str, row: Mapping[str, Any]) -> str:
    verdict = _text(row["verdict"])
    return f'<{tag} class="{verdict}">{verdict}</{tag}>'


def _sign_flip(part: Mapping[str, Any]) -> str:
    """The exact test's p beside its floor: with few seeds it cannot be small."""
    return "" if part["p"] is None else f"sign-flip p = {part['p']:.3g} (floor {2 / 2 ** part['n']:.3g}), "


def _arms(arms: Sequence[Arm]) -> str:
    head = (
        "<tr><th>network<th>seeds<th>diverged<th>training loss<th>training accuracy at the end<th>test accuracy"
        "<th>left chance at step</tr>"
    )
    body = "".join(f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in vars(arm).values())}</tr>" for arm in arms)
    return f"<table>{head}{body}</table>"


def _finals(finals: Mapping[str, Mapping[str, str]]) -> str:
    names = dict.fromkeys(name for values in finals.values() for name in values)
    head = "".join(f"<th>{_text(arm)}" for arm in finals)
    rows = [[name, *(of.get(name, "–") for of in finals.values())] for name in names]
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    about = "At the last step at which each was looked at: mean [95% interval over seeds]; means over layers."
    return f"<p>{about}</p><div class=wide><table><tr><th>{head}</tr>{body}</table></div>"


def _ranks(rows: Sequence[Rank]) -> str:
    head = "<tr><th>block<th>last<th>highest<th>at step<th>first above 1 at step</tr>"
    body = "".join(f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in rank_texts(rank))}</tr>" for rank in rows)
    return f"<table>{head}{body}</table>"


def _figure(name: str, figure: Figure, folder: Path) -> str:
    drawing = base64.b64encode((folder / "figures" / f"{name}.png").read_bytes()).decode()
    return (
        f'<figure id="{_text(name)}">'
        f'<img alt="{_text(figure.title)}" src="data:image/png;base64,{drawing}">'
        f"<figcaption>{_text(figure.caption)}</figcaption></figure>"
    )


def _facts(facts: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><td>{_text(name)}</td><td>{_text(value)}</td></tr>" for name, value in facts.items())
    return f"<table>{rows}</table>"


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {of}" for name, of in value.items())
    return html.escape(plain(str(value)))


_FRAME = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
h1 {{ line-height: 1.2; }} h2 {{ margin-top: 2.5rem; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ text-align: left; vertical-align: top; padding: .4rem .7rem; border-bottom: 1px solid #ddd; }}
pre {{ background: #f4f4f4; padding: .7rem 1rem; overflow-x: auto; }}
.wide {{ overflow-x: auto; }}
ul {{ margin: .3rem 0; padding-left: 1.2rem; }} small, figcaption, summary {{ color: #555; }}
figure {{ margin: 0 0 3rem; }} img {{ max-width: 100%; }}
.beside {{ color: #555; font-size: smaller; margin: .3rem 0 0; }}
.holds, .verified {{ color: #00694c; font-weight: 600; }} .fails, .failed {{ color: #a33c00; font-weight: 600; }}
.undecided {{ color: #7a5c00; font-weight: 600; }}
</style>
{body}
</html>
"""
