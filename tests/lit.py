"""A Lightning module as people write them, what Lightning itself says of a run, and a trainer for a few steps."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

lightning = pytest.importorskip("lightning.pytorch")

from torchmetrics import MeanMetric  # noqa: E402

BATCH = 4
# What Lightning says of torch's newest version and of small data.
QUIET = [
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
]


class Watched(lightning.LightningModule):
    """A module as people write them: it logs in every way, keeps things in lists and metrics, and spoils its batch."""

    def __init__(self, net: nn.Module, optimizer: Any = None) -> None:
        super().__init__()
        self.net = net
        self.mean = MeanMetric()
        self.kept: list[Tensor] = []
        self.calls = 0
        self.optimizer = optimizer or (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        labels = batch.pop("labels")
        loss = self.net(**batch, labels=labels).loss * (1 + 0.1 * self.global_step) * (1 + 0.01 * batch_idx)
        self.kept.append(loss.detach())
        self.calls += 1
        self.mean.update(loss.detach())
        self.log("loss", loss, on_step=True, on_epoch=True)
        self.log_dict({"calls": float(self.calls), "half": loss / 2}, on_step=False, on_epoch=True)
        self.log("mean", self.mean, on_step=True, on_epoch=True)
        self.logger.log_metrics({"direct": loss.item()}, step=1000 + self.calls)
        return {"loss": loss, "labels": labels}

    def on_train_batch_start(self, batch: Any, *_: Any) -> None:
        batch["noise"] = torch.rand(2)  # draws, and changes the batch, before the step
        del batch["noise"]

    def configure_optimizers(self) -> Any:
        return self.optimizer(self.parameters())


class Losses(lightning.Callback):
    """What Lightning itself says of each batch, and the gradients that it is about to clip."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.gradients: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, _trainer: Any, _module: Any, outputs: Any, *_: Any) -> None:
        self.losses.append(outputs["loss"])

    def on_before_optimizer_step(self, _trainer: Any, pl_module: Any, *_: Any) -> None:
        self.gradients.append({n: p.grad.clone() for n, p in pl_module.named_parameters()})


def fit(
    module: Any,
    data: list[Any],
    *callbacks: Any,
    to: Path,
    resume: Any = None,
    library: Any = lightning,
    **options: Any,
) -> Any:
    options = {"max_epochs": 2, "enable_checkpointing": False} | options
    trainer = library.Trainer(
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=library.loggers.CSVLogger(to, flush_logs_every_n_steps=1),
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=BATCH), ckpt_path=resume)
    return trainer
