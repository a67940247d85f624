"""`clinometer.report`: the page of a run, of two runs or of a study."""

from collections.abc import Mapping
from pathlib import Path

from clinometer.extras import need
from clinometer.pages.destination import Destination
from clinometer.results.run_frame import store_file
from clinometer.results.run_or_study import run_or_study
from clinometer.results.sides import Given


def report(path: str | Path | Given, to: str | Path | None = None) -> Path:
    """Write the page of a run or of a study, as `clinometer report` does; or of two runs, as `clinometer compare` does.

    Of a study the claims are decided, the figures drawn and the theorems checked, from the runs that are finished.

    Args:
        path: The folder that a recorder writes to, its `rows.sqlite`, or a study's folder; or two of these by
            name, the base first, such as `{"base": "runs/a", "mine": "runs/b"}`, or a list of seeds for each name.
        to: A file, whose name ends in .html, for the page alone; or a folder, for all that is written. By default
            the folder itself, where the page is `report.html`. Two runs have no folder of their own, and need it.

    Returns:
        The page, one file that needs no other.

    Raises:
        ValueError: if the path is not there, holds neither, or its rows cannot be read.
        ImportError: if a library is not installed: `pip install 'clinometer[report]'`; for a study
            `pip install 'clinometer[studies,report]'`.
    """
    if isinstance(path, Mapping):
        return _of_sides(path, to)
    kind = run_or_study(path)
    place = Destination.of(store_file(path).parent if kind == "run" else Path(path), None if to is None else Path(to))
    need("matplotlib", "report")
    need("jinja2", "report")
    need("rich", "studies")
    # Here, since `import clinometer` works without these libraries.
    if kind == "run":
        from clinometer.pages.run_page.page import report_run

        report_run(Path(path), place.page)
        return place.page
    need("scipy", "studies")
    from clinometer.writing.study import open_study

    open_study(Path(path)).report(place)
    return place.page


def _of_sides(given: Given, to: str | Path | None) -> Path:
    if to is None:
        raise ValueError('the page of two runs has no folder of its own; pass its file, such as to="page.html".')
    for library, extra in (("matplotlib", "report"), ("jinja2", "report"), ("scipy", "studies"), ("rich", "studies")):
        need(library, extra)
    from clinometer.pages.compare_page.page import write_comparison
    from clinometer.results.compare_runs import compare_runs

    page = Destination.of(Path(), Path(to)).page
    return write_comparison(compare_runs(given), page)
