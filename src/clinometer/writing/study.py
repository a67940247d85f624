"""The page of a study from its folder alone: which study it is, and what was planned, are read there."""

import contextlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clinometer.pages.agreement import KeptClaims, Row, agreement
from clinometer.pages.destination import Destination
from clinometer.pages.status import recorded_texts, status_line
from clinometer.pages.study_page.report import Results, report
from clinometer.papers import load_study
from clinometer.results.claims_file import NAME, read_claims, read_theorems
from clinometer.studies.claims_json import deciding_part, to_finding
from clinometer.studies.declared.spec import restored
from clinometer.studies.plan import Plan, plan
from clinometer.studies.study import Study
from clinometer.studies.study_folder import check_study_folder
from clinometer.training.files import read_small
from clinometer.training.study_file import read_study
from clinometer.writing.kept import kept_for


@dataclass(frozen=True)
class OpenStudy:
    """A study's folder that was read."""

    folder: Path
    study: Study
    scale: str
    plan: Plan
    kept: KeptClaims | None  # to compare the verdicts with
    command: str  # what made it

    def report(self, place: Destination | None = None) -> Results:
        """Decide the claims, draw the figures and write the page, from the runs that are finished.

        Args:
            place: Where to write; the study's folder by default.
        """
        return report(self.plan, self.folder, self.command, kept=self.kept, place=place)

    def decided(self) -> Results:
        """The claims and theorems as the last report left them. To decide again would be a look, which costs.

        Raises:
            ValueError: if there was no report yet, or what it wrote is damaged.
        """
        again = f"`{shlex.join(['clinometer', 'report', str(self.folder)])}`"
        try:
            claims, theorems = read_claims(self.folder), read_theorems(self.folder)
        except FileNotFoundError as error:
            raise ValueError(f"nothing of {self.folder} was decided yet: {again} does it.") from error
        for row in claims:
            try:
                _try(row)
            except (LookupError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{self.folder / NAME}: its row of {row['id']} is damaged, or of another version ({error!r}). "
                    f"{again} writes it again."
                ) from error
        written = datetime.fromtimestamp((self.folder / NAME).stat().st_mtime, UTC)
        remark = f"Decided {written:%Y-%m-%d %H:%M} UTC, by the runs that were finished then; {again} decides again."
        return Results(claims, theorems, [remark], agreement(claims, self.kept) if self.kept else None)


def open_study(folder: Path, against: Path | str | None = None) -> OpenStudy:
    """Read from a study's folder which study it is and what was planned.

    Args:
        folder: The study's folder.
        against: A `claims.json`, or a folder that has one, to compare the verdicts with. By default
            those that were kept of a paper at this scale; "none" leaves that away.

    Raises:
        ValueError: if the folder holds no study, or `against` none of its claims.
    """
    facts = read_study(folder)
    study, scale = _study(folder, facts), str(facts.get("scale"))
    only = [name.strip() for name in str(facts.get("only", "")).split(",") if name.strip()]
    planned = plan(study, scale, only, facts.get("seeds"), facts.get("first_seed", 0), facts.get("claim_seeds", {}))
    check_study_folder(folder, planned)
    paper = None if "declared" in facts else study.name
    kept = kept_for(paper, scale, [claim.id for claim in planned.claims], against)
    return OpenStudy(folder, study, scale, planned, kept, facts.get("command", "unknown"))


def _try(row: Row) -> None:
    """Read all that is shown of a claim's row."""
    to_finding(row)
    deciding_part(row)
    recorded_texts(row)
    status_line([row])


def _study(folder: Path, facts: Mapping[str, Any]) -> Study:
    """A paper's, or the one that the folder describes; no model or data of anybody's is imported."""
    if "declared" not in facts:
        return load_study(str(facts.get("study")))
    rows: Any = []
    with contextlib.suppress(OSError, ValueError, RecursionError):
        rows = json.loads(read_small(folder / "claims.json"))
    return restored(facts, rows).study()
