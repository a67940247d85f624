"""What a run's numbers depend on beside its config: code, data and versions. Runs that differ in it are not mixed.

A comment, a docstring or a page that is drawn otherwise changes no number, and so no fingerprint: code is read as its
syntax tree, from the training loop down through whatever it imports.
"""

import ast
import functools
import hashlib
import importlib.util
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clinometer.training.config import RunConfig
from clinometer.training.data.datasets import DATASETS
from clinometer.training.from_config import Call, calls, data_of
from clinometer.training.parts import bytes_of


def fingerprint(config: RunConfig, device: str = "cpu") -> dict[str, Any]:
    """The fingerprint of a config's run, if it were made now; ready for JSON.

    Example:
        >>> fingerprint(RunConfig("torch.nn:Identity", settings={"lr": 0.1}))["torch"] == torch.__version__
        True
    """
    made = calls(config)  # imported, so that their code can be found
    data = _own_data(config, made["data"]) if "data" in made else {config.data: _data(config.data)}
    return {"code": code(config.modules), "data": data, "torch": torch.__version__, "device": device.partition(":")[0]}


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

    Followed are modules of this package, and those that are not installed: beside a study, or wherever a path leads.

    Args:
        roots: Dotted names.
    """
    kept: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in kept or not (file := _source(name)):
            continue
        tree = ast.parse(file.read_bytes())
        kept[name] = _digest(tree)
        waiting += _imports(tree, name if file.name == "__init__.py" else name.rpartition(".")[0])
    return dict(sorted(kept.items()))


def _source(name: str) -> Path | None:
    """The file of a module, if its code is to be followed."""
    top = name.partition(".")[0]
    try:
        specs = importlib.util.find_spec(top), importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):  # a name in a module that is no module itself, or is not there
        return None
    places = [Path(spec.origin) for spec in specs if spec and spec.origin and spec.origin.endswith(".py")]
    if len(places) < 2 or (top != "clinometer" and _is_installed(places[0])):
        return None
    return places[1]


def _is_installed(file: Path) -> bool:
    """Whether a file belongs to Python or to a package that was installed, and changes with its version alone."""
    library = Path(sysconfig.get_path("stdlib"))
    return file.is_relative_to(library) or not {"site-packages", "dist-packages"}.isdisjoint(file.parts)


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _own_data(config: RunConfig, call: Call) -> dict[str, str]:
    """A digest of what the user's function returns: the file that it reads may change where its code does not."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in sorted(call.arguments.items()))
    said = f"{config.data}({arguments})" if arguments else config.data  # other arguments make other data
    if said not in _OWN_DATA:
        data = data_of(config)
        tensors = [t for each in (data.train, data.test) if each for t in (each.inputs, each.targets)]
        _OWN_DATA[said] = _digest_of(tensors)
    return {said: _OWN_DATA[said]}


_OWN_DATA: dict[str, str] = {}  # a study loads its data once for all its runs


@functools.cache
def _data(name: str) -> str:
    return DATASETS[name]().digest


def _digest_of(tensors: Sequence[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(bytes_of(tensor))
    return digest.hexdigest()[:16]
