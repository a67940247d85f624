"""Tables of the probes: what each tells, costs and records."""

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clinometer.probes.registry import PROBES

COST = re.compile(r"Cost: (.+?)\.(?=\s|$)", re.DOTALL)


def probes(pages: str, _: Path) -> str:
    """A row for each probe."""
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


def fields(name: str, _: Path) -> str:
    """The declared fields; those that summaries show first are bold."""
    factory: Callable[..., Any] = PROBES[name]
    required = [p for p in inspect.signature(factory).parameters.values() if p.default is p.empty]
    declared: Mapping[str, Any] = factory(*(["any"] for _ in required)).fields
    lines = ["| field | axes | unit | meaning |", "|---" * 4 + "|"]
    for each, field in declared.items():
        called = f"**`{each}`**" if field.headline else f"`{each}`"
        cells = (called, ", ".join(field.axes), field.unit, field.meaning)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines)


def pages(*_: object) -> str:
    """The probes' pages, as the navigation lists them."""
    return "\n".join(f"      - {name}.md" for name in PROBES)


def reference(*_: object) -> str:
    """The probes' entries in the reference."""
    return "\n\n".join(f"::: clinometer.probes.{name}.{name}" for name in PROBES)
