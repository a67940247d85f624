"""What the run is that a recorder is attached to, written once into its store, so that its page can say it later.

It is gathered at the first step that is measured, off which it costs nothing, and only read: a part that cannot be read
is left out, and no failure here reaches training.
"""

import math
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from torch import nn

from clinometer.objective.interruptions import is_interruption
from clinometer.objective.objective import Batch
from clinometer.probes.base import Step
from clinometer.recorder.facts.batch import batch_text
from clinometer.recorder.facts.machine import hardware, versions
from clinometer.recorder.facts.model import model_facts
from clinometer.recorder.facts.optimizer import optimizer_facts
from clinometer.recorder.facts.part import part, text
from clinometer.recorder.facts.stored import RESUMED, RUN
from clinometer.recorder.pending_step import PendingStep
from clinometer.store import Store

_TRIES = 10  # to write them, where the file cannot be written for a while
_MOST = 50  # resumptions that are kept


class RunFactsWriter:
    """Takes the facts about one run from its first measured step to the store.

        {"model": {"class", "parameters", "layers": {name: type}}, "optimizer": {"class", "lr", ..., "groups": [...]},
         "batch": "64 × (3, 32, 32) float32; 64 int64", "batches": 1, "device", "hardware", "ranks", "versions",
         "began": when, "step": the index of that step, "resumed": [what had changed, where the run was gone on with]}

    Args:
        model: The model in training.
        optimizers: Those that the recorder was given; where there is none, those that are seen to step.
    """

    def __init__(self, model: nn.Module, optimizers: Sequence[Any]) -> None:
        self._model, self._optimizers = model, tuple(optimizers)
        self._begun: dict[str, Any] | None = None
        self._left = _TRIES

    def begin(self, batch: Batch) -> None:
        """A step that will be measured begins: what its batch is, and how the optimizers are set."""
        if self._begun is None:
            optimizer = part(optimizer_facts, self._optimizers)
            self._begun = {"batch": part(batch_text, batch), "optimizer": optimizer, "began": part(_now)}

    def write(self, store: Store, pending: PendingStep, step: Step) -> None:
        """Write them, once; after a failure again at the next measured steps, and at last not at all."""
        if not self._left or self._begun is None:
            return
        try:
            found, known = self._gathered(pending, step), store.meta.get(RUN)
            store.set_meta(**{RUN: resumed(known, found) if isinstance(known, dict) else found})
        except Exception as error:
            if is_interruption(error) and not isinstance(error.__cause__, sqlite3.Error):  # which is a locked file
                raise
            self._left -= 1
        else:
            self._left = 0

    def _gathered(self, pending: PendingStep, step: Step) -> dict[str, Any]:
        begun = self._begun or {}
        optimizer = begun["optimizer"] or part(optimizer_facts, step.optimizers) or {}
        if step.lr is not None and math.isfinite(step.lr):
            optimizer = {"lr": step.lr} | optimizer  # where its settings do not hold it
        tensor = next(iter(pending.objective.live.values()))
        facts = {
            "model": part(model_facts, self._model),
            "optimizer": optimizer,
            "batch": begun["batch"],
            "batches": pending.objective.batches,
            "device": part(lambda: text(str(tensor.device))),
            "dtype": part(lambda: str(tensor.dtype).removeprefix("torch.")),
            "hardware": part(lambda: text(hardware(tensor.device))),
            "ranks": pending.ranks.size,
            "versions": part(versions),
            "began": begun["began"],
            "step": pending.index,
        }
        return {name: fact for name, fact in facts.items() if fact or name == "step"}


def resumed(known: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run that is gone on with: those of its beginning, and what has changed since.

    Example:
        >>> first = {"batch": "64 int64", "began": "Monday", "step": 0}
        >>> resumed(first, {"batch": "32 int64", "began": "Tuesday", "step": 50})["resumed"]
        [{'began': 'Tuesday', 'step': 50, 'batch': '32 int64'}]
    """
    if found["step"] <= _step(known):
        return dict(found)  # its rows were all dropped: it begins anew
    before = [each for each in known.get(RESUMED, []) if isinstance(each, dict) and _step(each) < found["step"]]
    changed = {name: fact for name, fact in found.items() if name not in ("began", "step") and fact != known.get(name)}
    now = {"began": found.get("began"), "step": found["step"]} | changed
    return {**known, RESUMED: [*before, now][-_MOST:]}


def _step(facts: Mapping[str, Any]) -> int:
    step = facts.get("step")
    return step if isinstance(step, int) else -1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
