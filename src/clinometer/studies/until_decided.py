"""More seeds for the claims that are open, at looks that are planned before the data."""

import dataclasses
from collections.abc import Collection
from pathlib import Path

from clinometer.studies.claims import Claim
from clinometer.studies.looks import most_seeds
from clinometer.studies.plan import Plan
from clinometer.studies.study import MOST_SEEDS
from clinometer.training.study_file import NAME, read_study

LOOKS = (3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 800, 1200, 2000, 3000, 5000, 8000, MOST_SEEDS)


def next_look(seeds: int, most: int) -> int:
    """The number of seeds at which to look next after `seeds`; `most` is the last, and what is there stays.

    Example:
        >>> [next_look(seeds, 10) for seeds in (2, 3, 4, 5, 8, 10, 11)]
        [3, 5, 5, 8, 10, 10, 11]
    """
    return max(seeds, min(most, next((look for look in LOOKS if look > seeds), most)))


def grown(plan: Plan, claims: Collection[Claim], most: int) -> Plan:
    """The plan in which these claims have the seeds of their next look, and all others what they have."""
    more = {claim.id: next_look(fewest_seeds(plan, claim), most) for claim in claims}
    return dataclasses.replace(plan, claim_seeds={**plan.claim_seeds, **more})


def with_seeds_of(plan: Plan, other: Plan, claims: Collection[str]) -> Plan:
    """The plan in which the claims of these ids have the seeds that they have in another plan of the same study."""
    kept = {name: count for name, count in plan.claim_seeds.items() if name not in claims}
    back = {name: count for name, count in other.claim_seeds.items() if name in claims}
    return dataclasses.replace(plan, claim_seeds={**kept, **back})


def fewest_seeds(plan: Plan, claim: Claim) -> int:
    """How many seeds a claim has of that of its arms that has the fewest."""
    return min(plan.seeds_of(claim, arm) for arm in plan.arms_of(claim))


def taken_up(plan: Plan, folder: Path) -> Plan:
    """The plan that goes on where a study stopped: no claim has fewer seeds than were planned or looked at before."""
    held = read_study(folder) if (folder / NAME).is_file() else {}
    planned = held.get("claim_seeds", {}) if held.get("first_seed") == plan.first_seed else {}
    seen = most_seeds(folder, plan.first_seed)
    before = {claim.id: max(planned.get(claim.id, 0), seen.get(claim.id, 0)) for claim in plan.claims}
    more = {name: max(count, plan.claim_seeds.get(name, 0)) for name, count in before.items()}
    return dataclasses.replace(plan, claim_seeds={name: count for name, count in more.items() if count})
