"""Cepstral coefficients against the definition written with SciPy, and against other packages where they are there."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clinometer.papers.toth2019.mfcc import Mfcc, mel, mel_weights

Array = NDArray[np.float64]


def by_scipy(sound: Array, rate: int, frame: int, hop: int, bands: int, kept: int, lowest: float) -> Array:
    """From the definition: SciPy's windows, short spectra and cosine transform, and triangles band by band."""
    from scipy.fft import dct
    from scipy.signal import get_window, stft

    size = 1 << math.ceil(math.log2(frame))
    window = get_window("hann", frame)  # periodic
    _, _, spectra = stft(
        sound, window=window, noverlap=frame - hop, nperseg=frame, nfft=size, boundary=None, padded=False
    )
    magnitudes = np.abs(spectra).T * window.sum()  # SciPy divides by the sum of the window
    hertz = np.arange(size // 2 + 1) * rate / size
    to_mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731  # the same scale by its other name
    edges = np.linspace(to_mel(lowest), to_mel(rate / 2), bands + 2)
    energies = np.zeros((len(magnitudes), bands))
    for band in range(bands):
        low, centre, high = edges[band : band + 3]
        for k in range(1, len(hertz)):
            m = to_mel(hertz[k])
            weight = (m - low) / (centre - low) if m <= centre else (high - m) / (high - centre)
            energies[:, band] += max(0.0, weight) * magnitudes[:, k]
    transformed = dct(np.log(energies + 1e-6), type=2, norm="ortho", axis=1)
    transformed[:, 0] *= math.sqrt(2)  # the first is not divided by √2 here
    return transformed[:, :kept]


@pytest.mark.parametrize(("rate", "samples", "bands", "kept"), [(8000, 192, 24, 24), (16000, 900, 40, 13)])
def test_coefficients_are_those_of_scipy(rate: int, samples: int, bands: int, kept: int) -> None:
    """Another implementation from the definition, by SciPy's window and cosine transform and loops over bands."""
    sound = np.random.default_rng(0).standard_normal(samples) * np.hanning(samples)
    layer = Mfcc(rate, bands=bands, coefficients=kept, gain=1.0).double()
    expected = by_scipy(sound, rate, int(0.01 * rate), int(0.002 * rate), bands, kept, 80.0)
    found = layer(torch.from_numpy(sound).view(1, -1))[0].numpy()
    # The layer's tables are made in float32: a share of 1e-7 of numbers near 100.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_the_cosine_transform_is_that_of_torchaudio() -> None:
    """Another package's orthonormal table, where it is there: all but its first coefficient, which has no √2 here.

    Its triangles are linear in Hz and these in mel, so that no more of it can be compared.
    """
    audio = pytest.importorskip("torchaudio")
    cosines = audio.functional.create_dct(24, 24, "ortho")
    torch.testing.assert_close(Mfcc(8000, gain=1.0).cosines[:, 1:], cosines[:, 1:], rtol=1e-5, atol=1e-6)


def test_mel_scale_is_that_of_python_speech_features() -> None:
    """A package that speech recognition uses, where it is there."""
    package = pytest.importorskip("python_speech_features")
    hertz = torch.linspace(0, 4000, 20)
    np.testing.assert_allclose(mel(hertz), [package.base.hz2mel(f) for f in hertz.tolist()], rtol=1e-3)


def test_a_thousand_hertz_are_a_thousand_mel() -> None:
    """By which the scale is defined; and its zero."""
    assert mel(torch.tensor([0.0, 1000.0])).tolist() == pytest.approx([0.0, 1000.0], abs=0.05)


def test_bands_cover_what_lies_between_the_first_and_the_last_centre() -> None:
    """Triangles that begin where their neighbours have their centres add up to 1 there, and 0 Hz belongs to none."""
    weights = mel_weights(8000, 1024, 24, 80.0)
    hertz = torch.arange(513) * 8000 / 1024
    edges = torch.linspace(float(mel(torch.tensor(80.0))), float(mel(torch.tensor(4000.0))), 26)
    inside = (mel(hertz) >= edges[1]) & (mel(hertz) <= edges[-2])
    torch.testing.assert_close(weights[inside].sum(1), torch.ones(int(inside.sum())), rtol=1e-5, atol=1e-5)
    assert not weights[0].any()


def test_a_louder_sound_moves_the_first_coefficient_alone() -> None:
    """Twice the amplitude adds log 2 to each band, which is a constant over bands: √(2/B) · B · log 2 in the first."""
    sound = torch.randn(1, 192, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 100
    layer = Mfcc(8000, gain=1.0).double()
    difference = (layer(2 * sound) - layer(sound))[0]
    expected = math.sqrt(2 / 24) * 24 * math.log(2)
    np.testing.assert_allclose(difference[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(difference[:, 1:], 0, atol=1e-4)


def test_gradients_are_right() -> None:
    """Against finite differences in float64."""
    layer = Mfcc(8000, bands=8, coefficients=5).double()
    sound = torch.randn(2, 112, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(layer, sound, eps=1e-6, atol=1e-5, fast_mode=True)


def test_silence_has_a_finite_gradient() -> None:
    """Magnitudes have no derivative at 0, where a stream may be: torch takes 0 there, and nothing becomes NaN."""
    sound = torch.zeros(1, 192, requires_grad=True)
    Mfcc(8000)(sound).sum().backward()
    assert sound.grad is not None
    assert bool(sound.grad.isfinite().all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame_ms": 0.1}, "a frame of 0.1 ms"),
        ({"hop_ms": 0.1}, "every 0 at 8000 Hz"),
        ({"coefficients": 25}, "coefficients must lie in 1 to 24"),
        ({"lowest": 4000.0}, "lowest must lie in"),
    ],
)
def test_what_cannot_be_computed_is_refused(options: dict[str, float], message: str) -> None:
    """Before any sound is there."""
    with pytest.raises(ValueError, match=message):
        Mfcc(8000, **options)  # pyright: ignore[reportArgumentType]


def test_a_sound_shorter_than_a_frame_is_refused() -> None:
    """The number of frames would be none, and the dense layer behind it empty."""
    with pytest.raises(ValueError, match="a sound of 79 samples is shorter than a frame of 80"):
        Mfcc(8000).frames(79)
