"""Quantities per block: each block of a network measured alone, the others standing still."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clinometer import Recorder, every, headroom, landscape, load
from clinometer.measures.layers import blocks_of

CURVATURES = [1.0, 4.0, 9.0]
LR = 0.05


class Coupled(nn.Module):
    """L = ½ Σ λᵢ‖wᵢ‖² + ½ Σ_{i<j} wᵢ·wⱼ: block i alone has curvature λᵢ in every direction, whatever the others are."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({name: nn.Linear(2, 2, bias=False).double() for name in ("a", "b", "c")})

    def forward(self) -> Tensor:
        weights = [part.weight.flatten() for part in self.parts.values()]
        own = sum(c * w.square().sum() for c, w in zip(CURVATURES, weights, strict=True))
        together = sum(v @ w for i, v in enumerate(weights) for w in weights[:i])
        return (own + together) / 2


def rows(probe: Any, steps: int = 2) -> dict[str, Any]:
    torch.manual_seed(0)
    model = Coupled()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    recorder = Recorder(model, lambda m, _: m(), [probe], every(1), optimizer=optimizer)
    for _ in range(steps):
        with recorder.step(None):
            model().backward()
            optimizer.step()
            optimizer.zero_grad()
    return recorder.read(next(iter(recorder.probes)))


@pytest.mark.parametrize("direction", ["gradient", "update", "random"])
def test_a_blocks_smoothness_is_its_own_curvature(direction: Any) -> None:
    """Closed form: along any direction within block i the gradient by it changes by λᵢ times the way."""
    found = rows(landscape([0.5, 2.0], direction=direction, blocks="layers"))
    np.testing.assert_allclose(found["beta"], [CURVATURES] * 2, rtol=1e-9)
    assert found["losses"].shape == (2, 3, 2)
    assert list(found["block"][0]) == ["parts.a", "parts.b", "parts.c"]


def test_blocks_and_sizes_are_axes_of_the_data_set(tmp_path: Path) -> None:
    """As rows of the whole network have them: the axes that a notebook selects by, with the blocks' own names."""
    pytest.importorskip("xarray", reason="an extra: pip install 'clinometer[export]'")
    model = torch.compile(Coupled(), backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    recorder = Recorder(
        model, lambda m, _: m(), [landscape([0.5, 2.0], blocks="layers")], every(1), optimizer=optimizer, to=tmp_path
    )
    with recorder.step(None):
        model().backward()
        optimizer.step()
    data = load(tmp_path)
    assert data.landscape_blocks_losses.dims == ("step", "block", "size")
    assert data.landscape_blocks_beta.sel(block="parts.b").item() == pytest.approx(CURVATURES[1])


def test_a_blocks_headroom_is_that_of_its_own_step() -> None:
    """Closed form: 1/(η λᵢ) and twice that where the block's gradient is λᵢwᵢ alone; here the coupling moves the zero.

    Along d = −η gᵢ the loss is L − η‖gᵢ‖² a + ½ η² λᵢ‖gᵢ‖² a²: it is back at its start at a = 2/(η λᵢ), coupled or not.
    """
    found = rows(headroom(precision=0.01, blocks="layers", angle=True))
    np.testing.assert_allclose(found["loss"], [[2 / (LR * c) for c in CURVATURES]] * 2, rtol=0.011)
    np.testing.assert_allclose(found["critical_sharpness"], [CURVATURES] * 2, rtol=0.011)
    np.testing.assert_allclose(found["angle"], [[1 / (LR * c) for c in CURVATURES]] * 2, rtol=0.011)


def test_update_ratio_is_the_step_beside_the_weights() -> None:
    """By definition, from the weights before and after each step."""
    torch.manual_seed(0)
    model = Coupled()
    before = [part.weight.detach().clone() for part in model.parts.values()]
    model().backward()
    expected = [LR * p.weight.grad.norm() / w.norm() for p, w in zip(model.parts.values(), before, strict=True)]
    np.testing.assert_allclose(rows(landscape(blocks="layers"), 1)["update_ratio"][0], expected, rtol=1e-6)


def test_blocks_by_pattern_and_by_name() -> None:
    """The parameters that a shell pattern matches, written out."""
    model = Coupled()
    names = [name for name, _ in model.named_parameters()]
    assert blocks_of(model, ["*.a.*", "*.[bc].*"], names) == {
        "*.a.*": ("parts.a.weight",),
        "*.[bc].*": ("parts.b.weight", "parts.c.weight"),
    }
    assert blocks_of(model, {"rest": ["*.b.*", "*.c.*"]}, names) == {"rest": ("parts.b.weight", "parts.c.weight")}
    assert blocks_of(model, "layers", names[:1]) == {"parts.a": ("parts.a.weight",)}, "only what is trained"


def test_a_block_that_is_not_there_is_refused_before_training() -> None:
    """By the recorder, with the names that there are."""
    with pytest.raises(ValueError, match=r"no trainable parameter is called 'head\.\*'; there are parts\.a\.weight"):
        rows(landscape(blocks=["head.*"]))
    with pytest.raises(ValueError, match="'layers', patterns of names or a mapping; found 'layer'"):
        rows(headroom(blocks="layer"))  # pyright: ignore[reportArgumentType]
