"""What a run's numbers depend on beside its config: code, data and versions. Runs that differ in it are not mixed.

A comment, the words of a warning or a page that is drawn otherwise changes no number, and so no fingerprint: see
`code_digest.py`. Of norms and probes those in use count.
"""

import dataclasses
import functools
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from clinometer.probes.registry import PROBES
from clinometer.training.code_digest import digest_code, libraries_of
from clinometer.training.config import RunConfig
from clinometer.training.from_config import Data, calls, data_of
from clinometer.training.libraries import distribution_of
from clinometer.training.parts import bytes_of
from clinometer.training.threads import one_thread


def fingerprint(config: RunConfig, device: str = "cpu", data: Data | None = None) -> dict[str, Any]:
    """The fingerprint of a config's run, if it were made now; ready for JSON.

    Args:
        config: The run's config.
        device: Where it trains.
        data: The data that it trains on, as `loaded` returns them; by default they are loaded.

    Example:
        >>> fingerprint(RunConfig("torch.nn:Identity", settings={"lr": 0.1}))["torch"] == torch.__version__
        True
    """
    digests = {_data_name(config): (data or loaded(config)).digest}
    return {**_code(*_roots(config)), "data": digests, "device": device.partition(":")[0]}


class Fingerprints:
    """The fingerprints of a study's runs, in each of which a source and a data set are those of one moment.

    Args:
        device: Where the runs train.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self._code = functools.cache(_code)
        self._digests: dict[str, str] = {}

    def of(self, config: RunConfig) -> dict[str, Any]:
        """What `fingerprint` returned when this object was first asked for these modules and these data."""
        code, name = self._code(*_roots(config)), _data_name(config)
        if name not in self._digests:
            self._digests[name] = loaded(config).digest
        return {**code, "data": {name: self._digests[name]}, "device": self._device.partition(":")[0]}


def loaded(config: RunConfig) -> Data:
    """The data of a config with their digest: a file that a data function reads may change where its code does not."""
    with one_thread():  # as in training, so that all processes find the same
        data = data_of(config)
        return data if data.digest else dataclasses.replace(data, digest=_digest_of(data))


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


def _roots(config: RunConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The modules that a config's run begins with, its probes' included, and the texts among its settings."""
    calls(config)  # imports the modules, so that their code can be found
    probes = [PROBES[path].__module__ for path, _ in config.probes if path in PROBES]
    return tuple(dict.fromkeys((*config.modules, *probes))), tuple(sorted(set(_words(config.settings))))


def _code(modules: tuple[str, ...], words: tuple[str, ...]) -> dict[str, Any]:
    """The digests of the code that some modules reach, and the versions of its libraries."""
    code = digest_code(modules, words)
    return {"code": code, "torch": torch.__version__, **_versions({*modules, *libraries_of(code)})}


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
    tops = sorted({module.partition(".")[0] for module in modules} - {"clinometer", "torch"})
    found = [each for top in tops if top not in sys.stdlib_module_names and (each := distribution_of(top))]
    return {each.name: each.version for each in found}


def _data_name(config: RunConfig) -> str:
    """The data's import path with its arguments, since other arguments make other data."""
    call = calls(config).get("data")
    arguments = ", ".join(f"{name}={value!r}" for name, value in sorted(call.arguments.items())) if call else ""
    return f"{config.data}({arguments})" if arguments else config.data


def _digest_of(data: Data) -> str:
    digest = hashlib.sha256()
    for tensor in (t for each in (data.train, data.test) if each for t in (each.inputs, each.targets)):
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(bytes_of(tensor))
    return digest.hexdigest()[:16]
