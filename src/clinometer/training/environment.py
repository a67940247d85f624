"""Where a number was made: versions, hardware, and the code's commit."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("clinometer", "torch", "numpy", "scipy")


def environment(device: str = "cpu") -> dict[str, Any]:
    """Versions and hardware, ready for JSON.

    Example:
        >>> torch.__version__.startswith(environment()["packages"]["torch"])  # which may add +cpu
        True
    """
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "system": platform.platform(),
        "processor": _processor(),
        "device": _device(device),
        "commit": _commit(),
    }


def _device(device: str) -> str:
    # Where a cluster's GPUs are asked for, there may be none here.
    named = device.startswith("cuda") and torch.cuda.is_available()
    return torch.cuda.get_device_name(device) if named else device


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.machine()


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
