"""`llms.txt`: what clinometer is, its commands, its names and its pages, for programs that read them."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import clinometer
from clinometer.cli.app import COMMANDS
from generators.names import about

DOCS = Path(__file__).parents[1]
ABOUT = """\
# clinometer

> clinometer measures how smooth the loss landscape is where a PyTorch training run walks, without changing one bit of
> the run. It attaches to any loop in two lines, says why a run is unstable and which layer is nearest to the edge,
> suggests learning rates, compares runs and studies with intervals, and decides the claims of landscape papers by one
> command.

    recorder = Recorder(model, loss_fn, [headroom()], every(20), optimizer=optimizer, to="runs/mine")
    for batch in loader:
        with recorder.step(batch):
            loss_fn(model, batch).backward(); optimizer.step(); optimizer.zero_grad()

`loss_fn(model, batch)` returns the scalar that training minimises; the block holds the whole step. Read results by
`recorder.read("headroom")` (a dict of NumPy arrays), `clinometer.load("runs/mine")` (an xarray data set), or
`clinometer report runs/mine --json`. `pip install clinometer` needs torch and NumPy; the commands need
`pip install 'clinometer[studies,report]'`."""
COMMANDS_ABOUT = """
## Commands

Any of them with `--json` prints one JSON document on standard output and nothing else. Exit status: 0 when the work was
done, 1 when it failed, 2 on bad input.
"""


def llms() -> str:
    """The whole file; links are relative, and each page's Markdown is in the site beside the page."""
    parts = [
        ABOUT,
        COMMANDS_ABOUT,
        *(f"- `{usage(name)}`: {' '.join(text.split())}" for name, text in COMMANDS.items()),
        "\n## Python names\n\nAll are imported from `clinometer`.\n",
        *(f"- `{name}`: {about(name)}" for name in clinometer.__all__),
        "\n## Pages\n",
        *(f"- [{title(page)}]({page.relative_to(DOCS).as_posix()})" for page in pages()),
    ]
    return "\n".join(parts) + "\n"


def usage(command: str) -> str:
    """A command with its arguments; its options are in its `--help`."""
    function = getattr(import_module(f"clinometer.cli.{command}"), f"{command}_command")
    given = inspect.signature(function).parameters.values()
    return " ".join(["clinometer", command, *filter(None, map(_argument, given))])


def _argument(parameter: inspect.Parameter) -> str:
    shown = parameter.name.upper()
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"{shown} ..."
    if parameter.kind is not parameter.POSITIONAL_ONLY:
        return ""
    return shown if parameter.default is parameter.empty else f"[{shown}]"


def pages() -> Iterator[Path]:
    """The pages in the order of their names, the front page first."""
    yield DOCS / "index.md"
    yield from (page for page in sorted(DOCS.rglob("*.md")) if page != DOCS / "index.md")


def title(page: Path) -> str:
    """A page's first heading."""
    return page.read_text().partition("\n")[0].strip("# `")
