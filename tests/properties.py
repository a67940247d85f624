"""Assertions that hold for every probe and every objective: the product's promises."""

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from clinometer.recorder.alerts.alarm import Alarm


def traces(model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """All that a run consists of, and all that an instrument may not touch, as copies."""
    return {
        "parameters": {n: p.detach().clone() for n, p in model.named_parameters(remove_duplicate=False)},
        "identities": {n: (id(p), p.data_ptr()) for n, p in model.named_parameters(remove_duplicate=False)},
        "gradients": {n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()},
        "buffers": {n: b.clone() for n, b in model.named_buffers()},
        "modes": {n: m.training for n, m in model.named_modules()},
        "requires_grad": {n: p.requires_grad for n, p in model.named_parameters()},
        "hooks": {n: [len(v) for k, v in sorted(vars(m).items()) if "hooks" in k] for n, m in model.named_modules()},
        "optimizer": optimizer.state_dict(),
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "grad_enabled": torch.is_grad_enabled(),
    }


def exact(alarms: Iterable[Alarm]) -> str:
    """Alarms with every digit of their numbers, where NaN equals NaN."""
    return json.dumps([alarm.as_dict() for alarm in alarms])


def assert_same(first: Any, second: Any, where: str = "") -> None:
    """Equal bit for bit, through dicts, lists and tensors; NaN equals NaN."""
    assert type(first) is type(second), where
    if isinstance(first, dict):
        assert list(first) == list(second), where
        for key in first:
            assert_same(first[key], second[key], f"{where}.{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for index, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{where}[{index}]")
    elif isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype, where
        assert first.shape == second.shape, where
        assert torch.equal(
            first.contiguous().view(-1).view(torch.uint8), second.contiguous().view(-1).view(torch.uint8)
        ), where
    elif isinstance(first, np.ndarray):
        assert first.tobytes() == second.tobytes(), where
    else:
        assert first == second, where


def without_when(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a store but for when the run was made and resumed: those say nothing of what it computed."""
    run = {name: fact for name, fact in facts.get("run", {}).items() if name not in ("began", "resumed")}
    return {**facts, **({"run": run} if run else {})}
