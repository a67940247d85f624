"""What a quantity is called in a message, and what to try where it gives an alarm."""

from typing import NamedTuple

from clinometer.recorder.alerts.alarm import Kind


class Advice(NamedTuple):
    """What is said of a quantity."""

    called: str
    rises: str  # what to try where it is too high
    falls: str = "look at what changed at that step: the data, the rate, what is frozen"  # where it is too low


_FROZEN = "see whether it still learns: a dead layer, a rate of 0, gradients that a mask or a detach() stops"
_STEP_TOO_LONG = "lower the rate, clip, or warm up longer; look at that batch"
_BLOCK_TOO_LONG = "lower the rate of that block or clip; look at what goes into it"
_ADVICE = {
    "step_norms/update_ratio": Advice("update_ratio", _BLOCK_TOO_LONG, _FROZEN),
    "step_norms/update_norm": Advice(
        "update_norm", "lower the rate of that block or clip; for Adam a larger ε, or a larger β₂", _FROZEN
    ),
    "step_norms/gradient_norm": Advice("gradient_norm", _BLOCK_TOO_LONG, _FROZEN),
    "step_norms/weight_norm": Advice(
        "weight_norm", "weight decay or a lower rate for that block; scale-invariant weights only grow without decay"
    ),
    "step_norms/loss": Advice("the loss", _STEP_TOO_LONG),
    "step_norms/total_gradient_norm": Advice("the gradient norm", _STEP_TOO_LONG, _FROZEN),
    "step_norms/total_update_norm": Advice("the update norm", _STEP_TOO_LONG, _FROZEN),
    "headroom/loss": Advice("headroom", "raise the rate: the steps are shorter than they need be", _STEP_TOO_LONG),
    "headroom_blocks/loss": Advice(
        "headroom", "raise the rate of that block: its steps are shorter than they need be", _BLOCK_TOO_LONG
    ),
    "headroom/critical_sharpness": Advice("critical sharpness", _STEP_TOO_LONG),
    "headroom_blocks/critical_sharpness": Advice("critical sharpness", _BLOCK_TOO_LONG),
    "sharpness/ratio": Advice("sharpness over its threshold", "lower the rate; for Adam a larger β₂ or ε"),
    "landscape/beta": Advice("β", _STEP_TOO_LONG),
    "noise_scale/noise_scale": Advice("noise scale", "a larger batch or a lower rate; look for corrupted samples"),
    "attention_logits/largest": Advice(
        "the largest attention logit", "normalise queries and keys (QK-norm), or lower the rate of that block"
    ),
    "attention_logits/entropy": Advice(
        "attention entropy", _BLOCK_TOO_LONG, "normalise queries and keys (QK-norm), or lower the rate of that block"
    ),
    "activation_moments/kurtosis": Advice(
        "activation kurtosis", "look for a few units that grow: clip, or decay the weights of that layer"
    ),
    "activation_moments/largest": Advice(
        "the largest activation", "look at the scale of its inputs; in half precision 65504 is the end"
    ),
    "activation_moments/var": Advice("activation variance", "look at the scale of its inputs, and of its weights"),
}
_NOT_FINITE = "go back to a checkpoint before that step and lower the rate or clip; in half precision scale the loss"


def advice_on(quantity: str, kind: Kind) -> tuple[str, str]:
    """What a quantity is called, and what to try.

    Example:
        >>> advice_on("mine/speed", "falls")
        ('mine/speed', 'look at what changed at that step: the data, the rate, what is frozen')
    """
    known = _ADVICE.get(
        quantity, Advice(quantity, "look at what changed at that step: the data, the rate, the schedule")
    )
    if kind == "not finite":
        return known.called, _NOT_FINITE
    return known.called, known.rises if kind in ("rises", "above") else known.falls
