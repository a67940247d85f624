"""The network of the study beside this file.

    clinometer run examples/own_study/study.yaml

Factors of the study that `mlp` names are passed to it: `dropout`, and `width` if the study, or `--width 64`, has it.
"""

from torch import nn


def mlp(width: int = 32, dropout: float = 0.0) -> nn.Module:
    """One hidden layer for 8×8 digits."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 10))
