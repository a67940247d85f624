"""Runs a script on two processes, on CPU through torchrun, and collects what they found."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
    "OMP_NUM_THREADS": "1",
    "PYTHONWARNINGS": "error",
}

Found = list[dict[str, Any]]  # of each rank, what each check found


def launched(script: str, to: Path, *, status: int = 0) -> Found:
    """What the checks in `recorder/` found; `status` is 1 where one process dies at the end, and torchrun says so."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, HERE / "recorder" / script, to],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    reports = [to / f"rank{rank}.json" for rank in range(2)]
    assert all(report.exists() for report in reports), done.stderr
    found = [json.loads(report.read_text()) for report in reports]
    assert done.returncode == status or any("error" in str(each) for each in found), done.stderr
    return found


def of(found: Found, check: str) -> list[Any]:
    """What a check found on each rank; an error that it had, or one before it, is the test's."""
    results = [each.get(check, {"error": str(each)}) for each in found]
    for result in results:
        assert not isinstance(result, dict) or "error" not in result, result["error"]
    return results
