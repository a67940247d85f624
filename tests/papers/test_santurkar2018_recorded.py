"""What runs record against what figures and claims read, each reading being watched as it happens."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import stored

from clinometer.results.run_table import RunTable
from clinometer.studies.claims import decide
from clinometer.training.config import RunConfig
from clinometer.training.from_config import names_of

Read = dict[RunConfig, set[str]]  # variant to the rows that were read of it


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Watches every reading of a table."""
    seen: Read = defaultdict(set)
    values = RunTable.values

    def watched(table: RunTable, arm: RunConfig, probe: str, *rest: Any, **others: Any) -> Any:
        seen[arm].add(probe)
        return values(table, arm, probe, *rest, **others)

    monkeypatch.setattr(RunTable, "values", watched)
    return seen


def test_each_probe_that_a_figure_or_a_claim_reads_is_recorded_and_no_other(read: Read) -> None:
    """All figures and claims work on a table that has all rows: what they then read is what the runs must record."""
    study = stored.STUDY
    arms = list(dict.fromkeys(arm for each in study.figures.values() for arm in each.arms(stored.BASES)))
    table = stored.table(arms)
    with np.errstate(all="ignore"):
        for figure in study.figures.values():
            figure.draw(table, stored.BASES)
        for claim in study.claims:
            decide(claim, table, stored.BASES)
    for arm in arms:
        name = f"{arm.model.rpartition(':')[2]} {arm['norm']} lr {arm['lr']:g}"
        assert read[arm] - {"train", "test"} == set(names_of(arm)), name
