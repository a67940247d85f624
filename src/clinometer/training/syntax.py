"""Digests of syntax trees: what a program does, whatever its comments and words and Python's version are."""

import ast
import hashlib
from collections.abc import Sequence
from typing import Any


def digest_tree(tree: ast.Module, *, is_ours: bool) -> str:
    """A digest of a module less its docstrings and, in this package, texts with a space; it changes the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return hash_trees([_Wordless().visit(tree) if is_ours else tree])


class _Wordless(ast.NodeTransformer):
    """Replaces texts with a space in them, which are words for people, by an empty text."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if _is_text(node) and " " in str(node.value) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        texts = [str(part.value) for part in node.values if isinstance(part, ast.Constant)]
        return ast.Constant("") if any(" " in text for text in texts) else node


def _is_text(node: ast.Constant) -> bool:
    return isinstance(node.value, str)


def hash_trees(parts: Sequence[ast.AST | str]) -> str:
    """A digest of syntax trees and texts."""
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
