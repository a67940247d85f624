"""Where a run was made: its device, the processor, and the versions of what computes."""

import platform
from importlib import metadata
from pathlib import Path

import torch

_PACKAGES = ("clinometer", "torch", "numpy")


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that compute."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def version(package: str) -> str:
    """The version of a package, or that it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def hardware(device: torch.device) -> str:
    """The name of the device that a tensor lies on: that of the GPU, or how many processors there are, and which."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor()


def processor() -> str:
    """How many processors there are, and which."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()  # platform.processor() would start a program
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.machine()
