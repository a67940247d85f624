"""The held-out runs of a study's table, with the scores of all candidates: made once for all claims and figures."""

import weakref

from clinometer.papers.instability.scores.corpus import corpus_run, half_of_config
from clinometer.papers.instability.scores.tune import Traced, traced
from clinometer.papers.instability.scores.tuned import tuned
from clinometer.results.finished_run import FinishedRun
from clinometer.results.run_table import MissingRunsError, RunTable

_KNOWN: weakref.WeakKeyDictionary[RunTable, list[Traced]] = weakref.WeakKeyDictionary()


def held_out(runs: RunTable) -> list[Traced]:
    """The held-out runs with the traces of all candidates that were tuned.

    Cost: each candidate reads each run's rows once; the traces are held as long as the table.

    Raises:
        MissingRunsError: if there are none, as while only the tuning half was made.
    """
    if runs not in _KNOWN:
        candidates = tuned().candidates
        probes = dict.fromkeys(probe for each in candidates for probe in each.probes)
        finished = [run for run in runs.runs.values() if isinstance(run, FinishedRun)]
        chosen = [run for run in finished if half_of_config(run.config) != "tuning"]
        _KNOWN[runs] = [traced(corpus_run(run, probes), candidates) for run in chosen]
    if not _KNOWN[runs]:
        raise MissingRunsError("no run of the held-out half is finished")
    return _KNOWN[runs]
