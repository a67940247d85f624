"""Warnings about a run, each topic once: a run of a million steps must not print a million lines."""

import inspect
import warnings

UNREPORTED = (
    "the optimizer that the recorder was given took no step, but training went on; from here on each batch counts as "
    "one step. Pass the optimizer that trains the model, or a list of all that do."
)
FOREIGN_OPTIMIZER = (
    "the parameters are moved by a {} that the recorder was not given; its learning rates are used. Give the recorder "
    "a list of all optimizers, or make a new Recorder with start=."
)
UNKNOWN_RATE = (
    "the learning rate of step {} is not known: the optimizer's settings do not hold it, or change within its step. "
    "What needs it is NaN. Pass lr= to Recorder: a number, or a function that returns it."
)
LATE = (
    "something moves the weights after the optimizer and before the next step begins. It counts as part of the step, "
    "so rows are measured when the next step begins; trackers have that of step {} without it."
)
LEFT_OUT = (
    "the optimizer also trains {} tensors that are neither the model's nor within reach of loss_fn; the steps that are "
    "measured leave them out. If the loss depends on them, let loss_fn reach them by closure, attribute or global."
)
NOT_RESTORED = (
    "what modules keep is copied for measuring, but {}, which cannot be copied. Evaluations share it with training; if "
    "the forward pass changes it, so does each of them."
)
ELSEWHERE = (
    "the backward passes of step {} reached none of the parameters that are measured, as those of earlier steps did: "
    "it has no row. If training keeps its parameters outside the model, pass those instead: params=lambda: params."
)
UNTRAINED = (
    "several batches have come without a backward pass and without a step of the optimizer: there is no step to "
    "measure. If training keeps its parameters outside the model, pass those instead: params=lambda: params."
)


class Notices:
    """Warns once of each topic.

    Args:
        silent: Warn of nothing, as on all ranks but the first.

    Example:
        >>> import warnings
        >>> notices = Notices()
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     notices.once("loss", "it is odd"), notices.once("loss", "it is odd"), notices.once("lr", None)
        (None, None, None)
        >>> [str(warning.message) for warning in caught], notices.topics
        (['clinometer: it is odd'], {'loss'})
    """

    def __init__(self, *, silent: bool = False) -> None:
        self.topics: set[str] = set()
        self._silent = silent

    def once(self, topic: str, message: str | None) -> None:
        """Warn, if there is a message and it is the topic's first."""
        if message and topic not in self.topics:
            self.topics.add(topic)
            if not self._silent:
                warn(message)


def warn(message: str) -> None:
    """Warn of something that does not stop the run, at the line of the program that led here."""
    level, frame = 1, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in ("clinometer", "torch", "contextlib"):
        level, frame = level + 1, frame.f_back
    warnings.warn(f"clinometer: {message}", stacklevel=level if frame else 1)
