"""Tunes all alerts on the tuning half of a corpus: `python -m clinometer.papers.instability.scores.tuning DIR`.

It prints how each alert does where one network at a time is left out, which one is the default by the rule in `tune`,
and the tables of thresholds as `recorder/alerts/thresholds.py` keeps them. With `--write` it freezes them in
`tuned.json`, by which the held-out half is scored. It reads no run of that half.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clinometer.papers.instability.scores.candidates import CANDIDATES, Candidate
from clinometer.papers.instability.scores.corpus import read_corpus
from clinometer.papers.instability.scores.score import score
from clinometer.papers.instability.scores.table import Line, markdown
from clinometer.papers.instability.scores.tune import RATES, Traced, choose, left_out, thresholds, traced
from clinometer.papers.instability.scores.tuned import FILE, Tuned

COMMAND = "python -m clinometer.papers.instability.scores.tuning"


def tuning_runs(study: Path, candidates: Sequence[Candidate] = CANDIDATES) -> list[Traced]:
    """The runs of the tuning half with the traces of some candidates, and nothing of the other half."""
    probes = dict.fromkeys(probe for each in candidates for probe in each.probes)
    return [traced(run, candidates) for run in read_corpus(study, probes, lambda half: half == "tuning")]


def lines(runs: Sequence[Traced], candidates: Sequence[Candidate] = CANDIDATES) -> dict[Candidate, Line]:
    """How each candidate does with thresholds from all networks but the one that it is scored on."""
    scores = {each: score(left_out(each, runs)) for each in candidates}
    default = choose(scores)
    part = "tuning half"
    return {each: Line(part, each.name, each.kind, each is default, found) for each, found in scores.items()}


def tune(runs: Sequence[Traced], found: Mapping[Candidate, Line]) -> Tuned:
    """The thresholds of all candidates at all rates, from the whole tuning half."""
    return Tuned(
        default=next(each.name for each, line in found.items() if line.is_default),
        command=COMMAND,
        runs=len(runs),
        healthy_steps=sum(run.outcome.healthy_steps for run in runs),
        thresholds={each.name: {rate: thresholds(each, runs, rate) for rate in RATES} for each in found},
    )


def main(arguments: Sequence[str]) -> None:
    """Tune, print, and write if asked to."""
    study = Path(arguments[0])
    runs = tuning_runs(study)
    found = lines(runs)
    frozen = tune(runs, found)
    print(markdown(sorted(found.values(), key=lambda line: not line.is_default)))
    for name, table in frozen.thresholds.items():
        print(name, {rate: [round(each, 3) for each in at] for rate, at in table.items()})
    if "--write" in arguments:
        Path(__file__).with_name(FILE).write_text(frozen.as_json(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
