"""Reads the corpus: the runs of the halves that are asked for, and no file of the others but their configs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinometer.papers.instability.causes import CAUSES
from clinometer.papers.instability.scores.outcome import Half, Outcome, half_of, outcome_of
from clinometer.papers.instability.scores.replay import Steps, steps_of
from clinometer.results.finished_run import FinishedRun, find_runs, read_config
from clinometer.training.config import format_value
from clinometer.training.run_folder import is_done, run_folders

KNOWN = frozenset(name for name, cause in CAUSES.items() if cause.set == "A")


@dataclass(frozen=True)
class CorpusRun:
    """A run of the corpus: what happened, and the rows that alerts read."""

    outcome: Outcome
    rows: Steps


def read_corpus(study: Path, probes: Iterable[str], wanted: Callable[[Half], bool]) -> list[CorpusRun]:
    """The finished runs of some halves.

    Args:
        study: The folder of the study.
        probes: Whose rows are read.
        wanted: Which halves; of runs of others only the config is read.

    Raises:
        DamagedError: if a run of these halves is not what was written.
        ValueError: if one is not of this corpus.
    """
    done = [folder for folder in run_folders(study) if is_done(folder)]
    keys = [folder.name for folder in done if wanted(half_of_config(read_config(folder)))]
    probes = tuple(probes)
    return [corpus_run(run, probes) for run in find_runs(study, keys).intact()]


def corpus_run(run: FinishedRun, probes: Iterable[str]) -> CorpusRun:
    """A finished run with the rows of some probes up to its break: what an alarm says after it, no score counts."""
    steps = len(run.column("train", "loss"))
    name, half = run.folder.name, half_of_config(run.config)
    outcome = outcome_of(name, run.facts, half=half, steps=steps, network=network_of(run.config))
    return CorpusRun(outcome, steps_of(run, probes, outcome.broke_at))


def network_of(config: Mapping[str, Any]) -> str:
    """What a run trains: the network, and its norm where it has one.

    Example:
        >>> [network_of({"model": "nets:cnn", "settings": {"norm": norm}}) for norm in ("batch", "none")]
        ['cnn batch', 'cnn']
    """
    norm = config["settings"].get("norm", "none")
    return format_value(config["model"]) + (f" {norm}" if norm != "none" else "")


def half_of_config(config: Mapping[str, Any]) -> Half:
    """To which half a run belongs, by its config alone."""
    return half_of(config["settings"]["cause"], config["seed"], KNOWN)
