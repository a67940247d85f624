"""Scores the held-out half of a finished corpus: `python -m clinometer.papers.instability.scores.scoring DIR TO`.

It writes `scores.json` and `scores.md` into the folder TO, with the hardware, the versions and the command. It is run
once, after the thresholds were frozen in `tuned.json`, whose digest it writes down.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from clinometer.papers.instability.scores.candidates import Candidate
from clinometer.papers.instability.scores.corpus import read_corpus
from clinometer.papers.instability.scores.table import lines, markdown
from clinometer.papers.instability.scores.tune import Traced, traced
from clinometer.papers.instability.scores.tuned import tuned
from clinometer.training.environment import environment
from clinometer.training.files import digest_of, write_json

COMMAND = "python -m clinometer.papers.instability.scores.scoring"


def held_out_runs(study: Path, candidates: Sequence[Candidate]) -> list[Traced]:
    """The runs of the held-out half with the traces of some candidates."""
    probes = dict.fromkeys(probe for each in candidates for probe in each.probes)
    return [traced(run, candidates) for run in read_corpus(study, probes, lambda half: half != "tuning")]


def main(arguments: Sequence[str]) -> None:
    """Score the held-out half and write the tables."""
    study, to = map(Path, arguments)
    frozen = tuned()
    digest = digest_of(frozen.as_json().encode())
    runs = held_out_runs(study, frozen.candidates)
    found = lines(frozen, runs)
    about = environment()
    to.mkdir(parents=True, exist_ok=True)
    row = {"command": COMMAND, "frozen": digest, "environment": about, "lines": [line.as_json() for line in found]}
    write_json(to / "scores.json", row)
    packages = about["packages"]
    made = (
        f"Made by `clinometer reproduce instability --scale laptop` and `{COMMAND}`, on {about['processor']}, Python "
        f"{about['python']}, torch {packages['torch']}, numpy {packages['numpy']}. Thresholds: `tuned.json` "
        f"({digest[:12]}), from {frozen.runs} tuning runs with {frozen.healthy_steps:,} healthy steps, frozen before."
    )
    (to / "scores.md").write_text(f"# Alarms on the held-out half\n\n{made}\n\n{markdown(found)}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
