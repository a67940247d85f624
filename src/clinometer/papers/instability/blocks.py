"""The blocks of a training's network, by the names that the instrument gives them."""

from torch import nn

from clinometer.measures.layers import blocks_of
from clinometer.training.parts import Training


def first_block(training: Training) -> str:
    """The block that sees the inputs."""
    return _names(training)[0]


def second_block(training: Training) -> str:
    """The block after the first."""
    return _names(training)[1]


def last_block(training: Training) -> str:
    """The head."""
    return _names(training)[-1]


def block_called(training: Training, ending: str) -> str:
    """The first block whose name has this ending; ValueError if there is none."""
    for name in _names(training):
        if name.endswith(ending):
            return name
    raise ValueError(f"no block is called {ending!r}; there are {', '.join(_names(training))}.")


def normalized_block(training: Training) -> str:
    """The first block that has a norm's affine parameters beside its weight and bias; ValueError if there is none."""
    owners = {name: {m.rpartition(".")[0] for m in members} for name, members in _blocks(training).items()}
    for name, modules in owners.items():
        if len(modules) > 1:
            return name
    raise ValueError(f"no layer has a norm after it; there are {', '.join(owners)}.")


def parameters_of(training: Training, block: str) -> list[nn.Parameter]:
    """The parameters of a block."""
    named = dict(training.model.named_parameters())
    return [named[name] for name in _blocks(training)[block]]


def _names(training: Training) -> list[str]:
    return list(_blocks(training))


def _blocks(training: Training) -> dict[str, tuple[str, ...]]:
    return blocks_of(training.model, "layers", dict(training.model.named_parameters()))
