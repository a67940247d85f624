"""`swap_norms` on models that are not ours to change: a ResNet, a transformer of images, one of text."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import NORMS, swap_norms
from clinometer.nn.norms import apply_norm
from clinometer.nn.norms.per_position import PerPosition

ON_WEIGHTS = ("weight", "spectral", "mean_spectral", "weight_standardization", "fixup")


class Residual(nn.Module):
    """As in ResNet: two convolutions and, where the shape changes, a third on the way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        around = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.downsample = around if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.downsample(x))


def resnet() -> nn.Module:
    stem = [nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    blocks = [Residual(8, 8, 1), Residual(8, 16, 2)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int, causal: bool) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        h = self.ln1(x)
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1]).to(x) if self.causal else None
        x = x + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.ln2(x))


class Vit(nn.Module):
    """Patches of an image, each a token."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.blocks = nn.Sequential(*(Block(width, causal=False) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.patches(x).flatten(2).transpose(1, 2))).mean(1))


class Gpt(nn.Module):
    """Tokens of a text, each of which sees those before it."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(11, width), nn.Parameter(torch.randn(6, width))
        self.blocks = nn.Sequential(*(Block(width, causal=True) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 11)

    def forward(self, text: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.letters(text) + self.places)))


def images() -> Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()


def text() -> Tensor:
    return torch.randint(11, (4, 6), generator=torch.Generator().manual_seed(1))


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor], int]] = {
    "resnet": (resnet, images, 6),
    "vit": (Vit, images, 5),
    "gpt": (Gpt, text, 5),
}


def build(name: str) -> tuple[nn.Module, Tensor]:
    """A model in float64 with an affine that is not 1 and 0, and its input."""
    torch.manual_seed(0)
    model = MODELS[name][0]().double()
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.data.uniform_(0.5, 1.5)
    return model, MODELS[name][1]()


@pytest.mark.parametrize("row", [row for row in NORMS if row not in ON_WEIGHTS])
@pytest.mark.parametrize("name", MODELS)
def test_a_swapped_model_trains(name: str, row: str) -> None:
    """Every row in every model: finite outputs and gradients, all norms in the report; instance norm needs space."""
    model, x = build(name)
    if row == "instance" and name != "resnet":
        with pytest.raises(ValueError, match=r"nothing was replaced: blocks\.0\.ln1 is a LayerNorm"):
            swap_norms(model, row)
        return
    report = swap_norms(model, row)
    assert len(report.replaced) == MODELS[name][2]
    assert not report.left
    out = model(x)
    out.square().sum().backward()
    assert torch.isfinite(out).all()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert {out.dtype, *(p.dtype for p in model.parameters())} == {torch.float64}
    assert not any(isinstance(module, nn.BatchNorm2d | nn.LayerNorm) for module in model.modules()) or "batch" in row


def test_group_norms_of_one_group_by_torchs_function() -> None:
    """The closed form: each BatchNorm's output is now torch's layer norm over units and space, with the same affine."""
    model, x = build("resnet")
    before = copy.deepcopy(model)
    report = swap_norms(model, "group", groups=1)
    assert {each.kept for each in report.replaced} == {("weight", "bias")}
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_hook(lambda _, inputs, out, name=name: seen.update({name: (inputs[0], out)}))
    model(x)
    assert len(seen) == 6
    for name, (y, out) in seen.items():
        old = before.get_submodule(name)
        expected = F.layer_norm(y, y.shape[1:]) * old.weight.view(-1, 1, 1) + old.bias.view(-1, 1, 1)
        torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("name", ["vit", "gpt"])
def test_layer_norm_for_layer_norm_changes_nothing(name: str) -> None:
    """A layer norm of each position is what it was: another layout or another slice would show in the outputs."""
    model, x = build(name)
    expected = model(x)
    swap_norms(model, "layer")
    torch.testing.assert_close(model(x), expected)
    assert isinstance(model.norm, PerPosition)
    swap_norms(model, "rms")
    assert isinstance(model.norm, PerPosition)
    assert not torch.allclose(model(x), expected)


@pytest.mark.parametrize("row", ["group", "rms", "dynamic_tanh", "filter_response"])
def test_no_token_sees_a_later_one(row: str) -> None:
    """What makes a GPT a GPT: the last letter changes no output before it. Statistics over positions would leak it."""
    model, x = build("gpt")
    swap_norms(model, row)
    other = x.clone()
    other[:, -1] = (other[:, -1] + 1) % 11
    torch.testing.assert_close(model(other)[:, :-1], model(x)[:, :-1])


def test_batch_norm_for_layer_norm_is_over_batch_and_positions() -> None:
    """torch's BatchNorm1d on (N, C, T) is the truth."""
    norm = nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8))
    x = torch.randn(4, 6, 3)
    swap_norms(norm, "batch")
    torch.testing.assert_close(norm(x), nn.BatchNorm1d(8)(norm[0](x).transpose(1, 2)).transpose(1, 2))


def test_parameters_statistics_mode_and_frozen_weights_stay() -> None:
    """The optimizer's own objects remain; an evaluated network that gets ghosts returns what it returned."""
    model, x = build("resnet")
    model(x)
    model.eval()
    expected = model(x)
    model[1].weight.requires_grad_(False)
    before = {id(p) for p in model.parameters()}
    report = swap_norms(model, "ghost_batch", ghost=2)
    assert {id(p) for p in model.parameters()} == before
    assert not model[1].weight.requires_grad
    assert not any(module.training for module in model.modules())
    assert {each.kept for each in report.replaced} == {("weight", "bias", "running_mean", "running_var")}
    torch.testing.assert_close(model(x), expected)


def test_what_has_no_place_is_named() -> None:
    """RMSNorm has no bias; a norm without affine gives nothing, and takes device and dtype from the model."""
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.BatchNorm1d(4, affine=False)).double()
    report = swap_norms(model, "rms")
    assert str(report).splitlines() == [
        "replaced 2 norms:",
        "  1: LayerNorm(4) -> RMSNorm per position; kept weight; dropped bias",
        "  2: BatchNorm1d(4) -> RMSNorm; nothing kept",
    ]
    assert model[2].weight.dtype == torch.float64


def test_a_shared_norm_stays_one() -> None:
    """One module in two places before, one after, under both names."""
    shared = nn.BatchNorm2d(4)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), shared, nn.Conv2d(4, 4, 1), shared)
    (only,) = swap_norms(model, "layer").replaced
    assert only.names == ("1", "3")
    assert model[1] is model[3]


class ChannelsFirst(nn.LayerNorm):
    """As torchvision's ConvNeXt has it: not what its base class does."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_what_is_not_known_is_left_and_named() -> None:
    """A subclass, several dimensions, a hook, a weight norm: replaced by guess, each could be a wrong network."""
    hooked = nn.BatchNorm2d(4)
    hooked.register_forward_hook(lambda *_: None)
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1))
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1), ChannelsFirst(4), nn.LayerNorm((4, 2, 2)), hooked, conv, nn.BatchNorm2d(4)
    )
    modules = list(model)
    report = swap_norms(model, "group", groups=2)
    assert [each.names for each in report.replaced] == [("5",)]
    assert [(each.names, each.norm) for each in report.left] == [
        (("1",), "ChannelsFirst"),
        (("2",), "LayerNorm"),
        (("3",), "BatchNorm2d"),
        (("4.parametrizations.weight.0",), "_WeightNorm"),
    ]
    assert list(model)[:5] == modules[:5]
    assert "left 4 norms:\n  1: ChannelsFirst: what it normalizes is not known\n" in str(report)


class ConvNormAct(nn.Sequential):
    """A block that has a norm, in its name too."""


def test_a_block_named_after_its_norm_is_no_norm() -> None:
    """As torchvision's Conv2dNormActivation: what is inside is looked at."""
    model = nn.Sequential(ConvNormAct(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU()))
    report = swap_norms(model, "rms")
    assert [each.names for each in report.replaced] == [("0.1",)]
    assert not report.left


def test_a_transformer_layer_of_torch_uses_its_new_norms_in_evaluation() -> None:
    """Its shortcut computes LayerNorm from its norms' weights: evaluated and trained would differ, without dropout."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(layer, 2)
    swap_norms(model, "group", groups=4)
    x = torch.randn(4, 6, 8)
    trained = model(x)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x), trained)


def bad(norm: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 12, 1), norm)


@pytest.mark.parametrize(
    ("model", "name", "options", "message"),
    [
        (
            bad(nn.BatchNorm2d(12)),
            "group",
            {"groups": 8},
            "3 is a BatchNorm2d.12., and group does",
        ),
        (bad(nn.BatchNorm2d(12)), "gruop", {}, "no norm 'gruop'"),
        (bad(nn.BatchNorm2d(12)), "weight", {}, r"build the network with apply_norm\(layer, 'weight'\)"),
        (bad(nn.Identity()), "batch", {"groups": 8}, "unexpected keyword argument 'groups'"),
        (nn.Sequential(nn.Linear(3, 8), nn.ReLU()), "group", {}, "the model has no norm that could be replaced.$"),
        (nn.BatchNorm2d(8), "group", {}, "could be replaced. It: BatchNorm2d: it is the model itself"),
        (
            nn.Sequential(apply_norm(nn.Linear(3, 4), "weight")),
            "layer",
            {},
            "it changes the weight of the layer",
        ),
        (nn.Sequential(nn.Conv1d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.GroupNorm(2, 8)), "batch", {}, "several kinds"),
    ],
)
def test_after_an_error_the_model_is_as_it_was(
    model: nn.Module, name: str, options: dict[str, int], message: str
) -> None:
    """The modules themselves, and their modes: a model half swapped is a network that nobody meant."""
    before = dict(model.named_modules())
    with pytest.raises((ValueError, TypeError), match=message):
        swap_norms(model, name, **options)
    after = dict(model.named_modules())
    assert before.keys() == after.keys()
    assert all(before[each] is after[each] for each in before)


def test_spatial_dimensions_of_a_norm_that_does_not_say() -> None:
    """GroupNorm after one-dimensional convolutions becomes BatchNorm1d, and what the caller says where kinds differ."""
    one = nn.Sequential(nn.Conv1d(3, 8, 1), nn.GroupNorm(2, 8))
    swap_norms(one, "batch")
    assert isinstance(one[1], nn.BatchNorm1d)
    both = nn.Sequential(nn.Conv1d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.GroupNorm(2, 8))
    swap_norms(both, "instance", spatial_dims=2)
    assert isinstance(both[2], nn.InstanceNorm2d)


@pytest.mark.parametrize(("row", "kept"), [("graph", ("weight", "bias")), ("pair", ())])
def test_norms_of_graphs_are_known(row: str, kept: tuple[str, ...]) -> None:
    """What this package makes it can take out again: the graph network's norms become torch's, over its nodes too."""
    model = nn.Sequential(nn.Conv1d(3, 8, 1), NORMS[row](8, 1))
    (replacement,) = swap_norms(model, "batch").replaced
    assert type(model[1]) is nn.BatchNorm1d
    assert model[1].num_features == 8
    assert replacement.kept == kept


def test_an_eps_that_equals_nothing() -> None:
    """By IEEE 754: it is what keeps torch's shortcut away."""
    assert math.isnan(PerPosition.eps)
