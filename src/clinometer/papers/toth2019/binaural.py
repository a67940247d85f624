"""What the two ears get of a sound that comes from the side: later, and softer, at the far one.

An azimuth is in radians and counts anticlockwise: above 0 is on the left.
"""

import math

import torch
from torch import Tensor

HEAD_RADIUS = 0.0875  # m
SPEED_OF_SOUND = 343.0  # m/s


def time_difference(azimuth: Tensor) -> Tensor:
    """Interaural time difference r/c · (θ + sin θ), in seconds; above 0 the left ear hears first.

    Source: Woodworth (1938), for a spherical head.
    """
    return HEAD_RADIUS / SPEED_OF_SOUND * (azimuth + azimuth.sin())


def level_ratio(azimuth: Tensor, frequency: Tensor) -> Tensor:
    """Interaural level difference as the ratio of pressures, left over right: 10^{(f / 10⁴)^0.42 · sin θ}.

    Source: the author's code, which fits published measurements.
    """
    return torch.pow(10.0, (frequency / 1e4).pow(0.42) * azimuth.sin())


def quarter_turns(azimuth: Tensor) -> Tensor:
    """An azimuth in [−1, 1], from the right to the left, in radians."""
    return azimuth * (math.pi / 2)
