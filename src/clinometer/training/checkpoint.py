"""Saves a run's state, from which an interrupted run continues bit for bit as if it had not stopped.

A checkpoint is one safetensors file, `checkpoint/STEP-DIGEST.safetensors`. A file whose bytes do not match the digest
in its name is refused. Values that are not tensors are in its header, as JSON. Nothing is unpickled.
"""

import contextlib
import hashlib
import json
import time
import warnings
from collections.abc import Callable
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
from clinometer.training.from_config import Data

_KEPT = 2  # the last one, and the one before in case the last is damaged


class Stateful(Protocol):
    """The methods of an optimizer that a checkpoint needs."""

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's whole state."""
        ...

    def load_state_dict(self, state_dict: Any, /) -> None:
        """Replace the optimizer's state."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps."""

    step: int  # index of the next step
    model: Any  # what `state_of` returns
    optimizer: Any  # its state_dict
    recorder: Any  # its state_dict
    rng: RngState
    rows: str  # the digest of the rows of earlier steps

    @classmethod
    def of(cls, step: int, model: nn.Module, optimizer: Stateful, recorder: Recorder) -> "Checkpoint":
        """Capture the present state, before `step`, after flushing the rows so far to disk."""
        recorder.store.flush()
        rows = recorder.store.digest(step)
        return cls(step, state_of(model), optimizer.state_dict(), recorder.state_dict(), RngState.now(), rows)

    def restore(self, model: nn.Module, optimizer: Stateful, recorder: Recorder) -> None:
        """Load this state into the model, the optimizer, the recorder and the random generators."""
        load_state(model, self.model)
        optimizer.load_state_dict(self.optimizer)
        recorder.load_state_dict(self.recorder)
        self.rng.restore()


class Keeper:
    """Writes and finds the checkpoints of one run.

    Args:
        folder: The run's folder.
        every: Seconds between checkpoints.
        data: What to train on, where it has been loaded.
        check: Called before a checkpoint is kept; it raises if the run must not go on from it.
    """

    def __init__(
        self,
        folder: Path,
        every: float = 60.0,
        data: Data | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.run, self.data = folder, data
        self._check = check
        self.folder = folder / "checkpoint"
        self.found: Checkpoint | None = None  # the checkpoint that the run continues from
        self._every = every
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether `every` seconds have passed since the last checkpoint, or since the start."""
        return time.monotonic() - self._last >= self._every

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint atomically, and delete all but the last two."""
        self._check()
        tensors: dict[str, Tensor] = {}
        facts = json.dumps(_packed(vars(checkpoint) | {"rng": vars(checkpoint.rng)}, tensors))
        data: bytes = need("safetensors.torch", "studies").save(tensors, {"clinometer": facts})
        self.folder.mkdir(exist_ok=True)
        write_bytes(self.folder / f"{checkpoint.step:09d}-{_digest(data)}.safetensors", data)
        for old in self._files()[_KEPT:]:
            old.unlink(missing_ok=True)
        self._last = time.monotonic()  # the time that writing takes does not count

    def find(self) -> Checkpoint | None:
        """Return the newest intact checkpoint whose rows are in the store, if any; warn about those that it skips."""
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
    """The whole state of a module: parameters, all buffers (persistent or not), training modes, own generators."""
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
    """Load what `state_of` returned. Parameters and buffers keep their storage and memory format."""
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
    """`value` as JSON. Its tensors are added to `tensors`, and the JSON refers to them by number."""
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
    (kind, content), *more = value.items()
    if kind == "tensor":
        return tensors[content].to(more[0][1])
    if kind == "array":
        return _unpacked(content, tensors).numpy().view(more[0][1])
    if kind == "dict":
        return {_unpacked(key, tensors): _unpacked(each, tensors) for key, each in content}
    return {"list": list, "tuple": tuple}[kind](_unpacked(each, tensors) for each in content)


def _read(file: Path) -> Checkpoint:
    """Read what `Keeper.save` wrote; DamagedError if the file holds anything else."""
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
    except Exception as error:  # a forged file can have the right digest, and fail anywhere after it
        raise DamagedError(f"the checkpoint {file} is damaged: {error}.") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
