"""`clinometer export`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from clinometer.cli.console import print_remark
from clinometer.cli.errors import bad_input
from clinometer.results.export import export


def export_command(
    folder: Path,
    /,
    *,
    to: Path,
    kind: Annotated[Literal["parquet", "csv"], Parameter(name="--format")] = "parquet",
) -> int:
    """Write the tables and print how many rows each has.

    Parameters
    ----------
    folder
        The study's folder, or one that a Recorder writes to. It is only read.
    to
        The folder to make.
    kind
        parquet, with arrays as nested lists; or csv, with a column per number, and without what is kept per unit.
    """
    with bad_input():
        for name, rows in export(folder, to, kind).items():
            print_remark(f"{to / name}: {rows} rows")
    return 0
