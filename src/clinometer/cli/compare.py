"""`clinometer compare`."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from clinometer.cli.answer import Answer
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_path
from clinometer.report.comparison_table import comparison_parts
from clinometer.results.compare import Comparison, compare


def compare_command(
    one: Path,
    other: Path,
    /,
    *,
    quantity: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
) -> Answer:
    """Pair the runs of two studies and tell what differs.

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
        for folder in (one, other):
            check_path("compare", folder)
        found = compare(one, other, quantity)
    return Answer(_facts(found, one, other), comparison_parts(found, one, other))


def _facts(found: Comparison, one: Path, other: Path) -> dict[str, Any]:
    pairs = [
        {"arm": pair.arm, "one": pair.one.folder, "other": pair.other.folder, "parts_at": pair.parts_at}
        for pair in found.pairs
    ]
    return {
        "one": one,
        "other": other,
        "pairs": pairs,
        "only_in_one": found.alone[0],
        "only_in_other": found.alone[1],
        "unshared": found.unshared,
        "differences": found.differences,
        "versions": found.versions,
        "verdicts": found.verdicts,
    }
