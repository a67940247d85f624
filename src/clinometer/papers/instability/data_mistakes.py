"""Mistakes in what the network is given."""

import torch
from torch import Generator, Tensor

from clinometer.papers.instability.blocks import first_block
from clinometer.papers.instability.data import BAD_PIXEL
from clinometer.papers.instability.tampering import Moment, Tampering
from clinometer.training.parts import Batch, Training

_PRIME = 1_000_003  # more than a run has steps: each step of each seed draws by itself


def corrupted_batches(_training: Training, strength: float, seed: int) -> Tampering:
    """Batches are garbage, as from a broken shard: noise, `strength` deviations wide; of tokens, random ones.

    Where the mistake grows, a share of the batches is, which grows to all of them. Their labels stay.
    """

    def batch(moment: Moment, given: Batch) -> Batch:
        generator = _generator(seed, moment)
        inputs, targets = given
        if float(torch.rand((), generator=generator)) >= moment.share:
            return given
        if not inputs.is_floating_point():
            return _random_tokens(inputs, generator), targets
        return strength * torch.randn(inputs.shape, generator=generator).to(inputs), targets

    return Tampering(batch=batch)


def flipped_labels(_training: Training, strength: float, seed: int) -> Tampering:
    """A share `strength` of the labels is wrong: each of these is that of another sample of the batch."""

    def batch(moment: Moment, given: Batch) -> Batch:
        generator = _generator(seed, moment)
        inputs, targets = given
        order = torch.randperm(len(targets), generator=generator)
        flipped = torch.rand(len(targets), generator=generator) < strength * moment.share
        chosen = torch.where(flipped, order, torch.arange(len(targets)))
        return inputs, targets[chosen.to(targets.device)]

    return Tampering(batch=batch)


def scaled_input(training: Training, strength: float, _seed: int) -> Tampering:
    """One feature is badly scaled: a pixel is multiplied by `strength`, as by a change of unit, or drifts there.

    To blame is the first block, which alone sees it.

    Raises:
        ValueError: if the inputs are no images.
    """
    row, column = BAD_PIXEL

    def batch(moment: Moment, given: Batch) -> Batch:
        inputs, targets = given
        if inputs.ndim != 4:
            raise ValueError(f"scaled_input needs images (n, channels, 8, 8); found {tuple(inputs.shape)}.")
        scaled = inputs.clone()
        scaled[:, :, row, column] *= strength**moment.share
        return scaled, targets

    return Tampering(first_block(training), batch=batch)


def _generator(seed: int, moment: Moment) -> Generator:
    return Generator().manual_seed(seed * _PRIME + moment.step)


def _random_tokens(tokens: Tensor, generator: Generator) -> Tensor:
    return torch.randint(int(tokens.max()) + 1, tokens.shape, generator=generator).to(tokens)
