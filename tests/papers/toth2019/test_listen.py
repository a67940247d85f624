"""Sounds on the disk: what another reader of WAV files finds in them, and what is written of a run."""

import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clinometer.papers.toth2019.arms import heard
from clinometer.papers.toth2019.configs import autoencoder
from clinometer.papers.toth2019.listen import LISTEN, spectrogram
from clinometer.papers.toth2019.wav import write_wav
from clinometer.results.run_table import MissingRunsError, RunTable

BASES = {"digits": autoencoder(steps=4, test_every=2, measure_every=2)}


def table(waveform: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> RunTable:
    pixels = np.linspace(0, 1, 2 * 64).reshape(1, 2, 8, 8)
    rows = {"listen": {"waveform": waveform[None], "image": pixels, "drawing": 1 - pixels}}
    return RunTable.of_arrays({heard(BASES): rows})


def test_a_file_is_what_scipy_reads(tmp_path: Path) -> None:
    """Another reader: rate, 16 bits, left before right, and the waveform but for its scale and half a step."""
    from scipy.io import wavfile

    time = np.arange(800) / 8000
    sound = np.stack([0.5 * np.sin(2 * np.pi * 440 * time), 0.25 * np.sin(2 * np.pi * 660 * time)])
    write_wav(tmp_path / "tone.wav", sound, 8000)
    rate, values = wavfile.read(tmp_path / "tone.wav")
    assert (rate, values.dtype, values.shape) == (8000, np.int16, (800, 2))
    np.testing.assert_allclose(values.T, sound / np.abs(sound).max() * 0.9 * 32767, atol=0.5)


def test_silence_is_written_as_silence(tmp_path: Path) -> None:
    """A run that has learnt nothing may be silent: there is no peak to divide by."""
    write_wav(tmp_path / "silence.wav", np.zeros((2, 10)), 8000)
    with wave.open(str(tmp_path / "silence.wav"), "rb") as opened:
        assert opened.readframes(10) == bytes(40)


@pytest.mark.parametrize("sound", [np.full((2, 3), np.nan), np.zeros((2, 0))])
def test_what_is_no_sound_is_refused(sound: object, tmp_path: Path) -> None:
    """NaN would become noise at full scale."""
    with pytest.raises(ValueError, match="expected finite samples"):
        write_wav(tmp_path / "no.wav", sound, 8000)  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.iterdir())


def test_a_tone_is_where_it_belongs_in_the_spectrogram() -> None:
    """The loudest bin of each frame lies within one bin of the tone's frequency, at 0 dB."""
    time = np.arange(1152) / 8000
    seconds, hertz, level = spectrogram(np.tile(np.sin(2 * np.pi * 1000 * time), (2, 1)), 8000)
    assert level.shape == (len(hertz), len(seconds))
    inside = level[:, 8:-8]
    assert np.abs(hertz[inside.argmax(0)] - 1000).max() <= hertz[1]
    assert level.max() == pytest.approx(0.0)


def test_each_digit_has_a_file_and_all_have_a_picture(tmp_path: Path) -> None:
    """Two digits were kept: two sounds, and a picture that can be opened."""
    waveform = np.random.default_rng(0).standard_normal((2, 2, 1152))
    files = LISTEN.write(table(waveform), BASES, tmp_path)
    assert [file.name for file in files] == ["digit_1.wav", "digit_2.wav", "spectrograms.png"]
    with Image.open(files[-1]) as picture:
        assert min(picture.size) > 300


def test_a_run_that_diverged_has_no_sound(tmp_path: Path) -> None:
    """NaN is said in words, and nothing is written."""
    with pytest.raises(MissingRunsError, match="diverged"):
        LISTEN.write(table(np.full((2, 2, 1152), np.nan)), BASES, tmp_path)
    with pytest.raises(MissingRunsError, match="no finished run"):
        LISTEN.write(RunTable({}), BASES, tmp_path)
    assert not list(tmp_path.iterdir())
