"""A catalog and stores in memory: the second ones that the contract suites run on."""

from __future__ import annotations

import threading
from io import BytesIO
from time import time_ns
from typing import TYPE_CHECKING

from ingot.failures import missing
from ingot.tables.input import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


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


class MemoryObjects:
    """An `ObjectStore` that lasts as long as the process."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._written_ns: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def options(self) -> EngineOptions:
        return EngineOptions(polars={"store": "memory"})

    def place(self, name: str) -> str:
        return f"memory://lake/{name}".rstrip("/")

    def get(self, name: str) -> bytes:
        if name not in self._objects:
            raise missing(self.place(name))
        return self._objects[name]

    def get_range(self, name: str, start: int, length: int) -> bytes:
        return self.get(name)[start : start + length]

    def open(self, name: str) -> BytesIO:
        return BytesIO(self.get(name))

    def size(self, name: str) -> int | None:
        return len(self._objects[name]) if name in self._objects else None

    def written_ns(self, name: str) -> int | None:
        return self._written_ns.get(name)

    def put_if_absent(self, name: str, data: bytes | Path, *, step: str = "file") -> bool:
        del step
        content = data if isinstance(data, bytes) else data.read_bytes()
        with self._lock:
            if name in self._objects:
                return False
            self._objects[name] = content
            self._written_ns[name] = time_ns()
            return True

    def names(self, folder: str) -> tuple[list[str], list[str]]:
        below = [name.removeprefix(f"{folder}/") for name in self.list(folder)]
        objects = {name for name in below if "/" not in name}
        return sorted(objects), sorted({name.partition("/")[0] for name in below} - objects)

    def list(self, folder: str) -> Iterator[str]:
        found = (name for name in tuple(self._objects) if name.startswith(f"{folder}/"))
        yield from sorted(found, key=lambda name: name.split("/"))

    def sync(self, name: str) -> None:
        """What is in memory is as durable as it gets."""

    def move(self, name: str, to: str) -> None:
        with self._lock:
            self._objects[to] = self._objects.pop(name)
            self._written_ns[to] = self._written_ns.pop(name)

    def delete(self, name: str) -> None:
        for gone in [name, *self.list(name)]:
            self._objects.pop(gone, None)
            self._written_ns.pop(gone, None)
