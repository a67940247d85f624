"""Numbers over seeds as people read them: factors, learning rates, percent."""

from collections.abc import Callable, Mapping

import numpy as np

from clinometer.papers.norms.quantities import Quantity
from clinometer.results.run_table import Floats
from clinometer.results.statistics import Interval, interval

SHOWN: Mapping[str, Callable[[float], float]] = {  # by the scale on which a quantity is compared
    "log10": lambda value: float(10.0**value),
    "log2": lambda value: float(2.0**value),
    "logit": lambda value: 100 / (1 + float(np.exp(-value))),
}


def in_units(quantity: Quantity, values: Floats) -> Interval:
    """The mean over those seeds that have a value, with Student's 95% interval, as it is told; NaN without any.

    Args:
        quantity: What it is.
        values: Of a norm, (seeds,), on the scale on which norms are compared.

    Example:
        >>> from clinometer.papers.norms.quantities import QUANTITIES
        >>> found = in_units(QUANTITIES["best"], np.array([-3.0, -3.0, -1.0, -1.0]))
        >>> f"{found.value:g} [{found.low:.2g}, {found.high:.2g}], n = {found.n}"
        '0.25 [0.07, 0.89], n = 4'
    """
    has = values[np.isfinite(values)]
    if not has.size:
        return Interval(np.nan, np.nan, np.nan, 0)
    found, shown = interval(has), SHOWN[quantity.scale]
    with np.errstate(over="ignore"):
        return Interval(shown(found.value), shown(found.low), shown(found.high), found.n)
