"""The source of each module that this process has executed, which is not the file's once somebody has edited it.

Python notes when it imported a module, not what. A process that makes runs calls `record` before it imports any of the
study's modules: from there on a module that is no library is compiled from its file, past any `.pyc`, and the text that
was compiled is kept. Of this package's own modules, which are imported before, it keeps the text of that moment.
"""

import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

from clinometer.training.libraries import is_library

_SOURCES: dict[str, bytes] = {}  # by the module's name
_AT_IMPORT: dict[str, bytes] = {}  # of this package, when it was imported
_recording: list[None] = []


def executed_source(name: str) -> bytes | None:
    """What was executed as a module; None where none was, or nothing is recorded."""
    return _SOURCES.get(name)


def executed_modules() -> list[str]:
    """The names of the modules, this package's left out, whose sources were recorded as they were executed."""
    return [name for name in _SOURCES if name.partition(".")[0] != "clinometer"]


def note_own_sources() -> None:
    """Keep the sources of this package's modules as they are now, right after they were imported."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "clinometer" and name not in _AT_IMPORT and (file := module.__file__):
            _AT_IMPORT[name] = Path(file).read_bytes()


def record() -> None:
    """Record what is executed from here on, in this process for good."""
    if _recording:
        return
    _recording.append(None)
    _SOURCES.update(_AT_IMPORT)
    whole = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
        path = loader.get_filename(fullname)
        if is_library(Path(path)):
            return whole(loader, fullname)
        source = loader.get_data(path)
        _SOURCES[fullname] = source
        return loader.source_to_code(source, path)

    SourceFileLoader.get_code = get_code  # pyright: ignore[reportAttributeAccessIssue]
