"""Rules that are fixed before the data: what is recorded when a study begins, and which verdicts it makes confirmatory.

The records are in the study's `rules.json`; see `results/rule_file.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from clinometer.results.look_file import read_looks
from clinometer.results.rule_file import RecordedRule, bare, read_rules, write_rules
from clinometer.results.sequential import STATISTIC_VERSION
from clinometer.runner.records import read_record
from clinometer.store import DamagedError
from clinometer.studies.claims import Claim
from clinometer.studies.looks import LOCK, looked_at_apart
from clinometer.studies.plan import Plan
from clinometer.training.config import RunConfig
from clinometer.training.file_lock import locked
from clinometer.training.files import digest_of as digest_of_bytes
from clinometer.training.files import finite
from clinometer.training.run_folder import run_folder

CONFIRMATORY = 100  # the first seed that may confirm; those below are for pilots, from which rules are made
LATE = "rule written after the data"
CHANGED = "rule changed after the data"
PILOT = f"seeds below {CONFIRMATORY} are for pilots"
UNRECORDED = "no rule was recorded before the first run"
APART = "its seeds from {} on were looked at apart from the rest, which nothing pays for"
DIFFERENT = "the folders that were merged recorded different rules"


@dataclass(frozen=True)
class Status:
    """Whether a claim's rule was fixed before the data; its fields are in the claim's row of `claims.json`."""

    status: Literal["confirmatory", "exploratory"]
    status_reason: str  # why it is exploratory
    first_seed: int
    recorded: str | None = None  # when its rule was recorded, in UTC
    recorded_rules: tuple[Mapping[str, Any], ...] = ()  # those among the recorded ones that are not the present rule


def digest_of(claim: Claim) -> str:
    """The SHA-256 of what decides a claim: its statement, its rule in words, the rule's bounds, and the statistic.

    The code that computes the samples is not in it. A change of that code that changes the rule must change its words.

    Example:
        >>> from clinometer.studies.claims import no_evidence
        >>> claim = Claim("C1", "it is positive", "", "above 0", (), lambda *_: no_evidence(""), {"bound": 0})
        >>> stricter = Claim("C1", "it is positive", "", "above 0", (), claim.compare, {"bound": 0.1})
        >>> len(digest_of(claim)), digest_of(claim) == digest_of(stricter)
        (64, False)
    """
    fixed = {
        "statement": claim.statement,
        "rule": claim.rule,
        "bounds": {name: float(value) for name, value in claim.bounds.items()},
        "statistic": STATISTIC_VERSION,
    }
    return digest_of_bytes(json.dumps(fixed, sort_keys=True).encode())


def record_rules(plan: Plan, folder: Path) -> None:
    """Record the rules of a study's claims, before the first run of confirmatory seeds begins.

    All claims of the study are recorded, also those that the plan leaves out: their runs may be among its own. A rule
    stays as it was recorded once a run that its claim needs has begun, or its claim was looked at; one that is
    recorded only then is late. A damaged file is left as it is.

    Args:
        plan: What will be run. Nothing is recorded of a claim that needs the seeds of pilots.
        folder: The study's folder.
    """
    claims = [claim for claim in plan.study.claims if first_seed_of(plan, claim) >= CONFIRMATORY]
    if not claims:
        return
    with locked(folder / LOCK):
        try:
            rules, looks = read_rules(folder), read_looks(folder).get(str(plan.first_seed), {})
        except DamagedError:
            return
        before = {first: dict(claims) for first, claims in rules.items()}
        held = rules.setdefault(str(plan.first_seed), {})
        begun: dict[RunConfig, bool] = {}
        for claim in claims:
            runs = plan.runs_of(claim)
            begun |= {run: _has_begun(folder, run) for run in runs if run not in begun}
            seen = claim.id in looks or any(begun[run] for run in runs)
            if claim.id not in held or (not seen and held[claim.id].digest != digest_of(claim)):
                held[claim.id] = _recorded_now(claim, LATE if seen else "")
        if rules != before:
            write_rules(folder, rules)


def statuses(plan: Plan, folder: Path) -> dict[str, Status]:
    """The status of each claim of a plan, by its id."""
    first = {claim.id: first_seed_of(plan, claim) for claim in plan.claims}
    try:
        rules, looks = read_rules(folder).get(str(plan.first_seed), {}), read_looks(folder)
    except (DamagedError, OSError) as error:
        said = {name: PILOT if seed < CONFIRMATORY else str(error) for name, seed in first.items()}
        return {name: Status("exploratory", said[name], seed) for name, seed in first.items()}
    return {
        claim.id: _status(claim, first[claim.id], rules.get(claim.id), looked_at_apart(plan, claim, looks))
        for claim in plan.claims
    }


def first_seed_of(plan: Plan, claim: Claim) -> int:
    """The lowest seed of the runs that decide a claim: arms may have seeds of their own, to which a plan adds."""
    return min((run.seed for run in plan.runs_of(claim)), default=plan.first_seed)


def _status(claim: Claim, first: int, held: RecordedRule | None, apart: str) -> Status:
    if first < CONFIRMATORY:
        return Status("exploratory", PILOT, first)
    if held is None:
        return Status("exploratory", UNRECORDED, first)
    now = _recorded_now(claim, "")
    different = DIFFERENT if held.others else ""
    reason = held.late or different or _change(held, now) or (APART.format(apart) if apart else "")
    others = tuple(asdict(rule) for rule in (bare(held), *held.others) if rule.digest != now.digest)
    return Status("exploratory" if reason else "confirmatory", reason, first, held.recorded, others)


def _change(held: RecordedRule, now: RecordedRule) -> str:
    if held.digest == now.digest:
        return ""
    facts = ("statement", "rule", "bounds", "statistic")
    return f"{CHANGED} ({', '.join(name for name in facts if getattr(held, name) != getattr(now, name))})"


def _recorded_now(claim: Claim, late: str) -> RecordedRule:
    bounds = {name: finite(float(value)) for name, value in claim.bounds.items()}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return RecordedRule(digest_of(claim), claim.statement, claim.rule, bounds, STATISTIC_VERSION, now, late)


def _has_begun(folder: Path, run: RunConfig) -> bool:
    """Whether any process has started a run, also one whose folder was taken away."""
    if run_folder(folder, run).exists():
        return True
    try:
        return read_record(folder, run.key).starts > 0
    except FileNotFoundError:
        return False
    except (DamagedError, OSError):
        return True  # nobody knows
