"""Renders a template into one self-contained page: style, script and data inside, and nothing else runs.

A value that a template prints is escaped, and stripped of characters that steer. The policy names the hash of the one
script and of the one style sheet, so a browser ignores any other, as well as every request to a network.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from clinometer.pages.html.chart import chart
from clinometer.pages.html.colours import colour_rules
from clinometer.pages.html.ids import anchor
from clinometer.pages.html.marks import interval_bar, sparkline, verdict_state
from clinometer.readable.text import plain

_HERE = Path(__file__).parent
_SCRIPTS = (
    "numbers.js",
    "lines.js",
    "panel.js",
    "heat.js",
    "downloads.js",
    "figures.js",
    "page.js",
)  # in the order of their names' use
_FUNCTIONS = (anchor, chart, interval_bar, sparkline, verdict_state)


def render(template: str, **context: object) -> str:
    """A page from a template of any package in `pages/`, by the template's name, with the style that lies beside it.

    Args:
        template: Such as "run.html.j2"; it extends "base.html.j2".
        context: What its names stand for.
    """
    return _engine().get_template(template).render(sheet=sheet_of(template), **context)


@cache
def _engine() -> Environment:
    folders = [folder for folder in _HERE.parent.iterdir() if folder.is_dir()]
    engine = Environment(
        loader=FileSystemLoader([_HERE, *sorted(folders)]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_as_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known: dict[str, Any] = cast("dict[str, Any]", engine.globals)
    known |= {function.__name__: function for function in (*_FUNCTIONS, style, policy)}
    known |= {"script": script(), "kit": engine.get_template("macros.html.j2").module}
    return engine


@cache
def script() -> Markup:
    """The page's one script: uPlot, and what makes charts of data blocks."""
    return Markup("".join(map(_read, ("vendor/uPlot.iife.min.js", *_SCRIPTS))))


def style(body: str, own: str = "") -> Markup:
    """The page's one style sheet: that of all pages, its own, and the colours that its figures use."""
    return Markup(_read("vendor/uPlot.min.css") + _read("page.css") + own + colour_rules(body))


@cache
def sheet_of(template: str) -> str:
    """The style sheet beside a template, such as study.css beside study.html.j2; empty if there is none."""
    name = template.partition(".")[0]
    return "".join(path.read_text(encoding="utf-8") for path in sorted(_HERE.parent.glob(f"*/{name}.css")))


def policy(css: str) -> str:
    """The page's content security policy: nothing but this style, this script, and pictures that are inside."""
    return (
        f"default-src 'none'; img-src data:; style-src {_digest(css)}; script-src {_digest(script())}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8").strip() + "\n"


def _as_text(value: object) -> str:
    """A value as text without control characters; the engine escapes it afterwards, unless it is markup of ours."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {of}" for name, of in value.items())
    return plain(str(value))
