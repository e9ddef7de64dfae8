"""Which files a lake is made of, and whether each still holds the bytes that were written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ingot.errors import DamagedFileError, IngotError
from ingot.storage.fs.sealed_names import differs, hash_file, hash_in, read_sealed
from ingot.storage.iceberg.read.avro import read_avro
from ingot.storage.iceberg.read.manifests import Manifests
from ingot.storage.iceberg.read.metadata import parse_state

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from datetime import date
    from pathlib import Path

    from ingot.model.unit import Done
    from ingot.storage.iceberg.maintenance.orphans import Upkeep
    from ingot.storage.iceberg.read.metadata import Snapshot, TableState
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
    path: Path
    table: str | None = None
    sha256: str | None = None
    """None where no hash was written down; the file is then decoded to its end instead."""
    size_bytes: int | None = None
    first: date | None = None
    """Least date of its rows, where known."""
    last: date | None = None
    """Greatest date, inside."""

    @classmethod
    def named(cls, kind: Kind, path: Path, **known: Any) -> Target:  # noqa: ANN401
        """Return the target of a file whose name carries its hash, if it carries one."""
        return cls(kind, path, sha256=hash_in(path.name), **known)


def table_files(place: Upkeep) -> Iterator[Target]:
    """Yield every file that a table's metadata names, each once, whether it is there or not.

    What a damaged file would have named is left out; the file itself is among the targets.
    """
    name = place.table.name
    path = place.locations.path(place.reader.pointer(place.table))
    yield Target.named(Kind.METADATA, path, table=name)
    with suppress(IngotError, OSError):
        state = parse_state(name, read_sealed(path))
        for entry in state.document.get("metadata-log", ()):
            old = place.locations.path(entry["metadata-file"])
            if old.exists():
                yield Target.named(Kind.OLD_METADATA, old, table=name)
        seen: set[Path] = set()
        manifests = Manifests(place.locations)
        for snapshot in state.snapshots.values():
            for target in snapshot_files(place, manifests, state, snapshot):
                if target.path not in seen:
                    seen.add(target.path)
                    yield target


def snapshot_files(
    place: Upkeep, manifests: Manifests, state: TableState, snapshot: Snapshot
) -> Iterator[Target]:
    """Yield the manifest list, manifests and data files of one snapshot."""
    name, at = place.table.name, place.locations.path
    yield Target.named(Kind.MANIFEST_LIST, at(snapshot.manifest_list), table=name)
    with suppress(IngotError, OSError):
        for manifest in manifests.of_snapshot(snapshot.manifest_list):
            yield Target.named(
                Kind.MANIFEST, at(manifest.location), table=name, size_bytes=manifest.size_bytes
            )
            with suppress(IngotError, OSError):
                for entry in manifests.entries(place.table, state, manifest):
                    yield Target.named(
                        Kind.DATA,
                        at(entry.location),
                        table=name,
                        size_bytes=entry.size_bytes,
                        first=entry.bounds.first,
                        last=entry.bounds.last,
                    )


def landed_objects(store: LandingStore) -> Iterator[Target]:
    """Yield each object that a readable version names, once."""
    seen: set[str] = set()
    for path in store.walk_folder("versions"):
        with suppress(IngotError):
            landing: Any = store.read(path)
            if landing.sha256 not in seen:
                seen.add(landing.sha256)
                yield Target(
                    Kind.OBJECT,
                    store.object_path(landing.sha256),
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
            path = store.root / name
            last = unit.scope.end - timedelta(days=1)
            yield Target(Kind.QUARANTINE, path, table=unit.table, first=unit.scope.start, last=last)


def quarantine_damage(path: Path) -> str:
    """Return what is wrong with a file of refused rows."""
    from ingot.storage.landing.quarantine import damage as found  # noqa: PLC0415  (pyarrow)

    return found(path)


def damage(target: Target, advance: Callable[[int], None]) -> str:
    """Return what is wrong with a file; empty where it is what was written.

    Args:
        target: The file.
        advance: Receives the bytes read, as they are; it may wait, which slows the reading down.
    """
    try:
        return _damage(target, advance)
    except FileNotFoundError:
        return "it is missing"
    except DamagedFileError as exc:
        return exc.found
    except (IngotError, OSError) as exc:
        return f"it cannot be read: {exc}"


def _damage(target: Target, advance: Callable[[int], None]) -> str:
    size = target.path.stat().st_size
    if target.size_bytes is not None and size != target.size_bytes:
        return f"it has {size} bytes, not {target.size_bytes}"
    if target.sha256 is not None:
        same = hash_file(target.path, advance) == target.sha256
        return "" if same else differs(target.sha256)
    advance(size)
    if target.kind is Kind.QUARANTINE:
        return quarantine_damage(target.path)
    _decode(target)
    return ""


def _decode(target: Target) -> None:
    """Read a file without a hash to its end.

    Raises:
        DamagedFileError, IngotError, OSError: It is not whole.
    """
    if target.path.suffix == ".parquet":
        _decode_parquet(target)
    elif target.path.suffix == ".avro":
        for _ in read_avro(target.path.read_bytes(), target.path):
            pass
    else:
        parse_state(target.table or "", target.path.read_bytes())


def _decode_parquet(target: Target) -> None:
    import pyarrow as pa  # noqa: PLC0415  (heavy, and only files of older lakes need it)
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(target.path, pre_buffer=False, page_checksum_verification=True) as file:
            for _ in file.iter_batches():
                pass
    except pa.ArrowException as exc:
        raise DamagedFileError(target.path, found=f"it cannot be decoded: {exc}") from exc


def is_readable(place: Upkeep) -> bool:
    """Return True if a table's state, and all that its head's manifests say, can be read."""
    try:
        location = place.reader.pointer(place.table)
        data = read_sealed(place.locations.path(location))
        state = parse_state(place.table.name, data)
        snapshot = state.snapshot()
        if snapshot is not None:
            _entries(place, state, snapshot)
    except (IngotError, OSError):
        return False
    return True


def broken_snapshots(place: Upkeep, damaged: Collection[Path]) -> frozenset[int]:
    """Return the ids of snapshots but the head that are unreadable or name a damaged file."""
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


def _entries(place: Upkeep, state: TableState, snapshot: Snapshot) -> set[Path]:
    """Return the files that a snapshot names, read from the disk and not from a cache.

    Raises:
        IngotError, OSError: Its manifest list or a manifest cannot be read.
    """
    manifests = Manifests(place.locations)
    return {
        place.locations.path(entry.location)
        for manifest in manifests.of_snapshot(snapshot.manifest_list)
        for entry in manifests.entries(place.table, state, manifest)
    }
