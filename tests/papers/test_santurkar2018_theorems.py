"""Left sides come from autograd through BatchNorm, right sides from the formulas; the pieces that both share, BatchNorm
and its derivatives, are held against PyTorch's own and against finite differences first.

TOLERANCE: the errors are relative to the terms before they cancel. The units here have at most 16 samples and, by
`well_posed`, |μ|/s and 1/(1 − r) that cost at most three digits each of float64's sixteen, in a product of at most four
such quantities: 1e-16 · 16 · 1e6 is about 1e-9. A wrong factor shows at 1e-3 or more.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from clinometer.papers import load_study
from clinometer.papers.santurkar2018 import (
    fact_c_1,
    lemma_4_5,
    observation_4_3,
    theorem_4_1,
    theorem_4_2_part_1,
    theorem_4_2_part_2,
    theorem_4_4,
    theorem_c_1,
)
from clinometer.papers.santurkar2018.unit import Unit, curvature, gradient, hessian, random_unit
from clinometer.studies.theorems import check

THEOREMS = load_study("santurkar2018").theorems
TOLERANCE = 1e-9


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def well_posed(unit: Unit) -> bool:
    return float(unit.y.mean().abs() / unit.s) < 1e3 and float(unit.y.std() / unit.y.norm()) > 1e-3


@st.composite
def units(draw: st.DrawFn, least: int = 3, inputs: int = 1, eps: float | None = None) -> Unit:
    """Any shape, γ of either sign, ε = 0 or not, either variance, and a loss that is neither convex nor separable."""
    unit = random_unit(
        seeded(draw(st.integers(0, 2**32))),
        m=draw(st.integers(least, 16)),
        d=draw(st.integers(inputs, 8)),
        gamma=draw(st.sampled_from([1.0, -1.0])) * draw(st.floats(1e-2, 1e2)),
        eps=draw(st.just(0.0) | st.floats(1e-5, 10.0)) if eps is None else eps,
        unbiased=draw(st.booleans()),
    )
    assume(well_posed(unit))
    return unit


def plain(seed: int, **chosen: float) -> Unit:
    """A unit of the paper's own: ε = 0 and the biased variance."""
    return random_unit(seeded(seed), eps=0.0, unbiased=False, **chosen)


@given(units(least=2))
def test_batch_norm_is_pytorchs(unit: Unit) -> None:
    """Against F.batch_norm where it exists, and for ε = 0 and the unbiased variance against ŷ from its definition."""
    assert torch.allclose(unit.gamma * unit.normalized + unit.beta, unit.z, rtol=0, atol=TOLERANCE * abs(unit.gamma))
    if unit.eps:
        gamma, beta = (torch.tensor([v], dtype=torch.float64) for v in (unit.gamma, unit.beta))
        theirs = F.batch_norm(unit.y[:, None], None, None, gamma, beta, training=True, eps=unit.eps)[:, 0]
        ours = replace(unit, unbiased=False)
        assert torch.allclose(ours.gamma * ours.normalized + ours.beta, theirs, rtol=0, atol=1e-9 * abs(unit.gamma))


@pytest.mark.parametrize(("eps", "unbiased"), [*itertools.product([0.0, 0.1], [False, True])])
def test_derivatives_are_those_of_finite_differences(eps: float, unbiased: bool) -> None:
    """So that the left sides, all by autograd, are evidence. Central differences err by h²/6 times the third derivative
    and by rounding over h (over h² for the curvature): 1e-8 and 1e-10 at h = 1e-4, relative to values of order one.
    """
    unit = random_unit(seeded(0), m=5, eps=eps, unbiased=unbiased)
    unit = replace(unit, w=unit.w / unit.s, gamma=1.0)
    h, d = 1e-4, normal(1, 5)
    plus, minus, here = (unit.loss_at(unit.y + step * d) for step in (h, -h, 0))
    slope = gradient(unit.loss_at, unit.y) @ d
    assert float((plus - minus) / (2 * h)) == pytest.approx(float(slope), rel=1e-5, abs=1e-5)
    bend = curvature(unit.loss_at, unit.y, along=d)
    assert float((plus - 2 * here + minus) / h**2) == pytest.approx(float(bend), rel=1e-4, abs=1e-4)
    assert float(d @ hessian(unit.loss_at, unit.y) @ d) == pytest.approx(float(bend), rel=1e-12)


@given(units(least=2))
def test_fact_c_1(unit: Unit) -> None:
    """Autograd through BatchNorm against a projection written by hand; two samples leave nothing, P = 0."""
    assert fact_c_1.error(unit) < TOLERANCE
    if unit.eps == 0 and len(unit.x) == 2:
        assert fact_c_1.right(unit).norm() < TOLERANCE * unit.size().sqrt()


@given(units(least=2))
def test_theorem_4_1(unit: Unit) -> None:
    """Autograd through BatchNorm against the formula, with (2 − r)/n for whatever ε and variance."""
    assert theorem_4_1.error(unit) < TOLERANCE


def test_theorem_4_1_needs_the_root_inside_the_square() -> None:
    """By hand: y = (1, −1, 0, 0) has σ = 1/√2 and ŷ = √2y; with g = y, γ = 1: left 0; outside, 2·(2 − 8/2) = −4."""
    y = torch.tensor([1.0, -1.0, 0.0, 0.0], dtype=torch.float64)
    unit = Unit(y[:, None], torch.ones(1, dtype=torch.float64), 1.0, 0.0, lambda z: z @ y)
    assert float(theorem_4_1.left(unit)) == pytest.approx(0.0, abs=1e-15)
    assert float(theorem_4_1.right(unit)) == pytest.approx(0.0, abs=1e-15)
    assert float(theorem_4_1.right(unit, factor=4**-0.5)) == pytest.approx(2 * (2 - 8 / 2))
    assert theorem_4_1.root_outside(unit) > 0.5


def test_theorem_4_1_compares_gradients_at_the_same_activations() -> None:
    """L = Σz³, g = 3z²: where y is small the gradient there is smaller still and BatchNorm's is not, unless z = y."""
    unit = replace(plain(0), loss=lambda z: (z**3).sum(), gamma=1.0)
    unit = replace(unit, x=unit.x / 100 / float(unit.s))
    assert theorem_4_1.gradient_at_y(unit) > 0.01
    same = theorem_4_1.z_is_y(unit)
    assert theorem_4_1.gradient_at_y(same) < TOLERANCE


@given(units(least=2))
def test_theorem_4_2_part_1(unit: Unit) -> None:
    """Two backward passes through BatchNorm against the formula; at ε = 0 the further terms are gone, p = 0."""
    assert theorem_4_2_part_1.error(unit) < TOLERANCE
    if unit.eps == 0 and not unit.unbiased:
        printed = theorem_4_2_part_1.as_printed(unit)
        assert float((printed - theorem_4_2_part_1.right(unit)).abs()) < TOLERANCE * float(unit.hessian_size())


@given(units(), st.integers(0, 2**32), st.floats(0.0, 10.0), st.floats(0.1, 1.0))
def test_theorem_4_2_part_2(unit: Unit, seed: int, quotient: float, share: float) -> None:
    """The bound holds with all of its hypotheses, and right − left is what the first part says it is."""
    unit = replace(unit, gamma=share * float(unit.s) * (1 if unit.gamma > 0 else -1))
    g, h = unit.g, normal(seed, len(unit.x), len(unit.x))
    u = theorem_4_2_part_2.projected(unit)
    assume(float((u @ g) ** 2) < 0.99 * float(u @ u) * float(g @ g))  # else no H has the two quotients asked for
    assert theorem_4_2_part_2.error(theorem_4_2_part_2.preserving(unit, g, h + h.T, quotient)) < TOLERANCE


def test_theorem_4_2_part_2_holds_just_where_uhu_is_at_most_ghg() -> None:
    """Random H: the sign of the slack tells which, in both directions; and about half of the time it fails."""
    found: list[bool] = []
    for seed in range(60):
        unit = plain(seed)
        h = normal(seed, len(unit.x), len(unit.x))
        unit = theorem_4_2_part_2.with_loss(replace(unit, gamma=float(unit.s)), unit.g, h + h.T)
        found.append(float(theorem_4_2_part_2.slack(unit)) < 0)
        assert found[-1] == (theorem_4_2_part_2.violation(unit) > TOLERANCE)
    assert 0.2 < sum(found) / len(found) < 0.8


def test_theorem_4_2_part_2_fails_with_its_printed_hypothesis_alone() -> None:
    """H = I preserves every norm; where γ > σ makes v longer than g, the bound is false all the same."""
    unit = plain(3, m=8)
    g, identity = unit.g, torch.eye(8, dtype=torch.float64)
    for factor, fails in ((0.5, False), (10.0, True)):
        with_gamma = theorem_4_2_part_2.with_loss(replace(unit, gamma=factor * float(unit.s)), g, identity)
        assert (theorem_4_2_part_2.violation(with_gamma) > 0.001) == fails


@given(units(least=2))
def test_observation_4_3(unit: Unit) -> None:
    """PyTorch's BatchNorm with γ = s and β = μ returns what it was given."""
    assert observation_4_3.activations_error(unit) < TOLERANCE


@pytest.mark.parametrize(("bias", "kept"), [(True, True), (False, False)])
def test_observation_4_3_preserves_the_minima_of_a_layer_with_a_bias(bias: bool, kept: bool) -> None:
    """Least squares, solved by LAPACK; and a hundred small moves of W, γ and β find nothing lower where it is kept."""
    unit = plain(0, m=12, d=3)
    at = observation_4_3.configured(observation_4_3.at_minimum(unit, normal(1, 12), bias=bias))
    assert (observation_4_3.minimum_error(at) < TOLERANCE) == kept
    losses: list[float] = []
    for seed in range(100):
        moved, gamma, beta = normal(seed, len(at.w)), *normal(seed + 1000, 2).tolist()
        near = replace(at, w=at.w + 1e-3 * moved, gamma=at.gamma + 1e-3 * gamma, beta=at.beta + 1e-3 * beta)
        losses.append(float(near.loss(near.z)))
    assert (min(losses) >= float(at.loss(at.z))) == kept


@given(units(inputs=2), st.floats(1.0, 100.0), st.integers(0, 2**32))
@example(plain(0, m=3, d=2), 1.0, 0)  # the least λ, at which ‖X‖ = λ is already taken by y
def test_theorem_4_4(unit: Unit, room: float, seed: int) -> None:
    """Of all inputs that give this y within ‖X‖ ≤ λ none exceeds the formula, and the one constructed attains it."""
    assume(float(unit.v.norm()) > 1e-6 * float(unit.size().sqrt()))  # else there is no direction to attain it in
    bound = room * float(unit.y.norm() / unit.w.norm())
    k = theorem_4_4.contraction(seeded(seed), unit)
    for each in (theorem_4_4.feasible(unit, bound, k), theorem_4_4.maximiser(unit, bound)):
        # the root of λ² − ‖c‖² keeps half of the digits where λ = ‖c‖
        assert float(torch.linalg.matrix_norm(each.x, 2)) <= bound * (1 + 1e-7)
        assert torch.allclose(each.y, unit.y, rtol=0, atol=1e-9 * float(unit.y.norm()))
    if room > 1.0 + 1e-6:
        assert theorem_4_4.error(unit, bound, k) < 1e-7


@pytest.mark.parametrize("name", ["g_j² for g_j", "mμ_g² without λ²"])
def test_theorem_4_4_is_misprinted(name: str) -> None:
    """λ = 0.1 and a g of a few units, without the last term (g ⊥ ŷ): the print lies below the attained maximum."""
    unit = plain(2, m=6, d=3)
    unit = replace(unit, x=unit.x * 1e-3)
    g = unit.normalized.roll(1)
    g = g - unit.normalized * (g @ unit.normalized) / 6 + 1.0
    unit = replace(unit, loss=lambda z: z @ g)
    bound = 0.1
    assert bound > float(unit.y.norm() / unit.w.norm())
    printed = {
        "g_j² for g_j": theorem_4_4.right(unit, bound, power=2),
        "mμ_g² without λ²": theorem_4_4.right(unit, bound, mean=1.0),
    }[name]
    attained = theorem_4_4.left(theorem_4_4.maximiser(unit, bound))
    assert float(attained) == pytest.approx(float(theorem_4_4.right(unit, bound)), rel=1e-9)
    assert float(attained) > 1.5 * float(printed)


def test_theorem_4_4_has_no_maximum_where_sigma_moves() -> None:
    """As y → 0 within ‖X‖ ≤ λ, ‖∂L̂/∂W‖² grows as 1/σ²: tenfold smaller, a hundredfold more."""
    unit = plain(4, m=6, d=3)
    bound = 2 * float(unit.y.norm() / unit.w.norm())
    largest = [
        float(theorem_4_4.left(theorem_4_4.maximiser(replace(unit, x=unit.x / by), bound))) for by in (1, 10, 100)
    ]
    assert largest[1] / largest[0] == pytest.approx(100, rel=1e-6)
    assert largest[2] / largest[1] == pytest.approx(100, rel=1e-6)


@given(st.integers(0, 2**32), st.integers(3, 10), st.floats(0.0, 1.0), st.booleans(), st.floats(0.01, 100.0))
def test_theorem_c_1(seed: int, m: int, eps: float, unbiased: bool, bound: float) -> None:
    """Two backward passes through layer and BatchNorm against the formula, where XXᵀ = λ²I."""
    unit = random_unit(seeded(seed), m=m, d=m + 1, eps=eps, unbiased=unbiased)
    unit = theorem_c_1.orthogonal(unit, bound)
    assume(well_posed(unit))
    assert torch.allclose(unit.x @ unit.x.T, bound**2 * torch.eye(m, dtype=torch.float64), atol=1e-12 * bound**2)
    assert theorem_c_1.error(unit, bound) < TOLERANCE


def test_theorem_c_1_is_not_the_maximum() -> None:
    """An input with the same y and the same largest singular value on which the curvature is larger."""
    for seed in range(20):
        unit = theorem_c_1.orthogonal(plain(seed, m=6, d=8), 2.0)
        other = theorem_c_1.larger(unit, 2.0)
        assert torch.allclose(other.y, unit.y)
        assert float(torch.linalg.matrix_norm(other.x, 2)) == pytest.approx(2.0)
        assert float(theorem_c_1.left(other)) > float(theorem_c_1.right(unit, 2.0))


@given(st.integers(0, 2**32))
def test_lemma_4_5(seed: int) -> None:
    """A least-squares projection against the formula; and kW* has W*'s loss, and no gradient."""
    unit, start = lemma_4_5.draw(seeded(seed))
    assume(float(unit.w @ start) > 1e-3 * float(unit.w.norm() * start.norm()))
    assert lemma_4_5.error(unit, start) < TOLERANCE


@pytest.mark.parametrize("broken", [{"side": -1}, {"eps": 0.1}, {"bias": False}], ids=["side", "eps", "bias"])
def test_lemma_4_5_needs_its_hypotheses(broken: dict) -> None:
    """On the other side of W*, with ε > 0, or without a bias, kW* is no optimum of W*'s loss."""
    assert lemma_4_5.optimum_error(*lemma_4_5.draw(seeded(0), **broken)) > 0.001


@pytest.mark.parametrize("name", THEOREMS)
def test_every_theorem_is_verified_and_every_break_breaks(name: str) -> None:
    """As `clinometer check` runs them, on another seed; a break that never broke would be a claim without evidence."""
    found = check(THEOREMS[name].load(), cases=100, seed=1)
    assert found.verdict == "verified", found.worst
    for each in found.breaks:
        assert each.false > 0, each.name
        assert each.error > 1e-3, each.name


def test_the_paper_has_every_theorem_in_its_order() -> None:
    """Those of section 4 and Appendix C, each found by its name."""
    assert list(THEOREMS) == [
        "fact_c_1",
        "theorem_4_1",
        "theorem_4_2_part_1",
        "theorem_4_2_part_2",
        "observation_4_3",
        "theorem_4_4",
        "theorem_c_1",
        "lemma_4_5",
    ]


def perturbed(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *args, **named: 1.001 * function(*args, **named)


@pytest.mark.parametrize(
    "module",
    [
        fact_c_1,
        theorem_4_1,
        theorem_4_2_part_1,
        theorem_4_2_part_2,
        observation_4_3,
        theorem_4_4,
        theorem_c_1,
        lemma_4_5,
    ],
)
def test_a_formula_wrong_by_a_thousandth_is_found(module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each right side made wrong on purpose: the check would not be worth its name if it passed."""
    monkeypatch.setattr(module, "right", perturbed(module.right))
    assert check(module.THEOREM, cases=5).verdict == "failed"
