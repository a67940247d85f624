import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """One single-threaded process per core beats one with two threads; pytest-xdist supplies the processes."""
    torch.set_num_threads(1)
