"""The recurrent autoencoder: from an image to a sound and back, in T drawing steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from clinometer.papers.toth2019.hearing import Hearing, Kind
from clinometer.papers.toth2019.latent import Latent
from clinometer.papers.toth2019.lstm import Norm, ResidualLSTM
from clinometer.papers.toth2019.mfcc import Mfcc
from clinometer.papers.toth2019.read import Read
from clinometer.papers.toth2019.sound import SoundHead, SoundParameters, parameter_count
from clinometer.papers.toth2019.synthesizer import Synthesizer
from clinometer.papers.toth2019.voice import Delay, Phase, Voice
from clinometer.papers.toth2019.write import GridWrite, LineWrite, Stroke
from clinometer.training.errors import check_choice

WRITERS: Mapping[str, Callable[..., GridWrite | LineWrite]] = {"grid": GridWrite, "lines": LineWrite}
BLACK = -6.0  # of the empty canvas, before its sigmoid: 0.0025


@dataclass(frozen=True)
class Drawing:
    """What became of some images: the canvas after the last step, and what was done at each of T steps."""

    canvas: Tensor  # (n, side, side) before the sigmoid
    mean: Tensor  # (n, T, latents)
    log_sigma: Tensor  # (n, T, latents)
    place: Tensor  # (n, T, K) of the sound, in [0, 1]
    loudness: Tensor  # (n, T, K) in [0, 1]
    azimuth: Tensor  # (n, T, K) in [−1, 1]
    centres: Tensor  # (n, T, patches, 2) of what was written, in pixels
    written: Tensor  # (n, T) the mean of what was added to the canvas
    waveform: Tensor | None = None  # (n, 2, T · samples) for two ears, where it was asked for

    @property
    def image(self) -> Tensor:
        """(n, side, side) in [0, 1]."""
        return self.canvas.sigmoid()


class Autoencoder(nn.Module):
    """Draws an image from the sound that it made of it.

        x̂_t = x − σ(c_{t−1})              r_t = read(x, x̂_t; h^dec_{t−1})      h^enc_t = LSTM([r_t, h^dec_{t−1}])
        z_t = μ_t + σ_t e                 sound_t = synthesizer(head(z_t))
        h^dec_t = LSTM(hearing(sound_t))   c_t = c_{t−1} + write(h^dec_t)        c_0 = −6

    All T steps use the same weights. The noise e, and that of azimuths, is drawn once a pass and serves all steps; in
    evaluation mode both are zero.

    Args:
        side: Of the images, in pixels.
        glimpses: T.
        read: The reader.
        encoder, latent, sound, synthesizer, hearing, decoder, write: The other parts, in the order of computation.

    Example:
        >>> network = autoencoder(hidden=16)
        >>> drawing = network(torch.zeros(2, 1, 8, 8))
        >>> drawing.image.shape, drawing.mean.shape                  # images; T steps of 18 latents
        (torch.Size([2, 8, 8]), torch.Size([2, 6, 18]))
    """

    def __init__(
        self,
        side: int,
        glimpses: int,
        read: Read,
        encoder: ResidualLSTM,
        latent: Latent,
        sound: SoundHead,
        synthesizer: Synthesizer,
        hearing: Hearing,
        decoder: ResidualLSTM,
        write: GridWrite | LineWrite,
    ) -> None:
        super().__init__()
        self.side, self.glimpses = side, glimpses
        self.read, self.encoder, self.latent, self.sound = read, encoder, latent, sound
        self.synthesizer, self.hearing, self.decoder, self.write = synthesizer, hearing, decoder, write

    def forward(self, images: Tensor, *, listen: bool = False) -> Drawing:
        """Draw each image.

        Args:
            images: (n, 1, side, side) in [0, 1].
            listen: Whether to make the sound for two ears, too, of which the decoder hears nothing.
        """
        check_images(images, self.side)
        image = images[:, 0]
        e, noise = self._noise(image)
        canvas = torch.full_like(image, BLACK)
        heard = image.new_zeros(len(image), self.decoder.hidden)
        encoding, decoding = self.encoder.start(image), self.decoder.start(image)
        done: list[_Done] = []
        for _ in range(self.glimpses):
            patch = self.read(image, image - canvas.sigmoid(), heard)
            encoded, encoding = self.encoder(torch.cat([patch, heard], 1), encoding)
            latents = self.latent(encoded, e)
            sound = self.sound(latents.drawn)
            sections = self.synthesizer.sections(sound)
            mono = self.synthesizer.mono(sections, sound.start) if self.hearing.hears else None
            heard, decoding = self.decoder(self.hearing(sections, sound.start, mono, noise), decoding)
            stroke = self.write(heard)
            canvas = canvas + stroke.drawn
            ears = self.synthesizer.binaural(sections, sound.start, sound.azimuth) if listen else None
            done.append(_Done(latents.mean, latents.log_sigma, sound, stroke, ears))
        return _drawing(canvas, done)

    def _noise(self, image: Tensor) -> tuple[Tensor, Tensor]:
        voice = self.synthesizer.voice
        shapes = (len(image), self.latent.size), (len(image), voice.streams, voice.sections)
        drawn = [image.new_zeros(shape) for shape in shapes]
        if self.training:
            for each in drawn:
                each.normal_()
        return drawn[0], drawn[1]


def check_images(images: Tensor, side: int) -> None:
    """ValueError unless the images are squares of one channel, of this side."""
    if images.ndim != 4 or tuple(images.shape[1:]) != (1, side, side):
        raise ValueError(
            f"expected square images of one channel, shape (n, 1, {side}, {side}); found {tuple(images.shape)}. Cut or "
            "pad them to squares, and set `side` to theirs."
        )


@dataclass(frozen=True)
class _Done:
    mean: Tensor
    log_sigma: Tensor
    sound: SoundParameters
    stroke: Stroke
    ears: Tensor | None


def _drawing(canvas: Tensor, done: list[_Done]) -> Drawing:
    def over_time(values: list[Tensor]) -> Tensor:
        return torch.stack(values, 1)

    ears = [each.ears for each in done if each.ears is not None]
    return Drawing(
        canvas,
        over_time([each.mean for each in done]),
        over_time([each.log_sigma for each in done]),
        over_time([each.sound.place for each in done]),
        over_time([each.sound.loudness for each in done]),
        over_time([each.sound.azimuth for each in done]),
        over_time([each.stroke.centres for each in done]),
        over_time([each.stroke.drawn.mean((1, 2)) for each in done]),
        torch.cat(ears, 2) if ears else None,
    )


def autoencoder(
    side: int = 8,
    glimpses: int = 6,
    grid: int = 5,
    hidden: int = 64,
    layers: int = 2,
    norm: Norm = "layer",
    latents: int | None = None,
    write: Literal["grid", "lines"] = "grid",
    patches: int = 3,
    counted_from: int = 1,
    streams: int = 2,
    sections: int = 2,
    sample_rate: int = 8000,
    spread: float = 30.0,
    section_ms: float = 8.0,
    ramp_ms: float = 1.0,
    room: float = 1.5,
    phase: Phase = "integral",
    delay: Delay = "phase",
    fixed_starts: bool = True,
    hearing: Kind = "mfcc",
    heard: int = 64,
    channels: int = 8,
    convolutions: int = 2,
    hearing_norm: str = "none",
    frame_ms: float = 10.0,
    hop_ms: float = 2.0,
    bands: int = 24,
    coefficients: int = 24,
    gain: float = 0.1,
) -> Autoencoder:
    """The network by its numbers; by default one for 8×8 digits at 8 kHz.

    Args:
        side: Of the images, in pixels.
        glimpses: T, drawing steps.
        grid: N, filters of a patch along each side.
        hidden: Size of the LSTMs.
        layers: Of each LSTM.
        norm: `layer` or `none`, in the LSTMs.
        latents: How many latent variables; by default one for each sound parameter, as in the author's code.
        write: A `grid` of values, or `lines` of white.
        patches: How many lines.
        counted_from: Of pixels and filters: 1 as in DRAW, 0 as in the author's code.
        streams: K, of sound.
        sections: M, of each stream.
        sample_rate: In Hz.
        spread: A of `frequency`.
        section_ms: Length of a section.
        ramp_ms: Of a stream's beginning and end.
        room: Length of the sound, in streams.
        phase: `integral` of the frequency, or `product` of frequency and time, as in the author's code.
        delay: Between the ears: exact, in the `phase`, or in whole `samples`, as in the author's code.
        fixed_starts: Whether streams lie evenly in the sound.
        hearing: `both` models, `mfcc`, `convolution`, or `off`: the decoder gets the sound's parameters.
        heard: Size of each hearing model's output.
        channels: Of the first convolution.
        convolutions: How many.
        hearing_norm: A row of `NORMS`, in the hearing models.
        frame_ms: Of cepstral frames, and length of convolution kernels.
        hop_ms: Between frames, and stride of convolutions.
        bands: On the mel scale.
        coefficients: Of each frame.
        gain: Of the coefficients.

    Raises:
        ValueError: if the sample rate is too low for the frequencies, or a number or name cannot be used.
    """
    voice = Voice(streams, sections, sample_rate, spread, section_ms, ramp_ms, room, phase=phase, delay=delay)
    size = latents or parameter_count(streams, sections, fixed_starts=fixed_starts)
    hears = Hearing(
        hearing,
        voice,
        heard,
        channels,
        convolutions,
        hearing_norm,
        Mfcc(sample_rate, frame_ms, hop_ms, bands, coefficients, gain=gain),
    )
    lines = {"patches": patches} if check_choice("write called", write, WRITERS) == "lines" else {}
    return Autoencoder(
        side,
        glimpses,
        Read(hidden, side, grid, counted_from),
        ResidualLSTM(2 * grid * grid + hidden, hidden, layers, norm),
        Latent(hidden, size),
        SoundHead(size, streams, sections, fixed_starts=fixed_starts),
        Synthesizer(voice),
        hears,
        ResidualLSTM(hears.size, hidden, layers, norm),
        WRITERS[write](hidden, side, grid, counted_from, **lines),
    )
