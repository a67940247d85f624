"""The hearing model: what the decoder gets of a sound; or, with hearing off, the sound's parameters themselves."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from clinometer.nn.norms.rows import norm_factory
from clinometer.papers.toth2019.mfcc import Mfcc
from clinometer.papers.toth2019.scales import azimuth_noise
from clinometer.papers.toth2019.synthesizer import Sections
from clinometer.papers.toth2019.voice import Voice

Kind = Literal["both", "mfcc", "convolution", "off"]


class MfccHearing(nn.Module):
    """Cepstral coefficients of the whole sound, then a dense layer with tanh, and a norm."""

    def __init__(self, mfcc: Mfcc, samples: int, size: int, norm: str = "none") -> None:
        super().__init__()
        self.mfcc = mfcc
        self.dense = nn.Linear(mfcc.frames(samples) * mfcc.cosines.shape[1], size)
        self.norm = norm_factory(norm)(size, 0)

    def forward(self, sound: Tensor) -> Tensor:
        """(n, size) of a sound, (n, samples)."""
        return self.norm(self.dense(self.mfcc(sound).flatten(1)).tanh())


class ConvolutionHearing(nn.Module):
    """Strided convolutions over the waveform, each with twice the channels of the one before, then a dense layer.

    Args:
        samples: Of the sound.
        kernel: In samples.
        stride: In samples.
        channels: Of the first layer.
        layers: How many.
        size: Of the output.
        norm: A row of `NORMS`, after each layer but the first.
    Source: Donahue, McAuley and Puckette (2018), arXiv:1802.04208, the discriminator.
    """

    def __init__(
        self, samples: int, kernel: int, stride: int, channels: int, layers: int, size: int, norm: str = "none"
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        width, length = 1, samples
        for layer in range(layers):
            wider = channels * 2**layer
            blocks += [_SamePadding(kernel, stride), nn.Conv1d(width, wider, kernel, stride)]
            blocks += [norm_factory(norm)(wider, 1)] * (layer > 0)
            blocks.append(nn.LeakyReLU(0.2))
            width, length = wider, -(-length // stride)
        self.convolutions = nn.Sequential(*blocks)
        self.dense = nn.Linear(width * length, size)
        self.norm = norm_factory(norm)(size, 0)

    def forward(self, sound: Tensor) -> Tensor:
        """(n, size) of a sound, (n, samples)."""
        return self.norm(self.dense(self.convolutions(sound.unsqueeze(1)).flatten(1)).tanh())


class Hearing(nn.Module):
    """All that is heard in one drawing step, side by side: the sound by one or two models, and where it comes from.

    The models hear one channel; azimuths are passed beside it, with the noise with which people locate sounds. With
    `off` nothing is heard: frequencies (over the highest), amplitudes and starts are passed as they are.

    Args:
        kind: `both`, `mfcc`, `convolution` or `off`.
        voice: Of the synthesizer.
        size: Of each model's output.
        channels: Of the first convolution.
        layers: Of convolutions.
        norm: A row of `NORMS`, in the models.
        mfcc: The cepstral layer.
    """

    def __init__(self, kind: Kind, voice: Voice, size: int, channels: int, layers: int, norm: str, mfcc: Mfcc) -> None:
        super().__init__()
        if kind not in get_args(Kind):
            raise ValueError(f"hearing must be one of {', '.join(get_args(Kind))}; found {kind!r}.")
        self.voice = voice
        models: dict[str, nn.Module] = {}
        if kind in ("both", "mfcc"):
            models["mfcc"] = MfccHearing(mfcc, voice.samples, size, norm)
        if kind in ("both", "convolution"):
            models["convolution"] = ConvolutionHearing(
                voice.samples, mfcc.frame, mfcc.hop, channels, layers, size, norm
            )
        self.models = nn.ModuleDict(models)
        each = voice.streams * voice.sections
        self.size = size * len(models) + each if models else 3 * each + voice.streams

    @property
    def hears(self) -> bool:
        """Whether it needs the waveform."""
        return bool(self.models)

    def forward(self, sections: Sections, start: Tensor, sound: Tensor | None, noise: Tensor) -> Tensor:
        """(n, size).

        Args:
            sections: What sounds, in physical units.
            start: (n, K) where its streams lie.
            sound: (n, samples), if it hears.
            noise: (n, K, M) standard normal draws for the azimuths.
        """
        azimuth = sections.azimuth + noise * azimuth_noise(sections.azimuth)
        if sound is None:
            raw = (azimuth, sections.amplitude, sections.frequency / self.voice.highest)
            return torch.cat([*(each.flatten(1) for each in raw), start], 1)
        return torch.cat([*(model(sound) for model in self.models.values()), azimuth.flatten(1)], 1)


class _SamePadding(nn.Module):
    """Zeros at both ends, so that a strided convolution gives ⌈length / stride⌉ values; one more at the end if odd."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-1]
        total = max((-(-length // self.stride) - 1) * self.stride + self.kernel - length, 0)
        return nn.functional.pad(x, (total // 2, total - total // 2))
