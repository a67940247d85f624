"""A run's state on disk, from which it goes on as if it had never stopped, bit for bit.

A checkpoint is one safetensors file, `checkpoint/STEP-DIGEST.safetensors`, named by the digest of its bytes: it is
whole or it is not believed. What is no tensor stands in its header as JSON. Nothing is unpickled.
"""

import contextlib
import hashlib
import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Generator, Tensor, nn

from clinometer.extras import need
from clinometer.objective.rng import RngState
from clinometer.recorder.recorder import Recorder
from clinometer.store import DamagedError, Store
from clinometer.training.files import write_bytes

_KEPT = 2  # the last one and the one before, should the last be damaged


class Stateful(Protocol):
    """An optimizer, as far as a checkpoint goes."""

    def state_dict(self) -> dict[str, Any]:
        """All that it knows."""
        ...

    def load_state_dict(self, state_dict: Any, /) -> None:
        """Go on from there."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """What a run is made of between two steps."""

    step: int  # the next one
    model: Any  # `state_of` a module
    optimizer: Any  # its state_dict
    recorder: Any  # its state_dict
    rng: RngState
    rows: str  # the digest of the rows written before

    @classmethod
    def of(cls, step: int, model: nn.Module, optimizer: Stateful, recorder: Recorder) -> "Checkpoint":
        """The present state, before `step`; the rows so far are made durable first."""
        recorder.store.flush()
        rows = recorder.store.digest(step)
        return cls(step, state_of(model), optimizer.state_dict(), recorder.state_dict(), RngState.now(), rows)

    def restore(self, model: nn.Module, optimizer: Stateful, recorder: Recorder) -> None:
        """Make it the present state."""
        load_state(model, self.model)
        optimizer.load_state_dict(self.optimizer)
        recorder.load_state_dict(self.recorder)
        self.rng.restore()


class Keeper:
    """The checkpoints of one run.

    Args:
        folder: The run's.
        every: Seconds from one to the next.
    """

    def __init__(self, folder: Path, every: float = 60.0) -> None:
        self.run = folder
        self.folder = folder / "checkpoint"
        self.found: Checkpoint | None = None  # the one that the run goes on from
        self._every = every
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() - self._last >= self._every

    def save(self, checkpoint: Checkpoint) -> None:
        """Write it, whole or not at all, and drop those that it replaces."""
        tensors: dict[str, Tensor] = {}
        facts = json.dumps(_packed(vars(checkpoint) | {"rng": vars(checkpoint.rng)}, tensors))
        data: bytes = need("safetensors.torch", "studies").save(tensors, {"clinometer": facts})
        self.folder.mkdir(exist_ok=True)
        write_bytes(self.folder / f"{checkpoint.step:09d}-{_digest(data)}.safetensors", data)
        for old in self._files()[_KEPT:]:
            old.unlink(missing_ok=True)
        self._last = time.monotonic()  # its own time does not count

    def find(self) -> Checkpoint | None:
        """Look for the last one that is whole, and whose rows are there; of others a warning tells."""
        for file in self._files():
            try:
                self.found = _read(file)
                self._check_rows(self.found, file)
                return self.found
            except ValueError as error:
                self.found = None
                warnings.warn(f"{error} The run goes on from an earlier checkpoint, or from its start.", stacklevel=2)
        return None

    def _check_rows(self, checkpoint: Checkpoint, file: Path) -> None:
        with contextlib.closing(Store(self.folder.parent / "rows.sqlite", read_only=True)) as store:
            store.verify()
            if store.digest(checkpoint.step) != checkpoint.rows:
                raise DamagedError(f"{store.path} is damaged: it does not hold the rows that {file.name} goes with.")

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"), reverse=True)


def state_of(model: nn.Module) -> dict[str, Any]:
    """All that a module keeps: parameters, buffers (those that are not persistent too), modes, own generators."""
    owned = {
        f"{name}.{key}": value.get_state()
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, Generator)
    }
    return {
        "state": dict(model.state_dict()),
        "buffers": dict(model.named_buffers()),
        "training": [module.training for module in model.modules()],
        "generators": owned,
    }


def load_state(model: nn.Module, state: Any) -> None:
    """Give a module back what `state_of` saw; parameters and buffers keep their places and their layouts."""
    model.load_state_dict(state["state"])
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(state["buffers"][name])
    for module, training in zip(model.modules(), state["training"], strict=True):
        module.training = training
    for path, generator in state["generators"].items():
        name, _, key = path.rpartition(".")
        vars(model.get_submodule(name))[key].set_state(generator)


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """`value` as JSON, its tensors put aside under the numbers that stand for them."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name, "device": str(value.device)}
    if isinstance(value, np.ndarray):
        return {"array": _packed(torch.from_numpy(value.view(f"i{value.itemsize}")), tensors), "dtype": value.dtype.str}
    if isinstance(value, dict):
        return {"dict": [[_packed(key, tensors), _packed(each, tensors)] for key, each in value.items()]}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_packed(each, tensors) for each in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"a checkpoint holds tensors, numbers, text, and lists and dicts of them; found {type(value).__name__} in the "
        "state of the model or the optimizer. Keep it in a buffer, or leave it out of the state."
    )


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    (kind, held), *more = value.items()
    if kind == "tensor":
        return tensors[held].to(more[0][1])
    if kind == "array":
        return _unpacked(held, tensors).numpy().view(more[0][1])
    if kind == "dict":
        return {_unpacked(key, tensors): _unpacked(each, tensors) for key, each in held}
    return {"list": list, "tuple": tuple}[kind](_unpacked(each, tensors) for each in held)


def _read(file: Path) -> Checkpoint:
    """What `Keeper.save` wrote; DamagedError if it is anything else."""
    try:
        data = file.read_bytes()
        if file.stem.partition("-")[2] != _digest(data):
            raise ValueError("its bytes are not those that its name was made from")
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        tensors = need("safetensors.torch", "studies").load(data)
        facts = _unpacked(json.loads(header["__metadata__"]["clinometer"]), tensors)
        return Checkpoint(**facts | {"rng": RngState(**facts["rng"])})
    except ImportError:
        raise
    except Exception as error:  # nobody but a forger gets beyond the digest, and a forger anywhere
        raise DamagedError(f"the checkpoint {file} is damaged: {error}.") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
