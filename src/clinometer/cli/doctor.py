"""`clinometer doctor`."""

import os
import platform
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clinometer.cli.answer import Answer
from clinometer.cli.console import print_remark
from clinometer.cli.installed import Requirement, extras_of, own_version, page_error, requirements, tried
from clinometer.papers import find_papers, load_paper
from clinometer.training.data.folders import cache_folder, data_path

_ALWAYS = (Requirement("torch", "", ""), Requirement("numpy", "", ""))


def doctor_command() -> Answer:
    """Look at what is installed, at the data and at the machine; status 1 if something installed does not work."""
    print_remark("Importing what is installed, in another process: some seconds.")
    needed = requirements() or [*_ALWAYS]
    works = tried(dict.fromkeys(each.module for each in needed if each.extra != "dev" and each.version))
    packages = {each.name: _package(each, works) for each in needed if not each.extra or each.module in works}
    extras = {name: _extra(name, each) for name, each in extras_of(needed).items()}
    complete = all(not extras.get(name, {}).get("lacks") for name in ("studies", "report"))
    usable = complete and not any(packages[each.name]["error"] for each in needed if not each.extra)
    page = page_error() if usable else "what it needs is missing"
    papers = _papers()
    broken = [f"{name}: {each['error']}" for name, each in packages.items() if each["error"]]
    broken += [f"paper {name}: {error}" for name, error in papers.items() if error]
    broken += [f"a page cannot be written: {page}"] if page and usable else []
    found = {
        "clinometer": own_version(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": packages,
        "extras": extras,
        "data": _data(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpus": works.get("torch", {}).get("gpus", []),
        "page": {"can_be_written": not page, "error": page},
        "papers": papers,
        "broken": broken,
    }
    return Answer(found, _shown(found), status=1 if broken else 0)


def _package(needed: Requirement, works: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Its version, and what is wrong with it."""
    found = works.get(needed.module, {"version": None, "error": "it is not installed, and always needed"})
    return {"version": needed.version or found["version"], "error": found["error"]}


def _extra(name: str, needed: list[Requirement]) -> dict[str, Any]:
    lacks = [each.lacking for each in needed if each.lacking]
    return {"lacks": lacks, "command": f"pip install {shlex.quote(f'clinometer[{name}]')}" if lacks else None}


def _papers() -> dict[str, str]:
    """Each paper, and why it cannot be imported; empty where it can."""
    found: dict[str, str] = {}
    try:
        names = [*find_papers()]
    except ValueError as error:
        return {"entry points": str(error)}
    for name in names:
        try:
            load_paper(name)
            found[name] = ""
        except ValueError as error:
            found[name] = str(error)
    return found


def _data() -> dict[str, Any]:
    """Where CIFAR-10 is, and what is wrong with that place; and the folder of what is decoded."""
    try:
        folder = data_path()
        missing = [part for part in ("train", "test") if not any(map(_readable, folder.glob(f"{part}*.parquet")))]
        told = f"no readable {' and '.join(f'{part}*.parquet' for part in missing)} in {folder}" if missing else ""
    except ValueError as error:
        folder, told = None, str(error)
    cache = cache_folder()
    return {
        "digits": "bundled",
        "cifar10": {"folder": folder, "error": told},
        "cache": {"folder": cache, "bytes": _size(cache), "writable": _writable(cache)},
    }


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK)


def _writable(path: Path) -> bool:
    """Whether a folder, or the first one above it that is there, can be written to."""
    there = next(each for each in (path, *path.parents) if each.exists())
    return there.is_dir() and os.access(there, os.W_OK)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _shown(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    where = f"Python {found['python']} on {found['system']}"
    yield Text(f"clinometer {found['clinometer']}, {where}, {found['cores']} cores, {_gpus(found['gpus'])}")
    packages, data = found["packages"], found["data"]
    yield _grid("Packages", {name: (not each["error"], _said(each)) for name, each in packages.items()})
    yield _grid("Extras", {name: (not each["lacks"], _lacks(each)) for name, each in found["extras"].items()})
    cifar, cache = data["cifar10"], data["cache"]
    yield _grid(
        "Data",
        {
            "digits": (True, "bundled"),
            "cifar10": (not cifar["error"], cifar["error"] or str(cifar["folder"])),
            "cache": (
                cache["writable"],
                f"{cache['folder']}, {cache['bytes'] / 1e6:.0f} MB" + ("" if cache["writable"] else ", not writable"),
            ),
        },
    )
    page = found["page"]
    yield _grid("Pages", {"write": (not page["error"], page["error"] or "works; no browser is needed for it")})
    yield _grid("Papers", {name: (not error, error or "found") for name, error in found["papers"].items()})
    yield ""
    yield from (Text.assemble(("broken: ", "red"), each) for each in found["broken"])
    if not found["broken"]:
        yield Text("All that is installed works.", "green")


def _gpus(names: list[str]) -> str:
    return ", ".join(names) or "no GPU that torch sees"


def _said(facts: Mapping[str, Any]) -> str:
    return facts["error"] or str(facts["version"])


def _lacks(facts: Mapping[str, Any]) -> str:
    return f"lacks {', '.join(facts['lacks'])}: {facts['command']}" if facts["lacks"] else "complete"


def _grid(title: str, lines: Mapping[str, tuple[bool, str]]) -> Table:
    """A line for each name: whether all is well, and what there is."""
    table = Table.grid(padding=(0, 2))
    table.add_row(Text(f"\n{title}", "underline"))
    for name, (well, said) in lines.items():
        table.add_row(Text(f"  {name}"), Text(said, "" if well else "yellow"))
    return table
