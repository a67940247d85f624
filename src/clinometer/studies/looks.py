"""Looks at a study's claims: each verdict is noted before it is shown, and those before it are paid for.

The notes are in the study's `looks.json`; see `results/look_file.py`.
"""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clinometer.results.look_file import FEWEST, ClaimLooks, Looks, read_looks, union, write_looks
from clinometer.store import DamagedError
from clinometer.studies.claims import Claim
from clinometer.studies.plan import Plan
from clinometer.training.file_lock import locked

LOCK = Path("records") / "claims.lock"  # within a study's folder; held while `looks.json` or `rules.json` is changed


@contextlib.contextmanager
def noted_looks(folder: Path, first_seed: int) -> Generator[dict[str, ClaimLooks]]:
    """The looks at the seeds from `first_seed` on: a claim's id to its looks. What is added is written at the end.

    Other processes wait meanwhile, so that none decides a claim without knowing of this look. A damaged file is left
    as it is: no looks are known then and none are noted, which `studies/rules.py` says in the status of each claim.
    """
    with locked(folder / LOCK):
        looks = _sound_looks(folder)
        before = union(looks or {})
        claims = {} if looks is None else looks.setdefault(str(first_seed), {})
        yield claims
        if looks is not None and claims != before.get(str(first_seed), {}):
            write_looks(folder, looks)


def add_looks(looks: dict[str, ClaimLooks], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add what rows of `claims.json` tell to the looks; fewer seeds than at a look before decide nothing, and are none.

    Example:
        >>> looks = {"C1": {"gap": [3]}}
        >>> part = {"name": "gap", "n": 6}
        >>> add_looks(looks, [{"id": "C1", "parts": [part, {"name": "rest", "n": 1}], "beside": [{**part, "n": 2}]}])
        >>> looks
        {'C1': {'gap': [3, 6]}}
    """
    for row in rows:
        for part in (*row["parts"], *row["beside"]):
            counts = looks.get(row["id"], {}).get(part["name"], [])
            if part["n"] > max([FEWEST - 1, *counts]):
                looks.setdefault(row["id"], {})[part["name"]] = [*counts, part["n"]]


def most_seeds(folder: Path, first_seed: int) -> dict[str, int]:
    """With how many seeds from `first_seed` on each claim was looked at, at most, by the claim's id.

    Whoever goes on with a study plans at least as many. Nothing is known of a damaged file.
    """
    looks = (_sound_looks(folder) or {}).get(str(first_seed), {})
    return {
        claim: max((max(counts) for counts in parts.values() if counts), default=0) for claim, parts in looks.items()
    }


def check_seeds(plan: Plan, folder: Path) -> None:
    """ValueError if a claim of the plan was looked at with more seeds than it would have: no limit pays for that."""
    most = most_seeds(folder, plan.first_seed)
    for claim in plan.claims:
        planned = planned_seeds(plan, claim)
        if planned < most.get(claim.id, 0):
            raise ValueError(
                f"--seeds {planned}, but claim {claim.id} was looked at with {most[claim.id]} seeds, and fewer of them "
                f"cannot be judged as if that had not been; say --seeds {most[claim.id]} or more, or choose another "
                "folder with --to."
            )


def planned_seeds(plan: Plan, claim: Claim) -> int:
    """The seeds of that arm of a claim which has the most."""
    return max((plan.seeds_of(claim, arm) for arm in plan.arms_of(claim)), default=0)


def looked_at_apart(plan: Plan, claim: Claim, looks: Looks) -> str:
    """The other first seed from which a claim was looked at with seeds that the plan has too; empty if none."""
    ours = range(plan.first_seed, plan.first_seed + planned_seeds(plan, claim))
    for first, claims in looks.items():
        most = max((n for counts in claims.get(claim.id, {}).values() for n in counts), default=0)
        theirs = range(int(first), int(first) + most)
        if theirs.start != ours.start and max(ours.start, theirs.start) < min(ours.stop, theirs.stop):
            return first
    return ""


def _sound_looks(folder: Path) -> Looks | None:
    try:
        return read_looks(folder)
    except DamagedError:
        return None
