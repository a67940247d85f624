"""Opens the store that a recorder writes its rows to."""

import weakref
from pathlib import Path

from clinometer.probes.field import Declared, declared_in, to_json
from clinometer.store import Store

_open: weakref.WeakValueDictionary[Path, Store] = weakref.WeakValueDictionary()  # by folder


def open_store(to: str | Path | None, start: int, declared: Declared, *, strict: bool) -> Store:
    """The store of a run that begins at step `start`, without rows from there on; in memory without a folder.

    Its facts hold what is declared of their fields, so that the rows can be read and drawn without the probes.
    Unless `strict`, rows wait in memory while the file cannot be written.

    Raises:
        ValueError: if a new run would write into the rows of another.
    """
    other = _open.get(Path(to).resolve()) if to is not None and (Path(to) / "rows.sqlite").is_file() else None
    store = Store(None if to is None else Path(to) / "rows.sqlite", patient=not strict)
    last = store.last_step()
    if start == 0 and last is not None:
        raise ValueError(
            f"{store.path} holds the rows of another run, up to step {last}. "
            "Choose another folder, delete that one, or pass start= to go on with it."
        )
    if start == 0 and other and other.close.alive:
        store.close()
        raise ValueError(
            f"another Recorder of this process writes to {to}; two would mix their rows. Choose another folder; or let "
            "go of the other one, with recorder.store.close()."
        )
    if to is not None:
        _open[Path(to).resolve()] = store
    store.drop_from(start)
    if declared:
        store.set_meta(fields=to_json(declared_in(store.meta) | {**declared}))
    return store
