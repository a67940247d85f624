"""What a synthesizer can do, and whether its sample rate holds the frequencies: checked before anything is trained."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from clinometer.papers.toth2019.scales import highest_frequency

Phase = Literal["integral", "product"]
Delay = Literal["phase", "samples"]


@dataclass(frozen=True)
class Voice:
    """What a synthesizer can do; each number is the author's but for the sample rate and what follows from it.

    Raises:
        ValueError: if there is no stream or section, a time is shorter than a sample, or a frequency does not fit the
            sample rate.

    Example:
        >>> Voice(sample_rate=4000)    # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: sample_rate 4000 holds frequencies below 2000 Hz, and a stream may reach 3851 Hz. Take ...
    """

    streams: int = 2  # K
    sections: int = 2  # M, of each stream
    sample_rate: int = 8000  # Hz
    spread: float = 30.0  # A of `frequency`, Hz
    section_ms: float = 8.0
    ramp_ms: float = 1.0  # at either end of a stream
    room: float = 1.5  # the length of the sound, in streams
    place_change: float = 0.5  # the most that all sections of a stream change it by
    loudness_change: float = 0.5
    azimuth_change: float = math.pi / 2
    phase: Phase = "integral"  # of the frequency; `product`, the author's, is f(t) · t
    delay: Delay = "phase"  # of one ear; `samples`, the author's, is rounded to whole ones

    def __post_init__(self) -> None:
        for name in ("streams", "sections"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; found {getattr(self, name)}.")
        for name, choices in {"phase": get_args(Phase), "delay": get_args(Delay)}.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; found {getattr(self, name)!r}.")
        if self.room < 1:
            raise ValueError(f"room must be at least 1, the length of one stream; found {self.room}.")
        if 2 * self.ramp_samples > self.stream_samples or self.section_samples < 1:
            raise ValueError(
                f"a stream of {self.sections} sections of {self.section_ms} ms has {self.stream_samples} samples at "
                f"{self.sample_rate} Hz, too few for two ramps of {self.ramp_ms} ms. Take longer sections."
            )
        highest, half = self.highest, self.sample_rate / 2
        if not 0 < highest < half:
            raise ValueError(
                f"sample_rate {self.sample_rate} holds frequencies below {half:g} Hz, and a stream may reach "
                f"{highest:.0f} Hz. Take a sample_rate of at least {math.floor(2 * highest) + 1}, or a spread below "
                f"{self._largest_spread():.1f}."
            )

    @property
    def highest(self) -> float:
        """The highest frequency that a stream can reach at any instant, in Hz."""
        return highest_frequency(self.spread, self.sections, self.place_change, product=self.phase == "product")

    @property
    def section_samples(self) -> int:
        return int(self.section_ms / 1000 * self.sample_rate)

    @property
    def ramp_samples(self) -> int:
        return int(self.ramp_ms / 1000 * self.sample_rate)

    @property
    def stream_samples(self) -> int:
        return self.sections * self.section_samples

    @property
    def samples(self) -> int:
        """The length of the sound of one drawing step."""
        return int(self.stream_samples * self.room)

    def _largest_spread(self) -> float:
        """The spread at which the highest frequency is half the sample rate: it grows linearly from LOWEST."""
        base = highest_frequency(0.0, self.sections, self.place_change, product=self.phase == "product")
        return max(0.0, self.sample_rate / 2 - base) / (self.highest - base) * self.spread
