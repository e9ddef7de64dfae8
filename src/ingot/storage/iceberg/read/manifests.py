"""What manifests say, decoded once per process and kept while memory allows.

Manifests are immutable, so what was read under a name stays true for ever.
"""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import DamagedFileError
from ingot.storage.iceberg.layout.bounds import bounds_decoder
from ingot.storage.iceberg.read.avro import read_avro

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ingot.storage.iceberg.layout.bounds import Bounds
    from ingot.storage.iceberg.layout.file_access import FileAccess
    from ingot.storage.iceberg.read.metadata import TableState
    from ingot.tables.contract import Table

MAX_CACHED_ENTRIES: Final = 200_000
"""About 100 MB of Python objects."""
_DELETED: Final = 2
_DATA: Final = 0

# Field ids of the Iceberg specification, version 2: manifest lists, manifest entries, data files.
_PATH, _LENGTH, _SPEC, _CONTENT, _ADDED_BY = 500, 501, 502, 517, 503
_ADDED_FILES, _EXISTING_FILES, _PARTITIONS, _PART_LOW, _PART_HIGH = 504, 505, 507, 510, 511
_STATUS, _SNAPSHOT, _DATA_FILE = 0, 1, 2
_FILE_CONTENT, _FILE_PATH, _PARTITION, _ROWS, _SIZE = 134, 100, 102, 103, 104
_LOWER, _UPPER, _SORT_ORDER = 125, 128, 140


@dataclass(frozen=True, slots=True)
class Manifest:
    """One line of a manifest list."""

    location: str
    size_bytes: int
    spec_id: int
    holds_deletes: bool
    added_by: int
    live_files: int | None
    """None where the writer did not count them."""
    partitions: tuple[int, int] | None
    """First and last partition number; None where the partition is not one integer."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One live file of a manifest."""

    location: str
    """The name under which metadata knows it."""
    path: str
    """What an engine opens to read it: a path or a URL."""
    rows: int
    size_bytes: int
    spec_id: int
    partition: int | None
    bounds: Bounds
    is_delete: bool
    sort_order_id: int | None
    snapshot_id: int
    """The snapshot that added it."""


class Manifests:
    """Reads manifest lists and manifests through a bounded cache; safe to use from any thread."""

    def __init__(self, files: FileAccess, *, max_entries: int = MAX_CACHED_ENTRIES) -> None:
        self._files = files
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Any, ...]] = OrderedDict()
        self._entries = 0

    def of_snapshot(self, manifest_list: str) -> tuple[Manifest, ...]:
        """Return the manifests that a snapshot's manifest list names."""
        return self._cached(manifest_list, lambda: self._read_list(manifest_list))

    def entries(self, table: Table, state: TableState, manifest: Manifest) -> tuple[FileEntry, ...]:
        """Return the live files of one manifest."""
        return self._cached(
            manifest.location, lambda: tuple(self._read_entries(table, state, manifest))
        )

    def changes(
        self, table: Table, state: TableState, manifest: Manifest, snapshot_id: int
    ) -> tuple[Bounds, ...]:
        """Return the bounds of files that the snapshot added or removed in one of its manifests."""
        decode = _bounds_decoder(table, state)
        found = []
        for record in self._records(manifest.location):
            by = record[_SNAPSHOT] if record[_SNAPSHOT] is not None else manifest.added_by
            if by == snapshot_id and record[_STATUS] != 0:
                found.append(decode(record[_DATA_FILE]))
        return tuple(found)

    def _cached(self, key: str, read: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = read()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value
                self._entries += len(value)
            while self._entries > self._max_entries and len(self._kept) > 1:
                self._entries -= len(self._kept.popitem(last=False)[1])
        return value

    def _records(self, location: str) -> list[dict[int, Any]]:
        return list(read_avro(self._files.read(location), self._files.url(location)))

    def _read_list(self, location: str) -> tuple[Manifest, ...]:
        return tuple(_manifest(record) for record in self._records(location))

    def _read_entries(self, table: Table, state: TableState, manifest: Manifest) -> list[FileEntry]:
        decode = _bounds_decoder(table, state)
        found = []
        for record in self._records(manifest.location):
            if record[_STATUS] == _DELETED:
                continue
            file = record[_DATA_FILE]
            by = record[_SNAPSHOT]
            found.append(
                FileEntry(
                    location=file[_FILE_PATH],
                    path=self._files.url(file[_FILE_PATH]),
                    rows=file[_ROWS],
                    size_bytes=file[_SIZE],
                    spec_id=manifest.spec_id,
                    partition=_partition(file[_PARTITION]),
                    bounds=decode(file),
                    is_delete=file.get(_FILE_CONTENT, _DATA) != _DATA,
                    sort_order_id=file.get(_SORT_ORDER),
                    snapshot_id=manifest.added_by if by is None else by,
                )
            )
        return found


def _manifest(record: Mapping[int, Any]) -> Manifest:
    added, existing = record.get(_ADDED_FILES), record.get(_EXISTING_FILES)
    return Manifest(
        location=record[_PATH],
        size_bytes=record[_LENGTH],
        spec_id=record[_SPEC],
        holds_deletes=record.get(_CONTENT, _DATA) != _DATA,
        added_by=record[_ADDED_BY],
        live_files=None if added is None or existing is None else added + existing,
        partitions=_partition_bounds(record.get(_PARTITIONS)),
    )


def _partition_bounds(summaries: list[Mapping[int, Any]] | None) -> tuple[int, int] | None:
    if summaries is None or len(summaries) != 1:
        return None
    low, high = summaries[0][_PART_LOW], summaries[0][_PART_HIGH]
    if low is None or high is None or len(low) != 4 or len(high) != 4:  # noqa: PLR2004 - an int32
        return None
    return struct.unpack("<i", low)[0], struct.unpack("<i", high)[0]


def _partition(record: Mapping[int, Any]) -> int | None:
    values = tuple(record.values())
    return values[0] if len(values) == 1 and isinstance(values[0], int) else None


def _bounds_decoder(table: Table, state: TableState) -> Callable[[Mapping[int, Any]], Bounds]:
    """Return what turns a data file's lower and upper bounds into those of scopes."""
    decoded = bounds_decoder(table, {field["name"]: field["id"] for field in state.fields()})

    def decode(file: Mapping[int, Any]) -> Bounds:
        try:
            return decoded(file.get(_LOWER) or {}, file.get(_UPPER) or {})
        except (struct.error, UnicodeDecodeError) as exc:
            raise DamagedFileError(
                f"A manifest of {table.name}", found=f"it has broken bounds ({exc})"
            ) from exc

    return decode
