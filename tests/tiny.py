"""Small networks of transformers, made from their configs without a download, and random data for them."""

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

os.environ["HF_HUB_OFFLINE"] = "1"
transformers = pytest.importorskip("transformers")


def gpt2() -> nn.Module:
    """A language model with dropout."""
    config = transformers.GPT2Config(
        bos_token_id=None,
        eos_token_id=None,
        vocab_size=17,
        n_positions=8,
        n_embd=16,
        n_layer=2,
        n_head=2,
        loss_type="ForCausalLM",
    )
    return transformers.GPT2LMHeadModel(config)


def vit() -> nn.Module:
    """A vision transformer with dropout."""
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=8,
        patch_size=4,
        hidden_dropout_prob=0.1,
        num_labels=3,
    )
    return transformers.ViTForImageClassification(config)


def resnet() -> nn.Module:
    """A residual network with BatchNorm."""
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[8, 16], depths=[1, 1], num_labels=3)
    config.layer_type = "basic"
    return transformers.ResNetForImageClassification(config)


def sentence() -> dict[str, torch.Tensor]:
    """Tokens, of which the first few are not to be predicted: sentences differ in length."""
    tokens = torch.randint(17, (8,))
    hidden = int(torch.randint(1, 5, ()))
    return {"input_ids": tokens, "labels": torch.cat([torch.full((hidden,), -100), tokens[hidden:]])}


def picture() -> dict[str, torch.Tensor]:
    """Noise, with one of three labels."""
    return {"pixel_values": torch.randn(3, 8, 8), "labels": torch.randint(3, ())}


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], dict[str, Any]]]] = {
    "gpt2": (gpt2, sentence),
    "vit": (vit, picture),
    "resnet": (resnet, picture),
}


def network(name: str, samples: int) -> tuple[nn.Module, list[dict[str, Any]]]:
    """A network and its data, the same at each call."""
    torch.manual_seed(0)
    make, sample = NETWORKS[name]
    return make(), [sample() for _ in range(samples)]
