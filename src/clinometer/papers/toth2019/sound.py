"""What is asked of the synthesizer: pitch, loudness, side and place of each stream of sound, and how they change."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class SoundParameters:
    """K streams, each of M sections: where a stream starts, and by how much each section moves it."""

    place: Tensor  # (n, K) in [0, 1], on the cochlea
    loudness: Tensor  # (n, K) in [0, 1]
    azimuth: Tensor  # (n, K) in [−1, 1], from right to left
    place_changes: Tensor  # (n, K, M) in [−1, 1], of what one section may change
    loudness_changes: Tensor  # (n, K, M)
    azimuth_changes: Tensor  # (n, K, M)
    start: Tensor  # (n, K) in [0, 1]: where a stream lies within the sound, from as early to as late as it can


def parameter_count(streams: int, sections: int, *, fixed_starts: bool = True) -> int:
    """How many numbers a sound takes: 3 K + 3 K M, and K more where streams have no fixed starts.

    Example:
        >>> parameter_count(3, 4)  # the author's
        45
    """
    return (3 if fixed_starts else 4) * streams + 3 * streams * sections


class SoundHead(nn.Module):
    """Latent variables as sound parameters: a linear map for each kind, then a sigmoid or tanh.

    Args:
        latents: How many there are.
        streams: K.
        sections: M.
        fixed_starts: Whether streams lie evenly within the sound, the first as early and the last as late as it can.
    """

    def __init__(self, latents: int, streams: int, sections: int, *, fixed_starts: bool = True) -> None:
        super().__init__()
        self.streams, self.sections = streams, sections
        wanted = parameter_count(streams, sections, fixed_starts=fixed_starts)
        self.spread = nn.Identity() if latents == wanted else nn.Linear(latents, wanted)
        each, changes = streams, streams * sections
        self.place, self.loudness, self.azimuth = (nn.Linear(each, each) for _ in range(3))
        self.place_changes, self.loudness_changes, self.azimuth_changes = (
            nn.Linear(changes, changes) for _ in range(3)
        )
        self.start = None if fixed_starts else nn.Linear(each, each)
        self._sizes = [each] * 3 + [changes] * 3 + [each] * (not fixed_starts)

    def forward(self, latents: Tensor) -> SoundParameters:
        place, loudness, azimuth, places, loudnesses, azimuths, *start = self.spread(latents).split(self._sizes, 1)
        return SoundParameters(
            self.place(place).sigmoid(),
            self.loudness(loudness).sigmoid(),
            self.azimuth(azimuth).tanh(),
            self._changes(self.place_changes, places),
            self._changes(self.loudness_changes, loudnesses),
            self._changes(self.azimuth_changes, azimuths),
            self.start(*start).sigmoid() if self.start else self._evenly(latents),
        )

    def _changes(self, layer: nn.Linear, given: Tensor) -> Tensor:
        return layer(given).tanh().view(-1, self.streams, self.sections)

    def _evenly(self, like: Tensor) -> Tensor:
        return torch.linspace(0, 1, self.streams, dtype=like.dtype, device=like.device).expand(len(like), -1)
