"""Pictures of a plane of the loss: levels seen from above, and a surface in space."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from clinometer.measures.plane import Plane
from clinometer.measures.plane_axes import Axes
from clinometer.studies.axis_scale import axis_scale
from clinometer.studies.figure import Figure, Heights, Mark, Panel, Series, Values

View = Literal["contour", "surface"]


def plane_figure(
    plane: Plane,
    axes: Axes | None = None,
    *,
    title: str = "Loss over a plane",
    labels: tuple[str, str] | None = None,
    names: Sequence[str] = (),
    scale: Literal["linear", "log"] | None = None,
    levels: Sequence[float] = (),
    views: Sequence[View] = ("contour", "surface"),
) -> Figure:
    """A plane as a figure, for `plots.matplotlib.save`.

    The lowest loss that was evaluated is marked. Where the loss is not finite nothing is coloured and the place is
    hatched. What was interpolated is told from what was evaluated, by dots at the latter.

    Args:
        plane: What `plane` or `refined_plane` returned.
        axes: The axes that the plane was made with; their points are drawn, as a path or with `names`.
        title: The figure's title.
        labels: Of both axes.
        names: Of the points of `axes`, where they are solutions and not a path.
        scale: Of the loss; by default logarithmic where losses are positive and their ratio is above 20.
        levels: The losses at which lines are drawn; some by default.
        views: The panels.

    Raises:
        ValueError: if there is another number of names than points, or a plane of one row or column.

    Example:
        >>> from clinometer.plots.matplotlib import draw
        >>> sizes = torch.tensor([-1.0, 0.0, 1.0])
        >>> losses = sizes[:, None] ** 2 + sizes**2
        >>> made = Plane(sizes, sizes, losses, losses >= 0, torch.ones(2), torch.zeros(()))
        >>> [panel.get_title() for panel in draw(plane_figure(made, views=["contour"])).axes[:1]]
        ['levels of the loss']
    """
    points = axes.path.numpy() if axes else np.empty((0, 2))
    if names and len(names) != len(points):
        raise ValueError(f"expected a name for each of the {len(points)} points of the axes; found {len(names)}.")
    if min(plane.losses.shape) < 2:
        raise ValueError(f"a picture needs two sizes or more each way; found {tuple(plane.losses.shape)}.")
    first, second = plane.sizes_one.argsort(), plane.sizes_two.argsort()
    losses = _array(plane.losses[first][:, second].double())
    marks, path = _marks(plane, points, names)
    panels = [
        Panel(
            {"contour": "levels of the loss", "surface": "the loss as a surface"}[view],
            *(labels or _labels(axes)),
            series=path,
            heights=Heights(
                x=_array(plane.sizes_one[first]),
                y=_array(plane.sizes_two[second]),
                z=losses,
                unit="loss",
                view=view,
                scale=scale or _scale(losses),
                evaluated=_array(plane.evaluated[first][:, second]),
                levels=tuple(levels),
                marks=marks,
            ),
        )
        for view in views
    ]
    return Figure(title, _caption(plane, axes, names), tuple(panels), columns=2)


def _marks(plane: Plane, points: Values, names: Sequence[str]) -> tuple[tuple[Mark, ...], tuple[Series, ...]]:
    """The points by name, or as a path with its start and end; and the lowest loss."""
    marks: list[Mark] = []
    path: tuple[Series, ...] = ()
    known = torch.where(plane.evaluated & plane.losses.isfinite(), plane.losses.double(), torch.inf)
    if bool(known.isfinite().any()):
        row, column = divmod(int(known.argmin()), known.shape[1])
        name = f"lowest evaluated: {float(known[row, column]):.3g}"
        marks.append(Mark(name, float(plane.sizes_one[row]), float(plane.sizes_two[column]), "diamond"))
    if names:
        marks += [
            Mark(name, float(a), float(b), "circle", beside=True) for name, (a, b) in zip(names, points, strict=True)
        ]
    elif len(points):
        path = (Series("path of the run, projected", 1, points[:, 0], points[:, 1]),)
        (a, b), (c, d) = points[0].tolist(), points[-1].tolist()
        marks += [Mark("its start", a, b, "circle"), Mark("its end", c, d, "star")]
    else:
        marks.append(Mark("origin", 0.0, 0.0, "star"))
    return tuple(marks), path


def _labels(axes: Axes | None) -> tuple[str, str]:
    if axes is None:
        return "multiples of direction 1", "multiples of direction 2"
    if axes.explained is None:
        return "distance along axis 1", "distance along axis 2"
    shares = [f"principal axis {n} ({share:.0%})" for n, share in enumerate(axes.explained.tolist(), 1)]
    return shares[0], shares[1]


def _scale(losses: Values) -> Literal["linear", "log"]:
    finite = losses[np.isfinite(losses)]
    return axis_scale(finite) if (finite > 0).all() else "linear"  # a loss of 0 would be hatched on a logarithmic one


def _caption(plane: Plane, axes: Axes | None, names: Sequence[str]) -> str:
    """What must be known to read the picture."""
    evaluated, total = int(plane.evaluated.sum()), plane.losses.numel()
    parts = [
        f"{evaluated:,} losses, evaluated."
        if evaluated == total
        else (
            f"{evaluated:,} of {total:,} losses were evaluated, the others interpolated, "
            f"with an estimated relative error of at most {plane.error:.2g}."
        )
    ]
    missing = int((~plane.losses[plane.evaluated].isfinite()).sum())
    if missing:
        parts.append(f"{missing:,} of them are not finite: hatched.")
    if abs(float(plane.cosine)) > 0.01:
        parts.append(f"The directions have cosine {float(plane.cosine):.2f}, and are drawn at a right angle.")
    if axes is not None and not names:
        parts.append(f"The path is projected: its points lie up to {float(axes.outside.max()):.3g} off the plane.")
    return " ".join(parts)


def _array(values: Tensor) -> Values:
    return values.detach().cpu().numpy()
