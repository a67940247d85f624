"""What both comparisons of verdicts share: the claims of the paper on bases of one's own, and a table of verdicts."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from clinometer.papers.santurkar2018.definition import STUDY
from clinometer.results.run_table import RunTable
from clinometer.results.statistics import Interval
from clinometer.studies.claims import Finding, decide
from clinometer.studies.plan import Plan, plan
from clinometer.studies.study import Scale
from clinometer.training.config import Bases, RunConfig
from clinometer.training.environment import environment

Findings = Mapping[str, Finding]  # by the claim's id


def claims_on(bases: Bases, seeds: int, first_seed: int, only: str = "") -> Plan:
    """The paper's claims on these bases, all or some of them, every arm with the same seeds."""
    scale = Scale(lambda: bases, dict.fromkeys(bases, seeds), "", first_seed)
    return plan(dataclasses.replace(STUDY, scales={"here": scale}), "here", only.split(",") if only else ())


def runs_of_claims(planned: Plan) -> list[RunConfig]:
    """The runs by which its claims are decided, once each: those that a figure alone draws are left out."""
    return list(dict.fromkeys(run for claim in planned.claims for run in planned.runs_of(claim)))


def decided(planned: Plan, table: RunTable) -> Findings:
    """What each claim finds in a table."""
    return {c.id: decide(c, table.only(planned.runs_of(c)), planned.variants) for c in planned.claims}


def header(title: str, command: str, facts: Mapping[str, str]) -> list[str]:
    """A page's first lines: what was run, and where."""
    here = environment()
    packages = ", ".join(f"{name} {version}" for name, version in here["packages"].items() if name != "clinometer")
    told = {**facts, "processor": here["processor"], "packages": packages, "python": here["python"]}
    return [f"# {title}", "", f"`{command}`", "", *(f"- {name}: {value}" for name, value in told.items()), ""]


def verdict_table(columns: Mapping[str, Findings]) -> list[str]:
    """A row for each claim and a column for each way of making the study; what differs from the first is bold."""
    first = next(iter(columns.values()))
    lines = ["| claim | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in first:
        verdicts = [found[name].verdict for found in columns.values()]
        cells = [verdict if verdict == verdicts[0] else f"**{verdict}**" for verdict in verdicts]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def agreement(first: Findings, other: Findings) -> tuple[list[str], list[str], list[str]]:
    """Claims decided in the first that are decided alike in the other, those open there, and those turned round there.

    Example:
        >>> from clinometer.studies.claims import judge, no_evidence
        >>> agreement({"C1": judge(no_evidence(""))}, {"C1": judge(no_evidence(""))})
        ([], [], [])
    """
    pairs = {name: (first[name].verdict, other[name].verdict) for name in first}
    told = {name: pair for name, pair in pairs.items() if pair[0] != "undecided"}
    same = [name for name, (one, two) in told.items() if one == two]
    opened = [name for name, (_, two) in told.items() if two == "undecided"]
    return same, opened, [name for name in told if name not in same and name not in opened]


def effect_table(columns: Mapping[str, Findings]) -> list[str]:
    """The headline of each claim in every column, so that a reader sees how far one is from the other."""
    lines = ["| claim | headline | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for name, finding in next(iter(columns.values())).items():
        head = finding.parts[0]
        told = f"{head.name} ({head.unit})" if head.unit else head.name
        cells = [_interval(found[name].parts[0].effect) for found in columns.values()]
        lines.append(f"| {name} | {told} | " + " | ".join(cells) + " |")
    return lines


def _interval(effect: Interval) -> str:
    return f"{effect.value:.3g} [{effect.low:.3g}, {effect.high:.3g}]" if math.isfinite(effect.value) else "–"


def write(path: Path, lines: Sequence[str]) -> None:
    """Write a page and print it."""
    text = "\n".join(lines) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(text)
