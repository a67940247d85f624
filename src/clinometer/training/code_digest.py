"""Digests of the code that a run's numbers depend on, module by module.

Code is followed from some modules through whatever they import, module by module rather than function by function: a
method that is called through an object cannot be found by its name, and a file here is one noun. Three rules keep out
what decides no number. Docstrings, comments and, in this package, texts with a space in them (the words of warnings and
errors) are left out. Modules that only report are not followed. Of a registry only the rows in use are read: the
registry of probes is not followed at all, and of the norms each row in use has a digest of its own, beside those of the
modules that its row names.
"""

import ast
import functools
import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import clinometer
from clinometer.training.executed_sources import executed_source
from clinometer.training.libraries import is_installed, is_library
from clinometer.training.syntax import digest_tree, hash_trees

_OURS = "clinometer"
_NORMS = "clinometer.nn.norms.rows"
_NORMS_FROM = frozenset({_NORMS, "clinometer.nn.norms"})  # where NORMS is imported from
_NOT_FOLLOWED = frozenset(
    {
        "clinometer.extras",
        "clinometer.probes.field",
        "clinometer.probes.labels",
        "clinometer.probes.registry",
        "clinometer.recorder.budget",
        "clinometer.recorder.notices",
        "clinometer.recorder.sinks",
        "clinometer.recorder.summary",
        "clinometer.recorder.trackers",
        "clinometer.training.errors",
        "clinometer.transliteration",
    }
)


@dataclass(frozen=True)
class _Module:
    """What is read from a module's source."""

    digest: str
    imported: tuple[str, ...]  # modules, and names in them that may be modules
    texts: frozenset[str]  # its constants


def digest_code(roots: tuple[str, ...], words: tuple[str, ...] = ()) -> dict[str, str]:
    """A digest of the code of each module that some modules import, they themselves included.

    Followed are modules of this package, those of the packages that the roots belong to, and those that are no library:
    beside a study, wherever a path leads, or installed without a version that says which code they hold. Libraries
    change with their versions: see `libraries_of`.

    Args:
        roots: Dotted names.
        words: Texts among a config's settings: the norms that they name are in use.
    """
    packages = {root.partition(".")[0] for root in roots} - {"torch"}
    found: dict[str, str] = {}
    norms: set[str] = set(words)
    _follow(roots, packages, found, norms)
    if _NORMS in found:
        rows, modules = _digest_norms(norms)
        found = {name: digest for name, digest in (found | rows).items() if name != _NORMS}
        _follow(modules, packages, found, norms)
    return dict(sorted(found.items()))


def _follow(names: Iterable[str], packages: set[str], found: dict[str, str], norms: set[str]) -> None:
    """Digest some modules and what they import into `found`, and note the texts of those that may name norms."""
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name in _NOT_FOLLOWED or not (file := _source(name, packages)):
            continue
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        module = _read(read_source(name, file), package, name.partition(".")[0] == _OURS)
        found[name] = module.digest
        if not _NORMS_FROM.isdisjoint(module.imported):  # it may name norms itself
            norms |= module.texts
        waiting += module.imported if name != _NORMS else ()


def digest_modules(names: Iterable[str]) -> dict[str, str]:
    """A digest of the code of these modules alone; "" of one that is not there."""
    found = {name: _source(name, {name.partition(".")[0]}) for name in names}
    return {name: _digest_file(name, file) if file else "" for name, file in sorted(found.items())}


def _digest_file(name: str, file: Path) -> str:
    return _read(read_source(name, file), name, name.partition(".")[0] == _OURS).digest


def libraries_of(modules: Iterable[str]) -> list[str]:
    """The top-level names of the libraries that some modules, which are not this package's, import."""
    found: dict[str, None] = {}
    for name in modules:
        if name.partition(".")[0] == _OURS or not (file := _source(name, {name.partition(".")[0]})):
            continue
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        for imported in _read(read_source(name, file), package, False).imported:
            top = imported.partition(".")[0]
            if top and (file := _file_of(top)) and is_installed(file):
                found[top] = None
    return sorted(found)


def read_source(name: str, file: Path) -> bytes:
    """The source of a module: what this process has executed, where that is recorded; else what the file holds."""
    executed = executed_source(name)
    return file.read_bytes() if executed is None else executed


@functools.lru_cache(maxsize=10_000)
def _read(source: bytes, package: str, is_ours: bool) -> _Module:
    tree = ast.parse(source)
    imported = tuple(_imports(tree, package))
    texts = frozenset(str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return _Module(digest_tree(tree, is_ours=is_ours), imported, texts)


def _source(name: str, packages: set[str]) -> Path | None:
    """The file of a module, if its code is to be followed."""
    top = name.partition(".")[0]
    try:
        specs = importlib.util.find_spec(top), importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):  # a name in a module that is no module itself, or is not there
        return None
    places = [Path(spec.origin) for spec in specs if spec and spec.origin and spec.origin.endswith(".py")]
    if len(places) < 2 or (top != _OURS and _is_library(places[0], top in packages)):
        return None
    return places[1]


def _file_of(top: str) -> Path | None:
    """The file of a top-level module, if it has one."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.has_location else None


def _is_library(file: Path, is_named: bool) -> bool:
    """Whether a file belongs to Python, or to an installed package that the roots do not belong to."""
    installed = is_installed(file)
    return not (installed and is_named) and is_library(file)


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """The modules that a module imports, and names in them that may be modules."""
    for node in _run_statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            if module == _OURS:  # its public names are imported when they are used
                yield from (f"{_OURS}.{_PUBLIC.get(alias.name, alias.name)}" for alias in node.names)
                continue
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and (name := _imported_by_call(node, package)):
            yield name


_PUBLIC: dict[str, str] = vars(clinometer)["_MODULES"]


def _imported_by_call(call: ast.Call, package: str) -> str:
    """The module that `import_module("name")` or `__import__("name")` imports; empty for any other call."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if function not in ("import_module", "__import__") or not call.args or not isinstance(call.args[0], ast.Constant):
        return ""
    name = str(call.args[0].value)
    level = len(name) - len(name.lstrip("."))
    above = package.split(".")[: package.count(".") + 2 - level] if level else []
    return ".".join([*above, name.lstrip(".")])


def _run_statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`, which never run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            continue
        yield node
        yield from _run_statements(node)


def _digest_norms(names: set[str]) -> tuple[dict[str, str], set[str]]:
    """A digest of each row of `NORMS` in use and of what it needs beside it, and the modules that it takes names from.

    All rows are taken for used if none is known to be.
    """
    file = _source(_NORMS, set())
    assert file, "this package has its sources"
    tree = ast.parse(read_source(_NORMS, file))
    defined = {name: node for node in tree.body for name in _defines(node)}
    table = defined["NORMS"].value if isinstance(defined["NORMS"], ast.AnnAssign | ast.Assign) else None
    assert isinstance(table, ast.Dict), "NORMS is a dict"
    rows = {str(getattr(key, "value", "")): row for key, row in zip(table.keys, table.values, strict=True)}
    used = {name: row for name, row in rows.items() if name in names} or rows
    needed = {name: _needed(row, defined) for name, row in used.items()}
    digests = {
        f"{_NORMS}[{name}]": hash_trees([row, digest_tree(ast.Module(list(needed[name]), []), is_ours=True)])
        for name, row in used.items()
    }
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    modules = {alias.name: node.module or "" for node in imports for alias in node.names}
    named = _names([*used.values(), *(each for parts in needed.values() for each in parts)])
    return digests, {modules[name] for name in named & modules.keys()}


def _needed(row: ast.expr, defined: dict[str, ast.stmt]) -> list[ast.stmt]:
    """The definitions of a module that an expression in it needs, directly or not; NORMS itself aside."""
    needed: dict[str, ast.stmt] = {}
    waiting: list[ast.AST] = [row]
    while waiting:
        for name in sorted(_names([waiting.pop()]) & defined.keys() - {*needed, "NORMS"}):
            needed[name] = defined[name]
            waiting.append(defined[name])
    return list(needed.values())


def _names(trees: Iterable[ast.AST]) -> set[str]:
    return {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _defines(node: ast.stmt) -> Sequence[str]:
    """The names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
