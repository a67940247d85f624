"""Digests of the code that a run's numbers depend on, module by module.

Code is followed from some modules through whatever they import, module by module rather than function by function: a
method that is called through an object cannot be found by its name, and a file here is one noun. Three rules keep out
what decides no number. Docstrings, comments and, in this package, texts with a space in them (the words of warnings and
errors) are left out. Modules that only report are not followed. Of a registry only the rows in use are read: the
registry of probes is not followed at all, and of the norms each row has a digest of its own.
"""

import ast
import functools
import hashlib
import importlib.util
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import clinometer

_OURS = "clinometer"
_NORMS = "clinometer.nn.norms"
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


@functools.cache
def digest_code(roots: tuple[str, ...], words: tuple[str, ...] = ()) -> dict[str, str]:
    """A digest of the code of each module that some modules import, they themselves included.

    Followed are modules of this package, those of the packages that the roots belong to, and those that are not
    installed: beside a study, or wherever a path leads. Libraries that the roots import change with their versions.

    Args:
        roots: Dotted names.
        words: Texts among a config's settings: the norms that they name are in use.
    """
    packages = {root.partition(".")[0] for root in roots} - {"torch"}
    found: dict[str, str] = {}
    norms: set[str] = set(words)
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found or name in _NOT_FOLLOWED or not (file := _source(name, packages)):
            continue
        tree = ast.parse(read_source(name, file))
        imported = list(_imports(tree, name if file.name == "__init__.py" else name.rpartition(".")[0]))
        found[name] = _digest(tree, is_ours=name.partition(".")[0] == _OURS)
        if _NORMS in imported:  # it may name norms itself
            norms |= {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        waiting += imported
    if _NORMS in found:
        found |= _digest_norms(norms) or {_NORMS: found[_NORMS]}
        found.pop(_NORMS if any(name.startswith(f"{_NORMS}[") for name in found) else "", None)
    return dict(sorted(found.items()))


def read_source(name: str, file: Path) -> bytes:
    """The source of a module; a function of its own, so that a test can change what it returns."""
    del name
    return file.read_bytes()


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


def _is_library(file: Path, is_named: bool) -> bool:
    """Whether a file belongs to Python, or to an installed package that the roots do not belong to."""
    installed = not {"site-packages", "dist-packages"}.isdisjoint(file.parts)
    return not (installed and is_named) and (installed or file.is_relative_to(Path(sysconfig.get_path("stdlib"))))


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


def _digest(tree: ast.Module, *, is_ours: bool) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return _hash([_Wordless().visit(tree) if is_ours else tree])


class _Wordless(ast.NodeTransformer):
    """Replaces texts with a space in them, which are words for people, by an empty text."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if _is_text(node) and " " in str(node.value) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        texts = [str(part.value) for part in node.values if isinstance(part, ast.Constant)]
        return ast.Constant("") if any(" " in text for text in texts) else node


def _is_text(node: ast.Constant) -> bool:
    return isinstance(node.value, str)


def _digest_norms(names: set[str]) -> dict[str, str]:
    """A digest of each row of `NORMS` in use: of its expression, and of the definitions that it needs."""
    file = _source(_NORMS, set())
    assert file, "this package has its sources"
    tree = ast.parse(read_source(_NORMS, file))
    defined = {name: node for node in tree.body for name in _defines(node)}
    table = defined["NORMS"].value if isinstance(defined["NORMS"], ast.AnnAssign | ast.Assign) else None
    assert isinstance(table, ast.Dict), "NORMS is a dict"
    rows = {str(getattr(key, "value", "")): row for key, row in zip(table.keys, table.values, strict=True)}
    return {f"{_NORMS}[{name}]": _digest_definition(row, defined) for name, row in rows.items() if name in names}


def _digest_definition(row: ast.AST, defined: dict[str, ast.stmt]) -> str:
    needed: dict[str, ast.AST] = {}
    waiting = [row]
    while waiting:
        for node in ast.walk(waiting.pop()):
            if isinstance(node, ast.Name) and node.id in defined and node.id not in (*needed, "NORMS"):
                needed[node.id] = defined[node.id]
                waiting.append(defined[node.id])
    module = ast.Module([each for each in needed.values() if isinstance(each, ast.stmt)], [])
    return _hash([row, _digest(module, is_ours=True)])


def _defines(node: ast.stmt) -> Sequence[str]:
    """The names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _hash(parts: Sequence[ast.AST | str]) -> str:
    text = "\n".join(part if isinstance(part, str) else _dump(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _dump(node: Any) -> str:
    """A syntax tree as text, the same in every version of Python; what `ast.dump` writes is not.

    Each version adds fields, such as a function's type parameters in 3.12: those that are empty are left out. So are
    the empty texts that 3.12 puts into some f-strings.
    """
    if isinstance(node, ast.JoinedStr):
        node.values = [part for part in node.values if getattr(part, "value", None) != ""]
    if isinstance(node, list):
        return f"[{', '.join(map(_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value != [] and not _is_absent(node, name))
    return f"{type(node).__name__}({', '.join(f'{name}={_dump(value)}' for name, value in fields)})"


def _is_absent(node: ast.AST, name: str) -> bool:
    """Whether an optional part is not there; the constant None is."""
    return getattr(node, name) is None and getattr(type(node), name, ...) is None
