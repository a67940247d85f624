"""How much curvature a step of the optimizer's own norm could have met: a bound, for sign methods, Muon and kin."""

import math
from collections.abc import Iterable

from clinometer.measures.generalised_sharpness import Norm, norms_of
from clinometer.measures.generalised_sharpness import generalised_sharpness as measure
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.objective.params import dot, flattened, sub, unflattened
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.direction import random_direction
from clinometer.probes.field import Field
from clinometer.probes.update_norm import norm_of_update
from clinometer.store import Row

_CURVATURE = "loss / norm of the step²"
FIELDS = {
    "value": Field(
        unit=_CURVATURE,
        meaning="a lower bound on the generalised sharpness, the most curvature of a step as long as this one",
        headline=True,
        label="sharpness bound",
        worst="highest",
    ),
    "threshold": Field(
        unit=_CURVATURE, meaning="2⟨−g, d⟩ / ‖d‖²: below it every step as long as this gains more than curvature takes"
    ),
    "ratio": Field(
        meaning="the bound over the threshold; above 1, the norm of the step does not guarantee that the loss falls",
        headline=True,
        label="sharpness bound/threshold",
        worst="highest",
        otherwise="value",
    ),
    "lowest": Field(unit=_CURVATURE, meaning="the least that one of the starts of the search found", drawing="none"),
    "norm": Field(meaning="the norm: max, spectral or euclidean", kind="text", drawing="none"),
    "products": Field(unit="Hessian-vector products", meaning="what it took", kind="integer", drawing="none"),
}


@probe_factory
def generalised_sharpness(
    *, norm: Norm | None = None, iterations: int = 10, batches: Iterable[Batch] | Batches | None = None
) -> Probe:
    """A bound on the curvature that steps of the optimizer's own norm meet, for sign methods, Muon and their kin.

    Fields: `value`, a lower bound on S = max dᵀHd over steps with ‖d‖ ≤ 1; `threshold` = 2⟨−g, d⟩ / ‖d‖² of the real
    update d, and `ratio` = value / threshold; `lowest`, where the worst start of the search ended; `norm`, `products`.
    Cost: 3 to 33 Hessian-vector products of 1.7 forward-backward passes, about 15 at first.

    The second-order model of the loss falls at least by ⟨−g, d⟩ − S‖d‖²/2, so if S is below the threshold the step
    lowers it. For w⁺ = w − η‖g‖_* d* the threshold is 2/η; for a method that drops ‖g‖_*, such as signSGD and Muon, it
    is 2‖g‖_*/η; with momentum it is less. As `value` is a lower bound, a ratio above 1 says that there is no such
    guarantee, and one below 1 does not say that there is. NaN for a step that does not move, and no threshold for one
    that goes uphill.

    Args:
        norm: `max` for signs, `spectral` for Muon (of each parameter as a matrix), `euclidean` for λ_max. By default
            the step tells: torch's Muon is `spectral`, equal entries are `max`, all else is `euclidean`. Each parameter
            is bounded by how far it went itself: a Muon that scales its matrices has a ball of that shape.
        iterations: Steps of the search from each of its starts: the update, a random direction, and where the last
            measurement ended.
        batches: Measure the mean loss of these instead of the step's own batch. Rows are named
            `generalised_sharpness_batches`.

    Raises:
        ValueError: if there is no such norm, or `iterations` is below 1.
    Source: Islamov, Crawshaw, Cohen & Gower (2026), arXiv:2603.05002.
    """
    if norm not in (None, "max", "spectral", "euclidean"):
        raise ValueError(f"norm must be one of max, spectral, euclidean, or None; found {norm!r}.")
    if iterations < 1:
        raise ValueError(f"`iterations` must be at least 1; found {iterations}.")
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        on, update = step.on(measured_on), sub(step.after, step.before)
        used = norm or norm_of_update(step)
        radii = norms_of(update, used)
        length = max(radii.values()) if isinstance(radii, dict) else radii
        if not 0 < length < math.inf:
            return dict.fromkeys(("value", "threshold", "ratio", "lowest"), math.nan) | {"norm": used, "products": 0}
        starts = [update, random_direction(step)]
        if "direction" in step.memory:
            starts.append(unflattened(step.memory["direction"], step.before))
        found = measure(on.objective, on.before, starts, used, radii, iterations=iterations)
        if math.isfinite(found.value):
            step.memory["direction"] = flattened(found.direction)
        gain = -float(dot(on.gradient, update))
        return {
            "value": found.value / length**2,
            "threshold": 2 * gain / length**2 if gain > 0 else math.nan,
            "ratio": found.value / (2 * gain) if gain > 0 else math.nan,
            "lowest": found.lowest / length**2,
            "norm": used,
            "products": found.products,
        }

    return make_probe("generalised_sharpness", probe, FIELDS, 25.0, batches=measured_on)
