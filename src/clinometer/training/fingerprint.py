"""What a run's numbers depend on beside its config: code, data and versions. Runs that differ in it are not mixed.

A comment, the words of a warning or a page that is drawn otherwise changes no number, and so no fingerprint: see
`code_digest.py`. Of norms and probes those in use count.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import packages_distributions, version
from typing import Any

import torch
from torch import Tensor

from clinometer.probes.registry import PROBES
from clinometer.training.code_digest import digest_code
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
    modules = _modules(config)
    code = digest_code(modules, tuple(sorted(set(_words(config.settings)))))
    versions = {"torch": torch.__version__, **_versions(modules)}
    return {"code": code, "data": data, **versions, "device": device.partition(":")[0]}


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


def _modules(config: RunConfig) -> tuple[str, ...]:
    """The modules that a config's run begins with: those that it names, and those of its probes."""
    probes = [PROBES[path].__module__ for path, _ in config.probes if path in PROBES]
    return tuple(dict.fromkeys((*config.modules, *probes)))


def _words(value: Any) -> Iterator[str]:
    """The texts in a setting."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (word for each in value.values() for word in _words(each))
    elif isinstance(value, tuple | list):
        yield from (word for each in value for word in _words(each))


def _versions(modules: Iterable[str]) -> dict[str, str]:
    """The version of each installed package that some modules belong to, but for this one and torch."""
    found: dict[str, str] = {}
    for top in dict.fromkeys(module.partition(".")[0] for module in modules):
        for name in packages_distributions().get(top, ()) if top not in ("clinometer", "torch") else ():
            found[name] = version(name)
    return found


def _own_data(config: RunConfig, call: Call) -> dict[str, str]:
    """A digest of what the data function returns: a file that it reads may change where its code does not."""
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
