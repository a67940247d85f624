"""The synthesizer: streams of sinusoids whose frequency, loudness and side glide from section to section."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clinometer.papers.toth2019.binaural import level_ratio, quarter_turns, time_difference
from clinometer.papers.toth2019.scales import amplitude, frequency
from clinometer.papers.toth2019.sound import SoundParameters
from clinometer.papers.toth2019.voice import Voice


@dataclass(frozen=True)
class Sections:
    """The sound in physical units, at each section: (n, K, M)."""

    frequency: Tensor  # Hz
    amplitude: Tensor  # in [0, 1]
    azimuth: Tensor  # radians, above 0 on the left


class Synthesizer(nn.Module):
    """Sound parameters as waveforms: `mono`, which is heard by the decoder, and `binaural`, which people hear.

    A stream is a(t) sin φ(t) with φ′ = 2π f; f, a and the azimuth are interpolated between sections, and the last
    section stays. Its ends are ramps from and to a tenth. Streams are added where their starts put them, in whole
    samples, through which no gradient goes.

    Args:
        voice: What it can do.
    """

    def __init__(self, voice: Voice) -> None:
        super().__init__()
        self.voice = voice
        self.register_buffer("glide", glide(voice.sections, voice.stream_samples), persistent=False)
        self.register_buffer("ramps", _ramps(voice.stream_samples, voice.ramp_samples), persistent=False)

    glide: Tensor
    ramps: Tensor

    def sections(self, sound: SoundParameters) -> Sections:
        """Frequency, amplitude and azimuth of each section."""
        voice = self.voice
        place = _summed(sound.place, sound.place_changes, voice.place_change).clamp(0, 1)
        loudness = _summed(sound.loudness, sound.loudness_changes, voice.loudness_change)
        azimuth = _summed(quarter_turns(sound.azimuth), sound.azimuth_changes, voice.azimuth_change)
        return Sections(frequency(place, voice.spread), amplitude(loudness), azimuth)

    def mono(self, sections: Sections, start: Tensor) -> Tensor:
        """(n, samples): all streams, divided by the largest value, as the author's code has it."""
        streams = self._amplitude(sections) * self._phase(sections).sin()
        heard = self._placed(streams, start).sum(1)
        return heard / (heard.amax(1, keepdim=True) + 1e-6)

    def binaural(self, sections: Sections, start: Tensor, azimuth: Tensor) -> Tensor:
        """(n, 2, samples): the left and the right ear.

        Args:
            sections: Of `sections`.
            start: Of the sound parameters.
            azimuth: Where streams start, of the sound parameters; `delay="samples"` delays all of a stream by it.
        """
        pitch, side = sections.frequency @ self.glide, sections.azimuth @ self.glide
        phase, loud = self._phase(sections), self._amplitude(sections)
        lead = time_difference(side) / 2 * (2 * math.pi * pitch if self.voice.delay == "phase" else 1.0)
        louder = level_ratio(side, pitch).sqrt()
        shift = self._delay_samples(azimuth)
        left = self._placed(loud * louder * (phase + lead).sin(), start, -shift)
        right = self._placed(loud / louder * (phase - lead).sin(), start, shift)
        return torch.stack([left.sum(1), right.sum(1)], 1)

    def _phase(self, sections: Sections) -> Tensor:
        """(n, K, stream samples), in radians."""
        pitch = sections.frequency @ self.glide
        if self.voice.phase == "product":
            time = torch.arange(pitch.shape[-1], dtype=pitch.dtype, device=pitch.device)
            return 2 * math.pi / self.voice.sample_rate * pitch * time
        # The trapezoidal rule, which is exact for a frequency that is linear between samples.
        turns = pitch.cumsum(-1) - (pitch + pitch[..., :1]) / 2
        return 2 * math.pi / self.voice.sample_rate * turns

    def _amplitude(self, sections: Sections) -> Tensor:
        return sections.amplitude @ self.glide * self.ramps

    def _delay_samples(self, azimuth: Tensor) -> Tensor:
        if self.voice.delay == "phase":
            return torch.zeros_like(azimuth, dtype=torch.long)
        return (time_difference(quarter_turns(azimuth)) * self.voice.sample_rate / 2).long()

    def _placed(self, streams: Tensor, start: Tensor, shift: Tensor | None = None) -> Tensor:
        """(n, K, samples): each stream behind as much silence as its start says, and shifted around."""
        samples = self.voice.samples
        offset = ((samples - self.voice.stream_samples) * start.detach()).long()
        offset = offset if shift is None else offset + shift
        padded = nn.functional.pad(streams, (0, samples - self.voice.stream_samples))
        places = torch.arange(samples, device=streams.device) - offset.unsqueeze(2)
        return padded.gather(2, places.remainder(samples))


def glide(sections: int, samples: int) -> Tensor:
    """(M, samples): the weights of the sections at each sample; linear from one to the next, and the last one stays.

    Example:
        >>> glide(2, 4)
        tensor([[1.0000, 0.5000, 0.0000, 0.0000],
                [0.0000, 0.5000, 1.0000, 1.0000]])
    """
    at = (torch.arange(samples) * sections / samples).clamp(max=sections - 1)
    return (1 - (at - torch.arange(sections).view(-1, 1)).abs()).clamp_min(0.0)


def _ramps(samples: int, ramp: int) -> Tensor:
    rise = torch.logspace(-1, 0, ramp)
    return torch.cat([rise, torch.ones(samples - 2 * ramp), rise.flip(0)])


def _summed(first: Tensor, changes: Tensor, most: float) -> Tensor:
    """Where each section has come to: the first value, and the changes up to the section."""
    return first.unsqueeze(2) + (changes * (most / changes.shape[2])).cumsum(2)
