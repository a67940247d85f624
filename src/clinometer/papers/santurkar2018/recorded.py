"""What each variant records: the probes that a figure or a claim reads of it, and no others.

Measuring takes longer than training these small networks, so a run that is read for its loss alone measures nothing.
A probe does not change the run or another probe's rows; `tests/papers/test_santurkar2018_recorded.py` holds this table
against what figures and claims read.
"""

from clinometer.papers.santurkar2018.configs import HIGH_LR, ROWS, SITES, is_deep_linear
from clinometer.training.config import RunConfig

BOTH = ("none", "batch")
NORMALIZED = (*BOTH, "l1", "l2", "linf")
OWN, HIGH = "own", "high"  # the scale's own learning rate, and the one of `HIGH_LR` at which the standard network dies

_Table = dict[str, dict[str | float, tuple[str, ...]]]

# The rows of a probe, to the learning rates at which they are read and the norms of which.
_VGG: _Table = {
    "landscape": {OWN: NORMALIZED, HIGH: BOTH, 0.01: BOTH},
    "landscape_random": {OWN: BOTH},
    "internal_shift": {OWN: BOTH, 0.01: BOTH},
    **{site: {OWN: (*NORMALIZED, "noisy_batch")} for site in SITES},
    "batchnorm_terms": {OWN: ("batch",)},
    "batch_sharpness": {OWN: BOTH},
}
_DEEP_LINEAR: _Table = {
    "landscape": {OWN: NORMALIZED},
    "landscape_random": {OWN: BOTH},
    "internal_shift": {OWN: BOTH, 1e-7: BOTH},
    "activations": {OWN: BOTH},
}


def recording(variant: RunConfig, base: RunConfig) -> RunConfig:
    """The variant of a base with the probes that are read of it.

    Example:
        >>> from clinometer.papers.santurkar2018.configs import vgg
        >>> from clinometer.training.from_config import names_of
        >>> names_of(recording(vgg("noise"), vgg())), names_of(recording(vgg("noisy_batch"), vgg()))
        ([], ['activations_before_norm', 'activations', 'activations_after_relu'])
    """
    named = zip(ROWS, base.probes, strict=True)
    read = {name: spec for name, spec in named if _is_read(name, variant, base)}
    consecutive = tuple(name for name in base.consecutive if name in read)
    return variant.vary(probes=tuple(read.values()), consecutive=consecutive)


def _is_read(probe: str, variant: RunConfig, base: RunConfig) -> bool:
    if variant.settings.get("reading") not in (None, "dln"):
        return False  # the other readings of the deep linear network are compared by their loss alone
    rates = (_DEEP_LINEAR if is_deep_linear(variant) else _VGG).get(probe, {})
    return variant["norm"] in rates.get(_rate(variant["lr"], base), ())


def _rate(lr: float, base: RunConfig) -> str | float:
    if lr == base["lr"]:
        return OWN
    return HIGH if lr == HIGH_LR.get(base.data) else lr
