"""Mistakes in the rate, the optimizer or the precision of all layers alike: no block is to blame."""

import torch

from clinometer.papers.instability.tampering import Moment, Tampering
from clinometer.training.parts import Training


def learning_rate(_training: Training, strength: float, _seed: int) -> Tampering:
    """The learning rate is too high: a restart with another schedule, or a rate that was raised too far.

    The scheduled rate is multiplied by `strength`, or by a factor that grows to it geometrically.
    """
    return Tampering(rate=lambda moment, scheduled, _full: scheduled * strength**moment.share)


def short_warm_up(_training: Training, strength: float, _seed: int) -> Tampering:
    """The warm-up is too short: the full rate, times `strength`, comes where the schedule still warms up.

    Where the mistake takes some steps, the rate grows to it geometrically in these.
    """
    return Tampering(
        rate=lambda moment, scheduled, full: scheduled ** (1 - moment.share) * (strength * full) ** moment.share
    )


def adam_constants(training: Training, strength: float, _seed: int) -> Tampering:
    """Adam's β₂ is wrong: its second moments forget at once, and a parameter whose gradient was small leaps.

    β₂ becomes `strength`.

    Raises:
        ValueError: if the optimizer has no β₂.
    """
    optimizer = training.optimizer
    if not any("betas" in group for group in optimizer.param_groups):
        raise ValueError(f"adam_constants needs an optimizer with betas; found {type(optimizer).__name__}.")

    def update(_moment: Moment) -> None:
        for group in optimizer.param_groups:  # which are others once a checkpoint was loaded
            if "betas" in group:
                group["betas"] = (group["betas"][0], strength)

    return Tampering(update=update)


def undivided_accumulation(training: Training, strength: float, _seed: int) -> Tampering:
    """Gradients of several batches are added up and not divided by their number: they are `strength` times as long."""

    def update(moment: Moment) -> None:
        for p in training.model.parameters():
            if p.grad is not None:
                p.grad.mul_(strength**moment.share)

    return Tampering(update=update)


def half_precision(training: Training, strength: float, _seed: int) -> Tampering:
    """Gradients go through float16 times a loss scale that nothing takes back when they overflow.

    The scale grows to `strength`, as a loss scaler's does where no overflow is found. Entries beyond 65,504 become
    infinite, and the next weights with them. Up to there the run is as healthy as before: nothing announces this break.
    """

    def update(moment: Moment) -> None:
        scale = strength**moment.share
        for p in training.model.parameters():
            if p.grad is not None:
                p.grad.copy_((p.grad * scale).to(torch.float16).to(p.dtype) / scale)

    return Tampering(update=update)
