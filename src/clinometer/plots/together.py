"""Several figures in one of matplotlib's, one below the other, which a notebook shows as it is."""

import io
import warnings
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas

from clinometer.plots.labels import label
from clinometer.plots.layout import STYLE
from clinometer.plots.matplotlib import fill, inches, mpl
from clinometer.studies.figure import Figure


class ShownFigure(Canvas):
    """A matplotlib figure that a notebook shows, though pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from (current )?font")  # drawn as boxes
            self.savefig(pixels := io.BytesIO(), format="png")
        return pixels.getvalue()


def draw_together(title: str, figures: Sequence[Figure]) -> ShownFigure:
    """Draw figures one below the other, each with its own title and legend.

    Args:
        title: Of all of them.
        figures: One or more.
    """
    sizes = [inches(figure) for figure in figures]
    width, heights = max(wide for wide, _ in sizes), [high for _, high in sizes]
    with mpl.rc_context(STYLE):
        canvas: Any = ShownFigure(figsize=(width, sum(heights) + 0.4), layout="constrained")
        parts = canvas.subfigures(len(figures), 1, height_ratios=heights, squeeze=False)
        for part, figure in zip(parts[:, 0], figures, strict=True):
            fill(part, figure)
        canvas.suptitle(label(title), fontsize="x-large")
    return canvas
