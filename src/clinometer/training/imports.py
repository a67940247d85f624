"""Import paths: the objects that they name, and the arguments that these take. Following a path runs its module.

Modules are searched in the study's folder first. The environment variable CLINOMETER_MODULES passes that folder on to
the processes that make the study's runs.
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
    """Search modules in `folder` first, in this process and in those that it starts."""
    os.environ[FOLDER] = str(folder.resolve())


def followed(key: str, path: str) -> Any:
    """The object that an import path, `package.module:name`, names.

    Args:
        key: The key of the study that has this path, for the error.
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
    named = _module(key, module)
    for part in name.split("."):
        if not hasattr(named, part):
            check_choice(
                f"name in {module} called", part, [each for each in dir(named) if not each.startswith("_")], key
            )
        named = getattr(named, part)
    return named


def path_of(key: str, thing: object) -> str:
    """The import path of a function or class, as a study in Python may give it; a path is returned unchanged.

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
    """The parameters after the first `skip` that can be passed by name, and whether any other name can be."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[skip:]
    except (TypeError, ValueError):  # written in C, without a signature
        return {}, True
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


def needs(function: Callable[..., Any], given: Iterable[str], skip: int = 0) -> list[str]:
    """The names of the parameters that have no default and are not given."""
    return [n for n, p in takes(function, skip)[0].items() if p.default is p.empty and n not in given]


def passed(parameters: Mapping[str, inspect.Parameter], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as arguments. Tuples become lists, and integers become floats for float parameters: 1 equals 1.0."""
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
    """An error as text, with the last line of the study's own code in its traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    folder = os.environ.get(FOLDER)
    inside = [frame for frame in frames if folder and frame.filename.startswith(folder)]
    at = f" ({inside[-1].filename}, line {inside[-1].lineno})" if inside else ""
    return f"{type(error).__name__}: {error}{at}"
