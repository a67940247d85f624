"""The Hessian's eigenpairs against closed forms, dense matrices and other libraries."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Quadratic, batch, cross_entropy, everything, quadratic
from torch import Tensor, nn

from clinometer import Objective
from clinometer.measures.eigenpairs import Eigenpairs, top_eigenpairs
from clinometer.measures.spectral_density import spectral_density
from clinometer.measures.trace import trace
from clinometer.objective.params import Point, flattened, scale, step, sub, unflattened


def small_network(train: bool = True, *, smooth: bool = True) -> Objective:
    """A network with BatchNorm in float64, small enough for a dense Hessian."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh() if smooth else nn.ReLU(), nn.Linear(5, 4))
    model = model.double().train(train)
    inputs, labels = batch()
    return Objective(model, cross_entropy, (inputs.double(), labels))


def dense(objective: Objective, at: Point) -> Tensor:
    """The Hessian by central differences of the gradient, column by column: no second derivative of autograd's."""
    columns = []
    for unit in torch.eye(len(flattened(at)), dtype=torch.float64):
        direction = unflattened(unit, at)
        ahead, behind = (objective.loss_and_grad(step(at, direction, side))[1] for side in (1e-5, -1e-5))
        columns.append(flattened(scale(sub(ahead, behind), 0.5e5)))
    matrix = torch.stack(columns)
    return (matrix + matrix.T) / 2


def residuals(objective: Objective, at: Point, found: Eigenpairs) -> Tensor:
    images = [flattened(objective.hvp(at, vector)) for vector in found.vectors]
    pairs = zip(images, found.values, found.vectors, strict=True)
    return torch.stack([(image - value * flattened(vector)).norm() for image, value, vector in pairs])


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("which", ["largest", "smallest", "magnitude"])
def test_a_network_in_either_mode(which: Any, train: bool) -> None:
    """LAPACK's eigenvalues of a Hessian by central differences, BatchNorm with the batch's statistics or its own."""
    objective = small_network(train)
    at = objective.here()
    exact = torch.linalg.eigvalsh(dense(objective, at))
    order = {"largest": exact.flip(0), "smallest": exact, "magnitude": exact[exact.abs().argsort(descending=True)]}
    found = top_eigenpairs(objective, at, 3, which=which, tolerance=1e-6)
    assert found.converged.all()
    torch.testing.assert_close(found.values, order[which][:3], rtol=1e-5, atol=1e-7)
    vectors = torch.stack([flattened(vector) for vector in found.vectors])
    torch.testing.assert_close(vectors @ vectors.T, torch.eye(3).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.residuals, residuals(objective, at, found), rtol=1e-6, atol=1e-12)


def test_power_iteration_in_train_mode_finds_the_same() -> None:
    """Power iteration, written here: 600 products with the Hessian that BatchNorm has in training."""
    objective = small_network(smooth=False)
    at = objective.here()
    vector = torch.randn(len(flattened(at)), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    with objective.linearized(at) as product:
        for _ in range(600):
            vector = flattened(product(unflattened(vector / vector.norm(), at)))
    found = top_eigenpairs(objective, at, which="magnitude", tolerance=1e-8)
    assert abs(float(found.values)) == pytest.approx(float(vector.norm()), rel=1e-6)
    in_evaluation = top_eigenpairs(small_network(train=False, smooth=False), at, which="magnitude")
    assert float(in_evaluation.values) != pytest.approx(float(found.values), rel=0.1)


@pytest.mark.parametrize("basis", [None, 5, 8])
def test_a_planted_spectrum(basis: int | None) -> None:
    """Clustered and negative eigenvalues, the most negative larger than any positive one: closed form."""
    planted = [7.0, 6.9, 6.8, 3.0, -20.0, *torch.linspace(-1, 2, 60).tolist()]
    objective = quadratic(planted, [1.0] * len(planted))
    at = objective.here()
    for which, expected in (("largest", [7.0, 6.9, 6.8]), ("smallest", [-20.0, -1.0]), ("magnitude", [-20.0, 7.0])):
        found = top_eigenpairs(objective, at, len(expected), which=which, tolerance=1e-5, basis=basis, max_products=400)  # pyright: ignore[reportArgumentType]
        assert found.converged.all()
        torch.testing.assert_close(found.values, torch.tensor(expected).double(), rtol=2e-5, atol=0)


def test_how_many_products_it_takes() -> None:
    """Counted by hand on outliers above a bulk, as trained networks have: a bound against waste, in cost and memory."""
    planted = [100.0, 70.0, 50.0, 30.0, 20.0, *torch.linspace(-1, 4, 600).tolist()]
    objective = quadratic(planted, torch.randn(605, generator=torch.Generator().manual_seed(0)).tolist())
    at = objective.here()
    cold, five = top_eigenpairs(objective, at), top_eigenpairs(objective, at, 5)
    assert cold.products <= 5
    assert five.products <= 9
    assert top_eigenpairs(objective, at, start=cold.vectors).products <= 4
    assert top_eigenpairs(objective, at, 5, start=five.vectors).products <= 8
    assert top_eigenpairs(objective, at, 5, basis=7).products <= 2 * five.products
    exact = torch.tensor(planted[:5]).double()
    assert ((five.values - exact).abs() <= 1e-3 * exact).all(), "the true error"


def test_a_new_eigenvalue_that_is_orthogonal_to_the_known_one() -> None:
    """Closed form: a warm start from the eigenvector of 10 finds 12, by what the gradient has in that direction."""
    planted = [10.0, 12.0, *torch.linspace(-1, 1, 98).tolist()]
    objective = quadratic(planted, [1.0] * 100)
    old = {"w": torch.eye(100).double()[0]}
    found = top_eigenpairs(objective, objective.here(), start=old)
    assert float(found.values) == pytest.approx(12.0, rel=1e-3)


def test_a_search_that_begins_with_an_eigenvector_sees_beyond_it() -> None:
    """Closed form: the gradient and the start are the eigenvector of 10; only the random part has any of that of 14."""
    planted = [10.0, 14.0, *torch.linspace(-0.1, 0.1, 398).tolist()]
    objective = quadratic(planted, [1.0] + [0.0] * 399)
    old = {"w": torch.eye(400).double()[0]}
    for start in (None, old):
        found = top_eigenpairs(objective, objective.here(), start=start)
        assert float(found.values) == pytest.approx(14.0, rel=1e-3)


def test_equal_eigenvalues_without_any_other() -> None:
    """Closed form: every direction is an eigenvector, so each product ends in an invariant space, which is left."""
    objective = quadratic([5.0] * 7, [1.0] * 7)
    found = top_eigenpairs(objective, objective.here(), 3)
    torch.testing.assert_close(found.values, torch.tensor([5.0, 5.0, 5.0]).double())


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
def test_eigenvalues_scale_with_the_loss_and_do_not_turn(factor: float, seed: int) -> None:
    """H → c H scales every eigenvalue; a rotation of the parameters changes none; both are algebra."""
    generator = torch.Generator().manual_seed(seed)
    rotation, _ = torch.linalg.qr(torch.randn(20, 20, generator=generator, dtype=torch.float64))
    diagonal = torch.randn(20, generator=generator, dtype=torch.float64)
    hessian = factor * rotation @ torch.diag(diagonal) @ rotation.T
    start = torch.randn(20, generator=generator, dtype=torch.float64)
    objective = Objective(Quadratic(hessian, start), lambda m, _: m())
    found = top_eigenpairs(objective, objective.here(), 2, tolerance=1e-9)
    expected = factor * diagonal.sort(descending=True).values[:2]
    torch.testing.assert_close(found.values, expected, rtol=1e-7, atol=1e-10 * factor)


def test_a_block_has_its_own_part_of_the_hessian() -> None:
    """LAPACK on the block of a Hessian by central differences; the direct sum of blocks that do not interact."""
    objective = small_network()
    at = objective.here()
    names = ["0.weight", "3.bias"]
    places = flattened({name: torch.full_like(value, name in names) for name, value in at.items()}).bool()
    exact = torch.linalg.eigvalsh(dense(objective, at)[places][:, places])
    found = top_eigenpairs(objective, at, 2, only=names, tolerance=1e-6)
    torch.testing.assert_close(found.values, exact.flip(0)[:2], rtol=1e-5, atol=1e-8)
    assert set(found.vectors[0]) == set(names)


def test_a_preconditioner_gives_the_eigenvalues_of_the_quotient() -> None:
    """LAPACK's eigenvalues of the unsymmetric P⁻¹H, from a Hessian by central differences."""
    objective = small_network()
    at = objective.here()
    diagonal = torch.rand(len(flattened(at)), generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
    exact = torch.linalg.eigvals(dense(objective, at) / diagonal[:, None]).real.sort(descending=True).values
    found = top_eigenpairs(objective, at, 3, preconditioner=unflattened(diagonal, at), tolerance=1e-6)
    torch.testing.assert_close(found.values, exact[:3], rtol=1e-5, atol=0)
    again = top_eigenpairs(
        objective, at, 3, preconditioner=unflattened(diagonal, at), tolerance=1e-6, start=found.vectors
    )
    assert again.products < found.products, "vectors are those of the symmetric matrix, where the next search starts"


def test_nothing_is_drawn_and_nothing_is_left_behind() -> None:
    """The global generator and the network stay as they were, and a second call gives the same bits."""
    model = everything()
    objective = Objective(model, cross_entropy, batch())
    state, at = torch.get_rng_state(), objective.here()
    first, second = (top_eigenpairs(objective, at, 2) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.values, second.values)
    assert all(torch.equal(flattened(a), flattened(b)) for a, b in zip(first.vectors, second.vectors, strict=True))


def test_no_curvature_at_all() -> None:
    """A linear loss: θ = 0 is exact, and has converged."""
    objective = Objective(nn.Linear(3, 1), lambda m, _: sum(p.sum() for p in m.parameters()))
    found = top_eigenpairs(objective, objective.here(), 2)
    assert found.values.tolist() == [0.0, 0.0]
    assert found.converged.all()
    assert found.residuals.tolist() == [0.0, 0.0]


def test_all_of_a_tiny_spectrum() -> None:
    """Closed form with as many pairs as parameters, and one more than that refused."""
    objective = quadratic([2.0, -1.0, 2.0], [1.0, 1.0, 1.0])
    found = top_eigenpairs(objective, objective.here(), 3)
    torch.testing.assert_close(found.values, torch.tensor([2.0, 2.0, -1.0]).double())
    with pytest.raises(ValueError, match="k must be at most the number of parameters, 3; found 4"):
        top_eigenpairs(objective, objective.here(), 4)


def test_what_is_not_finite_has_no_eigenvalues() -> None:
    """NaN with the reason, not an error of LAPACK's, and not after more than one product."""
    objective = quadratic([1.0, 2.0], [1.0, 1.0])
    found = top_eigenpairs(objective, {"w": torch.tensor([math.inf, 1.0]).double()})
    assert found.values.isnan().all()
    assert not found.converged.any()
    assert "not finite" in found.reason
    assert found.products == 1


def test_attention_by_plain_operations_is_told() -> None:
    """The fused kernel has no second derivative; that another one was measured must be in the result."""
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
    objective = Objective(model, lambda m, x: m(x).square().mean(), torch.randn(3, 5, 8))
    here = objective.here()
    assert "attention" in top_eigenpairs(objective, here).notes[0]
    assert "attention" in trace(objective, here, products=6).notes
    assert "attention" in spectral_density(objective, here, probes=1, steps=3).notes


def test_what_has_not_converged_says_so() -> None:
    """A tolerance that three products cannot meet."""
    objective = quadratic(torch.linspace(-1, 1, 50).tolist(), [1.0] * 50)
    found = top_eigenpairs(objective, objective.here(), tolerance=1e-9, max_products=3)
    assert not found.converged.any()
    assert found.reason == "1 of 1 have not converged after 3 products; raise max_products"


def test_the_smallest_basis_is_enough() -> None:
    """Closed form: three vectors find the eigenvalue that a large basis finds, in more products."""
    objective = quadratic([1.5, *torch.linspace(0, 1, 100).tolist()], [1.0] * 101)
    large = top_eigenpairs(objective, objective.here())
    small = top_eigenpairs(objective, objective.here(), basis=3, basis_device="cpu")
    for found in (large, small):
        assert found.converged.all()
        assert float(found.values) == pytest.approx(1.5, rel=1e-3)
    assert large.products < small.products < 4 * large.products


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"which": "lowest"}, "which must be one of largest, smallest, magnitude; found 'lowest'"),
        ({"tolerance": 0.0}, r"`tolerance` must lie in \(0, 1\); found 0.0"),
        ({"k": 2, "max_products": 1}, "`max_products` must be at least k = 2; found 1"),
        ({"basis": 2}, "`basis` must be at least k \\+ 2 = 3; found 2"),
        ({"only": ["v"]}, "`only` must name parameters such as w; found \\['v'\\]"),
        ({"start": {"v": torch.ones(2)}}, "the direction moves 'v'"),
        ({"start": [{}]}, "`start` and `preconditioner` need a value for each parameter; 'w' has none"),
    ],
)
def test_bad_input_is_refused_before_any_product(arguments: dict[str, Any], message: str) -> None:
    """What was expected, what was found."""
    objective = quadratic([1.0, 2.0], [1.0, 1.0])
    with pytest.raises(ValueError, match=message):
        top_eigenpairs(objective, objective.here(), **arguments)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Using backward:UserWarning")  # by these libraries
def test_other_libraries_find_the_same_in_evaluation_mode() -> None:
    """curvlinops with scipy, hessian-eigenthings and PyHessian, each on the same network."""
    curvlinops = pytest.importorskip("curvlinops")
    scipy_linalg = pytest.importorskip("scipy.sparse.linalg")
    pyhessian = pytest.importorskip("pyhessian")
    eigenthings = pytest.importorskip("hessian_eigenthings")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)).eval()
    data = batch()
    objective = Objective(model, cross_entropy, data)
    found = top_eigenpairs(objective, objective.here(), 2, tolerance=1e-5)
    parameters = [p for p in model.parameters() if p.requires_grad]
    operator = curvlinops.HessianLinearOperator(model, nn.CrossEntropyLoss(), parameters, [data])
    theirs = scipy_linalg.eigsh(operator.to_scipy(), k=2, which="LA", return_eigenvectors=False)
    torch.testing.assert_close(found.values.flip(0), torch.from_numpy(theirs).double(), rtol=1e-4, atol=0)
    theirs = eigenthings.HessianOperator(model, [data], eigenthings.supervised_loss(nn.CrossEntropyLoss()))
    lanczos = eigenthings.lanczos(theirs, k=2, max_iter=60, which="LA", seed=0, reorthogonalize=True)
    torch.testing.assert_close(found.values, lanczos.eigenvalues.double(), rtol=1e-4, atol=0)
    hessian = pyhessian.hessian(model, nn.CrossEntropyLoss(), data=data, cuda=False)
    values, _ = hessian.eigenvalues(maxIter=1000, tol=1e-8, top_n=1)
    assert float(found.values[0]) == pytest.approx(values[0], rel=1e-4)
