"""`LandscapeCallback` where Lightning does something else than one step for each batch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("transformers")
lightning = pytest.importorskip("lightning.pytorch")

from lit import BATCH, QUIET, Watched, fit  # noqa: E402
from tiny import network  # noqa: E402

from clinometer import Recorder, every, landscape  # noqa: E402
from clinometer.recorder.integrations.lightning import LandscapeCallback  # noqa: E402

pytestmark = QUIET


class Gentle(Watched):
    """Leaves its batch whole: LBFGS calls again with the same."""

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return super().training_step(dict(batch), batch_idx)


def test_lbfgs_calls_its_closure_many_times_and_counts_one_step(tmp_path: Path) -> None:
    """The truth is Lightning's count, and the loss of each step's first call."""
    net, data = network("resnet", 3 * BATCH)
    module = Gentle(net, lambda p: torch.optim.LBFGS(p, lr=0.01, max_iter=3))
    callback = LandscapeCallback([landscape()], every(1))
    trainer = fit(module, data, callback, to=tmp_path, max_epochs=1)
    assert module.calls > trainer.global_step == 3
    assert callback.read("landscape")["step"].tolist() == [0, 1, 2]
    assert callback.read("landscape")["loss"][0] == module.kept[0].item()


class Sometimes(Watched):
    """Has no loss for some batches."""

    def __init__(self, net: nn.Module, without: set[int]) -> None:
        super().__init__(net)
        self.without = without

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Any:
        return None if batch_idx in self.without else super().training_step(batch, batch_idx)


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`")
@pytest.mark.parametrize(("accumulate", "without", "steps"), [(1, {1, 4}, [0, 2, 3, 5]), (2, {1, 2}, [2])])
def test_a_step_without_a_loss_has_no_row(accumulate: int, without: set[int], steps: list[int], tmp_path: Path) -> None:
    """Lightning counts such a step: the truth is its count, and the steps that had a loss for each batch."""
    net, data = network("gpt2", 6 * BATCH)
    module, callback = Sometimes(net, without), LandscapeCallback([landscape()], every(1))
    trainer = fit(module, data, callback, to=tmp_path, max_epochs=1, accumulate_grad_batches=accumulate)
    assert trainer.global_step == 6 // accumulate
    assert callback.read("landscape")["step"].tolist() == steps


def test_a_step_that_a_scaler_skips_has_no_row(tmp_path: Path) -> None:
    """Scaled by 2^127, gradients are infinite; the truth is Lightning's count, of a step that was not taken too."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=2.0**-120)
    mixed = lightning.plugins.MixedPrecision("16-mixed", "cpu", scaler)
    net, data = network("gpt2", 4 * BATCH)
    callback = LandscapeCallback([landscape()], every(1), precision="training")
    module = Watched(net)
    trainer = fit(module, data, callback, to=tmp_path, max_epochs=1, plugins=[mixed])
    assert trainer.global_step == 4
    rows = callback.read("landscape")
    assert rows["step"].tolist() == [1, 2, 3]
    assert rows["loss"].tolist() == [loss.item() for loss in module.kept[1:]]


def test_the_librarys_old_name_is_the_same(tmp_path: Path) -> None:
    """Both are installed side by side, and a callback of the one is given to a trainer of the other."""
    old = pytest.importorskip("pytorch_lightning")

    class Plain(old.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(2, 1)
            self.losses: list[float] = []

        def training_step(self, batch: Tensor) -> Tensor:
            loss = loss_of(self.net, batch)
            self.losses.append(loss.item())
            self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    module, callback = Plain(), LandscapeCallback([landscape()], every(1))
    fit(module, list(torch.randn(8, 2)), callback, to=tmp_path, library=old)
    assert callback.read("landscape")["loss"].tolist() == module.losses


class Manual(lightning.LightningModule):
    """Optimizes by hand, with a Recorder inside, as our error advises."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Linear(2, 1)
        self.losses: list[float] = []
        self.recorder: Recorder | None = None

    def on_train_start(self) -> None:
        optimizer: Any = self.optimizers()
        self.recorder = Recorder(self.net, loss_of, [landscape()], every(1), optimizer=optimizer)

    def training_step(self, batch: Tensor) -> None:
        optimizer: Any = self.optimizers()
        assert self.recorder
        self.recorder.step(batch)
        loss = loss_of(self.net, batch)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.losses.append(loss.item())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loss_of(net: nn.Module, batch: Tensor) -> Tensor:
    return net(batch).square().mean()


def test_manual_optimization_is_refused_and_the_advice_works(tmp_path: Path) -> None:
    """A second call of training_step would step the optimizers; the truth for a Recorder inside is the loop."""
    data = list(torch.randn(8, 2))
    with pytest.raises(ValueError, match="Recorder inside training_step"):
        fit(Manual(), data, LandscapeCallback([landscape()]), to=tmp_path)
    module = Manual()
    fit(module, data, to=tmp_path)
    assert module.recorder
    assert module.recorder.read("landscape")["loss"].tolist() == module.losses


def test_mistakes_are_told_when_the_callback_is_made() -> None:
    """Before data are prepared and checkpoints loaded: that may take an hour."""
    with pytest.raises(TypeError, match="nonempty list"):
        LandscapeCallback([])
    with pytest.raises(ValueError, match="precision must be one of"):
        LandscapeCallback([landscape()], precision="half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"call trainer\.fit"):
        LandscapeCallback([landscape()]).read("landscape")


def test_a_step_that_raises_leaves_lightnings_strategy_as_it_was(tmp_path: Path) -> None:
    """A trainer is used again after an error; the strategy's method is the class's own then."""
    net, data = network("gpt2", BATCH)
    module = Watched(net)
    module.on_before_optimizer_step = lambda _optimizer: 1 / 0  # type: ignore[method-assign,assignment]
    callback = LandscapeCallback([landscape()], every(1))
    trainers: list[Any] = []
    callback.setup = lambda trainer, *_, stage: trainers.append((trainer, stage))  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        fit(module, data, callback, to=tmp_path)
    assert "training_step" not in vars(trainers[0][0].strategy)
