"""Import paths: what they stand for, and what it can be called with. To follow one is to run somebody's program.

Modules are looked for in the folder of the study first, which the environment variable CLINOMETER_MODULES passes on to
the processes that make its runs.
"""

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from clinometer.training.errors import SpecError, check_choice

FOLDER = "CLINOMETER_MODULES"


def look_in(folder: Path) -> None:
    """Look for modules in `folder` first, here and in the processes that are started from here."""
    os.environ[FOLDER] = str(folder.resolve())


def followed(key: str, path: str) -> Any:
    """What an import path, `package.module:name`, stands for.

    Args:
        key: Where the study says it, for the error.
        path: The import path.

    Raises:
        SpecError: if the module cannot be imported, or has no such name.

    Example:
        >>> followed("loss", "math:hypot")(3, 4)
        5.0
        >>> followed("loss", "math:hypott")
        Traceback (most recent call last):
        ...
        clinometer.training.errors.SpecError: loss: no name in math called 'hypott'. Did you mean 'hypot'?
    """
    module, _, name = path.partition(":")
    found = _module(key, module)
    for part in name.split("."):
        if not hasattr(found, part):
            check_choice(
                f"name in {module} called", part, [each for each in dir(found) if not each.startswith("_")], key
            )
        found = getattr(found, part)
    return found


def path_of(key: str, thing: object) -> str:
    """The import path of a function or class, which a study in Python may name itself; a path stays what it is.

    Example:
        >>> import math
        >>> path_of("loss", math.hypot)
        'math:hypot'
    """
    if isinstance(thing, str):
        return thing
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not callable(thing) or not module or not name or not all(part.isidentifier() for part in name.split(".")):
        raise SpecError(
            key,
            f"expected an import path, or a function or class defined at the top of a module; found {thing!r}. "
            "The processes that make the runs import it by its name.",
        )
    return f"{module}:{name}"


def takes(function: Callable[..., Any], skip: int = 0) -> tuple[dict[str, inspect.Parameter], bool]:
    """The parameters that can be passed by name, after the first `skip`; and whether any other name can."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[skip:]
    except (TypeError, ValueError):  # written in C, and silent about it
        return {}, True
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


def needs(function: Callable[..., Any], given: Iterable[str], skip: int = 0) -> list[str]:
    """The parameters without a default that are not given."""
    return [n for n, p in takes(function, skip)[0].items() if p.default is p.empty and n not in given]


def passed(parameters: Mapping[str, inspect.Parameter], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as arguments: lists for tuples, and floats where the parameter is one: 1 and 1.0 are one setting."""
    return {name: _argument(parameters.get(name), value) for name, value in settings.items()}


def _argument(parameter: inspect.Parameter | None, value: Any) -> Any:
    if isinstance(value, tuple):
        return [_argument(None, each) for each in value]
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and parameter and (isinstance(parameter.default, float) or parameter.annotation in (float, "float")):
        return float(value)
    return value


def _module(key: str, name: str) -> Any:
    folder = os.environ.get(FOLDER)
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            where = f"neither in {folder} nor installed" if folder else "not installed"
            raise SpecError(
                key, f"no module {error.name!r}: it is {where}. Put {error.name}.py beside the study, or install it."
            ) from error
        raise SpecError(key, f"{name} imports {error.name!r}, which is not there. Install it.") from error
    except (Exception, SystemExit) as error:
        raise SpecError(key, f"importing {name} raised {where_raised(error)}") from error


def where_raised(error: BaseException) -> str:
    """An error with the last line of the user's that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    folder = os.environ.get(FOLDER)
    inside = [frame for frame in frames if folder and frame.filename.startswith(folder)]
    at = f" ({inside[-1].filename}, line {inside[-1].lineno})" if inside else ""
    return f"{type(error).__name__}: {error}{at}"
