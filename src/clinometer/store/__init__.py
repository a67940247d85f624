"""Rows on disk, one SQLite file per run: written as they happen, and never read back as other numbers."""

from clinometer.store.cells import as_array
from clinometer.store.errors import DamagedError
from clinometer.store.rows import Row, Store, Table

__all__ = ["DamagedError", "Row", "Store", "Table", "as_array"]
