"""Cockpit's presets as training steps, to be timed beside our probes: all quantities of a preset, at every step.

Cockpit is no dependency of this project, and needs an environment of its own (`INSTALL` says how): it imports
`pkg_resources`, which setuptools 81 dropped. The step follows the example of its manual, without the plot.
"""

import itertools
from collections.abc import Callable
from importlib import metadata

import torch
from backpack import extend
from cockpit import Cockpit
from cockpit.utils.configuration import configuration
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.nn.vgg import VGG

PRESETS = ("economy", "business", "full")


def versions() -> str:
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("cockpit-for-pytorch", "backpack-for-pytorch"))


def preset(label: str, model: VGG, lr: float, momentum: float) -> Callable[[tuple[Tensor, Tensor]], None]:
    """A step on `model` with this preset. BackPACK's hooks stay on the model: give it a copy of its own."""
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # BackPACK's hooks refuse the other kind
    # BackPACK follows modules, not functions, and knows no second derivative of an Identity.
    stages = [m for stage in model.features for m in stage.modules() if not isinstance(m, nn.Sequential | nn.Identity)]
    network = extend(nn.Sequential(*stages, nn.Flatten(), model.head))
    loss_fn = extend(nn.CrossEntropyLoss())
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=momentum)
    cockpit = Cockpit(network.parameters(), quantities=configuration(label))
    steps = itertools.count()

    def step(batch: tuple[Tensor, Tensor]) -> None:
        images, labels = batch
        index = next(steps)
        outputs = network(images)
        loss = loss_fn(outputs, labels)
        info = {
            "batch_size": len(images),
            "individual_losses": F.cross_entropy(outputs.detach(), labels, reduction="none"),
            "loss": loss,
            "optimizer": optimizer,
        }
        with cockpit(index, info=info):
            loss.backward(create_graph=cockpit.create_graph(index))
        optimizer.step()
        optimizer.zero_grad()

    return step
