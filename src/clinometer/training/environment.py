"""Where a number was made: versions, hardware, and the code's commit."""

import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from clinometer.recorder.facts.machine import processor, version

_PACKAGES = ("clinometer", "torch", "numpy", "scipy")


def environment(device: str = "cpu") -> dict[str, Any]:
    """Versions and hardware, ready for JSON.

    Example:
        >>> torch.__version__.startswith(environment()["packages"]["torch"])  # which may add +cpu
        True
    """
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "system": platform.platform(),
        "processor": processor(),
        "device": _device(device),
        "commit": _commit(),
    }


def _device(device: str) -> str:
    # Where a cluster's GPUs are asked for, there may be none here.
    named = device.startswith("cuda") and torch.cuda.is_available()
    return torch.cuda.get_device_name(device) if named else device


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".")
        return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
