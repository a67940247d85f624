"""The table of public names: what each is, and the page of the reference that describes it."""

import inspect
import re
from pathlib import Path

import clinometer

DOCS = Path(__file__).parents[1]
ENTRY = re.compile(r"^::: (\S+)$", re.MULTILINE)
# What has no docstring of its own: aliases of types, and a dict.
ALIASES = {
    "Batch": "What `loss_fn` gets beside the model: anything.",
    "LossFn": "`loss_fn(model, batch)`: the scalar that training minimises.",
    "NORMS": "The normalizations by name.",
    "Point": "A place or a direction in parameter space: tensors by the parameters' names.",
    "Probe": "A function from a `Step` to a row.",
}


def names(*_: object) -> str:
    """A row for each public name."""
    pages = pages_of_names()
    rows = [f"| [`{name}`](reference/{pages[name]}) | {about(name)} |" for name in clinometer.__all__]
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


def about(name: str) -> str:
    """What a public name is, in its own first line."""
    first = ALIASES.get(name) or (inspect.getdoc(getattr(clinometer, name)) or "").splitlines()[0]
    return first.replace("|", "\\|")


def pages_of_names() -> dict[str, str]:
    """Where the reference describes each public name: page and anchor."""
    found = {
        entry.rpartition(".")[2]: f"{page.name}#{entry}"
        for page in sorted((DOCS / "reference").glob("*.md"))
        for entry in ENTRY.findall(page.read_text())
        if entry.count(".") == 1 or entry.startswith("clinometer.probes.")
    }
    missing = sorted({*clinometer.__all__} - {*found})
    if missing:
        raise ValueError(f"no page of docs/reference describes {missing}: give each a line `::: clinometer.NAME`")
    return found
