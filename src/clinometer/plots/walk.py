"""A walk on paper: the loss along the last few steps, the later the darker."""

import numpy as np

from clinometer.studies.figure import Series, Walk

_SHOWN = 5


def walk_lines(walk: Walk) -> tuple[Series, ...]:
    """A line for each of the last steps; the legend names the first and the last of them.

    Example:
        >>> sizes = np.tile([0.5, 1.0, 2.0], (10, 1))
        >>> lines = walk_lines(Walk(np.arange(10), sizes, sizes**2))
        >>> [line.label for line in lines], [line.shade for line in lines]
        (['step 5', '', '', '', 'step 9'], [0.2, 0.4, 0.6, 0.8, 1.0])
    """
    shown = range(max(len(walk.steps) - _SHOWN, 0), len(walk.steps))
    ends = {shown.start, shown.stop - 1}
    return tuple(
        Series(
            label=f"step {int(walk.steps[at])}" if at in ends else "",
            colour=walk.colour,
            x=walk.sizes[at],
            y=np.where(np.isfinite(walk.losses[at]), walk.losses[at], np.nan),
            shade=round((place + 1) / len(shown), 3),
        )
        for place, at in enumerate(shown)
    )
