"""Mel-frequency cepstral coefficients of a sound, as a differentiable layer."""

import math

import torch
from torch import Tensor, nn


class Mfcc(nn.Module):
    """Short spectra on the mel scale, as cosine coefficients of their logarithms.

    Frames are weighted by a periodic Hann window and padded to a power of two; magnitudes are summed by triangles
    over the mel scale; c_k = gain · √(2/B) Σ_b log(s_b + 10⁻⁶) cos(π k (b + ½) / B) over B bands.

    Args:
        sample_rate: In Hz.
        frame_ms: Length of a frame.
        hop_ms: From one frame to the next.
        bands: B, between `lowest` and half the sample rate.
        coefficients: How many are kept, at most B.
        lowest: In Hz.
        gain: What coefficients are multiplied by; 1 in the author's code, where they reach −100 and saturate a tanh.

    Raises:
        ValueError: if a frame or hop has no sample, there are more coefficients than bands, or the bands have no room.
    Source: Davis and Mermelstein (1980), IEEE Trans. ASSP 28, 357; the constants are TensorFlow 1's.

    Example:
        >>> Mfcc(8000)(torch.zeros(3, 192)).shape                      # frames, coefficients
        torch.Size([3, 8, 24])
    """

    window: Tensor
    mel: Tensor
    cosines: Tensor

    def __init__(
        self,
        sample_rate: int,
        frame_ms: float = 10.0,
        hop_ms: float = 2.0,
        bands: int = 24,
        coefficients: int = 24,
        lowest: float = 80.0,
        gain: float = 0.1,
    ) -> None:
        super().__init__()
        self.frame, self.hop = int(frame_ms / 1000 * sample_rate), int(hop_ms / 1000 * sample_rate)
        if self.frame < 2 or self.hop < 1:
            raise ValueError(
                f"a frame of {frame_ms} ms every {hop_ms} ms has {self.frame} samples every {self.hop} at "
                f"{sample_rate} Hz; expected at least 2 every 1."
            )
        if not 1 <= coefficients <= bands:
            raise ValueError(f"coefficients must lie in 1 to {bands}, the number of bands; found {coefficients}.")
        if not 0 <= lowest < sample_rate / 2:
            raise ValueError(f"lowest must lie in [0, {sample_rate / 2:g}) Hz; found {lowest:g}.")
        self.size = 2 ** math.ceil(math.log2(self.frame))
        self.register_buffer("window", torch.hann_window(self.frame), persistent=False)
        self.register_buffer("mel", mel_weights(sample_rate, self.size, bands, lowest), persistent=False)
        k, b = torch.arange(coefficients), torch.arange(bands).view(-1, 1)
        cosines = gain * math.sqrt(2 / bands) * torch.cos(math.pi / bands * k * (b + 0.5))
        self.register_buffer("cosines", cosines, persistent=False)

    def frames(self, samples: int) -> int:
        """How many frames a sound of so many samples has; ValueError if it is shorter than one."""
        if samples < self.frame:
            raise ValueError(f"a sound of {samples} samples is shorter than a frame of {self.frame}.")
        return 1 + (samples - self.frame) // self.hop

    def forward(self, sound: Tensor) -> Tensor:
        """(n, frames, coefficients) of a sound, (n, samples)."""
        framed = sound.unfold(-1, self.frame, self.hop) * self.window
        magnitudes = torch.fft.rfft(framed, self.size).abs()
        return (magnitudes @ self.mel + 1e-6).log() @ self.cosines


def mel(hertz: Tensor) -> Tensor:
    """The mel scale, 1127 ln(1 + f/700)."""
    return 1127 * (hertz / 700).log1p()


def mel_weights(sample_rate: int, size: int, bands: int, lowest: float) -> Tensor:
    """(size / 2 + 1, bands): triangles that are linear in mel, between equally spaced centres, without the bin of 0 Hz.

    A band that is narrower than the distance of two bins may have none of them, and is then silent always.
    """
    bins = mel(torch.arange(size // 2 + 1, dtype=torch.float64) * sample_rate / size)
    low, high = mel(torch.tensor([lowest, sample_rate / 2], dtype=torch.float64)).tolist()
    edges = torch.linspace(low, high, bands + 2, dtype=torch.float64)
    rising = (bins.view(-1, 1) - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins.view(-1, 1)) / (edges[2:] - edges[1:-1])
    weights = torch.minimum(rising, falling).clamp_min(0)
    weights[0] = 0
    return weights.float()
