"""The configs of the runs: the autoencoder on digits by its factors, with what is measured of it."""

from dataclasses import fields
from typing import Any

from clinometer.papers.toth2019.voice import Phase, Voice
from clinometer.training.config import ProbeSpec, RunConfig
from clinometer.training.errors import check_choice
from clinometer.training.settings import Settings

_HERE = "clinometer.papers.toth2019"
BLOCKS = ("read", "encoder", "latent", "sound", "hearing", "decoder", "write")  # in the order of computation
HEARING = ("mfcc", "convolution", "both", "off")
NORMS = ("layer", "none")
DISTANCES = (0.05, 0.1, 0.2, 0.4)  # along the gradient, in units of the parameters: alike for every network
LANDSCAPE: tuple[ProbeSpec, ...] = (
    ("headroom", Settings()),
    ("landscape", Settings(direction="update")),
    ("landscape", Settings(distances=DISTANCES)),
)
PARTS: tuple[ProbeSpec, ...] = (("headroom", Settings(blocks=Settings({name: (f"{name}.*",) for name in BLOCKS}))),)


def autoencoder(
    norm: str = "layer",
    hearing: str = "mfcc",
    *,
    glimpses: int = 6,
    grid: int = 5,
    hidden: int = 64,
    layers: int = 2,
    streams: int = 2,
    sections: int = 2,
    sample_rate: int = 8000,
    spread: float = 30.0,
    phase: Phase = "integral",
    lr: float = 1e-3,
    decay: float = 0.95,
    clip: float = 5.0,
    kl_weight: float = 0.1,
    congruence_weight: float = 0.1,
    batch_size: int = 64,
    steps: int = 200,
    seed: int = 0,
    measure_every: int = 25,
    test_every: int = 25,
    **others: Any,
) -> RunConfig:
    """The recurrent autoencoder on 8×8 digits.

    Args:
        norm: `layer` or `none`, in the LSTMs.
        hearing: `mfcc`, `convolution`, `both`, or `off`.
        glimpses: T, drawing steps.
        grid: N, filters of a patch along each side.
        hidden: Size of the LSTMs.
        layers: Of each LSTM.
        streams: K, of sound.
        sections: M, of each stream.
        sample_rate: In Hz.
        spread: Of the frequencies, A.
        phase: `integral` or `product`.
        lr: Of Adam.
        decay: What the learning rate is multiplied by every 250 steps, little by little.
        clip: The largest norm of each tensor's gradient.
        kl_weight: Of the latents' divergence.
        congruence_weight: Of the congruence of sound and drawing.
        batch_size: Images of a step.
        steps: Of training.
        seed: Of weights, batches and noise.
        measure_every: Steps between measurements.
        test_every: Steps between passes over the held-out images.
        others: Of `network.autoencoder`, whose defaults hold for what is not named.

    Raises:
        ValueError: if the sample rate does not hold the frequencies, there is no stream, section or drawing step, or
            a name is unknown.

    Example:
        >>> autoencoder(sample_rate=4000)    # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: sample_rate 4000 holds frequencies below 2000 Hz, and a stream may reach 3851 Hz. Take ...
    """
    check_choice("norm of an LSTM called", norm, NORMS)
    check_choice("hearing called", hearing, HEARING)
    voice = {name: others[name] for name in others.keys() & {field.name for field in fields(Voice)}}
    Voice(streams, sections, sample_rate, spread, phase=phase, **voice)
    for name, value, least in (("glimpses", glimpses, 2 if congruence_weight else 1), ("grid", grid, 2)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}; found {value}.")
    for name, each in (("lr", lr), ("clip", clip)):
        if not each > 0:
            raise ValueError(f"{name} must be positive; found {each}.")
    network = {"norm": norm, "hearing": hearing, "glimpses": glimpses, "grid": grid, "hidden": hidden, "layers": layers}
    sound = {"streams": streams, "sections": sections, "sample_rate": sample_rate, "spread": spread, "phase": phase}
    training = {"lr": lr, "decay": decay, "clip": clip}
    weights = {"kl_weight": kl_weight, "congruence_weight": congruence_weight}
    return RunConfig(
        f"{_HERE}.network:autoencoder",
        f"{_HERE}.data:images",
        loss=f"{_HERE}.objective:loss",
        optimizer="torch.optim:Adam",
        scheduler=f"{_HERE}.schedule:decayed",
        trainer=f"{_HERE}.trainer:train",
        settings=Settings(network | sound | training | weights | others),
        probes=(*LANDSCAPE, *PARTS),
        batch_size=batch_size,
        steps=steps,
        seed=seed,
        measure_every=measure_every,
        test_every=test_every,
    )
