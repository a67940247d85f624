"""Which norm an optimizer's steps are bounded in: read from its class, or from the step that it took."""

from typing import Any

import torch
from torch import Tensor

from clinometer.measures.generalised_sharpness import Norm
from clinometer.probes.base import Step
from clinometer.probes.optimizer_kinds import KINDS

_MUON = getattr(torch.optim, "Muon", None)  # from torch 2.9
_EQUAL = 1e-3  # by which share the entries of a step by signs may differ


def norm_of_update(step: Step) -> Norm:
    """`spectral` for torch's Muon; `max` where all entries of each parameter's step are equal up to sign, or 0.

    What decoupled weight decay added to the step is taken off first. `euclidean` for everything else: descent, Adam
    and its kin, several optimizers, and classes of which nothing is known.

    Example:
        >>> from clinometer import Objective
        >>> objective = Objective(params={"w": torch.ones(3)}, loss_fn=lambda p, _: p["w"].sum())
        >>> before, after = ({"w": torch.tensor(values)} for values in ([1.0, 2.0, 3.0], [0.9, 2.1, 2.9]))
        >>> norm_of_update(Step(0, objective, before, after, 0.1, {"w": 0.1}))
        'max'
    """
    if len(step.optimizers) > 1:
        return "euclidean"
    optimizer: Any = next(iter(step.optimizers), None)
    if _MUON is not None and isinstance(optimizer, _MUON):
        return "spectral"
    if type(optimizer) in KINDS:
        return "euclidean"
    decays = {0.0, *(float(group.get("weight_decay") or 0.0) for group in getattr(optimizer, "param_groups", ()))}
    return "max" if any(_is_by_signs(step, decay) for decay in decays) else "euclidean"


def _is_by_signs(step: Step, decay: float) -> bool:
    kept = {name: 1 - abs(step.rates[name]) * decay for name in step.before}
    moves = [step.after[name] - kept[name] * value for name, value in step.before.items()]
    return any(bool(move.any()) for move in moves) and all(map(_are_alike, moves, step.before.values()))


def _are_alike(move: Tensor, before: Tensor) -> bool:
    """Whether all entries of a move are 0, or as far from it as the largest, up to how the sums were rounded."""
    far = move.abs()
    if not bool(far.any()):
        return True
    largest, rounding = far.max(), 4 * torch.finfo(before.dtype).eps * before.abs()
    near = _EQUAL * largest + rounding
    return bool(largest > 4 * rounding.max()) and bool((((largest - far) <= near) | (far <= near)).all())
