"""Which data files a query reads: plans made from manifests, pruned by partition and bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Final, Protocol

from ingot.errors import DamagedFileError, QueryError
from ingot.storage.iceberg.layout.bounds import partition_range, scope_columns
from ingot.storage.iceberg.read.manifests import Manifests
from ingot.storage.iceberg.read.metadata import TableState, parse_state
from ingot.tables.input import FileRelation, columns_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ingot.storage.iceberg.catalog.sqlite import Catalog
    from ingot.storage.iceberg.layout.bounds import Bounds
    from ingot.storage.iceberg.layout.file_access import FileAccess
    from ingot.storage.iceberg.read.manifests import FileEntry, Manifest
    from ingot.storage.iceberg.read.metadata import Snapshot
    from ingot.tables.contract import Table

_KEPT_STATES: Final = 64
_TRANSFORMS: Final = frozenset({"month", "year"})


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """Which rows of a table are wanted; None sets no limit."""

    table: Table
    start: date | None = None
    """First date of the table's date column, inside."""
    end: date | None = None
    """The day after the last date."""
    source: str | None = None
    dataset: str | None = None
    landing_ids: Collection[int] | None = None
    snapshot_id: int | None = None
    """A past state of the table; None for the present one."""

    def may_be_in(self, bounds: Bounds) -> bool:
        """Return True if a file with these bounds may hold a row that is wanted."""
        if self.start and bounds.last is not None and bounds.last < self.start:
            return False
        if self.end and bounds.first is not None and bounds.first >= self.end:
            return False
        return (
            _may_hold(bounds.source, self.source)
            and _may_hold(bounds.dataset, self.dataset)
            and self._may_hold_landing(bounds.landing)
        )

    def _may_hold_landing(self, bound: tuple[int, int] | None) -> bool:
        if self.landing_ids is None or bound is None:
            return True
        low, high = bound
        if low == high:
            return low in self.landing_ids
        return any(low <= i <= high for i in self.landing_ids)


@dataclass(frozen=True, slots=True)
class SnapshotPin:
    """The state at which a table is read."""

    snapshot_id: int | None
    """None while the table is empty."""
    manifest_list: str
    columns: int
    """How many columns it had."""

    @classmethod
    def of_head(cls, table: Table, state: TableState) -> SnapshotPin:
        """Return the present state of a table."""
        snapshot = state.snapshot()
        if snapshot is None:
            return cls(None, "", len(table.columns))
        return cls(snapshot.snapshot_id, snapshot.manifest_list, len(table.columns))


class SnapshotResolver(Protocol):
    """Says at which state each table is read."""

    def resolve(self, request: ScanRequest, state: TableState) -> SnapshotPin:
        """Return the pin for a request, given the table's present state."""
        ...


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One data file of a plan."""

    location: str
    """The name under which metadata knows it."""
    path: str
    """What an engine opens to read it: a path or a URL."""
    rows: int
    size_bytes: int
    first: date | None
    """Least date of the table's date column, where known."""
    last: date | None
    """Greatest, inside."""
    symbol_lower: str | None = None
    """Nothing in the file is below, where known."""
    symbol_upper: str | None = None
    """Nothing in the file is above."""


@dataclass(frozen=True)
class FilePlan:
    """The files of one snapshot that can have the rows wanted, by date and symbol."""

    table: str
    snapshot_id: int | None
    """None while the table is empty."""
    files: tuple[PlannedFile, ...]
    columns: Mapping[int, tuple[str, str]]
    """(name, type in DuckDB's dialect) by field id, of the snapshot that is read."""
    access: FileAccess = field(repr=False)
    has_deletes: bool = field(default=False)
    """True when another engine's delete files may apply to these files."""

    @property
    def rows(self) -> int:
        """Rows in the files, those that a filter would drop included."""
        return sum(file.rows for file in self.files)

    @property
    def size_bytes(self) -> int:
        """Bytes of the files on disk."""
        return sum(file.size_bytes for file in self.files)

    def damaged(self) -> Iterator[DamagedFileError]:
        """Yield an error for each file that is missing or has another size than was committed."""
        for file in self.files:
            found = self.access.size(file.location)
            if found != file.size_bytes:
                text = f"it has {found} bytes, not {file.size_bytes}"
                text = "it is missing" if found is None else text
                yield DamagedFileError(file.path, found=text, table=self.table)

    def verify(self) -> FilePlan:
        """Return the plan after reading every file and comparing it with the hash in its name.

        What is derived from rows is kept, so a step never reads a damaged file. A file is read
        once in a process.

        Raises:
            DamagedFileError: A file is not what was written.
        """
        for damage in self.damaged():
            raise damage
        for file in self.files:
            if text := self.access.damage(file.location):
                raise DamagedFileError(file.path, found=text, table=self.table)
        return self

    def relation(self, where: str | None = None) -> FileRelation:
        """Return the files as an engine's input, of which `where` keeps the rows wanted.

        Raises:
            QueryError: Delete files apply, which plain Parquet readers would not see.
            DamagedFileError: A file is missing or has another size than was committed.
        """
        for damage in self.damaged():
            raise damage
        if self.has_deletes:
            raise QueryError(
                f"{self.table} holds delete files that another engine wrote; the embedded engine "
                "would answer as if nothing was deleted. Rewrite them with that engine "
                "(Spark: CALL lake.system.rewrite_data_files with delete-file-threshold 1)."
            )
        paths = tuple(file.path for file in self.files)
        return FileRelation(paths, dict(self.columns), where, self.access.objects.options)


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A live file together with the manifest that names it."""

    manifest: Manifest
    entry: FileEntry


class Reader:
    """Reads table states and plans files, through caches of what never changes."""

    def __init__(self, pointers: Catalog, files: FileAccess) -> None:
        self._pointers = pointers
        self._files = files
        self._manifests = Manifests(files)
        self._lock = threading.Lock()
        self._states: OrderedDict[str, TableState] = OrderedDict()

    def pointer(self, table: Table) -> str:
        """Return the location of the table's current metadata file.

        Raises:
            QueryError: The lake has no such table.
        """
        if found := self._pointers.get(table.name):
            return found
        raise QueryError(f"This lake has no table {table.name} yet. Make it with: ingot init")

    def state(self, table: Table) -> TableState:
        """Return the table's current state."""
        while True:
            pointer = self.pointer(table)
            try:
                return self.state_at(table, pointer)
            except FileNotFoundError as exc:
                # A writer replaced the pointer and, 20 commits on, removed what it named.
                if self.pointer(table) == pointer:
                    raise DamagedFileError(
                        exc.filename, found="it is missing", table=table.name
                    ) from exc

    def state_at(self, table: Table, location: str) -> TableState:
        """Return the state that one metadata file describes."""
        with self._lock:
            if found := self._states.get(location):
                self._states.move_to_end(location)
                return found
        state = parse_state(table.name, self._files.read(location))
        with self._lock:
            self._states[location] = state
            while len(self._states) > _KEPT_STATES:
                self._states.popitem(last=False)
        return state

    def plan(self, request: ScanRequest, pin: SnapshotPin | None = None) -> FilePlan:
        """Return the files that can hold rows of a request, in the table's head or at a pin.

        Raises:
            DamagedFileError: A manifest or metadata file is missing or damaged.
        """
        table = request.table
        if pin is not None:
            if pin.snapshot_id is None:
                return FilePlan(table.name, None, (), columns_of(table), self._files)
            request = replace(request, snapshot_id=request.snapshot_id or pin.snapshot_id)
        try:
            plan = self._plan(request)
        except FileNotFoundError as exc:
            raise DamagedFileError(exc.filename, found="it is missing", table=table.name) from exc
        return plan if pin is None else replace(plan, columns=_grown(table, plan.columns))

    def _plan(self, request: ScanRequest) -> FilePlan:
        table, start, end = request.table, request.start or date.min, request.end or date.max
        state = self.state(table)
        snapshot = state.snapshot(request.snapshot_id)
        columns = _columns(table, state, snapshot, latest=request.snapshot_id is None)
        if snapshot is None:
            return FilePlan(table.name, None, (), columns, self._files)
        found, deletes = [], False
        for file in self.live_files(table, state, snapshot, start=start, end=end):
            if file.entry.is_delete:
                deletes = True
            elif request.may_be_in(file.entry.bounds):
                found.append(_planned(file.entry))
        found.sort(key=lambda f: (f.first or date.min, f.symbol_lower or "", f.path))
        deletes = deletes and bool(found)
        return FilePlan(
            table.name, snapshot.snapshot_id, tuple(found), columns, self._files, deletes
        )

    def current_files(self, table: Table, *, start: date, end: date) -> list[LiveFile]:
        """Return the live files of the head whose partition touches `[start, end)`."""
        state = self.state(table)
        snapshot = state.snapshot()
        return (
            list(self.live_files(table, state, snapshot, start=start, end=end)) if snapshot else []
        )

    def live_files(
        self,
        table: Table,
        state: TableState,
        snapshot: Snapshot,
        *,
        start: date = date.min,
        end: date = date.max,
    ) -> Iterator[LiveFile]:
        """Yield live data and delete files whose partition touches `[start, end)`."""
        spans: dict[int, tuple[int, int] | None] = {}
        for manifest in self._manifests.of_snapshot(snapshot.manifest_list):
            if manifest.spec_id not in spans:
                spans[manifest.spec_id] = _span(table, state, manifest.spec_id, start, end)
            span = spans[manifest.spec_id]
            if manifest.live_files == 0 or not _touches(manifest.partitions, span):
                continue
            for entry in self._manifests.entries(table, state, manifest):
                part = entry.partition
                if part is None or span is None or span[0] <= part <= span[1]:
                    yield LiveFile(manifest, entry)

    def changed_bounds(
        self, table: Table, state: TableState, snapshot: Snapshot
    ) -> Iterator[Bounds]:
        """Yield the bounds of every file that a snapshot added or removed."""
        for manifest in self._manifests.of_snapshot(snapshot.manifest_list):
            if manifest.added_by == snapshot.snapshot_id:
                yield from self._manifests.changes(table, state, manifest, snapshot.snapshot_id)

    def entries(self, table: Table, state: TableState, manifest: Manifest) -> tuple[FileEntry, ...]:
        """Return the live files of one manifest."""
        return self._manifests.entries(table, state, manifest)

    def manifests(self, snapshot: Snapshot) -> tuple[Manifest, ...]:
        """Return the manifests of a snapshot."""
        return self._manifests.of_snapshot(snapshot.manifest_list)


def _may_hold(bound: tuple[str, str] | None, value: str | None) -> bool:
    return not value or bound is None or bound[0] <= value <= bound[1]


def _planned(entry: FileEntry) -> PlannedFile:
    low, high = entry.bounds.symbol or (None, None)
    return PlannedFile(
        location=entry.location,
        path=entry.path,
        rows=entry.rows,
        size_bytes=entry.size_bytes,
        first=entry.bounds.first,
        last=entry.bounds.last,
        symbol_lower=low,
        symbol_upper=high,
    )


def _columns(
    table: Table, state: TableState, snapshot: Snapshot | None, *, latest: bool
) -> dict[int, tuple[str, str]]:
    """Return the snapshot's columns; of the latest one with those that the contract has gained."""
    found = state.columns(None if latest or snapshot is None else snapshot.schema_id)
    if latest:
        last = state.document["last-column-id"]
        found.update({i: column for i, column in columns_of(table).items() if i > last})
    return found


def _grown(table: Table, columns: Mapping[int, tuple[str, str]]) -> Mapping[int, tuple[str, str]]:
    """Return the columns with those that the contract has gained since, which are null."""
    last = max(columns, default=0)
    return {**columns, **{i: column for i, column in columns_of(table).items() if i > last}}


def _span(
    table: Table, state: TableState, spec_id: int, start: date, end: date
) -> tuple[int, int] | None:
    """Return the partition numbers wanted of files of a spec; None where they say nothing."""
    transform = state.partition_transform(spec_id)
    if table.partition is None or transform is None:
        return None
    column, kind = transform
    named = {f["id"]: f["name"] for f in state.fields()}.get(column)
    if named != scope_columns(table).date or kind not in _TRANSFORMS:
        return None
    if kind != table.partition.granularity.value:
        return None
    return partition_range(table.partition, start, end)


def _touches(bounds: tuple[int, int] | None, span: tuple[int, int] | None) -> bool:
    if bounds is None or span is None:
        return True
    return bounds[0] <= span[1] and span[0] <= bounds[1]
