"""What no longer counts: records whose snapshot a rollback took, or that a repair made void."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from ingot.storage.landing.records import done_of
from ingot.storage.ledger import state_schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator

    from ingot.model.unit import Done
    from ingot.storage.ledger.state_db import StateCache


@dataclass(frozen=True, slots=True)
class _Entry:
    """One done record, as far as it decides whether the record is void."""

    name: str
    number: int
    scope: tuple[str, str, str, str, int]
    digest: str
    snapshot_id: int | None
    is_void: bool
    text: str


def void(
    state: StateCache,
    table: str,
    ancestors: Callable[[], Collection[int]],
    head: str | None,
) -> tuple[Done, ...]:
    """Mark which records of `table` are void; return those that were not before and are missed.

    A unit that was made void and has been done again since is not missed; one that was done and
    undone several times is returned once.

    The order of the reads matters: records first, so that none is newer than the ancestors; then
    the ancestors; then what expired, which is recorded before it leaves them.
    """
    entries = state.read(lambda db: _entries(db, table))
    lasting = set(ancestors())
    lasting |= state.read(lambda db: _expired(db, table))
    repaired = state.read(lambda db: _voided(db, table))
    checked = list(_checked(entries, lasting, repaired))
    changed = [(entry, is_void) for entry, is_void in checked if entry.is_void != is_void]
    redone = {entry.scope: entry.number for entry, is_void in checked if not is_void}

    def mark(db: sqlite3.Connection) -> None:
        for entry, is_void in changed:
            db.execute(
                "UPDATE units SET is_void = ? WHERE table_name = ? AND name = ? AND number = ?",
                (is_void, table, entry.name, entry.number),
            )
        if changed:
            state_schema.change_stamp(db)
            state_schema.mark_table_unprojected(db, table)
        if head is not None:
            db.execute("INSERT OR REPLACE INTO heads VALUES (?, ?)", (table, head))

    state.write(mark)
    missed = {
        (entry.scope, entry.digest): entry.text
        for entry, is_void in changed
        if is_void and entry.number > redone.get(entry.scope, 0)
    }
    return tuple(done_of(text) for text in missed.values())


def _checked(
    entries: Iterable[_Entry], lasting: Collection[int], repaired: Collection[tuple[str, int]]
) -> Iterator[tuple[_Entry, bool]]:
    """Yield each record with whether it is void, scope by scope in order.

    A record that committed nothing found its scope as the record before left it, so it is
    void where that one is.
    """
    for _, records in groupby(entries, key=lambda entry: entry.scope):
        is_void = False
        for record in records:
            if record.snapshot_id is not None:
                is_void = record.snapshot_id not in lasting
            yield record, is_void or (record.name, record.number) in repaired


def _entries(db: sqlite3.Connection, table: str) -> list[_Entry]:
    found = db.execute(
        "SELECT name, number, source, dataset, start, end, coalesce(landing_id, 0), digest, "
        "snapshot_id, is_void, text FROM units WHERE table_name = ? "
        "ORDER BY source, dataset, start, end, landing_id, number, digest",
        (table,),
    )
    return [
        _Entry(name, number, tuple(scope), digest, snapshot_id, bool(is_void), text)
        for name, number, *scope, digest, snapshot_id, is_void, text in found
    ]


def _expired(db: sqlite3.Connection, table: str) -> set[int]:
    found = db.execute("SELECT snapshot_id FROM expired WHERE table_name = ?", (table,))
    return {snapshot_id for (snapshot_id,) in found}


def _voided(db: sqlite3.Connection, table: str) -> set[tuple[str, int]]:
    found = db.execute("SELECT name, number FROM voided WHERE table_name = ?", (table,))
    return {(name, number) for name, number in found}
