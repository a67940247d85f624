"""The recurrent autoencoder: its parts, what can pass where, and its loss, against closed forms and torch's layers."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from clinometer import Objective, covariate_shift, layers_of
from clinometer.papers.toth2019.configs import BLOCKS
from clinometer.papers.toth2019.hearing import ConvolutionHearing
from clinometer.papers.toth2019.latent import divergence
from clinometer.papers.toth2019.lstm import NormedLSTMCell, ResidualLSTM
from clinometer.papers.toth2019.network import Drawing, autoencoder
from clinometer.papers.toth2019.objective import congruence, loss, terms
from clinometer.papers.toth2019.scales import azimuth_noise

SMALL = {"hidden": 16, "glimpses": 3}


def images(count: int = 4) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_a_cell_without_norms_is_torchs_lstm_cell_with_a_forget_bias() -> None:
    """torch.nn.LSTMCell with the same weights, its gates in torch's order i, f, g, o, and 1 added to f's bias."""
    torch.manual_seed(0)
    cell, theirs = NormedLSTMCell(3, 4, "none").double(), nn.LSTMCell(3, 4).double()
    enter, new, keep, leave = range(4)
    order = [enter, keep, new, leave]
    with torch.no_grad():
        weight, bias = (each.view(4, 4, *each.shape[1:])[order].flatten(0, 1) for each in cell.gates.parameters())
        theirs.weight_ih.copy_(weight[:, :3])
        theirs.weight_hh.copy_(weight[:, 3:])
        theirs.bias_ih.copy_(bias)
        theirs.bias_hh.zero_()
        theirs.bias_hh[4:8] = 1.0
    x, c, h = (torch.randn(5, size, dtype=torch.float64) for size in (3, 4, 4))
    state, output = cell(x, (c, h))
    expected_output, expected_state = theirs(x, (h, c))
    torch.testing.assert_close(output, expected_output)
    torch.testing.assert_close(state, expected_state)


def test_the_norms_of_a_cell_are_torchs_layer_norm_of_each_gate() -> None:
    """Written out by F.layer_norm over the hidden units of each gate alone, and of the new state."""
    torch.manual_seed(0)
    cell = NormedLSTMCell(3, 4, "layer").double()
    for parameter in (*cell.gate_norm.parameters(), *cell.state_norm.parameters()):
        nn.init.normal_(parameter)
    x, c, h = (torch.randn(5, size, dtype=torch.float64) for size in (3, 4, 4))
    gates = (torch.cat([x, h], 1) @ cell.gates.weight.T).chunk(4, 1)
    gain, shift = (each.chunk(4) for each in cell.gate_norm.parameters())
    i, g, f, o = (nn.functional.layer_norm(gate, [4], gain[n], shift[n]) for n, gate in enumerate(gates))
    state = nn.functional.layer_norm(c * (f + 1).sigmoid() + g.tanh() * i.sigmoid(), [4], *cell.state_norm.parameters())
    found = cell(x, (c, h))
    torch.testing.assert_close(found[0], state)
    torch.testing.assert_close(found[1], state.tanh() * o.sigmoid())


def test_layers_after_the_first_add_their_output_to_their_input() -> None:
    """Two layers written out: the second's output is that of its cell plus that of the first."""
    torch.manual_seed(0)
    lstm = ResidualLSTM(3, 4, 2, "layer")
    x = torch.randn(5, 3)
    states = lstm.start(x)
    first = lstm.cells[0](x, states[0])
    second = lstm.cells[1](first[1], states[1])
    output, new = lstm(x, states)
    torch.testing.assert_close(output, first[1] + second[1])
    assert torch.equal(new[1][0], second[0])


def test_the_divergence_is_that_of_torch_distributions() -> None:
    """torch.distributions knows the closed form for two Gaussians; the loss has twice it, but for a constant.

    The author's code minimises w (Σ (μ² + σ² − 2 log σ) − 1), which differs from 2 w KL by w (n − 1).
    """
    mean, log_sigma = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = kl_divergence(Normal(mean, log_sigma.exp()), Normal(torch.zeros(()), torch.ones(()))).sum(-1)
    torch.testing.assert_close(divergence(mean, log_sigma), expected)
    author = 0.1 * (mean**2 + log_sigma.exp() ** 2 - 2 * log_sigma).sum(-1) - 0.1
    torch.testing.assert_close(0.2 * divergence(mean, log_sigma) + 0.1 * (7 - 1), author)


def drawing(steps: int = 2, streams: int = 1, patches: int = 1) -> Drawing:
    """A canvas of zeros, sounds from the middle, and what was written at the middle."""
    return Drawing(
        torch.zeros(1, 8, 8),
        torch.zeros(1, steps, 3),
        torch.zeros(1, steps, 3),
        place=torch.full((1, steps, streams), 0.5),
        loudness=torch.full((1, steps, streams), 0.5),
        azimuth=torch.zeros(1, steps, streams),
        centres=torch.full((1, steps, patches, 2), 4.0),
        written=torch.tensor([[1.0, -1.0]]) if steps == 2 else torch.arange(float(steps)).view(1, -1),
    )


def test_the_loss_by_hand() -> None:
    """A grey canvas of a black image: ½ · 64 · ¼; latents as the prior tell nothing; the sound lies where it is drawn.

    What was added to the canvas is 1 and −1 in its own deviations and loudness 0 in the middle of its range, so that
    the mean squared difference is 1, times 200 over 2 steps.
    """
    made = drawing()
    parts = terms(made, torch.zeros(1, 1, 8, 8), kl_weight=0.1, congruence_weight=0.1)
    assert parts.reconstruction.item() == pytest.approx(8.0)
    assert parts.divergence.item() == 0.0
    assert parts.congruence.item() == pytest.approx(0.1 * 100.0)
    assert loss(made, torch.zeros(1, 1, 8, 8)).item() == pytest.approx(18.0)
    assert loss(made, torch.zeros(1, 1, 8, 8), congruence_weight=0.0).item() == pytest.approx(8.0)


def test_congruence_grows_with_the_square_of_the_distance() -> None:
    """A sound from the far left belongs to the left edge, four pixels away: 16; one from the top adds as much."""
    import dataclasses

    base = float(congruence(drawing()))
    left = dataclasses.replace(drawing(), azimuth=torch.ones(1, 2, 1))
    corner = dataclasses.replace(left, place=torch.ones(1, 2, 1))
    assert float(congruence(left)) - base == pytest.approx(16.0, rel=1e-4)
    assert float(congruence(corner)) - base == pytest.approx(32.0, rel=1e-4)


@pytest.mark.parametrize(("streams", "patches"), [(2, 1), (3, 3), (2, 3)])
def test_congruence_of_several_streams_and_patches(streams: int, patches: int) -> None:
    """Where all lie in one place their number does not matter, paired, broadcast or averaged."""
    assert float(congruence(drawing(2, streams, patches))) == pytest.approx(float(congruence(drawing())))


@pytest.mark.parametrize("hearing", ["mfcc", "convolution", "both", "off"])
@pytest.mark.parametrize("write", ["grid", "lines"])
def test_every_part_is_trained(hearing: str, write: str) -> None:
    """A part that the loss does not reach has no gradient; starts alone have none, and here they are fixed."""
    torch.manual_seed(0)
    network = autoencoder(**SMALL, hearing=hearing, write=write)  # pyright: ignore[reportArgumentType]
    drawn = network(images())
    loss(drawn, images()).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert {name.partition(".")[0] for name, _ in network.named_parameters()} == {
        block for block in BLOCKS if block != "hearing" or hearing != "off"
    }


def test_the_canvas_depends_on_the_image_through_hearing_alone() -> None:
    """With what is heard cut off, all images are drawn alike and no gradient comes back: the code is the sound."""
    torch.manual_seed(0)
    network = autoencoder(**SMALL).eval()
    given = images().requires_grad_()
    assert torch.autograd.grad(network(given).canvas.sum(), given)[0].any()
    cut = network.hearing.register_forward_hook(lambda _module, _inputs, heard: torch.zeros_like(heard))
    deaf = network(given).canvas
    cut.remove()
    assert torch.equal(deaf, deaf[:1].expand_as(deaf))
    assert not deaf.requires_grad or not torch.autograd.grad(deaf.sum(), given, allow_unused=True)[0]


def test_noise_is_drawn_once_a_pass_and_serves_all_steps() -> None:
    """z_t − μ_t over σ_t is one e for every t; another pass has another, and evaluation none."""
    torch.manual_seed(0)
    network = autoencoder(**SMALL)
    noises: list[Tensor] = []
    network.latent.register_forward_pre_hook(lambda _module, given: noises.append(given[1]))
    network(images())
    network(images())
    assert len(noises) == 6
    assert all(torch.equal(each, noises[0]) for each in noises[:3])
    assert not torch.equal(noises[0], noises[3])
    network.eval()
    first, again = network(images()), network(images())
    assert torch.equal(first.canvas, again.canvas)
    assert not noises[-1].any()


def test_latents_are_frozen_in_an_objective() -> None:
    """Two evaluations of one objective differ in their parameters alone: e and the azimuths' noise fall alike."""
    torch.manual_seed(0)
    objective = Objective(autoencoder(**SMALL), lambda m, x: loss(m(x), x), images())
    here = objective.here()
    assert objective.loss(here) == objective.loss(here)
    other = Objective(objective.model, objective.loss_fn, images(), seed=1)
    assert objective.loss(here) != other.loss(here)


def test_internal_shift_of_the_loop_is_refused() -> None:
    """All layers run once a drawing step on what came of them: Definition 2.1 does not apply, and this is said."""
    torch.manual_seed(0)
    network = autoencoder(**SMALL)
    objective = Objective(network, lambda m, x: loss(m(x), x), images())
    here = objective.here()
    layers = layers_of(network)
    for name in list(layers)[1:]:
        with pytest.raises(ValueError, match="in a recurrence no layers stand before it"):
            covariate_shift(objective, here, here, layers, only=[name])


def test_gradients_of_the_whole_are_right() -> None:
    """Against finite differences in float64, by what the encoder makes of an image, through sound and drawing."""
    torch.manual_seed(0)
    network = autoencoder(hidden=6, glimpses=2, heard=6, bands=6, coefficients=6).double().eval()
    given = images(1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: network(x).canvas, given, eps=1e-6, atol=1e-5, fast_mode=True)


def test_strided_convolutions_are_as_long_as_their_dense_layer_expects() -> None:
    """⌈length / stride⌉ values a layer, as "same" padding has it, also where nothing divides."""
    for samples in (191, 192, 193):
        assert ConvolutionHearing(samples, 80, 16, 4, 3, 5)(torch.randn(2, samples)).shape == (2, 5)


def test_azimuths_are_heard_with_noise_that_grows_to_the_side() -> None:
    """Two deviations of 0.2° in front, of 3.7° at the side: what is passed beside the sound differs by as much."""
    network = autoencoder(**SMALL)
    side = torch.full((1, 2, 2), math.pi / 2)
    deviation = float(azimuth_noise(side)[0, 0, 0])
    assert math.degrees(deviation) == pytest.approx(3.73, abs=0.01)
    sections = network.synthesizer.sections(network.sound(torch.zeros(1, 18)))
    sound = torch.zeros(1, network.synthesizer.voice.samples)
    quiet, noisy = (
        network.hearing(sections, torch.zeros(1, 2), sound, each * torch.ones(1, 2, 2))[:, -4:] for each in (0, 1)
    )
    torch.testing.assert_close(noisy - quiet, azimuth_noise(sections.azimuth).view(1, 4))


def test_the_sound_for_two_ears_is_there_when_it_is_asked_for() -> None:
    """T sounds of 192 samples, one after the other; asking changes nothing of the drawing."""
    torch.manual_seed(0)
    network = autoencoder(**SMALL).eval()
    silent, heard = network(images()), network(images(), listen=True)
    assert silent.waveform is None
    assert heard.waveform is not None
    assert heard.waveform.shape == (4, 2, 3 * 192)
    assert torch.equal(silent.canvas, heard.canvas)


@pytest.mark.parametrize("shape", [(2, 1, 8, 9), (2, 3, 8, 8), (2, 8, 8), (2, 1, 16, 16)])
def test_images_that_are_no_squares_of_one_channel_are_refused(shape: tuple[int, ...]) -> None:
    """In words that name the shape, before anything is read."""
    with pytest.raises(ValueError, match=r"expected square images of one channel, shape \(n, 1, 8, 8\)"):
        autoencoder(**SMALL)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hearing": "ears"}, "hearing must be one of both, mfcc"),
        ({"norm": "batch"}, "norm of an LSTM must be one of"),
        ({"write": "dots"}, "no write called 'dots'"),
        ({"hearing_norm": "loud"}, "no norm 'loud'; there are none, batch"),
    ],
)
def test_names_that_are_not_there_are_refused(options: dict[str, str], message: str) -> None:
    """Each says which there are."""
    with pytest.raises(ValueError, match=message):
        autoencoder(**options)  # pyright: ignore[reportArgumentType]
