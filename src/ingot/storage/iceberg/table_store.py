"""The tables of a lake: the one door through which the app reads and writes Iceberg."""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import suppress
from copy import copy
from functools import cached_property, partial
from itertools import dropwhile
from typing import TYPE_CHECKING, Final

from ingot.errors import ConfigError, LakeNotFoundError, StorageFullError
from ingot.model.unit import Scope
from ingot.storage.fs.durable import Scratch, fsync_folder, make_folders
from ingot.storage.fs.fault_points import undisturbed
from ingot.storage.fs.object_store import LocalObjects
from ingot.storage.fs.os_errors import bordered, failures
from ingot.storage.iceberg.catalog.sqlite import CATALOG_FILE, SqliteCatalog
from ingot.storage.iceberg.layout.file_access import FileAccess
from ingot.storage.iceberg.maintenance.orphans import expirable
from ingot.storage.iceberg.read import snapshot_log
from ingot.storage.iceberg.read.scan_planner import Reader, ScanRequest
from ingot.storage.iceberg.read.table_stats import TableStats, table_stats
from ingot.storage.iceberg.read.workplace import Workplace
from ingot.storage.iceberg.write.replacement import Replacement, Unplanned
from ingot.tables.registry import all_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import pyarrow as pa
    from pyiceberg.table import Table as IcebergTable

    from ingot.storage.fs.fault_points import Boundary
    from ingot.storage.fs.object_store import ObjectStore
    from ingot.storage.iceberg.catalog.lake_catalog import CommitCatalog, LakeCatalog
    from ingot.storage.iceberg.catalog.sqlite import Catalog
    from ingot.storage.iceberg.read.scan_planner import FilePlan, SnapshotPin, SnapshotResolver
    from ingot.storage.iceberg.read.snapshot_log import SnapshotFacts
    from ingot.storage.iceberg.write.commit import Committer, Proposal, Settled
    from ingot.storage.iceberg.write.staged_file import StagedFile
    from ingot.tables.contract import Table

__all__ = ["Replacement", "TableStats", "TableStore", "Unplanned", "table_stats"]

_DIGEST_SHOWN: Final = 8


@bordered
class TableStore:
    """All tables of one lake. Cheap to open; PyIceberg is imported at the first write.

    It may be used from any thread. Commits to one table wait for each other inside a process;
    between processes the catalog decides, and who loses plans again.
    """

    def __init__(
        self,
        root: Path,
        *,
        boundary: Boundary = undisturbed,
        catalog: Catalog | None = None,
        objects: ObjectStore | None = None,
        wrap: Callable[[LakeCatalog], CommitCatalog] | None = None,
        attempts: int | None = None,
        scratch: Scratch | None = None,
    ) -> None:
        """Open the tables of the lake in `root`; see `open` and `create`.

        Args:
            root: The lake folder.
            boundary: Called at each durable step.
            catalog: Names each table's state; by default the lake's own file.
            objects: Keeps the files of the tables; by default the folder.
            wrap: Wraps what commits go through.
            attempts: How often a commit is planned before it is given up.
            scratch: Shows other processes that this one writes; its owner closes it. By default
                one of this store's own.
        """
        self._root = root.resolve()
        self._boundary = boundary
        self._wrap = wrap
        self._attempts = attempts
        self._pointers = catalog or SqliteCatalog(self._root / CATALOG_FILE)
        self._scratch = scratch or Scratch(self._root / "landing" / "tmp")
        self._owns_scratch = scratch is None
        local = LocalObjects(self._root, scratch=self._scratch, boundary=boundary)
        self._files = FileAccess.of_lake(objects or local, self._pointers.all())
        self._reader = Reader(self._pointers, self._files)
        self._resolver: SnapshotResolver | None = None
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @classmethod
    def create(
        cls,
        root: Path,
        *,
        boundary: Boundary = undisturbed,
        catalog: Catalog | None = None,
        objects: ObjectStore | None = None,
    ) -> TableStore:
        """Make catalog and all tables in `root` where they are not there yet, and open them.

        Raises:
            ConfigError: The folder cannot be used.
            StorageFullError, StorageUnavailableError: The disk failed.
        """
        from ingot.storage.iceberg.catalog.new_tables import create_tables  # noqa: PLC0415 - once in a lake's life

        make_folders(root)
        catalog = catalog or SqliteCatalog.create(root / CATALOG_FILE)
        store = cls(root, boundary=boundary, catalog=catalog, objects=objects)
        create_tables(catalog, store._files, all_tables())
        fsync_folder(root)
        return store

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        boundary: Boundary = undisturbed,
        objects: ObjectStore | None = None,
        attempts: int | None = None,
        scratch: Scratch | None = None,
        own: Sequence[Table] = (),
    ) -> TableStore:
        """Open the tables of a lake; those that are missing are made.

        A newer Ingot may have added tables, and the lake's own datasets declare `own`.

        Raises:
            LakeNotFoundError: There is no lake in `root`.
        """
        store = cls(root, boundary=boundary, objects=objects, attempts=attempts, scratch=scratch)
        there = store._pointers.all()
        if not there:
            raise LakeNotFoundError(root)
        declared = (*all_tables(), *own)
        if missing := [table for table in declared if table.name not in there]:
            store.make_missing(missing)
        return store

    def names(self) -> frozenset[str]:
        """Return the names of all tables that the lake holds, whoever declares them."""
        return frozenset(self._pointers.all())

    def pointer(self, table: Table) -> str:
        """Return the location of the table's metadata file: one query, well under a millisecond.

        It names the exact state of the table and changes with every commit: a cache key.

        Raises:
            QueryError: The lake has no such table.
        """
        return self._reader.pointer(table)

    def head(self, table: Table) -> int | None:
        """Return the id of the current snapshot; None while nothing was committed."""
        pin = self._resolved(ScanRequest(table))
        return pin.snapshot_id if pin else self._reader.state(table).head

    def plan(self, request: ScanRequest) -> FilePlan:
        """Return the files that can have the rows wanted; they may have others too.

        Raises:
            QueryError: There is no such table or snapshot.
        """
        return self._reader.plan(request, self._resolved(request))

    def at(self, resolver: SnapshotResolver) -> TableStore:
        """Return the same tables, read at the snapshots that `resolver` names."""
        found = copy(self)
        found._resolver = resolver  # noqa: SLF001 - of our own class
        return found

    def _resolved(self, request: ScanRequest) -> SnapshotPin | None:
        if self._resolver is None:
            return None
        return self._resolver.resolve(request, self._reader.state(request.table))

    def staging_path(self, table: Table, scope: Scope, unit_digest: str) -> Path:
        """Return a fresh path of this machine at which an engine writes a unit's data file."""
        from ingot.storage.iceberg.write.parquet_writer import staging_path  # noqa: PLC0415 - imports pyarrow

        return staging_path(self.workplace(table), _label(scope.start, scope, unit_digest))

    def adopt(self, table: Table, scope: Scope, path: Path) -> StagedFile:
        """Take over a local Parquet file: move it to the table's files, where no snapshot names it.

        Raises:
            ContractBrokenError: It does not keep the contract: columns, types, field ids,
                not-null, row groups, partition, scope.
            DamagedFileError: It is not a whole Parquet file.
        """
        from ingot.storage.iceberg.write.parquet_writer import adopted  # noqa: PLC0415 - imports pyarrow

        return adopted(self.workplace(table), path, scope=scope)

    def write(
        self, table: Table, scope: Scope, unit_digest: str, batches: pa.RecordBatchReader
    ) -> tuple[StagedFile, ...]:
        """Write rows as durable data files, one per date; () when there are no rows.

        Rows keep the order in which they come; files of rows in the table's sort order are
        recorded as sorted. Memory is bounded by a few row groups per date.

        Raises:
            ContractBrokenError: The rows do not keep the contract or leave the scope.
            StorageFullError: The disk is full.
        """
        from ingot.storage.iceberg.write.parquet_writer import write_batches  # noqa: PLC0415 - imports pyarrow

        place, label = self.workplace(table), partial(_label, scope=scope, unit_digest=unit_digest)
        return write_batches(place, batches, scope=scope, label=label)

    def replace(
        self,
        table: Table,
        replacements: Sequence[Replacement],
        *,
        run: str,
        planned_on: int | Unplanned | None = Unplanned.UNPLANNED,
    ) -> int | None:
        """Give each scope its new rows, all in one snapshot; other rows stay as they are.

        Whatever the scopes hold when the commit lands is dropped, so doing it again, or after an
        outcome that was unknown, leaves the rows there exactly once.

        Args:
            table: The table to change.
            replacements: Scopes that do not overlap, each with its files.
            run: Id of the command's run.
            planned_on: The head on which the new rows were computed; when given, a change of the
                same scopes since then is a conflict instead of being overwritten.

        Returns:
            The snapshot's id; None when nothing had to change.

        Raises:
            CommitConflictError: Other writers were faster too often, or changed the scopes after
                `planned_on`: compute the rows again.
            CommitStateUnknownError: The reply was lost and the table cannot be read.
            ContractBrokenError: Scopes overlap, or a file was not made for its scope.
            StorageFullError, StorageUnavailableError: The disk failed; the table is unchanged.
        """
        from ingot.storage.iceberg.write.changes import Replace  # noqa: PLC0415 - imports PyIceberg

        if not replacements:
            return None
        change = Replace(self.workplace(table), replacements, run=run, planned_on=planned_on)
        return self._commit(table, change.propose)

    def rewrite(
        self, table: Table, remove: Iterable[str], add: Sequence[StagedFile], *, run: str
    ) -> int | None:
        """Put files in the place of others that hold the same rows (compaction).

        Lands beside live writers as long as the files to remove are still in the table.

        Args:
            table: The table to change.
            remove: Locations of planned files.
            add: The files that hold their rows now.
            run: Id of the command's run.

        Raises:
            CommitConflictError: An input was replaced meanwhile: plan the rewrite again.
            ContractBrokenError: The rows are not as many as before.
            CommitStateUnknownError: The reply was lost and the table cannot be read.
        """
        from ingot.storage.iceberg.write.changes import Rewrite  # noqa: PLC0415 - imports PyIceberg

        change = Rewrite(self.workplace(table), remove=remove, add=add, run=run)
        return self._commit(table, change.propose)

    def ensure(self, table: Table) -> bool:
        """Give the lake's table the nullable columns that its contract has gained.

        Called by every commit; costs nothing when there is nothing to do.

        Returns:
            True when columns were added.

        Raises:
            ContractBrokenError: Lake and contract differ in anything else.
        """
        if self._reader.state(table).matches(table):
            return False
        from ingot.storage.iceberg.write.metadata_changes import grow  # noqa: PLC0415 - imports PyIceberg

        self._committer.commit(table.name, lambda found: grow(table, found))
        return True

    def ancestors(self, table: Table) -> frozenset[int]:
        """Return the ids of the head and its ancestors that have not expired."""
        return snapshot_log.ancestors(self._reader.state(table))

    def cut_off(self, table: Table, expiring: Collection[int]) -> frozenset[int]:
        """Return the ancestors that the head no longer reaches once these have expired."""
        chained = (s.snapshot_id for s in snapshot_log.chain(self._reader.state(table)))
        return frozenset(dropwhile(lambda snapshot: snapshot not in expiring, chained))

    def history(self, table: Table) -> tuple[SnapshotFacts, ...]:
        """Return what the head's snapshots say of the work that made them, oldest first."""
        state = self._reader.state(table)
        return tuple(reversed([snapshot_log.facts(s) for s in snapshot_log.chain(state)]))

    def stats(self, table: Table) -> TableStats:
        """Return the table's size, from its head's summary."""
        return table_stats(self._reader.state(table))

    def workplace(self, table: Table) -> Workplace:
        """Return what those need who write to a table or look after it."""
        return Workplace(table, self._reader, self._files, self._scratch)

    def expirable(self, table: Table, *, keep_last: int, before: datetime) -> tuple[int, ...]:
        """Return the ids of snapshots that may expire, oldest first.

        All but the last `keep_last` of the head, those made at or after `before` (UTC), and those
        that a branch or tag names. Record the ids in the landing store before `expire`.
        """
        return expirable(self._reader.state(table), keep_last=keep_last, before=before)

    def expire(self, table: Table, snapshot_ids: Collection[int]) -> None:
        """Forget snapshots; their files become orphans once nothing else refers to them.

        Raises:
            CommitConflictError, CommitStateUnknownError: As for any commit.
        """
        from ingot.storage.iceberg.write.metadata_changes import expiry  # noqa: PLC0415 - imports PyIceberg

        if snapshot_ids:
            self._commit(table, lambda found: expiry(found, snapshot_ids))

    def remake(self, table: Table) -> None:
        """Forget a table's description, which is damaged, and make it anew, empty."""
        from ingot.storage.iceberg.catalog.new_tables import create_tables  # noqa: PLC0415 - rarely needed

        with self._locks[table.name]:
            self._pointers.swap(table.name, self._pointers.get(table.name), None)
            create_tables(self._pointers, self._files, [table])

    def pin(self, table: Table, snapshot_id: int, tag: str) -> None:
        """Name a snapshot by a tag, so that it does not expire; a tag keeps its snapshot.

        Raises:
            SnapshotGoneError: The table has no such snapshot (any more).
        """
        from ingot.storage.iceberg.write.metadata_changes import tagging  # noqa: PLC0415 - imports PyIceberg

        self._commit(table, lambda found: tagging(found, snapshot_id, tag))

    def unpin(self, table: Table, tag: str) -> None:
        """Take a tag away; nothing happens where there is none."""
        from ingot.storage.iceberg.write.metadata_changes import untagging  # noqa: PLC0415 - imports PyIceberg

        self._commit(table, lambda found: untagging(found, tag))

    def pins(self, table: Table) -> Mapping[str, int]:
        """Return the id of the snapshot that each tag names."""
        return self._reader.state(table).tags

    def snapshots(self, table: Table) -> frozenset[int]:
        """Return the ids of the snapshots that have not expired."""
        return frozenset(self._reader.state(table).snapshots)

    def compact(
        self, table: Table, *, source: str, dataset: str, start: date, end: date, run: str
    ) -> int | None:
        """Merge the files of one source, dataset and partition into few, sorted by symbol.

        Args:
            table: A table with a sort order.
            source: The connector.
            dataset: The vendor's dataset.
            start: First date, inside; with `end` it must lie in one partition.
            end: The day after the last date.
            run: Id of the command's run.

        Returns:
            The snapshot's id; None when there was nothing to merge.

        Raises:
            CommitConflictError: An input was replaced meanwhile: compact again.
        """
        from ingot.storage.iceberg.maintenance.compaction import compacted  # noqa: PLC0415 - imports pyarrow

        scope = Scope(source, dataset, start, end)
        files = self._reader.current_files(table, start=start, end=end)
        inputs, outputs = compacted(self.workplace(table), scope, files)
        return self.rewrite(table, inputs, outputs, run=run) if inputs else None

    def close(self) -> None:
        """Release the connections to the catalog."""
        self._pointers.close()
        if self._owns_scratch:
            self._scratch.close()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    @cached_property
    def _catalog(self) -> LakeCatalog:
        from ingot.storage.iceberg.catalog.lake_catalog import LakeCatalog  # noqa: PLC0415 - takes a second

        return LakeCatalog(self._pointers, self._files)

    @cached_property
    def _committer(self) -> Committer:
        from ingot.storage.iceberg.write.commit import ATTEMPTS, Committer  # noqa: PLC0415 - imports PyIceberg

        return Committer(
            self._wrap(self._catalog) if self._wrap else self._catalog,
            boundary=self._boundary,
            attempts=self._attempts or ATTEMPTS,
        )

    def _commit(
        self, table: Table, propose: Callable[[IcebergTable], Proposal | Settled]
    ) -> int | None:
        self.ensure(table)
        with self._locks[table.name]:
            return self._committer.commit(table.name, propose)

    def make_missing(self, tables: Sequence[Table]) -> None:
        """Make the tables that the lake does not have yet, empty."""
        from ingot.storage.iceberg.catalog.new_tables import create_tables  # noqa: PLC0415 - once in a lake's life

        # A lake that may only be read is read without the tables that it has not got.
        with suppress(ConfigError, StorageFullError), failures():
            create_tables(self._pointers, self._files, tables)


def _label(day: date, scope: Scope, unit_digest: str) -> str:
    return f"{day.isoformat()}-{scope.source or 'all'}-{unit_digest[:_DIGEST_SHOWN]}"
