"""What the scripts that run on two processes share: a network, its data, the bits of a run, how findings come back."""

import hashlib
import itertools
import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from clinometer import Recorder, every, landscape
from clinometer.objective.dtensor import to_local

RANK = int(os.environ.get("RANK", "0"))
Batch = tuple[Tensor, Tensor]


def network(norm: type[nn.Module] = nn.LayerNorm) -> nn.Sequential:
    """Widths that two processes cannot share evenly, and one of 1."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 9), norm(9), nn.Tanh(), nn.Linear(9, 9, bias=False), nn.Tanh(), nn.Linear(9, 1), nn.Linear(1, 3)
    )


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def squares(model: nn.Module, batch: Batch) -> Tensor:
    """Another task's loss on the same batch."""
    return model(batch[0]).square().mean()


def batches(n: int = 4) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(16, 6, generator=generator), torch.randint(3, (16,), generator=generator)) for _ in range(n)]


def half(batch: Batch, rank: int = RANK) -> Batch:
    return tuple(x[8 * rank : 8 * rank + 8] for x in batch)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)


def recorded(
    model: nn.Module, data: Sequence[Any], probes: Any, loss_fn: Any = cross_entropy, **options: Any
) -> Recorder:
    """A training run with the recorder around each of its steps."""
    optimizer = sgd(model)
    recorder = Recorder(model, loss_fn, probes, options.pop("when", every(1)), optimizer=optimizer, **options)
    for batch in data:
        with recorder.step(batch):
            loss_fn(model, batch).backward()
            optimizer.step()
            optimizer.zero_grad()
    return recorder


def rows(recorder: Recorder) -> dict[str, list[Any]]:
    """All that was recorded, but for names; nothing where this process keeps no rows."""
    if not recorder.ranks.is_first:
        return {}
    found = {probe: recorder.read(probe) for probe in recorder.probes}
    return {f"{p}.{f}": v.tolist() for p, table in found.items() for f, v in table.items() if v.dtype.kind in "fi"}


def bits(model: nn.Module, optimizer: torch.optim.Optimizer) -> str:
    """A digest of everything that a run is made of on this process."""
    tensors = [*model.parameters(), *model.buffers(), torch.get_rng_state()]
    tensors += [p.grad for p in model.parameters() if p.grad is not None]
    tensors += [v for state in optimizer.state.values() for v in state.values() if isinstance(v, Tensor)]
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(to_local(tensor.detach()).contiguous().numpy().tobytes())
    hooks = [sum(len(d) for n, d in vars(m).items() if n.endswith("_hooks")) for m in model.modules()]
    digest.update(
        repr((random.getstate(), np.random.get_state(), hooks, [m.training for m in model.modules()])).encode()
    )
    return digest.hexdigest()


def from_all(mine: Any) -> list[Any]:
    """Each process's, in the order of ranks; by an exchange of the test's own."""
    found: list[Any] = [None, None]
    dist.all_gather_object(found, mine)
    return found


def run(checks: Sequence[Callable[[], Any]], wrapped: Callable[[nn.Sequential], nn.Module] | None = None) -> None:
    """Run each check on both processes, and write what was found where the test looks for it.

    Then one of them dies amid a measurement of a network that is `wrapped`; without that, both end in peace.
    """
    meet = "env://" if "MASTER_ADDR" in os.environ else f"file://{sys.argv[1]}/meet"
    dist.init_process_group("gloo", meet, rank=RANK, world_size=2, timeout=timedelta(seconds=300))
    found: dict[str, Any] = {}
    report, others = (Path(sys.argv[1], f"rank{rank}.json") for rank in (RANK, 1 - RANK))
    for check in checks:
        try:
            found[check.__name__] = check()
        except Exception:
            found[check.__name__] = {"error": traceback.format_exc()}
            report.write_text(json.dumps(found))
            os._exit(1)  # the other process may be waiting for this one
    report.write_text(json.dumps(found))
    if wrapped is None:
        while (
            not others.exists()
        ):  # not by a barrier: who leaves it first closes a connection that the other still reads
            time.sleep(0.01)
        os._exit(0)  # the libraries' threads and exit handlers are not what is tested
    report.write_text(json.dumps(found | {"a_rank_that_dies": _outlive(wrapped(network()))}))
    os._exit(1)  # not by way of a process group that has lost a member


def _outlive(model: nn.Module) -> str:
    """What rank 0 says when rank 1 dies amid a measurement, as a process does that is killed."""
    calls = itertools.count(1)

    def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
        if RANK == 1 and next(calls) == 3:  # the first is the training step's own
            os._exit(3)
        return cross_entropy(model, batch)

    try:
        recorded(model, [half(batch) for batch in batches()], [landscape()], loss_fn)
    except RuntimeError as error:
        return str(error)
    return "it went on as if nothing had happened"
