"""Logits of attention, against q·k/√d computed by hand, whoever wrote the attention."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Objective, Recorder, attention_logits, every
from clinometer.measures.attention_logits import Attention
from clinometer.measures.attention_logits import attention_logits as measured

Heads = tuple[Tensor, Tensor, Tensor]  # each (batch, heads, places, width)


class Attend(nn.Module):
    """Two heads over width 6; `how` gets queries, keys and values."""

    def __init__(self, how: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.qkv = nn.Linear(6, 18)
        self.how = how

    def heads(self, x: Tensor) -> Heads:
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 3)).permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(self, x: Tensor) -> Tensor:
        return self.how(*self.heads(x)).transpose(1, 2).flatten(-2)


def causal(places: int) -> Tensor:
    return torch.ones(places, places, dtype=torch.bool).tril()


def by_hand(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    logits = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    weights = logits.masked_fill(~causal(q.shape[-2]), -math.inf).softmax(-1)
    return F.dropout(weights, 0.1) @ v


def by_einsum(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    logits = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(q.shape[-1])
    weights = torch.where(causal(q.shape[-2]), logits, torch.tensor(-math.inf)).softmax(dim=-1).to(torch.float64)
    return torch.einsum("bhqk,bhkd->bhqd", weights, v.double()).float()


CAUSAL: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "is_causal": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    "mask": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=causal(q.shape[-2])),
    "by hand": by_hand,
    "einsum": by_einsum,
}


def expected(q: Tensor, k: Tensor, mask: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Largest logit and mean entropy, in NumPy, query by query."""
    logits = np.einsum("bhqd,bhkd->bhqk", *(x.detach().double().numpy() for x in (q, k))) / math.sqrt(q.shape[-1])
    entropies = []
    for query in np.ndindex(logits.shape[:-1]):
        seen = logits[query][mask[query[-1]]]
        weights = np.exp(seen - seen.max())
        weights /= weights.sum()
        entropies.append(-(weights * np.log(weights)).sum())
    return float(logits[..., mask].max()), float(np.mean(entropies))


@pytest.mark.parametrize("how", CAUSAL)
def test_causal_attention(how: str) -> None:
    """Queries and keys come from the module's own projection; masked keys count neither as logits nor as choices."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(6, 6), Attend(CAUSAL[how])), 3 * torch.randn(4, 5, 6)
    objective = Objective(model, lambda m, data: m(data).square().sum(), x)
    [found] = measured(objective, objective.here())
    attend: Any = model[1]
    q, k, _ = attend.heads(model[0](x))
    largest, entropy = expected(q, k, causal(5).numpy())
    assert found == Attention("1", pytest.approx(largest, rel=1e-5), pytest.approx(entropy, rel=1e-5))


@pytest.mark.parametrize("weights", [True, False])
def test_multihead_attention(weights: bool) -> None:
    """torch's own module, which calls attention in two ways; its projections are applied by hand."""
    torch.manual_seed(0)
    attend, x = nn.MultiheadAttention(6, 2, batch_first=True), 3 * torch.randn(4, 5, 6)
    objective = Objective(attend, lambda m, data: m(data, data, data, need_weights=weights)[0].sum(), x)
    [found] = measured(objective, objective.here())
    q, k, _ = F.linear(x, attend.in_proj_weight, attend.in_proj_bias).unflatten(-1, (3, 2, 3)).permute(2, 0, 3, 1, 4)
    largest, entropy = expected(q, k, np.ones((5, 5), bool))
    assert found.module == "MultiheadAttention"
    assert (found.largest, found.entropy) == (pytest.approx(largest, rel=1e-5), pytest.approx(entropy, rel=1e-5))


def test_other_softmaxes_are_not_attention() -> None:
    """A classifier's probabilities, a router's and a mixture's weights meet no values in a product of matrices."""

    def loss_fn(model: Any, x: Tensor) -> Tensor:
        routed = model(x).softmax(-1)[..., :1] * x
        likely = F.nll_loss(model(x).softmax(-1).log()[:, 0], torch.zeros(4, dtype=torch.long))
        return routed.sum() + likely + F.cross_entropy(model(x)[:, 0], torch.zeros(4, dtype=torch.long))

    objective = Objective(nn.Linear(6, 6), loss_fn, torch.randn(4, 5, 6))
    assert measured(objective, objective.here()) == []


def test_a_query_that_sees_no_key_is_left_out() -> None:
    """Of a batch whose second sample is padding alone: the first one's numbers, and never NaN."""
    torch.manual_seed(0)
    mask = torch.tensor([True, False]).view(2, 1, 1, 1).expand(2, 1, 5, 5)
    model = Attend(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
    x = torch.randn(2, 5, 6)
    objective = Objective(model, lambda m, data: m(data).sum(), x)
    [found] = measured(objective, objective.here())
    q, k, _ = model.heads(x[:1])
    largest, entropy = expected(q, k, np.ones((5, 5), bool))
    assert (found.largest, found.entropy) == (pytest.approx(largest, rel=1e-5), pytest.approx(entropy, rel=1e-5))


class Twice(nn.Module):
    """Two attentions in one module, and one that is a module's own, whose projection grows."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Attend(CAUSAL["is_causal"])
        self.qkv = nn.Linear(6, 18)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        once = F.scaled_dot_product_attention(q, k, v)
        return self.inner(F.scaled_dot_product_attention(q, k, once))


def test_rows_are_in_the_order_of_the_forward_pass() -> None:
    """By construction: the outer module attends twice, then the inner one; larger projections have larger logits."""
    model = Twice()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)

    def loss_fn(m: nn.Module, x: Tensor) -> Tensor:
        return m(x).square().mean()

    recorder = Recorder(model, loss_fn, [attention_logits()], every(1), optimizer=optimizer)
    for _ in range(2):
        with recorder.step(x := torch.ones(2, 4, 6)):
            loss_fn(model, x).backward()
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            model.qkv.weight *= 10
            model.qkv.bias *= 10
    rows = recorder.read("attention_logits")
    assert rows["layer"].tolist() == [["Twice", "Twice#2", "inner"]] * 2
    np.testing.assert_allclose(rows["entropy"][:, :2], math.log(4), rtol=1e-5)  # equal keys
    np.testing.assert_allclose(rows["largest"][1, :2] / rows["largest"][0, :2], 100, rtol=1e-3)


def test_a_model_without_attention_has_empty_rows() -> None:
    """No warning, which the test run would turn into an error, and one call of the loss."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [attention_logits()], every(1), optimizer=optimizer)
    with recorder.step(data := batch()):
        cross_entropy(model, data).backward()
        optimizer.step()
    assert recorder.read("attention_logits")["largest"].shape == (1, 0)
    assert "1 step measured" in recorder.summary()
