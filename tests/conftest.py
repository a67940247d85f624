import os

import pytest
import torch
from hypothesis import settings

# They are run by test_ranks.py, which is skipped where torch was built without torch.distributed.
collect_ignore_glob = ["ranks.py", "recorder/*_checks.py", "recorder/integrations/*_checks.py"]

# A shared machine stalls now and then; and what CI found must be found again by whoever looks for it.
settings.register_profile("clinometer", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("clinometer")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """One single-threaded process per core beats one with two threads; pytest-xdist supplies the processes."""
    torch.set_num_threads(1)
