"""Mistakes in a single layer, which is the block to blame."""

import torch
from torch import Tensor, nn

from clinometer.papers.instability.blocks import block_called, last_block, normalized_block, parameters_of, second_block
from clinometer.papers.instability.networks.parts import Head
from clinometer.papers.instability.tampering import Moment, Tampering
from clinometer.training.parts import Training


def scaled_head(training: Training, strength: float, _seed: int) -> Tampering:
    """The logits are multiplied by `strength`: a temperature set wrongly, or that drifts.

    To blame is the last block, the head.
    """
    block = last_block(training)
    head = training.model.get_submodule(block)
    assert isinstance(head, Head), f"the last block {block} is no Head"
    usual = head.scale

    def step(moment: Moment) -> None:
        head.scale = usual * strength**moment.share

    return Tampering(block, step=step)


def attention_logits(training: Training, strength: float, _seed: int) -> Tampering:
    """Attention logits grow: the decay of the first block's queries has the wrong sign, in half precision.

    Their weights grow geometrically by a factor `strength` in all, beside what training does to them, and are kept in
    float16, which ends at 65,504. Growth alone breaks no network of the corpus: attention picks one token then.
    """
    block = block_called(training, "attention.query")

    def update(moment: Moment) -> None:
        with torch.no_grad():
            for p in parameters_of(training, block):
                p.mul_(strength ** (moment.share - moment.last)).copy_(p.to(torch.float16))

    return Tampering(block, update=update)


def late_unfreezing(training: Training, strength: float, _seed: int) -> Tampering:
    """A layer that was frozen is trained from now on, at a rate `strength` times that of the others.

    As where a pretrained layer is unfrozen at the rate that was meant for a fresh one. To blame is that block, the
    second. Until then it has no gradient, and the optimizer passes it over.
    """
    block = second_block(training)
    own = parameters_of(training, block)

    def before() -> None:
        for p in own:
            p.grad = None

    def update(moment: Moment) -> None:
        for p in own:
            _gradient(p).mul_(strength**moment.share)

    return Tampering(block, update=update, before=before)


def scale_invariant_decay(training: Training, strength: float, _seed: int) -> Tampering:
    """The weight decay of a layer whose scale its norm takes out is wrong: `strength` times that of the others.

    With 0 it is off: the weights grow and the steps become relatively shorter, which breaks nothing by itself (Arora,
    Li, Lyu, 2018, arXiv:1812.03981). Far above 1, as where decay is not multiplied by the learning rate, the weights
    shrink until each step turns them round. To blame is that block, the first that has a norm.

    Raises:
        ValueError: if the optimizer is not SGD with a weight decay: others do not put it into the gradient.
    """
    block = normalized_block(training)
    weight = next(p for p in parameters_of(training, block) if p.ndim >= 2)
    decay = _decay_of(training, weight)
    if not isinstance(training.optimizer, torch.optim.SGD) or not decay:
        raise ValueError("scale_invariant_decay needs SGD with a weight decay above 0.")

    def update(moment: Moment) -> None:
        more = (strength - 1) * moment.share * decay
        _gradient(weight).add_(weight.detach(), alpha=more)

    return Tampering(block, update=update)


def _gradient(p: nn.Parameter) -> Tensor:
    assert p.grad is not None, "the step has no gradient of a block that it trains"
    return p.grad


def _decay_of(training: Training, weight: nn.Parameter) -> float:
    group = next(g for g in training.optimizer.param_groups if any(p is weight for p in g["params"]))
    return float(group["weight_decay"])
