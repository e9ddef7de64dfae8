"""Files that nothing refers to, and snapshots that may go."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from time import time
from typing import TYPE_CHECKING, Final

from ingot.errors import DamagedFileError
from ingot.storage.iceberg.read.snapshot_log import chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.storage.iceberg.read.metadata import TableState
    from ingot.storage.iceberg.read.workplace import Workplace

MIN_AGE_S: Final = 24 * 3600.0
_ASIDE: Final = "orphans"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_STATISTICS: Final = ("statistics", "partition-statistics")
_NS_PER_S: Final = 1_000_000_000


def orphans(
    place: Workplace, *, min_age_s: float = MIN_AGE_S, now_s: float | None = None
) -> tuple[str, ...]:
    """Return the files in data/ and metadata/ that no snapshot of the table refers to, sorted.

    The table is read after the folder, so that a file committed in between counts as referred to.

    Args:
        place: The table.
        min_age_s: Files changed less than this many seconds ago are left out: a commit that is on
            its way writes them before it names them. So are files that are no older than the
            oldest process that still writes to the lake.
        now_s: Seconds since 1970; by default the machine's clock, which also dates files.

    Returns:
        Names of objects of the lake's store.
    """
    limit = (time() if now_s is None else now_s) - min_age_s
    if (since := place.scratch.others_since_s()) is not None:
        limit = min(limit, since)
    old = [name for name in _files(place) if _was_written_before(place, name, limit)]
    if not old:
        return ()
    named = set(_references(place))
    return tuple(sorted(name for name in old if name not in named))


def set_aside(
    place: Workplace, *, min_age_s: float = MIN_AGE_S, now_s: float | None = None
) -> tuple[str, ...]:
    """Move the orphans below `orphans/<now>/` and return where they were.

    What a commit names meanwhile is put back.
    """
    found = orphans(place, min_age_s=min_age_s, now_s=now_s)
    now = datetime.fromtimestamp(time() if now_s is None else now_s, UTC)
    aside = f"{place.home}/{_ASIDE}/{now:{_STAMP}}"
    for name in found:
        place.objects.move(name, f"{aside}/{name.removeprefix(f'{place.home}/')}")
    back = set(put_back(place)) if found else set()
    return tuple(name for name in found if name not in back)


def put_back(place: Workplace) -> tuple[str, ...]:
    """Move the files back that were set aside and that a snapshot names now; return them."""
    folder = f"{place.home}/{_ASIDE}"
    aside = {
        f"{place.home}/{name.removeprefix(f'{folder}/').partition('/')[2]}": name
        for name in place.objects.list(folder)
    }
    back = sorted(aside.keys() & set(_references(place))) if aside else []
    for name in back:
        place.objects.move(aside[name], name)
    return tuple(back)


def delete_set_aside(
    place: Workplace, *, min_age_s: float = MIN_AGE_S, now_s: float | None = None
) -> tuple[str, ...]:
    """Delete what was set aside so many seconds ago or earlier, and return it.

    What a snapshot names by now is put back instead.
    """
    put_back(place)
    limit = datetime.fromtimestamp((time() if now_s is None else now_s) - min_age_s, UTC)
    folder = f"{place.home}/{_ASIDE}"
    stamps = [stamp for stamp in place.objects.names(folder)[1] if stamp.endswith("Z")]
    going = [f"{folder}/{stamp}" for stamp in stamps if stamp <= f"{limit:{_STAMP}}"]
    deleted = tuple(name for old in going for name in place.objects.list(old))
    for old in going:
        place.objects.delete(old)
    return deleted


def _files(place: Workplace) -> Iterator[str]:
    for part in ("data", "metadata"):
        yield from place.objects.list(f"{place.home}/{part}")


def _was_written_before(place: Workplace, name: str, limit_s: float) -> bool:
    written_ns = place.objects.written_ns(name)
    return written_ns is not None and written_ns < limit_s * _NS_PER_S


def _references(place: Workplace) -> Iterator[str]:
    """Yield the name of every file that some snapshot, or the state itself, refers to.

    Raises:
        DamagedFileError: A manifest that a snapshot names is missing: nothing is an orphan then.
    """
    yield from map(place.files.name, _locations(place))


def _locations(place: Workplace) -> Iterator[str]:
    location = place.reader.pointer(place.table)
    state = place.reader.state_at(place.table, location)
    yield location
    yield from _named_in_metadata(state)
    known: set[str] = set()
    try:
        for snapshot in state.snapshots.values():
            for manifest in place.reader.manifests(snapshot):
                if manifest.location not in known:
                    known.add(manifest.location)
                    yield manifest.location
                    for entry in place.reader.entries(place.table, state, manifest):
                        yield entry.location
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
