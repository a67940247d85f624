"""`clinometer compare`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from clinometer.cli.console import console
from clinometer.cli.errors import bad_input
from clinometer.report.comparison_table import comparison_parts
from clinometer.results.compare import compare


def compare_command(
    one: Path,
    other: Path,
    /,
    *,
    quantity: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
) -> int:
    """Pair the runs of two studies and print what differs.

    Parameters
    ----------
    one
        A study's folder.
    other
        Another: from another machine, version or study.
    quantity
        PROBE.FIELD or PROBE.FIELD.LAYER, its mean over steps; or with :first, :last, :min, :max or :0.5-1 after it.
    """
    with bad_input():
        for part in comparison_parts(compare(one, other, quantity), one, other):
            console.print(part, soft_wrap=isinstance(part, Text))
    return 0
