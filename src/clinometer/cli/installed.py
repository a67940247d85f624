"""What is installed, and whether it works: each package is imported in another process, which it may crash."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?:\[[^\]]*\])? *\(?(?P<bounds>[^;)]*)\)?(?:;.*extra *== *['\"](?P<extra>[\w-]+)['\"])?"
)
_IMPORTED_AS = {"pillow": "PIL", "mlflow-skinny": "mlflow"}
_PATIENCE = 300  # seconds
_CODE = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
out, sys.stdout = sys.stdout, sys.stderr
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        found = {"version": getattr(module, "__version__", None), "error": ""}
        if name == "torch":
            cuda = module.cuda.is_available()
            found["threads"] = module.get_num_threads()
            found["gpus"] = [module.cuda.get_device_name(i) for i in range(module.cuda.device_count())] if cuda else []
            module.zeros(2) @ module.ones(2)
    except BaseException as error:
        found = {"version": None, "error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"name": name, **found}), file=out, flush=True)
"""


@dataclass(frozen=True)
class Requirement:
    """A package that this one needs, or an extra of it."""

    name: str
    bounds: str  # such as ">=1.11"
    extra: str  # "" for what is always needed

    @property
    def module(self) -> str:
        """The name by which it is imported."""
        return _IMPORTED_AS.get(self.name, self.name.replace("-", "_"))

    @property
    def version(self) -> str | None:
        """The version that is installed; None if none is."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return None

    @property
    def lacking(self) -> str:
        """What is wrong with the version, in words; empty if nothing is."""
        if (found := self.version) is None:
            return self.name
        least = re.search(r">= *([\d.]+)", self.bounds)
        return f"{self.name} {least[1]} (found {found})" if least and _parts(found) < _parts(least[1]) else ""


def own_version() -> str:
    """The version of this package, or that it runs from a checkout that was not installed."""
    try:
        return version("clinometer")
    except PackageNotFoundError:
        return "of a checkout, not installed"


def requirements() -> list[Requirement]:
    """What the installed package declares; none in a checkout that was not installed."""
    try:
        declared = requires("clinometer") or []
    except PackageNotFoundError:
        return []
    return [parsed(each) for each in declared]


def parsed(text: str) -> Requirement:
    """A requirement as metadata has it.

    Example:
        >>> parsed("ray[client]>=2.40; extra == 'ray'")
        Requirement(name='ray', bounds='>=2.40', extra='ray')
        >>> parsed("torch>=2.6")
        Requirement(name='torch', bounds='>=2.6', extra='')
    """
    found = _REQUIREMENT.match(text)
    if not found:
        raise ValueError(f"expected a requirement such as torch>=2.6; found {text!r}.")
    return Requirement(found["name"].lower(), found["bounds"].strip(), found["extra"] or "")


def tried(modules: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Import modules in another process: each module's version, and what went wrong with it, if anything did.

    Example:
        >>> tried(["json", "no_such_module"])["no_such_module"]["error"]
        "ModuleNotFoundError: No module named 'no_such_module'"
    """
    left, found = list(modules), dict[str, dict[str, Any]]()
    while left:
        ended, lines = _run([sys.executable, "-c", _CODE, *left])
        found |= {each.pop("name"): each for each in map(json.loads, lines)}
        if len(lines) < len(left):  # the next one ended the process: the others get another
            found[left[len(lines)]] = {"version": None, "error": f"it ended the process that imported it: {ended}"}
        left = left[len(lines) + 1 :]
    return found


def page_error() -> str:
    """Why no page of a run can be written here; empty if one can. It takes no browser."""
    code = (
        "import sys, tempfile, pathlib\n"
        "from clinometer import Store\n"
        "from clinometer.pages.run_page.page import report_run\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    store = Store(pathlib.Path(folder, 'rows.sqlite'))\n"
        "    store.append(0, {'train': {'loss': 2.5}})\n"
        "    store.close()\n"
        "    report_run(pathlib.Path(folder))\n"
        "    assert pathlib.Path(folder, 'report.html').stat().st_size\n"
    )
    ended, _ = _run([sys.executable, "-c", code])
    return ended


def extras_of(needed: Iterable[Requirement]) -> Mapping[str, list[Requirement]]:
    """The extras that a user may want, with what each needs."""
    found: dict[str, list[Requirement]] = {}
    for each in needed:
        if each.extra and each.extra != "dev":
            found.setdefault(each.extra, []).append(each)
    return found


def _run(words: Sequence[str]) -> tuple[str, list[str]]:
    """Run a program: how it failed, in a line, and what it printed."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired as late:
        printed = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        return f"it took more than {_PATIENCE} s", printed.splitlines()
    last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    return last if done.returncode else "", done.stdout.splitlines()


def _parts(told: str) -> tuple[int, ...]:
    """A version's numbers, to be compared; what follows them, such as rc1 or +cpu, does not count.

    Example:
        >>> _parts("2.6.0+cpu"), _parts("1.11.0a5")
        ((2, 6, 0), (1, 11, 0))
    """
    numbers = re.match(r"\d+(?:\.\d+)*", told)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()
