"""Which files belong to libraries, whose code changes with their version, and which are somebody's own."""

import functools
import json
import sys
import sysconfig
import types
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Any

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_STDLIB = Path(sysconfig.get_path("stdlib"))


def is_library(file: Path) -> bool:
    """Whether a module's file is Python's own, or that of an installed package that has a version to tell it by.

    A package that was installed from a folder may be installed again with other code and the same version, and one
    without a distribution has no version: their files are not a library's.
    """
    if not is_installed(file):
        return file.is_relative_to(_STDLIB)
    return is_versioned(top_of(file))


def is_own(thing: Any) -> bool:
    """Whether a module, or the module of a function or class, is neither a library nor this package."""
    name = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None)
    if not isinstance(name, str) or name.partition(".")[0] in ("clinometer", "torch", "numpy", "builtins"):
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and not is_library(Path(file))


def is_installed(file: Path) -> bool:
    """Whether a file lies where packages are installed."""
    return not _INSTALLED.isdisjoint(file.parts)


def top_of(file: Path) -> str:
    """The top-level name of an installed module's file."""
    place = max(index for index, part in enumerate(file.parts) if part in _INSTALLED)
    return file.parts[place + 1].partition(".")[0]


@functools.cache
def is_versioned(top: str) -> bool:
    """Whether the version of an installed package says which code it holds."""
    found = distribution_of(top)
    return found is not None and not _is_from_folder(found)


@functools.cache
def distribution_of(top: str) -> Distribution | None:
    """The distribution that a top-level name belongs to; None if it belongs to none."""
    try:
        return distribution(top)
    except (PackageNotFoundError, ValueError):
        return _by_other_names().get(top)


@functools.cache
def _by_other_names() -> dict[str, Distribution]:
    """The distribution of each top-level name, as `packages_distributions`, which takes over a second for this."""
    found: dict[str, Distribution] = {}
    for each in distributions():
        declared = (each.read_text("top_level.txt") or "").split()
        listed = {line.split(",")[0].split("/")[0] for line in (each.read_text("RECORD") or "").splitlines()}
        found |= dict.fromkeys(declared or {name.partition(".")[0] for name in listed}, each)
    return found


def _is_from_folder(found: Distribution) -> bool:
    try:
        return "dir_info" in json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
