"""`clinometer export`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from clinometer.cli.answer import Answer
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_path
from clinometer.results.export import export


def export_command(
    folder: Path,
    /,
    *,
    to: Path,
    kind: Annotated[Literal["parquet", "csv"], Parameter(name="--format")] = "parquet",
) -> Answer:
    """Write the tables and tell how many rows each has.

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
        check_path("export", folder)
        written = {str(to / name): rows for name, rows in export(folder, to, kind).items()}
    return Answer({"tables": written}, [f"{name}: {rows} row{'s' * (rows != 1)}" for name, rows in written.items()])
