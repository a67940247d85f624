"""The alerts that compete: ours, and those that people use. All are calibrated and scored alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clinometer.recorder.alerts.base import Alert
from clinometer.recorder.alerts.baselines import Cusum, ZScore
from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.combined import CombinedAlert
from clinometer.recorder.alerts.limit import Limit
from clinometer.recorder.alerts.pooled import PooledAlert
from clinometer.recorder.alerts.quantity_alert import QuantityAlert
from clinometer.recorder.alerts.rule import Rule

FREE = ("step_norms",)  # probes that take no pass: an alert on these alone may be the default, as it fits any budget


@dataclass(frozen=True)
class Single:
    """A quantity, and the rule that scores it."""

    quantity: str  # as `probe/field`
    rule: Rule

    def alert(self, threshold: float = math.inf) -> QuantityAlert:
        """The alert at a threshold; by default one that scores and says nothing."""
        return QuantityAlert(self.quantity, self.rule, threshold)

    @property
    def quantities(self) -> tuple[str, ...]:
        """What it reads."""
        return (self.quantity,)


@dataclass(frozen=True)
class Pooled:
    """Quantities that are judged together."""

    judged: tuple[tuple[str, float], ...]  # with their weights
    blamed: tuple[str, ...]

    def alert(self, threshold: float = math.inf) -> PooledAlert:
        """The alert at a threshold; by default one that scores and says nothing."""
        return PooledAlert(dict(self.judged), threshold, blamed=self.blamed)

    @property
    def quantities(self) -> tuple[str, ...]:
        """What it reads."""
        return (*(quantity for quantity, _ in self.judged), *self.blamed)


Member = Single | Pooled


@dataclass(frozen=True)
class Candidate:
    """An alert of one member, or of several that speak as one."""

    name: str
    kind: Literal["ours", "usual"]
    members: tuple[Member, ...]

    def alert(self, thresholds: Sequence[float]) -> Alert:
        """The alert, with a threshold for each member."""
        alerts = [each.alert(threshold) for each, threshold in zip(self.members, thresholds, strict=True)]
        return alerts[0] if len(alerts) == 1 else CombinedAlert(alerts, name=self.name)

    @property
    def is_free(self) -> bool:
        """Whether it needs no pass of its own."""
        return all(probe in FREE for probe in self.probes)

    @property
    def probes(self) -> tuple[str, ...]:
        """Whose rows it reads."""
        quantities = (quantity for member in self.members for quantity in member.quantities)
        return tuple(dict.fromkeys(quantity.partition("/")[0] for quantity in quantities))


EACH_STEP = Change()
EVERY_FIFTH = Change(sustained=2, window=12, lag=3)  # of what is measured every five steps: ready after 75 of them


def _falls(rule: Change) -> Change:
    return replace(rule, direction="falls")


def _relative(rule: Change) -> Change:
    return replace(rule, relative=True)


RATIO = Single("step_norms/update_ratio", EACH_STEP)
GRADIENTS = Single("step_norms/gradient_norm", EACH_STEP)
LOSS = Single("step_norms/loss", EACH_STEP)
HEADROOM = Single("headroom/loss", _falls(EVERY_FIFTH))
BLOCKS = Single("headroom_blocks/loss", _falls(EVERY_FIFTH))
LOGITS = Single("attention_logits/largest", EVERY_FIFTH)
VARIANCE = Single("activation_moments/var", EVERY_FIFTH)

_LOSS, _UPDATE, _GRADIENT = ("step_norms/loss", "step_norms/total_update_norm", "step_norms/total_gradient_norm")
BLAMED = ("step_norms/update_ratio",)  # what tells the blocks apart
POOL = Pooled(((_LOSS, 2.0), (_UPDATE, 1.0)), BLAMED)
POOL_WITH_GRADIENT = Pooled(((_LOSS, 2.0), (_UPDATE, 1.0), (_GRADIENT, 1.0)), BLAMED)
UPDATE_NORM = Single(_UPDATE, EACH_STEP)

OURS = {
    "loss and update norm, pooled": (POOL,),
    "loss, update and gradient norm, pooled": (POOL_WITH_GRADIENT,),
    "update ratio, by block": (RATIO,),
    "update ratio, relative": (Single("step_norms/update_ratio", _relative(EACH_STEP)),),
    "gradient norm, by block": (GRADIENTS,),
    "gradient norm, relative": (Single("step_norms/gradient_norm", _relative(EACH_STEP)),),
    "loss rises": (LOSS,),
    "headroom": (HEADROOM,),  # 1/headroom is λ_c·lr/2
    "headroom, by block": (BLOCKS,),
    "headroom below a limit": (Single("headroom/loss", Limit(0.0, is_rise=False, sustained=2)),),
    "headroom of a block below a limit": (Single("headroom_blocks/loss", Limit(0.0, is_rise=False, sustained=2)),),
    "attention logits": (LOGITS,),
    "activation variance": (VARIANCE,),
    "ratio or loss": (RATIO, LOSS),
    "all that is measured": (RATIO, GRADIENTS, LOSS, BLOCKS, LOGITS, VARIANCE),
}
USUAL = {
    "gradient norm": Single("step_norms/total_gradient_norm", EACH_STEP),
    "update norm": UPDATE_NORM,
    "loss z-score": Single("step_norms/loss", ZScore()),
    "loss CUSUM": Single("step_norms/loss", Cusum()),
    "activation kurtosis": Single("activation_moments/kurtosis", EVERY_FIFTH),
}
CANDIDATES = (
    *(Candidate(name, "ours", members) for name, members in OURS.items()),
    *(Candidate(name, "usual", (member,)) for name, member in USUAL.items()),
)
