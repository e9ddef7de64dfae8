"""Plans the two kinds of change: Replace and Rewrite.

Both are planned again from nothing on the refreshed table after every conflict, and land only on
the state that they were planned on (a compare-and-set of the head). So a Replace always drops
every row of its scopes that is there when it lands, whoever wrote it: rows are there exactly once,
in the order in which the writers landed. A Rewrite lands on any state that still has its inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from ingot.errors import CommitConflictError, ContractBrokenError, LookAtDataError
from ingot.storage.iceberg.layout.bounds import Overlap, disjoint, overlap, scope_columns
from ingot.storage.iceberg.layout.snapshot_properties import summary_properties
from ingot.storage.iceberg.write.commit import Proposal, Settled
from ingot.storage.iceberg.write.copy_on_write import rows_outside
from ingot.storage.iceberg.write.replacement import Unplanned
from ingot.storage.iceberg.write.snapshot_writer import Change, assemble

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pyiceberg.table import Table as IcebergTable

    from ingot.model.unit import Scope
    from ingot.storage.iceberg.read.metadata import Snapshot, TableState
    from ingot.storage.iceberg.read.scan_planner import LiveFile
    from ingot.storage.iceberg.read.workplace import Workplace
    from ingot.storage.iceberg.write.replacement import Replacement
    from ingot.storage.iceberg.write.staged_file import StagedFile
    from ingot.tables.contract import Table

_REPLACE: Final = "replace"
_ONE_DAY: Final = timedelta(days=1)


@dataclass
class _Found:
    """A live file that some scopes touch."""

    file: LiveFile
    scopes: list[Scope] = field(default_factory=list)
    whole: bool = False
    """True when one scope alone holds all its rows."""


class Replace:
    """Plans one snapshot that gives each scope its new rows and touches nothing else."""

    def __init__(
        self,
        place: Workplace,
        replacements: Sequence[Replacement],
        *,
        run: str,
        planned_on: int | Unplanned | None,
    ) -> None:
        _check(place.table, replacements)
        self._place = place
        self._scopes = tuple(r.scope for r in replacements)
        self._files = tuple(file for r in replacements for file in r.files)
        self._properties = summary_properties(run, [r.unit for r in replacements])
        self._planned_on = planned_on
        self._rest: dict[str, StagedFile | None] = {}

    def propose(self, table: IcebergTable) -> Proposal | Settled:
        """Plan on this state of the table.

        Raises:
            CommitConflictError: The scopes changed after the state that the caller planned on.
            LookAtDataError: A scope cuts through a file to which delete files apply.
        """
        place = self._place
        state = place.reader.state_at(place.table, table.metadata_location)
        found = self._find(state)
        if (by := self._landed_before(found)) is not None:
            return Settled(by)
        self._refuse_if_stale(state)
        change = self._change(state, found)
        if not change.remove and not change.add:
            return Settled(None)
        return assemble(table, change)

    def _find(self, state: TableState) -> dict[str, _Found]:
        """Return the live data files that hold, or may hold, rows of the scopes."""
        snapshot = state.snapshot()
        columns = scope_columns(self._place.table)
        found: dict[str, _Found] = {}
        for scope in self._scopes if snapshot else ():
            for file in self._live(state, snapshot, scope):
                how = overlap(file.entry.bounds, scope, columns)
                if file.entry.is_delete or how is Overlap.NONE:
                    continue
                entry = found.setdefault(file.entry.location, _Found(file))
                entry.scopes.append(scope)
                entry.whole = entry.whole or how is Overlap.ALL
        return found

    def _live(
        self, state: TableState, snapshot: Snapshot | None, scope: Scope
    ) -> Iterator[LiveFile]:
        if snapshot is None:
            return iter(())
        return self._place.reader.live_files(
            self._place.table, state, snapshot, start=scope.start, end=scope.end
        )

    def _landed_before(self, found: Mapping[str, _Found]) -> int | None:
        """Return the snapshot that added our files, if they are in the table already.

        Their names are used once, so this is an earlier attempt whose outcome was unknown.
        """
        for staged in self._files:
            if live := found.get(staged.location):
                return live.file.entry.snapshot_id
        return None

    def _change(self, state: TableState, found: Mapping[str, _Found]) -> Change:
        remove, added = [], list(self._files)
        for entry in found.values():
            if entry.whole:
                remove.append(entry.file)
                continue
            self._refuse_deletes(state, entry)
            rest = self._rows_outside(entry)
            if rest is not None and rest.rows == entry.file.entry.rows:
                continue  # the bounds did not exclude it, but no row of it is in a scope
            remove.append(entry.file)
            added += [] if rest is None else [rest]
        return Change(
            remove=frozenset(file.entry.location for file in remove),
            remove_from=frozenset(file.manifest.location for file in remove),
            add=tuple(added),
            preserves_content=False,
            properties=self._properties,
        )

    def _rows_outside(self, found: _Found) -> StagedFile | None:
        """Return the rows of a file that stay, written once however often we plan again."""
        key = found.file.entry.location
        if key not in self._rest:
            self._rest[key] = rows_outside(self._place, found.file.entry, found.scopes)
        return self._rest[key]

    def _refuse_deletes(self, state: TableState, found: _Found) -> None:
        for scope in found.scopes:
            for file in self._live(state, state.snapshot(), scope):
                if file.entry.is_delete:
                    raise LookAtDataError(
                        f"{self._place.table.name} holds delete files of another engine that may "
                        f"apply to {found.file.entry.path}, which {scope.label} cuts through. "
                        "Rewrite the table's data files with that engine, then run this again."
                    )

    def _refuse_if_stale(self, state: TableState) -> None:
        since = self._planned_on
        if isinstance(since, Unplanned) or since == state.head:
            return
        reason = self._changed_since(state, since)
        if reason:
            raise CommitConflictError(self._place.table.name, attempts=1, reason=reason)

    def _changed_since(self, state: TableState, since: int | None) -> str:
        """Say what changed in the scopes after snapshot `since`; nothing gives an empty text."""
        columns = scope_columns(self._place.table)
        snapshot = state.snapshot()
        while snapshot is not None and snapshot.snapshot_id != since:
            if snapshot.summary.get("operation") != _REPLACE:
                for bounds in self._place.reader.changed_bounds(self._place.table, state, snapshot):
                    if any(overlap(bounds, s, columns) is not Overlap.NONE for s in self._scopes):
                        return f"snapshot {snapshot.snapshot_id} changed the same scope"
            parent = snapshot.parent_id
            snapshot = state.snapshots.get(parent) if parent is not None else None
        if snapshot is None and since is not None:
            return f"Cannot find starting snapshot {since}: it has expired or was rolled back"
        return ""


class Rewrite:
    """Plans one snapshot that replaces files by others with the same rows."""

    def __init__(
        self,
        place: Workplace,
        *,
        remove: Iterable[str],
        add: Sequence[StagedFile],
        run: str,
    ) -> None:
        self._place = place
        self._remove = frozenset(remove)
        self._add = tuple(add)
        self._properties = summary_properties(run, [])

    def propose(self, table: IcebergTable) -> Proposal | Settled:
        """Plan on this state of the table.

        Raises:
            CommitConflictError: An input is not in the table any more, or got delete files.
            ContractBrokenError: The rows written are not as many as the rows replaced.
        """
        place = self._place
        state = place.reader.state_at(place.table, table.metadata_location)
        snapshot = state.snapshot()
        live = list(self._live(state, snapshot)) if snapshot else []
        ours = {file.location for file in self._add}
        for file in live:
            if file.entry.location in ours:
                return Settled(file.entry.snapshot_id)
        inputs = [f for f in live if f.entry.location in self._remove and not f.entry.is_delete]
        self._refuse_if_gone(inputs, deletes=any(f.entry.is_delete for f in live))
        self._refuse_if_other_rows(inputs)
        change = Change(
            remove=frozenset(file.entry.location for file in inputs),
            remove_from=frozenset(file.manifest.location for file in inputs),
            add=self._add,
            preserves_content=True,
            properties=self._properties,
        )
        return assemble(table, change)

    def _live(self, state: TableState, snapshot: Snapshot) -> Iterator[LiveFile]:
        """Yield the live files of the partitions that the new files lie in."""
        firsts = [f.first for f in self._add if f.first is not None]
        lasts = [f.last for f in self._add if f.last is not None]
        known = bool(self._add) and len(firsts) == len(lasts) == len(self._add)
        return self._place.reader.live_files(
            self._place.table,
            state,
            snapshot,
            start=min(firsts) if known else date.min,
            end=max(lasts) + _ONE_DAY if known else date.max,
        )

    def _refuse_if_gone(self, inputs: Sequence[LiveFile], *, deletes: bool) -> None:
        gone = len(self._remove) - len(inputs)
        if gone or deletes:
            reason = f"{gone} of its input files are gone" if gone else "delete files appeared"
            raise CommitConflictError(self._place.table.name, attempts=1, reason=reason)

    def _refuse_if_other_rows(self, inputs: Sequence[LiveFile]) -> None:
        before = sum(file.entry.rows for file in inputs)
        after = sum(file.rows for file in self._add)
        if before != after:
            raise ContractBrokenError(
                f"A rewrite of {self._place.table.name} would turn {before} rows into {after}. "
                "This is a defect of the rewrite; nothing was committed."
            )


def _check(table: Table, replacements: Sequence[Replacement]) -> None:
    columns = scope_columns(table)
    if not disjoint((r.scope for r in replacements), columns):
        raise ContractBrokenError(
            f"Two replacements of one commit to {table.name} name scopes that overlap: "
            f"{', '.join(r.scope.label for r in replacements)}. Their rows would be there twice."
        )
    for replacement in replacements:
        for file in replacement.files:
            inside = overlap(file.bounds, replacement.scope, columns) is Overlap.ALL
            if file.table != table.name or not inside:
                raise ContractBrokenError(
                    f"{file.written.name} was made for {file.table} with {file.bounds}; it cannot "
                    f"be committed to {table.name} as {replacement.scope}."
                )
