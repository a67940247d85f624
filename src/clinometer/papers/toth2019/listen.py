"""`--listen`: some held-out digits as sounds to hear, with their spectrograms and what was drawn of them."""

from pathlib import Path
from typing import Any

import numpy as np

from clinometer.papers.toth2019.arms import heard
from clinometer.papers.toth2019.wav import write_wav
from clinometer.plots.library import import_matplotlib
from clinometer.results.run_table import MissingRunsError, RunTable
from clinometer.studies.extra import Extra
from clinometer.training.config import Bases, RunConfig

_FRAME, _HOP = 64, 8  # samples of the spectrogram's frames, and from one to the next
_PICTURE = "spectrograms.png"


def arms(bases: Bases) -> list[RunConfig]:
    """The autoencoder that hears."""
    return [heard(bases)]


def write(runs: RunTable, bases: Bases, folder: Path) -> list[Path]:
    """Write `digit_1.wav` and so on, for two ears, and `spectrograms.png`: of each digit image, drawing and sound.

    They are those of the first seed that is there; nothing is trained.

    Raises:
        MissingRunsError: if there is no finished run, or it diverged.
    """
    (arm,) = arms(bases)
    runs.common(arm)
    kept = runs.row(arm, "listen")
    waveforms, images, drawings = (np.asarray(kept[name], dtype=float) for name in ("waveform", "image", "drawing"))
    if not np.isfinite(waveforms).all():
        raise MissingRunsError("the first run diverged, and has no sound; take another --first-seed")
    files = [folder / f"digit_{number}.wav" for number in range(1, len(waveforms) + 1)]
    for file, waveform in zip(files, waveforms, strict=True):
        write_wav(file, waveform, arm["sample_rate"])
    _draw(folder / _PICTURE, arm, images, drawings, waveforms)
    return [*files, folder / _PICTURE]


def spectrogram(waveform: Any, sample_rate: int) -> tuple[Any, Any, Any]:
    """Seconds, Hz, and levels in decibels below the loudest, (frequencies, times), of the mean of both channels."""
    mono = np.asarray(waveform).mean(0)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(mono, _FRAME // 2), _FRAME)[::_HOP] * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(frames, 4 * _FRAME)).T ** 2
    level = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-300), 1e-6))
    return np.arange(len(frames)) * _HOP / sample_rate, np.fft.rfftfreq(4 * _FRAME, 1 / sample_rate), level


def _draw(file: Path, arm: RunConfig, images: Any, drawings: Any, waveforms: Any) -> None:
    """A row for each digit."""
    import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas: Any = Figure(figsize=(9, 1.9 * len(images) + 0.6), layout="constrained")
    axes = canvas.subplots(len(images), 3, width_ratios=(1, 1, 4), squeeze=False)
    steps = np.arange(1, arm["glimpses"]) / arm["glimpses"]
    for row, image, drawing, waveform in zip(axes, images, drawings, waveforms, strict=True):
        for place, pixels in zip(row, (image, drawing), strict=False):
            place.imshow(pixels, cmap="gray", vmin=0, vmax=1)
            place.set_axis_off()
        seconds, hertz, level = spectrogram(waveform, arm["sample_rate"])
        row[2].pcolormesh(1000 * seconds, hertz / 1000, level, cmap="magma", vmin=-60, vmax=0)
        for share in steps:
            row[2].axvline(1000 * seconds[-1] * share, color="white", linewidth=0.6, alpha=0.5)
        row[2].set_ylabel("kHz")
    for place, title in zip(axes[0], ("image", "drawn from the sound", "the sound, from 0 to −60 dB"), strict=True):
        place.set_title(title, fontsize="medium")
    axes[-1][2].set_xlabel(f"ms: {arm['glimpses']} drawing steps")
    FigureCanvasAgg(canvas).print_png(str(file))


LISTEN = Extra(
    "a WAV file for two ears of each of some held-out digits, and a picture of their spectrograms with what was drawn",
    arms,
    write,
)
