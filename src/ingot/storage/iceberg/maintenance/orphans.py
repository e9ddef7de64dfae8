"""Files that nothing refers to, and snapshots that may go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from shutil import rmtree
from time import time
from typing import TYPE_CHECKING, Final

from ingot.errors import DamagedFileError
from ingot.failures import translated
from ingot.folders import entries, files_below
from ingot.storage.fs.durable import make_folders
from ingot.storage.iceberg.read.snapshot_log import chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.storage.fs.durable import Scratch
    from ingot.storage.iceberg.layout.locations import Locations
    from ingot.storage.iceberg.read.metadata import TableState
    from ingot.storage.iceberg.read.scan_planner import Reader
    from ingot.tables.contract import Table

MIN_AGE_S: Final = 24 * 3600.0
_ASIDE: Final = "orphans"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_STATISTICS: Final = ("statistics", "partition-statistics")


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What looking after one table needs."""

    table: Table
    reader: Reader
    locations: Locations
    folder: Path
    """The table's folder, which holds data/ and metadata/, and orphans/ for what is set aside."""
    scratch: Scratch
    """Names the processes that write to the lake now."""


def orphans(place: Upkeep, *, min_age_s: float, now_s: float | None = None) -> tuple[Path, ...]:
    """Return files in data/ and metadata/ that no snapshot of the table refers to, sorted.

    The table is read after the folder, so that a file committed in between counts as referred to.

    Args:
        place: The table.
        min_age_s: Files changed less than this many seconds ago are left out: a commit that is on
            its way writes them before it names them. So are files that are no older than the
            oldest process that still writes to the lake.
        now_s: Seconds since 1970; by default the machine's clock, which also dates files.
    """
    limit = (time() if now_s is None else now_s) - min_age_s
    if (since := place.scratch.others_since_s()) is not None:
        limit = min(limit, since)
    old = [path for path in _files(place.folder) if _changed_before(path, limit)]
    if not old:
        return ()
    named = set(_references(place))
    return tuple(sorted(path for path in old if path not in named))


def set_aside(
    place: Upkeep, *, min_age_s: float = MIN_AGE_S, now_s: float | None = None
) -> tuple[Path, ...]:
    """Move the orphans below `orphans/<now>/` and return where they were.

    What a commit names meanwhile is put back.
    """
    found = orphans(place, min_age_s=min_age_s, now_s=now_s)
    now = datetime.fromtimestamp(time() if now_s is None else now_s, UTC)
    for path in found:
        _move(path, place.folder / _ASIDE / f"{now:{_STAMP}}" / path.relative_to(place.folder))
    back = set(put_back(place)) if found else set()
    return tuple(path for path in found if path not in back)


def put_back(place: Upkeep) -> tuple[Path, ...]:
    """Move the files back that were set aside and that a snapshot names now; return them."""
    aside = {
        place.folder.joinpath(*path.relative_to(place.folder).parts[2:]): path
        for path in files_below(place.folder / _ASIDE)
    }
    back = sorted(aside.keys() & set(_references(place))) if aside else []
    for path in back:
        _move(aside[path], path)
    return tuple(back)


def delete_set_aside(
    place: Upkeep, *, min_age_s: float = MIN_AGE_S, now_s: float | None = None
) -> tuple[Path, ...]:
    """Delete what was set aside so many seconds ago or earlier, and return it.

    What a snapshot names by now is put back instead.
    """
    put_back(place)
    limit = datetime.fromtimestamp((time() if now_s is None else now_s) - min_age_s, UTC)
    there = (Path(entry) for entry in entries(place.folder / _ASIDE))
    folders = [f for f in there if f.name.endswith("Z") and f.name <= f"{limit:{_STAMP}}"]
    deleted = tuple(path for folder in folders for path in files_below(folder))
    for folder in folders:
        with translated(folder, "delete"):
            rmtree(folder)
    return deleted


def _move(path: Path, to: Path) -> None:
    make_folders(to.parent)
    with translated(path, "move"):
        path.rename(to)


def _files(folder: Path) -> Iterator[Path]:
    for part in ("data", "metadata"):
        yield from files_below(folder / part)


def _changed_before(path: Path, limit: float) -> bool:
    try:
        return path.stat().st_mtime < limit
    except FileNotFoundError:
        return False


def _references(place: Upkeep) -> Iterator[Path]:
    """Yield the path of every file that some snapshot, or the state itself, refers to.

    Raises:
        DamagedFileError: A manifest that a snapshot names is missing: nothing is an orphan then.
    """
    location = place.reader.pointer(place.table)
    state = place.reader.state_at(place.table, location)
    for name in (location, *_named_in_metadata(state)):
        yield place.locations.path(name)
    seen: set[str] = set()
    try:
        for snapshot in state.snapshots.values():
            for manifest in place.reader.manifests(snapshot):
                if manifest.location not in seen:
                    seen.add(manifest.location)
                    yield place.locations.path(manifest.location)
                    yield from place.reader.paths_in(place.table, state, manifest)
    except FileNotFoundError as exc:
        raise DamagedFileError(
            exc.filename, found="it is missing, and nothing was removed", table=place.table.name
        ) from exc


def _named_in_metadata(state: TableState) -> Iterator[str]:
    for entry in state.document.get("metadata-log", ()):
        yield entry["metadata-file"]
    for snapshot in state.snapshots.values():
        yield snapshot.manifest_list
    for kind in _STATISTICS:
        for entry in state.document.get(kind, ()):
            yield entry["statistics-path"]


def expirable(state: TableState, *, keep_last: int, before: datetime) -> tuple[int, ...]:
    """Return the ids of snapshots that may expire, oldest first.

    Kept are the last `keep_last` of the head, those made at or after `before`, and those that a
    branch or tag names.
    """
    kept = {snapshot.snapshot_id for snapshot in islice(chain(state), keep_last)}
    kept |= state.references
    limit_ms = before.timestamp() * 1000
    going = [
        s
        for s in state.snapshots.values()
        if s.snapshot_id not in kept and s.timestamp_ms < limit_ms
    ]
    return tuple(s.snapshot_id for s in sorted(going, key=lambda s: s.timestamp_ms))
