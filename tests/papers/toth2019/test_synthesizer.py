"""The synthesizer's waveforms against sines of NumPy, and the pitches, loudnesses and ears that can be measured."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from clinometer.papers.toth2019.binaural import level_ratio, time_difference
from clinometer.papers.toth2019.scales import amplitude, azimuth_noise, frequency
from clinometer.papers.toth2019.sound import SoundHead, SoundParameters, parameter_count
from clinometer.papers.toth2019.synthesizer import Sections, Synthesizer, glide
from clinometer.papers.toth2019.voice import Voice

RATE = 8000
LONG = Voice(streams=1, sections=1, section_ms=100.0, ramp_ms=0.0, room=1.0)  # one steady tone of 800 samples


def tone(voice: Voice, hertz: list[float], loud: float = 1.0, side: float = 0.0) -> Sections:
    """One stream with a frequency for each section."""
    pitch = torch.tensor(hertz, dtype=torch.float64).view(1, 1, -1)
    return Sections(pitch, torch.full_like(pitch, loud), torch.full_like(pitch, side))


def start(streams: int = 1) -> Tensor:
    return torch.linspace(0, 1, streams, dtype=torch.float64).view(1, -1)


def made(voice: Voice) -> Synthesizer:
    return Synthesizer(voice).double()


def peak(sound: np.ndarray, rate: int = RATE) -> float:
    """The frequency at the largest magnitude of a Hann-windowed and padded spectrum, by a parabola through its log."""
    size = 1 << 17
    spectrum = np.log(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size)))
    k = int(spectrum.argmax())
    low, mid, high = spectrum[k - 1 : k + 2]
    return (k + 0.5 * (low - high) / (low - 2 * mid + high)) * rate / size


@pytest.mark.parametrize("hertz", [104.5, 440.0, 1234.5, 3800.0])
def test_a_steady_tone_is_numpys_sine_and_has_its_frequency_in_the_spectrum(hertz: float) -> None:
    """The closed form sin(2π f t), and beside it the peak of a discrete Fourier transform, which knows no phase."""
    sound = made(LONG).mono(tone(LONG, [hertz]), start())[0].numpy()
    expected = np.sin(2 * math.pi * hertz * np.arange(800) / RATE)
    np.testing.assert_allclose(sound, expected / (expected.max() + 1e-6), atol=1e-6)
    assert peak(sound) == pytest.approx(hertz, rel=5e-3 if hertz < 200 else 1e-4)


def test_a_gliding_tone_has_the_frequency_that_it_was_given_at_each_instant() -> None:
    """The slope of the phase of the analytic signal, from SciPy's Hilbert transform, is the instantaneous frequency.

    With the phase f(t) · t, as in the author's code, it is f + t f′ instead, which runs away from f.
    """
    from scipy.signal import hilbert

    given = [800.0, 1200.0]
    for phase in ("integral", "product"):
        voice = Voice(1, 2, spread=10.0, section_ms=100.0, ramp_ms=0.0, room=1.0, phase=phase)
        sound = made(voice).mono(tone(voice, given), start())[0].numpy()
        slope = np.diff(np.unwrap(np.angle(hilbert(sound)))) * RATE / (2 * math.pi)
        time = np.arange(1600) / RATE
        pitch = np.interp(time, [0, 0.1], given)
        expected = pitch if phase == "integral" else pitch + time * 4000.0 * (time < 0.1)
        middle = np.r_[100:700, 900:1500]  # the transform rings at the ends, and where f′ jumps
        np.testing.assert_allclose(slope[middle], expected[middle] + 2000 / RATE, rtol=0.02)


def test_a_glide_is_integrated_exactly() -> None:
    """For f = f₀ + c t the phase is 2π (f₀ t + c t²/2); the rule of trapezes has no error on a straight line."""
    voice = Voice(1, 2, section_ms=8.0, ramp_ms=0.0, room=1.0)
    sound = made(voice).binaural(tone(voice, [500.0, 900.0]), start(), torch.zeros(1, 1, dtype=torch.float64))
    time = np.arange(64) / RATE
    np.testing.assert_allclose(
        sound[0, 0, :64], np.sin(2 * math.pi * (500 * time + 400 / 0.008 * time**2 / 2)), atol=1e-9
    )


@given(st.floats(0, 1), st.floats(1, 165.4))
def test_the_frequency_of_a_place_is_greenwoods_map_and_its_inverse_gives_the_place(
    place: float, spread: float
) -> None:
    """The printed map, f = A (10^(2.1 x) − 0.85) + 100, solved for x by hand."""
    hertz = frequency(place, spread)
    assert math.log10((hertz - 100) / spread + 0.85) / 2.1 == pytest.approx(place, abs=1e-9)


def test_loudness_is_the_third_tenths_power_of_amplitude() -> None:
    """Stevens's law backwards: amplitude^0.3 is the loudness again, below 0 there is silence, and none exceeds 1."""
    loudness = torch.linspace(0, 1, 11, dtype=torch.float64)
    torch.testing.assert_close(amplitude(loudness).pow(0.3), loudness)
    assert amplitude(torch.tensor([-0.5, 2.0])).tolist() == [0.0, 1.0]


def test_an_amplitude_is_that_of_the_waveform() -> None:
    """The largest value of a tone whose crests fall on samples is its amplitude."""
    sound = made(LONG).binaural(tone(LONG, [1000.0], loud=0.25), start(), torch.zeros(1, 1, dtype=torch.float64))
    assert float(sound.max()) == pytest.approx(0.25, abs=1e-12)


@pytest.mark.parametrize("degrees", [-90, -30, 0, 45, 90])
def test_the_ears_differ_in_time_and_level_by_the_formulas(degrees: int) -> None:
    """Both are read from the waveforms: the delay by the angle between their spectra, the ratio by energy."""
    side, hertz = math.radians(degrees), 500.0
    azimuth = torch.tensor([[degrees / 90]], dtype=torch.float64)
    left, right = made(LONG).binaural(tone(LONG, [hertz], side=side), start(), azimuth)[0].numpy()
    wave = np.exp(-2j * math.pi * hertz * np.arange(800) / RATE)
    lead = np.angle((left @ wave) / (right @ wave)) / (2 * math.pi * hertz)
    assert lead == pytest.approx(0.0875 / 343 * (side + math.sin(side)), abs=1e-9)
    ratio = np.linalg.norm(left) / np.linalg.norm(right)
    assert ratio == pytest.approx(10 ** ((hertz / 1e4) ** 0.42 * math.sin(side)), rel=1e-9)


def test_the_longest_delay_of_a_head_is_two_thirds_of_a_millisecond() -> None:
    """Published of people: a sound from the side reaches the far ear 0.6 to 0.7 ms later; from the front at once."""
    delays = time_difference(torch.tensor([0.0, math.pi / 2])) * 1000
    assert delays[0] == 0
    assert 0.6 < float(delays[1]) < 0.7
    assert float(level_ratio(torch.tensor(0.0), torch.tensor(3000.0))) == 1.0


def test_the_authors_delay_is_in_whole_samples() -> None:
    """With `delay="samples"` each channel is moved by half the delay, rounded down, in opposite directions."""
    voice = Voice(1, 1, section_ms=100.0, ramp_ms=0.0, room=1.0, delay="samples")
    azimuth = torch.ones(1, 1, dtype=torch.float64)
    left, right = made(voice).binaural(tone(voice, [500.0]), start(), azimuth)[0]
    shift = int(0.0875 / 343 * (math.pi / 2 + 1) * RATE / 2)
    assert shift == 2
    torch.testing.assert_close(left.roll(shift), right.roll(-shift))


def test_streams_lie_where_their_starts_say_and_add_up() -> None:
    """Two streams of 128 samples in a sound of 192: one from sample 0, one from 64; alone and together."""
    voice = Voice(ramp_ms=0.0)
    both = tone(voice, [500.0, 500.0])
    pitch = both.frequency.expand(1, 2, 2)
    azimuth = torch.zeros(1, 2, dtype=torch.float64)

    def sound(loud: list[float]) -> Tensor:
        amplitudes = torch.tensor(loud, dtype=torch.float64).view(1, 2, 1).expand(1, 2, 2)
        return made(voice).binaural(Sections(pitch, amplitudes, 0 * pitch), start(2), azimuth)[0, 0]

    first, second = sound([1.0, 0.0]), sound([0.0, 1.0])
    assert first.shape == (192,)
    assert not first[128:].any()
    assert not second[:64].any()
    torch.testing.assert_close(second[64:], first[:128])
    torch.testing.assert_close(sound([1.0, 1.0]), first + second)


def test_gradients_through_the_waveform_are_right_and_none_goes_through_starts() -> None:
    """Against finite differences in float64, for all parameters of a sound but where its streams start."""
    torch.manual_seed(0)
    synthesizer = made(Voice(sections=2))
    place, loudness, azimuth = (torch.rand(2, 2, dtype=torch.float64) * 0.5 + 0.2 for _ in range(3))
    changes = [0.2 * torch.rand(2, 2, 2, dtype=torch.float64) for _ in range(3)]
    starts = start(2).expand(2, -1).clone().requires_grad_()

    def waveforms(*given: Tensor) -> tuple[Tensor, Tensor]:
        sound = SoundParameters(*given, start=starts)
        sections = synthesizer.sections(sound)
        return synthesizer.mono(sections, starts), synthesizer.binaural(sections, starts, sound.azimuth)

    inputs = [each.requires_grad_() for each in (place, loudness, azimuth, *changes)]
    assert torch.autograd.gradcheck(waveforms, inputs, eps=1e-7, atol=1e-3, rtol=1e-3, fast_mode=True)
    assert torch.autograd.grad(waveforms(*inputs)[1].sum(), starts, allow_unused=True) == (None,)


def test_sections_are_sums_of_changes_within_their_bounds() -> None:
    """Written out for one stream: each section adds its change times the most over M; places stay within 0 and 1."""
    voice = Voice(streams=1, sections=2)
    one = torch.ones(1, 1)
    changes = torch.tensor([[[1.0, -0.5]]])
    sound = SoundParameters(0.9 * one, 0.2 * one, -one, changes, changes, changes, 0 * one)
    found = Synthesizer(voice).sections(sound)
    torch.testing.assert_close(found.frequency, frequency(torch.tensor([[[1.0, 1.0]]]), voice.spread))
    torch.testing.assert_close(found.amplitude, torch.tensor([[[0.45, 0.325]]]) ** (1 / 0.3))
    turns = -math.pi / 2 + math.pi / 4 * torch.tensor([[[1.0, 0.5]]])
    torch.testing.assert_close(found.azimuth, turns)


@given(st.integers(1, 6), st.integers(6, 90))
def test_the_weights_of_sections_add_up_to_one(sections: int, samples: int) -> None:
    """What is alike in all sections must stay so between them."""
    weights = glide(sections, samples)
    torch.testing.assert_close(weights.sum(0), torch.ones(samples))
    assert bool((weights >= 0).all())


def test_the_noise_of_azimuths_is_the_fitted_accuracy() -> None:
    """The author's fit to measurements: right to 1° in front and to 12 to 15° at the side, as four deviations."""
    accuracy = 4 * azimuth_noise(torch.tensor([0.0, math.pi / 4, math.pi / 2], dtype=torch.float64))
    np.testing.assert_allclose(torch.rad2deg(accuracy), [0.81, 5.23, 14.93], atol=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 4000}, "sample_rate of at least 7703, or a spread below 15"),
        ({"phase": "product"}, "sample_rate of at least 13002"),
        ({"streams": 0}, "streams must be at least 1; found 0"),
        ({"sections": 0}, "sections must be at least 1; found 0"),
        ({"section_ms": 0.1}, "too few for two ramps"),
        ({"room": 0.5}, "room must be at least 1"),
        ({"phase": "sum"}, "phase must be one of integral, product; found 'sum'"),
        ({"spread": -10.0}, "spread"),
    ],
)
def test_what_cannot_sound_is_refused_in_words(options: dict[str, object], message: str) -> None:
    """Before any network is built: the numbers alone tell."""
    with pytest.raises(ValueError, match=message):
        Voice(**options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("phase", ["integral", "product"])
def test_the_rate_and_the_spread_that_the_message_names_are_enough_and_no_less(phase: str) -> None:
    """The message's advice is tried: one hertz less, or a hundredth more spread, is refused again."""
    import re

    with pytest.raises(ValueError, match="sample_rate of at least") as refused:
        Voice(sample_rate=2000, phase=phase)  # pyright: ignore[reportArgumentType]
    rate = int(re.search(r"at least (\d+)", str(refused.value))[1])  # pyright: ignore[reportOptionalSubscript]
    spread = float(re.search(r"spread below (\d+\.\d)", str(refused.value))[1])  # pyright: ignore[reportOptionalSubscript]
    assert Voice(sample_rate=rate, phase=phase).sample_rate == rate  # pyright: ignore[reportArgumentType]
    assert Voice(sample_rate=2000, spread=spread - 0.1, phase=phase)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="holds frequencies"):
        Voice(sample_rate=rate - 1, phase=phase)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="holds frequencies"):
        Voice(sample_rate=2000, spread=spread + 0.1, phase=phase)  # pyright: ignore[reportArgumentType]


def test_no_glide_exceeds_the_highest_frequency_that_is_named() -> None:
    """By random sounds: the slope of the author's phase, in turns a sample, stays below what was checked."""
    torch.manual_seed(0)
    voice = Voice(sections=3, sample_rate=20000, phase="product")
    synthesizer = made(voice)
    sound = SoundParameters(
        *(torch.rand(500, 2, dtype=torch.float64) for _ in range(3)),
        *(2 * torch.rand(500, 2, 3, dtype=torch.float64) - 1 for _ in range(3)),
        start=start(2),
    )
    phase = synthesizer._phase(synthesizer.sections(sound))
    fastest = float(phase.diff(dim=-1).max()) * voice.sample_rate / (2 * math.pi)
    assert 0.5 * voice.highest < fastest < 1.02 * voice.highest


@pytest.mark.parametrize(("latents", "fixed"), [(18, True), (20, False), (7, True), (7, False)])
def test_latents_become_parameters_within_their_ranges(latents: int, fixed: bool) -> None:
    """Sigmoids and tanh bound what the synthesizer expects; with fixed starts streams lie evenly."""
    torch.manual_seed(0)
    head = SoundHead(latents, 2, 2, fixed_starts=fixed)
    with torch.no_grad():
        sound = head(10 * torch.randn(5, latents))
    for name, shape in {"place": (5, 2), "loudness_changes": (5, 2, 2), "start": (5, 2)}.items():
        assert getattr(sound, name).shape == shape
    assert 0 <= float(sound.place.min()) <= float(sound.place.max()) <= 1
    assert -1 <= float(sound.azimuth_changes.min()) <= float(sound.azimuth_changes.max()) <= 1
    assert bool((sound.start == torch.tensor([0.0, 1.0])).all()) == fixed
    assert parameter_count(2, 2, fixed_starts=fixed) == (18 if fixed else 20)
