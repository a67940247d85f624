"""Finds the loss that a step minimised: which of its batches took part, and with which weights.

A loop may skip a batch, add up the losses of its batches or divide them, before the backward pass or after, make one
pass for several batches or several for one. The losses that it called `.backward()` on and the gradient that its
optimizer used say what it did.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from clinometer.measures.noise_scale import BatchNorms
from clinometer.objective.distributed import Ranks
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point
from clinometer.probes.used_gradient import Agreement, agreement
from clinometer.recorder.loss_capture import BackwardPass


@dataclass(frozen=True)
class Evidence:
    """What is known of a step beside its batches."""

    before: Point  # the parameters
    passes: Sequence[BackwardPass]  # backward passes whose gradients were there when the optimizer stepped
    used: Point | None  # the gradient that it used; None where that is unknown
    most_batches: int  # of any step of the run
    rounding: float  # by which share training's numbers may differ from ours
    ranks: Ranks

    @cached_property
    def captured(self) -> float:
        """The loss that was minimised, of all ranks; NaN without a pass."""
        return self.ranks.mean(sum(each.loss * each.weight for each in self.passes) if self.passes else math.nan)

    def batches_with_a_pass(self) -> list[int]:
        """The numbers of the batches after which a backward pass came, on any rank."""
        mine = sum(2**number for number in {each.batch for each in self.passes})
        masks = [int(mask) for mask in self.ranks.all_gather(mine)]
        return [number for number in range(max(masks).bit_length()) if any(mask >> number & 1 for mask in masks)]

    def fits(self, value: float, expected: float) -> bool:
        """Whether two numbers are the same but for rounding."""
        return abs(value - expected) <= self.rounding * abs(expected)


class Candidate:
    """A loss that the step may have minimised.

    Args:
        objective: That loss.
        evidence: What it is held against.
        numbers: Those of its batches within the step.
    """

    def __init__(self, objective: Objective, evidence: Evidence, numbers: Sequence[int]) -> None:
        self.objective = objective
        self.numbers = numbers
        self.norms = BatchNorms(objective)  # once `start` is known
        self._evidence = evidence

    @cached_property
    def start(self) -> tuple[Tensor, Point]:
        """Its value and gradient where the step started."""
        return self.objective.loss_and_grad(self._evidence.before, show=self.norms.show)

    @cached_property
    def loss(self) -> float:
        """Its value there."""
        return float(self.start[0])

    @cached_property
    def agreement(self) -> Agreement | None:
        """How the gradient that the optimizer used lies to its own."""
        used = self._evidence.used
        return None if used is None else agreement(used, {name: self.start[1][name] for name in used})

    @property
    def factor(self) -> float:
        """What its gradient was multiplied by to give the one used; NaN where they are not proportional."""
        found = self.agreement
        return found.factor if found and found.proportional(self._evidence.rounding) else math.nan

    def misfit(self) -> tuple[float, float]:
        """How badly it fits: by the angle between the gradients, then by the loss, as far as they are known."""
        evidence, found = self._evidence, self.agreement
        angle = 0.0 if evidence.used is None else 2.0 if found is None else round(1 - found.cosine, 4)
        gaps = [abs(evidence.captured - weight * self.loss) for weight in self.weights()]
        gap = min(gaps) / max(abs(evidence.captured), 1e-300)
        return angle, gap if math.isfinite(gap) else math.inf if math.isfinite(evidence.captured) else 0.0

    def weights(self) -> list[float]:
        """What the mean loss may have been multiplied by.

        By 1; by the number of batches, where their losses are added up; or, in the smaller last group of an epoch, by
        their share of the usual number. And by the number and the weights of the backward passes, where each began at
        the loss of its batch itself.
        """
        evidence, batches = self._evidence, self.objective.batches
        weights = [1.0, float(batches), batches / evidence.most_batches]
        passes = evidence.passes
        if passes and self.loss and len({each.weight for each in passes}) == 1 and len(passes) % batches == 0:
            mean = sum(each.loss for each in passes) / len(passes)
            if evidence.fits(evidence.ranks.mean(mean), self.loss):
                weights.append(evidence.captured / self.loss)
        return weights


def trained_loss(objective: Objective, evidence: Evidence, given: Sequence[float | None]) -> Candidate:
    """The loss that the step minimised.

    Cost: none for one batch and one backward pass; else a forward-backward pass for each batch, which the probes share
    as the start of the step unless a weight other than 1 is found.

    Args:
        objective: The mean loss over the batches.
        evidence: What else is known of the step.
        given: The weight of each batch, where the loop gave one.
    """
    everything = range(objective.batches)
    with_a_pass = evidence.batches_with_a_pass() or everything[-1:]  # per-task gradients come without any pass
    skipped = len(with_a_pass) < objective.batches
    parts = [everything, with_a_pass] if skipped else [everything]
    if any(weight is not None for weight in given):
        candidates = [Candidate(_with_weights(objective, given, part), evidence, part) for part in parts]
        return min(candidates, key=Candidate.misfit) if skipped else candidates[0]
    one_pass = len(evidence.passes) <= 1 and all(each.weight == 1 for each in evidence.passes)
    if objective.batches == evidence.most_batches == 1 and one_pass:
        return Candidate(objective, evidence, everything)
    chosen = min((Candidate(objective.only(part), evidence, part) for part in parts), key=Candidate.misfit)
    if math.isnan(chosen.factor) and evidence.used is not None and chosen.objective.batches > 1:
        each = _weighted_by_passes(chosen, evidence)
        if each is not None and not math.isnan(each.factor):
            return each
    weight, count = _weight(chosen, evidence), chosen.objective.batches
    if weight == 1:
        return chosen
    return Candidate(chosen.objective.weighted([weight / count] * count), evidence, chosen.numbers)


def _with_weights(objective: Objective, given: Sequence[float | None], part: Sequence[int]) -> Objective:
    weights = [given[number] for number in part]
    return objective.only(part).weighted([1.0 if weight is None else weight for weight in weights])


def _weight(chosen: Candidate, evidence: Evidence) -> float:
    """What the mean loss was multiplied by: what the gradient says, else what the losses say."""
    weights = chosen.weights()
    exact = [weight for weight in weights if evidence.fits(chosen.factor, weight)]
    if exact:
        return exact[0]
    if not math.isfinite(evidence.captured):
        return 1.0
    return min(weights, key=lambda weight: abs(evidence.captured - weight * chosen.loss))


def _weighted_by_passes(chosen: Candidate, evidence: Evidence) -> Candidate | None:
    """Each batch with the weight that its backward passes gave it, as where batches count by their tokens."""
    weights: list[float] = []
    for place, number in enumerate(chosen.numbers):
        own = float(chosen.objective.only([place]).loss(evidence.before))
        minimised = evidence.ranks.mean(sum(p.loss * p.weight for p in evidence.passes if p.batch == number))
        weights.append(minimised / own if own else math.nan)
    if not all(map(math.isfinite, weights)):
        return None
    return Candidate(chosen.objective.weighted(weights), evidence, chosen.numbers)
