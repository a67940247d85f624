"""Hessian-vector products where easier ways to them fail."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from models import batch, cross_entropy
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from clinometer import Objective
from clinometer.objective.params import step
from clinometer.objective.plain_operations import ATTENTION as PLAIN
from clinometer.objective.plain_operations import DROPOUT


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4))


def relative(found: dict[str, torch.Tensor], truth: dict[str, torch.Tensor]) -> float:
    gap = torch.cat([(found[name] - truth[name]).flatten() for name in truth]).norm()
    return float(gap / torch.cat([value.flatten() for value in truth.values()]).norm())


def test_float32_is_enough_along_random_directions() -> None:
    """The truth is float64. Differences of float32 gradients are off by several times the product."""
    single = Objective(network(), cross_entropy, batch())
    v = {name: torch.randn_like(value) for name, value in single.here().items()}
    x, y = batch()
    double = Objective(network().double(), cross_entropy, (x.double(), y))
    truth = double.hvp(double.here(), {name: value.double() for name, value in v.items()})
    assert relative(single.hvp(single.here(), v), truth) < 1e-4


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_is_differentiated_twice(backend: str) -> None:
    """The truth is the model uncompiled: what autograd compiled has no second derivative."""
    model = network()
    plain = Objective(model, cross_entropy, batch())
    v = {name: torch.randn_like(value) for name, value in plain.here().items()}
    compiled: nn.Module = torch.compile(model, backend=backend)
    compiled(batch()[0])
    objective = Objective(compiled, cross_entropy, batch())
    found = objective.hvp(objective.here(), {f"_orig_mod.{name}": value for name, value in v.items()})
    truth = plain.hvp(plain.here(), v)
    assert relative({name.removeprefix("_orig_mod."): value for name, value in found.items()}, truth) < 1e-5


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project(x).view(2, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
        return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


class Weights(nn.Module):
    """Attention whose weights are asked for: torch computes it by plain operations always."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x)[0]


class Stubborn(Attention):
    """Asks for a fused kernel by itself."""

    def forward(self, x: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return super().forward(x)


class Plain(Attention):
    """Asks for plain operations by itself."""

    def forward(self, x: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            return super().forward(x)


class Transformer(nn.Module):
    """One of the library transformers, with the attention that it chooses by default."""

    def __init__(self) -> None:
        super().__init__()
        transformers = pytest.importorskip("transformers", reason="the library is not installed")
        sizes = {"n_embd": 8, "n_head": 2, "n_layer": 1, "n_positions": 5, "vocab_size": 3}
        rates = {"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.0}
        self.model = transformers.GPT2Model(transformers.GPT2Config(**sizes, **rates))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(inputs_embeds=x).last_hidden_state


def checkpointed() -> nn.Module:
    model = Attention()
    forward = model.forward
    model.forward = lambda x: checkpoint(forward, x, use_reentrant=False)
    return model


def encoder(**options: Any) -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options)


ATTENTION: dict[str, tuple[Callable[[], nn.Module], tuple[str, ...]]] = {
    "function": (Attention, (PLAIN,)),
    "encoder": (lambda: encoder(dropout=0.0), (PLAIN,)),
    "encoder with dropout": (encoder, (PLAIN, DROPOUT)),
    "weights": (Weights, ()),
    "stubborn": (Stubborn, (PLAIN,)),
    "plain": (Plain, ()),
    "checkpointed": (checkpointed, (PLAIN,)),
    "transformers": (Transformer, (PLAIN,)),
    "none": (lambda: nn.Linear(8, 8), ()),
}


@pytest.mark.parametrize("kind", ATTENTION)
def test_attention_is_differentiated_twice_and_says_how(kind: str) -> None:
    """The truth is a difference of gradients in float64, which need no second derivative of attention's kernel."""
    torch.manual_seed(0)
    make, notes = ATTENTION[kind]
    objective = Objective(make().double(), lambda m, x: m(x).square().mean(), torch.randn(2, 5, 8).double())
    here = objective.here()
    v = {name: torch.randn_like(value) for name, value in here.items()}
    ahead, behind = (objective.loss_and_grad(step(here, v, size))[1] for size in (1e-5, -1e-5))
    truth = {name: (ahead[name] - behind[name]) / 2e-5 for name in here}
    assert relative(objective.hvp(here, v), truth) < 1e-6
    with objective.linearized(here) as product:
        assert relative(product(v), truth) < 1e-6
        assert product.notes == notes


def test_ordinary_evaluations_keep_the_kernel_of_attention_that_training_uses() -> None:
    """The truth is the loop's own loss and gradient, bit for bit; the kernel of plain operations rounds otherwise."""
    torch.manual_seed(0)
    model, x = Attention(), torch.randn(2, 5, 8)
    objective = Objective(model, lambda m, x: m(x).square().mean(), x)
    before = torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.math_sdp_enabled()
    objective.hvp(objective.here(), objective.here())
    assert (torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.math_sdp_enabled()) == before
    loss, gradient = objective.loss_and_grad(objective.here())
    true = model(x).square().mean()
    true.backward()
    assert torch.equal(loss, true.detach())
    assert all(torch.equal(gradient[name], p.grad) for name, p in model.named_parameters() if p.grad is not None)
