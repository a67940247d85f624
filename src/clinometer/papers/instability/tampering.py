"""What a mistake changes of a training, from a step on, and how it is put into the ordinary loop.

The loop asks for a batch before each step, and its optimizer calls a hook before each update: these two places are all
that a mistake uses, so that the loop, the recorder and the checkpoints are those of any other run.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

from clinometer.training.parts import Batch, Training


@dataclass(frozen=True)
class Moment:
    """A step at which a mistake is in force."""

    step: int
    share: float  # how much of the mistake is in force by now, in (0, 1]: 1 where it came at once
    last: float  # the same one step earlier; 0 at the first step


def _nothing(_moment: Moment) -> None:
    pass


@dataclass(frozen=True)
class Tampering:
    """What a mistake changes; by default nothing."""

    block: str | None = None  # that is to blame, as the instrument names it; None where no block is
    batch: Callable[[Moment, Batch], Batch] = lambda _moment, batch: batch
    rate: Callable[[Moment, float, float], float] = lambda _moment, scheduled, _full: scheduled  # full: at no warm-up
    step: Callable[[Moment], None] = _nothing  # called before each step
    update: Callable[[Moment], None] = _nothing  # called between the backward pass and the optimizer's update
    before: Callable[[], None] = lambda: None  # called there at each step before the mistake


def none(_training: Training, _strength: float, _seed: int) -> Tampering:
    """No mistake, of a healthy run."""
    return Tampering()


def tampered(training: Training, mistake: Tampering, from_step: int, over: int) -> Training:
    """The training with a mistake in it.

    Args:
        training: What is trained; its optimizer gets a hook.
        mistake: What is changed.
        from_step: The first step at which it is.
        over: In how many steps the mistake grows to its full strength; 0 for at once.
    """
    optimizer, scheduler = training.optimizer, training.scheduler
    full = [float(group["lr"]) for group in optimizer.param_groups]
    if scheduler:
        full = [float(rate) for rate in scheduler.base_lrs]
    now: list[Moment | None] = [None]  # of the step that is under way

    def before_update(*_arguments: Any) -> None:
        if now[0]:
            mistake.update(now[0])
        else:
            mistake.before()

    optimizer.register_step_pre_hook(before_update)

    def batches(start: int) -> Iterator[Batch]:
        for step, batch in enumerate(training.batches(start), start):
            moment = now[0] = _moment(step - from_step, step, over)
            if moment is None:
                yield batch
                continue
            scheduled = scheduler.get_last_lr() if scheduler else full
            _set_rates(optimizer, [mistake.rate(moment, float(s), f) for s, f in zip(scheduled, full, strict=True)])
            mistake.step(moment)
            yield mistake.batch(moment, batch)

    return dataclasses.replace(training, batches=batches)


def _moment(since: int, step: int, over: int) -> Moment | None:
    return Moment(step, _share(since, over), _share(since - 1, over)) if since >= 0 else None


def _share(since: int, over: int) -> float:
    return 0.0 if since < 0 else min(1.0, (since + 1) / max(1, over))


def _set_rates(optimizer: Optimizer, rates: list[float]) -> None:
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
