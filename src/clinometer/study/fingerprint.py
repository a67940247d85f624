"""What a run's numbers depend on beside its config: code, data and versions. Runs that differ in it are not mixed.

A comment, a docstring or a page that is drawn otherwise changes no number, and so no fingerprint: code is read as its
syntax tree, from the training loop down through whatever it imports.
"""

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from clinometer.study.config import Config
from clinometer.study.data import DATASETS

_ROOTS = ("clinometer.study.train", "clinometer.study.linear")


def fingerprint(config: Config, device: str = "cpu") -> dict[str, Any]:
    """The fingerprint of a config's run, if it were made now; ready for JSON.

    Example:
        >>> fingerprint(Config())["torch"] == torch.__version__
        True
    """
    return {
        "code": code(_ROOTS),
        "data": {config.data: _data(config.data)} if config.data in DATASETS else {},
        "torch": torch.__version__,
        "device": device.partition(":")[0],
    }


def differences(one: Any, other: Any) -> list[str]:
    """What differs between two fingerprints, in words; empty if they are the same.

    Example:
        >>> differences({"code": {"a.py": "1", "b.py": "2"}, "torch": "2.12"},
        ...             {"code": {"a.py": "1", "b.py": "3"}, "torch": "2.13"})
        ['code: b.py', 'torch: 2.12, now 2.13']
    """
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return [] if one == other else ["made without a fingerprint"]
    found: list[str] = []
    for part in dict.fromkeys((*one, *other)):
        before, now = one.get(part), other.get(part)
        if before == now:
            continue
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            names = [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]
            found.append(f"{part}: {', '.join(names)}")
        else:
            found.append(f"{part}: {before}, now {now}")
    return found


@functools.cache
def code(roots: tuple[str, ...]) -> dict[str, str]:
    """A digest of the code of each module that some modules import, they themselves included.

    Followed are modules of the packages, or beside the files, that the roots belong to.

    Args:
        roots: Dotted names.
    """
    kept: dict[str, str] = {}
    waiting = list(roots)
    tops = {name.partition(".")[0] for name in roots}
    while waiting:
        name = waiting.pop()
        spec = importlib.util.find_spec(name) if name.partition(".")[0] in tops else None
        if name in kept or spec is None or not spec.origin or not spec.origin.endswith(".py"):
            continue
        tree = ast.parse(Path(spec.origin).read_bytes())
        kept[name] = _digest(tree)
        waiting += _imports(tree)
    return dict(sorted(kept.items()))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


@functools.cache
def _data(name: str) -> str:
    return DATASETS[name]().digest
