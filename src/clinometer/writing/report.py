"""`clinometer.report`: the page of a run or of a study."""

from pathlib import Path

from clinometer.extras import need
from clinometer.pages.destination import Destination
from clinometer.results.run_frame import store_file
from clinometer.results.run_or_study import run_or_study


def report(path: str | Path, to: str | Path | None = None) -> Path:
    """Write the page of a run or of a study, as `clinometer report` does.

    Of a study the claims are decided, the figures drawn and the theorems checked, from the runs that are finished.

    Args:
        path: The folder that a recorder writes to, its `rows.sqlite`, or a study's folder.
        to: A file, whose name ends in .html, for the page alone; or a folder, for all that is written. By default
            the folder itself, where the page is `report.html`.

    Returns:
        The page, one file that needs no other.

    Raises:
        ValueError: if the path is not there, holds neither, or its rows cannot be read.
        ImportError: if a library is not installed: `pip install 'clinometer[report]'`; for a study
            `pip install 'clinometer[studies,report]'`.
    """
    kind = run_or_study(path)
    place = Destination.of(store_file(path).parent if kind == "run" else Path(path), None if to is None else Path(to))
    need("matplotlib", "report")
    need("jinja2", "report")
    need("rich", "studies")
    # Here, since `import clinometer` works without these libraries.
    if kind == "run":
        from clinometer.pages.run_page.page import report_run

        return report_run(Path(path), place.page).page
    need("scipy", "studies")
    from clinometer.writing.study import open_study

    open_study(Path(path)).report(place)
    return place.page
