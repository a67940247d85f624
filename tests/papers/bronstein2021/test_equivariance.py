"""What each network commutes with, in float64, and how it is measured."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.papers.bronstein2021.actions import Graph, permuted, rotated, shifted
from clinometer.papers.bronstein2021.configs import NETWORKS, bases, trained
from clinometer.papers.bronstein2021.data import digits
from clinometer.papers.bronstein2021.equivariance import LOGITS, POOLED, equivariance_errors
from clinometer.papers.bronstein2021.networks.graph import graph, pixel_set
from clinometer.papers.bronstein2021.networks.grid import grid
from clinometer.papers.bronstein2021.networks.rotations import GroupConv, LiftingConv, rotations
from clinometer.papers.bronstein2021.networks.staged import Staged
from clinometer.training.from_config import build_model

EXACT = 1e-13  # of the signal's length: four stages of some hundred products, each rounded to 1e-16
SEEDS = st.integers(0, 999)


def images(seed: int, count: int = 3, side: int = 8) -> Tensor:
    """Pixels in eighths as the digits have them, so that many distances between them are equal."""
    drawn = torch.randint(0, 17, (count, 1, side, side), generator=torch.Generator().manual_seed(seed))
    return drawn.double() / 8 - 1


def made(network: Staged, seed: int = 0) -> Staged:
    """The network in float64 with other biases than 0, as training gives it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.double().parameters():
            if value.ndim == 1:
                value += torch.randn(value.shape, generator=generator, dtype=value.dtype)
    return network


def stages(network: Staged, x: Tensor) -> list[Tensor | Graph]:
    found: list[Tensor | Graph] = []
    for stage in network.stages:
        x = stage(x)
        found.append(x)
    return found


def close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).norm() <= EXACT * expected.norm())


@given(seed=SEEDS, quarters=st.integers(0, 3), padding=st.sampled_from(["zeros", "circular"]))
@settings(max_examples=20)
def test_p4_convolutions_commute_with_right_angles(seed: int, quarters: int, padding: str) -> None:
    """Cohen and Welling's theorem: rotating the image rotates the planes and moves each to the next place."""
    network, x = made(rotations(3, 3, "batch", padding), seed), images(seed)
    for found, plain in zip(stages(network, rotated(x, quarters)), stages(network, x), strict=True):
        assert isinstance(found, Tensor)
        assert isinstance(plain, Tensor)
        assert close(found, rotated(plain, quarters, "turned"))
    assert close(network(rotated(x, quarters)), network(x))


@given(seed=SEEDS, down=st.integers(-9, 9), right=st.integers(-9, 9))
@settings(max_examples=20)
def test_circular_convolutions_commute_with_shifts(seed: int, down: int, right: int) -> None:
    """On a torus a convolution's weights are the same everywhere; p4's are too."""
    x = images(seed)
    for network in (made(grid(3, 3, "batch", "circular"), seed), made(rotations(2, 2, "batch", "circular"), seed)):
        moved = shifted(x, (down, right))
        for found, plain in zip(stages(network, moved), stages(network, x), strict=True):
            assert isinstance(found, Tensor)
            assert isinstance(plain, Tensor)
            assert close(found, shifted(plain, (down, right)))


@given(seed=SEEDS, down=st.integers(-4, 4), right=st.integers(-4, 4))
@settings(max_examples=20)
def test_a_stride_of_two_leaves_even_shifts(seed: int, down: int, right: int) -> None:
    """The grid that is kept is mapped onto itself by them alone."""
    network, x = made(grid(3, 3, "none", "circular", 2), seed), images(seed)
    moved = stages(network, shifted(x, (2 * down, 2 * right)))
    for found, plain in zip(moved, stages(network, x), strict=True):
        assert isinstance(found, Tensor)
        assert isinstance(plain, Tensor)
        assert close(found, shifted(plain, (2 * down, 2 * right), side=8))


@given(seed=SEEDS, exact=st.booleans())
@settings(max_examples=15)
def test_graph_and_set_networks_commute_with_permutations(seed: int, exact: bool) -> None:
    """Message passing names no node; neighbours are a set, also where distances are equal."""
    x = images(seed) if exact else torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(seed)).double()
    order = torch.randperm(64, generator=torch.Generator().manual_seed(seed))
    for network in (made(graph(4, 3, "batch"), seed), made(graph(4, 3, own=False), seed), made(pixel_set(4, 3), seed)):
        state = network.stages[0](x)
        moved = permuted(state, order)
        for stage in list(network.stages)[1:]:
            state, moved = stage(state), stage(moved)
            assert close(moved.signal, state.signal[..., order])


@given(seed=SEEDS, quarters=st.integers(1, 3))
@settings(max_examples=15)
def test_the_graph_of_a_rotated_image_is_the_same_graph(seed: int, quarters: int) -> None:
    """Distances between pixels do not change when an image is rotated, ties included."""
    x, network = images(seed), made(graph(4, 2), seed)
    before, after = network.stages[0](x), network.stages[0](rotated(x, quarters))
    order = rotated(torch.arange(64), quarters, "nodes")
    assert torch.equal(after.weights, permuted(before, order).weights)
    assert close(network.features(rotated(x, quarters)), network.features(x))


@pytest.mark.parametrize("quarters", range(4))
def test_lifting_by_hand(quarters: int) -> None:
    """Each plane is torch's convolution with the filter rotated by torch.rot90."""
    layer, x = LiftingConv(1, 2).double(), images(1)
    expected = F.conv2d(x, torch.rot90(layer.weight, quarters, (2, 3)), padding=1)
    torch.testing.assert_close(layer(x)[:, :, quarters], expected)


@pytest.mark.parametrize("quarters", range(4))
def test_a_group_convolution_by_hand(quarters: int) -> None:
    """The sum of the definition, term by term: planes s with the filters s − r, rotated by r."""
    layer = GroupConv(2, 3).double()
    x = torch.randn(2, 2, 4, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = sum(
        F.conv2d(x[:, :, s], torch.rot90(layer.weight[:, :, (s - quarters) % 4], quarters, (2, 3)), padding=1)
        for s in range(4)
    )
    torch.testing.assert_close(layer(x)[:, :, quarters], expected)


@given(seed=SEEDS, first=st.integers(-5, 5), second=st.integers(-5, 5))
@settings(max_examples=20)
@pytest.mark.parametrize("kind", ["plane", "turned"])
def test_rotations_are_an_action(kind: str, seed: int, first: int, second: int) -> None:
    """ρ(g) ρ(h) = ρ(gh), and four right angles are none."""
    x = torch.randn(2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(seed))
    of = "turned" if kind == "turned" else "plane"
    assert torch.equal(rotated(rotated(x, first, of), second, of), rotated(x, first + second, of))
    assert torch.equal(rotated(x, 4, of), x)


def test_errors_are_zero_where_they_must_be_and_not_elsewhere() -> None:
    """The table of the page: what each network is built for, and what it is not, on digits."""
    (x, _), _ = digits(1)
    x = x[:16].double()
    torch.manual_seed(0)
    found = {name: equivariance_errors(made(build_model(arm)), x) for name, arm in trained(bases(10, 10)).items()}  # pyright: ignore[reportArgumentType]
    exact = {("circular", "shift"), ("strided", "even_shift"), ("circular", "even_shift"), ("p4", "rotation")}
    exact |= {("graph", "rotation"), ("graph", "permutation"), ("set", "permutation")}
    for name, groups in found.items():
        for group, errors in groups.items():
            known = [each.through for each in errors.values() if each.through == each.through]
            if (name, group) in exact:
                assert max(known) < EXACT, (name, group)
            elif group == "permutation":
                assert not known, (name, group)
            else:
                assert max(known) > 0.01, (name, group)


def test_the_error_of_a_stage_alone_is_its_own() -> None:
    """Only the strided stage breaks odd shifts: those after it commute with shifts of what they are given."""
    (x, _), _ = digits(1)
    errors = equivariance_errors(made(grid(6, 4, "none", "circular", 2)), x[:8].double())["shift"]
    assert errors["stage 3"].alone > 0.1  # the stage in the middle
    assert errors["stage 4"].through > 0.1
    assert errors["stage 4"].alone < EXACT or errors["stage 4"].alone < errors["stage 4"].through
    assert list(errors)[-2:] == [POOLED, LOGITS]


def test_the_error_by_its_formula() -> None:
    """One stage that multiplies by a fixed mask: ‖ρ(x) m − ρ(x m)‖ can be written down."""

    class Masked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * mask

    mask = torch.zeros(8, 8, dtype=torch.float64)
    mask[0, 0] = 1
    x = torch.ones(2, 1, 8, 8, dtype=torch.float64)
    errors = equivariance_errors(Staged([Masked()], "plane", 1).double(), x)
    assert errors["rotation"]["stage 1"].through == pytest.approx(2**0.5)  # one corner against another
    assert errors["rotation"][POOLED].through == 0


def test_networks_have_as_many_parameters() -> None:
    """Counted: the largest has less than 6% more than the smallest, so comparisons are at matched parameters."""
    counts = {n: sum(p.numel() for p in build_model(a).parameters()) for n, a in trained(bases(10, 10)).items()}
    assert counts.keys() == NETWORKS.keys()
    assert max(counts.values()) / min(counts.values()) < 1.06, counts


def test_bad_input_is_refused_in_words() -> None:
    """What no right angle maps onto itself, and a neighbourhood larger than the graph, are told as such."""
    with pytest.raises(ValueError, match=r"needs square images.*found 8×6"):
        rotations()(torch.zeros(1, 1, 8, 6))
    with pytest.raises(ValueError, match="expected a square"):
        rotated(torch.zeros(1, 1, 8, 6), 1)
    with pytest.raises(ValueError, match="k must be below the number of nodes, 64; found 64"):
        graph(k=64)(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="k must be at least 1"):
        graph(k=0)
    with pytest.raises(ValueError, match="odd side"):
        GroupConv(1, 1, side=2)
    with pytest.raises(ValueError, match="padding must be"):
        grid(padding="same")
    with pytest.raises(ValueError, match="no norm 'bacth'"):
        rotations(norm="bacth")
    with pytest.raises(ValueError, match="turns must be 1"):
        digits(2)
    for network in (grid, rotations, graph, pixel_set):
        with pytest.raises(ValueError, match="at least one stage"):
            network(depth=0)
