"""Runs a script on two processes, on CPU, and collects what they found."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import warm

HERE = Path(__file__).parent
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
    "OMP_NUM_THREADS": "1",
    "PYTHONWARNINGS": "error",
    "GLOO_SOCKET_IFNAME": "lo",  # gloo asks the resolver for the machine's own name otherwise
}
TIMEOUT = 600  # on a machine that does ten other things at once; two processes alone take a tenth of it

Found = list[dict[str, Any]]  # of each rank, what each check found


def launched(script: str, to: Path, statuses: tuple[int, int]) -> Found:
    """What the checks in `recorder/` found on two processes, which must end with these statuses.

    They meet in a file, so no port can be taken by another program between being found free and being used.
    """
    ranks = [ENVIRONMENT | {"RANK": str(rank), "WORLD_SIZE": "2"} for rank in range(2)]
    words = ["-W", "error", HERE / "recorder" / script, to]
    done = warm.together([words, words], cwd=to, envs=ranks, timeout=TIMEOUT)
    said = "\n".join(each.stderr for each in done)
    found = _reports(to, said)
    assert tuple(each.returncode for each in done) == statuses or any("error" in str(each) for each in found), said
    return found


def launched_by_torchrun(script: str, to: Path) -> Found:
    """As above, started by torchrun, as one starts a trainer; both processes must end well."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    done = subprocess.run(
        [*command, "--nproc-per-node", "2", HERE / "recorder" / script, to],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    found = _reports(to, done.stderr)
    assert done.returncode == 0 or any("error" in str(each) for each in found), done.stderr
    return found


def _reports(to: Path, said: str) -> Found:
    reports = [to / f"rank{rank}.json" for rank in range(2)]
    assert all(report.exists() for report in reports), said
    return [json.loads(report.read_text()) for report in reports]


def of(found: Found, check: str) -> list[Any]:
    """What a check found on each rank; an error that it had, or one before it, is the test's."""
    results = [each.get(check, {"error": str(each)}) for each in found]
    for result in results:
        assert not isinstance(result, dict) or "error" not in result, result["error"]
    return results
