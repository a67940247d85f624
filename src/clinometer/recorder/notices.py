"""Warnings about a run, each topic once: a run of a million steps must not print a million lines."""

import warnings
from collections.abc import Mapping
from typing import Any

from clinometer.probes.base import Step
from clinometer.recorder.pending_step import PendingStep
from clinometer.recorder.standstill import Standstill

UNREPORTED = (
    "the optimizer that the recorder was given took no step, but training went on; from here on each batch counts as "
    "one step. Pass the optimizer that trains the model, or a list of all that do."
)
FOREIGN_OPTIMIZER = (
    "the parameters are moved by a {} that the recorder was not given; it goes on with the learning rate of the one it "
    "was. Give it a list of all, or make a new Recorder with start=."
)


class Notices:
    """Warns once of each topic, and knows the largest loss that training has minimised so far.

    Example:
        >>> import warnings
        >>> notices = Notices()
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     notices.once("loss", "it is odd"), notices.once("loss", "it is odd"), notices.once("lr", None)
        (None, None, None)
        >>> [str(warning.message) for warning in caught], notices.topics
        (['clinometer: it is odd'], {'loss'})
    """

    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.largest_loss = 0.0
        self._standstill = Standstill()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know, in JSON."""
        return {"largest_loss": self.largest_loss, "warned": sorted(self.topics)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called."""
        self.topics, self.largest_loss = set(state["warned"]), state["largest_loss"]

    def once(self, topic: str, message: str | None) -> None:
        """Warn, if there is a message and it is the topic's first."""
        if message and topic not in self.topics:
            self.topics.add(topic)
            warn(message)

    def after(self, pending: PendingStep, step: Step, foreign_optimizer: str | None) -> None:
        """Warn of what is odd about a step that has been measured."""
        self.once("mismatch", pending.mismatch_warning(step, self.largest_loss))
        self.once("failure", pending.objective.failures.message())
        self.once("foreign_optimizer", foreign_optimizer and FOREIGN_OPTIMIZER.format(foreign_optimizer))
        self.once("standstill", self._standstill.message(pending, step))
        self.largest_loss = max(self.largest_loss, abs(pending.training_loss or 0.0))


def warn(message: str) -> None:
    """Warn of something that does not stop the run."""
    warnings.warn(f"clinometer: {message}", stacklevel=3)
