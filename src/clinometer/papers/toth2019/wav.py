"""WAV files: 16 bit, one or two channels, by the standard library."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

FULL = 32767
_LOUDEST = 0.9  # of full scale


def write_wav(file: Path, waveform: ArrayLike, sample_rate: int) -> None:
    """Write a sound, scaled so that its largest value is 0.9 of full scale; silence stays silence.

    Args:
        file: Where to; it is written over.
        waveform: (channels, samples), left first.
        sample_rate: In Hz.

    Raises:
        ValueError: if a value is not finite, or there are no samples.
    """
    sound = np.atleast_2d(np.asarray(waveform, dtype=float))
    if not sound.size or not np.isfinite(sound).all():
        raise ValueError(f"expected finite samples, shape (channels, samples); found shape {sound.shape}.")
    peak = float(np.abs(sound).max()) or 1.0
    values = np.round(sound / peak * _LOUDEST * FULL).astype("<i2")
    with wave.open(str(file), "wb") as opened:
        opened.setnchannels(len(values))
        opened.setsampwidth(2)
        opened.setframerate(sample_rate)
        opened.writeframes(np.ascontiguousarray(values.T).tobytes())
