"""The trainer of the corpus: the ordinary loop, on a training that a mistake may have been put into."""

from collections.abc import Mapping

from clinometer.papers.instability.causes import CAUSES
from clinometer.papers.instability.tampering import tampered
from clinometer.recorder.verdict.breaks import broke_at
from clinometer.training.config import RunConfig
from clinometer.training.errors import check_choice
from clinometer.training.from_config import build_training
from clinometer.training.keeper import Keeper
from clinometer.training.loop import end, train_steps
from clinometer.training.own_settings import reads_settings


@reads_settings("cause", "strength", "from_step", "over")
def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Train the network of each config by the ordinary loop, with the config's cause in force from `from_step` on.

    Facts in the store beside those of the loop: `cause`, `from_step`, `tampered_block` (None where no block is to
    blame) and `broke_at`, the step at which the run broke by its losses alone (None where it did not).

    Raises:
        ValueError: if there is no such cause, or it cannot befall this network or optimizer.
    """
    for config, keeper in runs.items():
        cause = CAUSES[check_choice("cause", config["cause"], CAUSES)]
        training = build_training(config, device, keeper.data)
        mistake = cause.tampering(training, config["strength"], config.seed)
        wrong = tampered(training, mistake, config["from_step"], config["over"])
        recorder = train_steps(config, wrong, keeper)
        losses: list[float] = recorder.read("train")["loss"].tolist()
        end(
            recorder,
            cause=config["cause"],
            from_step=config["from_step"],
            tampered_block=mistake.block,
            broke_at=broke_at(losses),
        )
