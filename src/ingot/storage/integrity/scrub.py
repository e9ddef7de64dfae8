"""Which files a lake is made of, and whether each still holds the bytes that were written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ingot.errors import DamagedFileError, IngotError
from ingot.storage.fs.sealed_names import differs, hash_in, hash_stream
from ingot.storage.iceberg.read.avro import read_avro
from ingot.storage.iceberg.read.manifests import Manifests
from ingot.storage.iceberg.read.metadata import parse_state
from ingot.storage.landing.store import object_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from datetime import date

    from ingot.model.unit import Done
    from ingot.storage.fs.object_store import ObjectStore
    from ingot.storage.iceberg.read.metadata import Snapshot, TableState
    from ingot.storage.iceberg.read.workplace import Workplace
    from ingot.storage.landing.store import LandingStore


class Kind(StrEnum):
    """What a file of the lake is."""

    DATA = "data file"
    MANIFEST = "manifest"
    MANIFEST_LIST = "manifest list"
    METADATA = "metadata"
    OLD_METADATA = "old metadata"
    """A former state of a table; nothing reads it but a person."""
    OBJECT = "landed object"
    QUARANTINE = "quarantine"
    RECORD = "landing record"
    CATALOG = "catalog.db"
    STATE = "state.db"


@dataclass(frozen=True, slots=True)
class Target:
    """One file, and what is written down about it."""

    kind: Kind
    objects: ObjectStore
    name: str
    """The object's name in its store."""
    table: str | None = None
    sha256: str | None = None
    """None where no hash was written down; the file is then decoded to its end instead."""
    size_bytes: int | None = None
    first: date | None = None
    """Least date of its rows, where known."""
    last: date | None = None
    """Greatest date, inside."""

    @classmethod
    def at(cls, place: Workplace, kind: Kind, location: str, **known: Any) -> Target:  # noqa: ANN401
        """Return a table's file, whose name may carry its hash."""
        name = place.files.name(location)
        return cls(kind, place.objects, name, table=place.table.name, sha256=hash_in(name), **known)

    @property
    def file_name(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]

    @property
    def place(self) -> str:
        """Where the file is: a path or a URL."""
        return self.objects.place(self.name)


def table_files(place: Workplace) -> Iterator[Target]:
    """Yield every file that a table's metadata names, each once, whether it is there or not.

    What a damaged file would have named is left out; the file itself is among the targets.
    """
    location = place.reader.pointer(place.table)
    yield Target.at(place, Kind.METADATA, location)
    with suppress(IngotError, OSError):
        state = parse_state(place.table.name, place.files.read(location))
        for entry in state.document.get("metadata-log", ()):
            if place.files.size(entry["metadata-file"]) is not None:
                yield Target.at(place, Kind.OLD_METADATA, entry["metadata-file"])
        known: set[str] = set()
        manifests = Manifests(place.files)
        for snapshot in state.snapshots.values():
            for target in snapshot_files(place, manifests, state, snapshot):
                if target.name not in known:
                    known.add(target.name)
                    yield target


def snapshot_files(
    place: Workplace, manifests: Manifests, state: TableState, snapshot: Snapshot
) -> Iterator[Target]:
    """Yield the manifest list, manifests and data files of one snapshot."""
    yield Target.at(place, Kind.MANIFEST_LIST, snapshot.manifest_list)
    with suppress(IngotError, OSError):
        for manifest in manifests.of_snapshot(snapshot.manifest_list):
            size = manifest.size_bytes
            yield Target.at(place, Kind.MANIFEST, manifest.location, size_bytes=size)
            with suppress(IngotError, OSError):
                for entry in manifests.entries(place.table, state, manifest):
                    yield Target.at(
                        place,
                        Kind.DATA,
                        entry.location,
                        size_bytes=entry.size_bytes,
                        first=entry.bounds.first,
                        last=entry.bounds.last,
                    )


def landed_objects(store: LandingStore) -> Iterator[Target]:
    """Yield each object that a readable version names, once."""
    known: set[str] = set()
    for path in store.walk_folder("versions"):
        with suppress(IngotError):
            landing: Any = store.read(path)
            if landing.sha256 not in known:
                known.add(landing.sha256)
                yield Target(
                    Kind.OBJECT,
                    store.objects,
                    object_name(landing.sha256),
                    sha256=landing.sha256,
                    size_bytes=landing.size_bytes,
                    first=landing.file_date,
                    last=landing.file_date,
                )


def quarantine_files(store: LandingStore, dones: Iterable[Done]) -> Iterator[Target]:
    """Yield the file of refused rows of each unit that has one."""
    for done in dones:
        unit = done.unit
        name = store.quarantine_name(unit) if done.rows_refused else None
        if name is not None:
            yield Target(
                Kind.QUARANTINE,
                store.objects,
                name,
                table=unit.table,
                first=unit.scope.start,
                last=unit.scope.end - timedelta(days=1),
            )


def damage(target: Target, advance: Callable[[int], None]) -> str:
    """Return what is wrong with a file; empty where it is what was written.

    Args:
        target: The file.
        advance: Receives the bytes read, as they are; it may wait, which slows the reading down.
    """
    try:
        return _damage(target, advance)
    except DamagedFileError as exc:
        return exc.found
    except (IngotError, OSError) as exc:
        return f"it cannot be read: {exc}"


def _damage(target: Target, advance: Callable[[int], None]) -> str:
    size = target.objects.size(target.name)
    if size is None:
        return "it is missing"
    if target.size_bytes is not None and size != target.size_bytes:
        return f"it has {size} bytes, not {target.size_bytes}"
    if target.sha256 is not None:
        with target.objects.open(target.name) as stream:
            same = hash_stream(stream, advance) == target.sha256
        return "" if same else differs(target.sha256)
    advance(size)
    if target.kind is Kind.QUARANTINE:
        from ingot.storage.landing.quarantine import damage as found  # noqa: PLC0415  (pyarrow)

        return found(target.objects.get(target.name))
    _decode(target)
    return ""


def _decode(target: Target) -> None:
    """Read a file without a hash to its end.

    Raises:
        DamagedFileError, IngotError, OSError: It is not whole.
    """
    if target.name.endswith(".parquet"):
        _decode_parquet(target)
        return
    data = target.objects.get(target.name)
    if target.name.endswith(".avro"):
        for _ in read_avro(data, target.place):
            pass
    else:
        parse_state(target.table or "", data)


def _decode_parquet(target: Target) -> None:
    import pyarrow as pa  # noqa: PLC0415  (heavy, and only files of older lakes need it)
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with (
            target.objects.open(target.name) as stream,
            pq.ParquetFile(
                pa.PythonFile(stream, "r"), pre_buffer=False, page_checksum_verification=True
            ) as file,
        ):
            for _ in file.iter_batches():
                pass
    except pa.ArrowException as exc:
        raise DamagedFileError(target.place, found=f"it cannot be decoded: {exc}") from exc


def is_readable(place: Workplace) -> bool:
    """Return True if a table's state, and all that its head's manifests say, can be read."""
    try:
        location = place.reader.pointer(place.table)
        state = parse_state(place.table.name, place.files.read(location))
        snapshot = state.snapshot()
        if snapshot is not None:
            _entries(place, state, snapshot)
    except (IngotError, OSError):
        return False
    return True


def broken_snapshots(place: Workplace, damaged: Collection[str]) -> frozenset[int]:
    """Return the ids of snapshots but the head that are unreadable or name a damaged file.

    `damaged` has names of objects.
    """
    state = place.reader.state(place.table)
    broken = set()
    for snapshot in state.snapshots.values():
        try:
            found = _entries(place, state, snapshot)
        except (IngotError, OSError):
            found = set(damaged)
        if snapshot.snapshot_id != state.head and not found.isdisjoint(damaged):
            broken.add(snapshot.snapshot_id)
    return frozenset(broken)


def _entries(place: Workplace, state: TableState, snapshot: Snapshot) -> set[str]:
    """Return the names of the files that a snapshot names, read from the disk and not from a cache.

    Raises:
        IngotError, OSError: Its manifest list or a manifest cannot be read.
    """
    manifests = Manifests(place.files)
    return {
        place.files.name(entry.location)
        for manifest in manifests.of_snapshot(snapshot.manifest_list)
        for entry in manifests.entries(place.table, state, manifest)
    }
