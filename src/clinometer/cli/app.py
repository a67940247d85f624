"""The commands by name, and what becomes of their exit status."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from clinometer.cli.common import console, stop
from clinometer.cli.own import run_
from clinometer.cli.papers import check_, list_, reproduce
from clinometer.cli.results import compare_, export_, merge_, report_, watch_
from clinometer.cli.status import status_
from clinometer.store import DamagedError

app = App(
    name="clinometer",
    help="How smooth the loss landscape is where a training run walks.",
    suppress_keyboard_interrupt=False,  # `main` says what an interruption costs: nothing that is done
)
app.command(reproduce)
app.command(run_, name="run")
app.command(check_, name="check")
app.command(status_, name="status")
app.command(report_, name="report")
app.command(watch_, name="watch")
app.command(export_, name="export")
app.command(compare_, name="compare")
app.command(merge_, name="merge")
app.command(list_, name="list")


def main(words: Annotated[Sequence[str] | None, Parameter(parse=False)] = None) -> None:
    """Run a command and exit with its status."""
    try:
        status = app(list(sys.argv[1:] if words is None else words), exit_on_error=False, result_action="return_value")
    except CycloptsError:
        sys.exit(2)  # cyclopts has said what was wrong
    except (OSError, DamagedError) as error:
        stop(error)
    except KeyboardInterrupt:
        console.print("Interrupted. What is done is kept; the same command goes on from there.")
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)
