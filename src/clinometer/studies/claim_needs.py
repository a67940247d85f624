"""What each claim of a study still needs: how many seeds, and how long they take, from a pilot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinometer.studies.claims import Claim
from clinometer.studies.pilot import Cost, Pilot
from clinometer.studies.seeds_needed import SeedsNeeded, seeds_needed
from clinometer.training.config import RunConfig


@dataclass(frozen=True)
class ClaimNeed:
    """What a claim needs in order to be decided."""

    claim: Claim
    row: Mapping[str, Any] | None  # of claims.json: the verdict of the last look, if there was one
    needed: SeedsNeeded | None  # in new seeds
    remark: str  # why the pilot cannot tell; empty where it can

    @property
    def decided(self) -> bool:
        """Whether a look at its seeds has decided it."""
        return self.row is not None and self.row["verdict"] != "undecided"

    @property
    def confirmed(self) -> bool:
        """Whether it is decided by a rule that was fixed before the data."""
        return self.decided and self.row is not None and self.row.get("status") == "confirmatory"

    @property
    def hopeless(self) -> bool:
        """Whether no number of seeds that was considered decides it, as it is posed and by the pilot's effects."""
        return self.needed is not None and self.needed.likely is None


def claim_needs(pilot: Pilot, rows: Sequence[Mapping[str, Any]], power: float, most: int) -> list[ClaimNeed]:
    """What each claim of the pilot's plan needs.

    Args:
        pilot: Its finished runs.
        rows: Those of the study's `claims.json`, as far as there are any; they say what is decided.
        power: The probability, at one look, that a claim is decided.
        most: The largest number of seeds to consider.
    """
    by_id = {row["id"]: row for row in rows}
    return [_need(claim, pilot, by_id.get(claim.id), power, most) for claim in pilot.plan.claims]


def costs(needs: Sequence[ClaimNeed], pilot: Pilot, most: int) -> tuple[Cost, Cost]:
    """How long the new seeds of some claims take one process: by the pilot's effects, and by the cautious ones.

    An arm that several claims need is trained once, with the seeds of the one that needs the most. Where caution asks
    for more than `most` seeds, it is `most`. Claims that are hopeless, and those of which the pilot cannot tell, are
    left out.
    """
    likely: dict[RunConfig, int] = {}
    cautious: dict[RunConfig, int] = {}
    for need in needs:
        if need.needed and need.needed.likely:
            for arm in pilot.plan.arms_of(need.claim):
                likely[arm] = max(likely.get(arm, 0), need.needed.likely)
                cautious[arm] = max(cautious.get(arm, 0), need.needed.cautious or most)
    return pilot.cost(likely), pilot.cost(cautious)


def _need(claim: Claim, pilot: Pilot, row: Mapping[str, Any] | None, power: float, most: int) -> ClaimNeed:
    evidence = pilot.evidence(claim)
    if isinstance(evidence, str):
        return ClaimNeed(claim, row, None, evidence)
    needed = seeds_needed(evidence, power, most)
    few = [f"fewer than two seeds of {part.name}" for part in evidence.parts if len(part.samples) < 2]
    wild = [f"not finite: {part.name}" for part in evidence.parts if not np.isfinite(part.samples).all()]
    return ClaimNeed(claim, row, needed, "" if needed else (few + wild)[0])
