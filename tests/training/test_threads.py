"""A run computes as the docs say, whatever the program chose before."""

from pathlib import Path

import numpy as np
import pytest
import torch

from clinometer import Store
from clinometer.papers.santurkar2018.configs import vgg
from clinometer.training.config import RunConfig
from clinometer.training.run import run

SEEN: set[tuple[int, bool, bool]] = set()


class Arithmetic(torch.nn.Linear):
    """Notes how torch computes while it is trained."""

    def __init__(self) -> None:
        super().__init__(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        backends = torch.backends
        SEEN.add((torch.get_num_threads(), backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32))
        return super().forward(x)


def data() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(8, 2), torch.arange(8) % 2


def test_a_run_uses_one_thread_and_no_tf32(tmp_path: Path) -> None:
    """torch's own flags, read from inside the network while it trains, say how a GPU would round."""
    run(RunConfig(f"{__name__}:Arithmetic", f"{__name__}:data", settings={"lr": 0.1}, steps=2), tmp_path / "run")
    (seen,) = SEEN
    assert seen == (1, False, False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_study_on_a_gpu_begins_as_on_a_cpu(tmp_path: Path) -> None:
    """The truth is the CPU's run of the same config, at its first step, before rounding has grown.

    TF32's 10 bits of mantissa would show as a thousandth; float32 gives four digits and more. Of gaps between
    gradients, which are differences, it gives three: up to 5e-4 was seen on an H100.
    """
    config = vgg("batch", steps=2, measure_every=2, test_every=2)
    for device in ("cpu", "cuda"):
        run(config, tmp_path / device, device)
    cpu, gpu = (Store(tmp_path / device / "rows.sqlite", read_only=True) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu.read("train")["loss"][0], cpu.read("train")["loss"][0], rtol=1e-5)
    for field, digits in {"losses": 2e-4, "grad_norm": 2e-4, "distances": 2e-4, "grad_gaps": 2e-3}.items():
        found, expected = (store.read("landscape")[field][0] for store in (gpu, cpu))
        np.testing.assert_allclose(found, expected, rtol=digits, err_msg=field)
