"""Saves a run's state, from which an interrupted run continues bit for bit as if it had not stopped.

A checkpoint is one safetensors file, `checkpoint/STEP-DIGEST.safetensors`. A file whose bytes do not match the digest
in its name is refused. Values that are not tensors are in its header, as JSON. Nothing is unpickled. `keeper.py` says
which checkpoints are kept.
"""

import copy
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from clinometer.extras import need
from clinometer.objective.rng import RngState
from clinometer.recorder.recorder import Recorder
from clinometer.store import DamagedError
from clinometer.training.object_state import load_objects, state_of_objects
from clinometer.training.parts import bytes_of


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
    objects: Any = None  # what `state_of_objects` returns

    @classmethod
    def of(
        cls,
        step: int,
        model: nn.Module,
        optimizer: Stateful,
        recorder: Recorder,
        others: Mapping[str, Any] | None = None,
    ) -> "Checkpoint":
        """Capture the present state, before `step`, after flushing the rows so far to disk.

        Args:
            step: The index of the next step.
            model: What is trained.
            optimizer: Its optimizer.
            recorder: The recorder, whose store has the rows so far.
            others: Whatever else training changes, by name: a criterion, probes, modules.
        """
        recorder.store.flush()
        rows = recorder.store.digest(step)
        objects = state_of_objects(*_reached(model, optimizer, others))
        return cls(step, state_of(model), optimizer.state_dict(), recorder.state_dict(), RngState.now(), rows, objects)

    def restore(
        self, model: nn.Module, optimizer: Stateful, recorder: Recorder, others: Mapping[str, Any] | None = None
    ) -> None:
        """Load this state into all that `of` has taken it from, and into the random generators."""
        load_state(model, self.model)
        load_optimizer(optimizer, self.optimizer)
        roots, known, chosen = _reached(model, optimizer, others)
        load_objects(roots, known, self.objects, chosen)
        recorder.load_state_dict(self.recorder)
        self.rng.restore()

    def packed(self) -> tuple[dict[str, Tensor], str]:
        """Its tensors by number, and the rest as JSON; TypeError if it holds anything else."""
        tensors: dict[str, Tensor] = {}
        return tensors, json.dumps(_packed(vars(self) | {"rng": vars(self.rng)}, tensors))

    def digest(self) -> str:
        """What tells this state from any other; the recorder's is left out, which knows times."""
        tensors, facts = dataclasses.replace(self, recorder=None).packed()
        found = hashlib.sha256(facts.encode())
        for tensor in tensors.values():
            found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            found.update(bytes_of(tensor))
        return found.hexdigest()


def state_of(model: nn.Module) -> dict[str, Any]:
    """A module's tensors: parameters and all buffers, persistent or not. The rest of it is among the objects."""
    return {
        "state": dict(model.state_dict()),
        "buffers": dict(model.named_buffers()),
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
    }


def load_state(model: nn.Module, state: Any) -> None:
    """Load what `state_of` returned. Parameters and buffers keep their storage and memory format."""
    model.load_state_dict(state["state"])
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(state["buffers"][name])
    for parameter, requires_grad in zip(model.parameters(), state["requires_grad"], strict=True):
        parameter.requires_grad_(requires_grad)


def load_optimizer(optimizer: Stateful, state: Any) -> None:
    """Load an optimizer's `state_dict`, to the bit: torch's own way rounds a float32 state of a bfloat16 parameter."""
    optimizer.load_state_dict(state)
    if isinstance(optimizer, torch.optim.Optimizer):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for index, kept in copy.deepcopy(state["state"]).items():
            if isinstance(index, int):
                optimizer.state[parameters[index]] = kept


def _reached(
    model: nn.Module, optimizer: Stateful, others: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Tensor], Any]:
    """Where a run's plain state is looked for, what is kept elsewhere, and the optimizer if it is one of torch's."""
    chosen = optimizer if isinstance(optimizer, torch.optim.Optimizer) else None
    known = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {"model": model, "optimizer": chosen, **(others or {})}, known, chosen


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


def read_checkpoint(file: Path) -> Checkpoint:
    """Read what `Keeper.save` wrote; DamagedError if the file holds anything else."""
    try:
        data = file.read_bytes()
        if file.stem.partition("-")[2] != digest_of_file(data):
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


def digest_of_file(data: bytes) -> str:
    """What a checkpoint's file is named by."""
    return hashlib.sha256(data).hexdigest()[:16]
