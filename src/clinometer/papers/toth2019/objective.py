"""What the autoencoder minimises: how the drawing differs from the image, what the latents tell, and congruence."""

from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.papers.toth2019.latent import divergence
from clinometer.papers.toth2019.network import Drawing


@dataclass(frozen=True)
class Terms:
    """The three parts of the loss, weighted."""

    reconstruction: Tensor
    divergence: Tensor
    congruence: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.reconstruction + self.divergence + self.congruence


def loss(drawing: Drawing, images: Tensor, kl_weight: float = 0.1, congruence_weight: float = 0.1) -> Tensor:
    """The loss of a batch.

        ½ Σ ‖x − σ(c_T)‖² + 2 w_KL · mean Σ_t KL_t + w_C · congruence

    Args:
        drawing: What the network made of the images.
        images: (n, 1, side, side).
        kl_weight: w_KL.
        congruence_weight: w_C.
    """
    return terms(drawing, images, kl_weight, congruence_weight).total


def terms(drawing: Drawing, images: Tensor, kl_weight: float = 0.1, congruence_weight: float = 0.1) -> Terms:
    """The parts of the loss: the first a sum over the batch, the others means, as in the author's code.

    That code's second part is w (Σ (μ² + σ² − 2 log σ) − 1), which is 2 w KL but for a constant.
    """
    if images.shape[0] != drawing.canvas.shape[0]:
        raise ValueError(f"expected {drawing.canvas.shape[0]} images; found {images.shape[0]}.")
    reconstruction = (images[:, 0] - drawing.image).square().sum() / 2
    latent = 2 * kl_weight * divergence(drawing.mean, drawing.log_sigma).sum(1).mean()
    if not congruence_weight:
        return Terms(reconstruction, latent, torch.zeros_like(latent))
    return Terms(reconstruction, latent, congruence_weight * congruence(drawing))


def congruence(drawing: Drawing) -> Tensor:
    """How far what is drawn lies from where it sounds: left and right by azimuth, up and down by pitch; and loudness.

    The squared distance of each stream to what is drawn at its step, in pixels, from left to right as from azimuth 1 to
    −1 and from the bottom to the top as from place 0 to 1; plus 200 times the squared difference of a step's mean
    loudness, from [0, 1] to [−2, 2], and the mean that it adds to the canvas, standardised over the steps of an image.
    Streams and patches are averaged where their numbers differ.
    """
    side, steps = drawing.canvas.shape[-1], drawing.written.shape[1]
    x, y = side - (drawing.azimuth + 1) * side / 2, side - drawing.place * side
    centres = drawing.centres
    if centres.shape[2] not in (1, x.shape[2]):
        x, y, centres = x.mean(2, keepdim=True), y.mean(2, keepdim=True), centres.mean(2, keepdim=True)
    distance = ((x - centres[..., 0]).square() + (y - centres[..., 1]).square()).sum(1).mean() / steps
    written = drawing.written - drawing.written.mean(1, keepdim=True)
    written = written / (written.square().mean(1, keepdim=True) + 1e-12).sqrt()
    loudness = drawing.loudness.mean(2) * 4 - 2
    return distance + 200 / steps * (loudness - written).square().mean()
