"""A training function as `clinometer lr` runs it, until it is known what it trains, and on which batches.

The function either returns these, or trains by a loop with a Recorder. Then it is run until the Recorder has seen
enough batches, and ended there; the search begins where the first of them was taken.
"""

import contextlib
from collections.abc import Callable, Generator
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook

from clinometer.learning_rate.learning_rates import LearningRates
from clinometer.learning_rate.suggest import MOST, suggest, suggest_lr
from clinometer.learning_rate.trials import Trials
from clinometer.objective.batch import KeptBatch
from clinometer.recorder.recorder import Recorder

_WRITE = (
    "Let it return (model, loss_fn, batches, optimizer), or train with `with recorder.step(batch):` around each step "
    "and the optimizer given to the Recorder"
)


class ScriptError(Exception):
    """The training function has raised an error of its own, its cause."""


class _SeenEnough(BaseException):  # a script's `except Exception` must not take it for an error
    """Ends the script once enough batches are known."""


def suggest_for(train: Callable[[], Any]) -> LearningRates:
    """The learning rates of what a function trains.

    Args:
        train: Takes no arguments. It returns a model, its `loss_fn`, batches and an optimizer, as `suggest_lr` takes
            them; or it trains by a loop with a Recorder, and is ended at a step by an exception of no other use. The
            Recorder measures and writes nothing.

    Raises:
        ValueError: if it does neither, or takes an optimizer's step on several batches.
        ScriptError: if it raises.
    """
    with _watched() as watch:
        returned = _run(train, watch)
    if isinstance(returned, tuple | list) and len(returned) == 4:
        return suggest_lr(*returned)
    if watch.trials is None:
        raise ValueError(f"expected a function that trains; it took no step of a Recorder. {_WRITE}.")
    watch.check()
    return suggest(watch.trials)


def _run(train: Callable[[], Any], watch: "_Watch") -> Any:
    try:
        return train()
    except _SeenEnough:
        return None
    except Exception as error:
        if error is watch.refusal:
            raise
        raise ScriptError(str(error)) from error


class _Watch:
    """Collects the batches of the first Recorder that takes a step."""

    def __init__(self) -> None:
        self.trials: Trials | None = None
        self.refusal: Exception | None = None  # what was raised within the script, and is not its own
        self._recorder: Recorder | None = None
        self._batches: list[KeptBatch] = []
        self._steps = 0  # of its optimizer

    def step(self, recorder: Recorder, batch: Any) -> None:
        """A step of a Recorder begins."""
        if self._recorder is None:
            self._recorder = recorder
            self._batches.append(KeptBatch(batch))
            try:
                self._begin(recorder)
            except Exception as error:
                self.refusal = error
                raise
        elif recorder is self._recorder:
            if len(self._batches) == MOST:
                raise _SeenEnough
            self._batches.append(KeptBatch(batch))

    def stepped(self, optimizer: Any, *_: object) -> None:
        """An optimizer has stepped."""
        self._steps += bool(self._recorder and optimizer is self._recorder.optimizers[0])

    def check(self) -> None:
        """ValueError unless the optimizer steps once for each batch."""
        if self._steps < len(self._batches) - 1:
            raise ValueError(
                f"expected a step of the optimizer for each batch; found {self._steps} for {len(self._batches)}. Where "
                "gradients accumulate, return (model, loss_fn, batches, optimizer) with the batches of a step joined."
            )

    def _begin(self, recorder: Recorder) -> None:
        if len(recorder.optimizers) != 1:
            raise ValueError(f"expected a Recorder with one optimizer; found {len(recorder.optimizers)}. {_WRITE}.")
        self.trials = Trials(recorder.model, recorder.loss_fn, self._batches, recorder.optimizers[0])


@contextlib.contextmanager
def _watched() -> Generator[_Watch]:
    """Inside the block Recorders measure nothing, write nothing, and show their batches."""
    watch = _Watch()
    recorder: Any = Recorder
    own = {name: vars(Recorder)[name] for name in ("__init__", "step")}

    def start(self: Any, *args: Any, **options: Any) -> None:
        own["__init__"](self, *args, **{**options, "to": None, "sinks": ()})

    def step(self: Any, batch: Any, **_: Any) -> contextlib.AbstractContextManager[None]:
        watch.step(self, batch)
        return contextlib.nullcontext()

    hook = register_optimizer_step_post_hook(watch.stepped)
    recorder.__init__, recorder.step = start, step
    try:
        yield watch
    finally:
        hook.remove()
        recorder.__init__, recorder.step = own["__init__"], own["step"]
