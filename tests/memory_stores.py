"""A catalog in memory: the second implementation that the contract suite runs against."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class MemoryCatalog:
    """A `Catalog` that lasts as long as the process."""

    def __init__(self) -> None:
        self._tables: dict[str, str] = {}
        self._lock = threading.Lock()

    def get(self, table: str) -> str | None:
        return self._tables.get(table)

    def all(self) -> Mapping[str, str]:
        return dict(self._tables)

    def swap(self, table: str, expected: str | None, new: str | None) -> bool:
        with self._lock:
            if self._tables.get(table) != expected:
                return False
            if new is None:
                self._tables.pop(table, None)
            else:
                self._tables[table] = new
            return True

    def close(self) -> None:
        """Nothing is open."""
