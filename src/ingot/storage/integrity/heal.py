"""Puts right what a scrub finds in the landing store: objects, records, units to be made again."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from ingot.errors import LookAtDataError
from ingot.storage.landing.records import (
    Checked,
    ClockAccepted,
    Decided,
    Expired,
    NumberedDataset,
    NumberedDone,
    Voided,
    done_of,
    facts_of,
    path_of,
    result_of,
)
from ingot.storage.ledger import queries as lookup
from ingot.storage.ledger import state_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from ingot.model.unit import Scope
    from ingot.storage.landing.records import Record
    from ingot.storage.landing.store import Damage
    from ingot.storage.ledger.ledger import Ledger


def make_void(ledger: Ledger, table: str, scopes: Collection[Scope]) -> None:
    """Have these scopes of a table count as never done, so that they are made again."""

    def numbered(db: sqlite3.Connection) -> tuple[tuple[str, int], ...]:
        return tuple(unit for scope in scopes for unit in lookup.numbers(db, table, scope))

    units = ledger.state.read(numbered)
    if units:
        ledger.add(lambda number: Voided(table, number, units))


def mend_objects(ledger: Ledger) -> tuple[Damage, ...]:
    """Read every object again; set aside what is damaged and have it fetched again.

    Returns:
        What was damaged. Bytes that the vendor still has come back with the next ingest.
    """
    found = tuple(ledger.store.damaged())
    for damage in found:
        ledger.store.set_aside(damage)
    hashes = {damage.sha256 for damage in found}
    for landing in ledger.store.all_versions():
        if landing.sha256 in hashes:
            ledger.forget_listing(landing.source, [landing.key])
    return found


def mend_records(ledger: Ledger) -> tuple[dict[str, str], tuple[str, ...]]:
    """Set damaged records aside and write them, and missing ones, again from state.db.

    Returns:
        What was wrong, by the record's path; and the paths of those that state.db did not have.
    """
    store, state = ledger.store, ledger.state.path
    found = dict(damaged_records(ledger))
    lost = []
    for path in found:
        record = restored(state, path)
        if store.has(path):
            store.move_aside(path)
        if record is None or path_of(record) != path:
            lost.append(path)
        else:
            store.write(record)
    return found, tuple(lost)


def damaged_records(ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Yield (path, what is wrong) of records that are not what was written, or missing.

    A record is missing where state.db has it and the store does not.
    """
    store = ledger.store
    known = set()
    for path in store.walk():
        known.add(path)
        try:
            store.read(path, strict=True)
        except LookAtDataError as exc:
            yield path, str(exc)
    for path in recorded(ledger.state.path):
        if path not in known and not store.has(path):
            yield path, "it is missing, though state.db has it"


def recorded(state: Path) -> tuple[str, ...]:
    """Return the paths of the records that state.db has."""

    def paths(db: sqlite3.Connection) -> list[str]:
        return [
            f"{'/'.join(map(str, (folder, *row)))}.json"
            for folder, kept in _KEPT.items()
            for row in db.execute(kept.paths)
        ]

    return tuple(read_state(state, paths) or ())


def read_state(state: Path, read: Callable[[sqlite3.Connection], Any]) -> Any:  # noqa: ANN401
    """Return what `read` finds in state.db as it is on disk; None if it is missing or unusable."""
    if not state.is_file():
        return None
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"file:{quote(str(state))}?mode=ro", uri=True)) as db,
    ):
        whole = db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if whole and state_schema.version(db) == state_schema.VERSION:
            return read(db)
    return None


def state_damage(ledger: Ledger) -> str:
    """Return what is wrong with state.db; empty where it says what the landing store says.

    A missing one, or one of another version, is built anew at the next use.
    """
    path = ledger.state.path
    if not path.is_file():
        return ""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        state_schema.create(fresh)
        for name in ledger.store.walk():
            with suppress(LookAtDataError):  # a damaged record is a finding of its own
                state_schema.enter(fresh, ledger.store.read(name))
        try:
            with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
                return _differs(fresh, db)
        except sqlite3.Error as exc:
            return str(exc)


def _differs(fresh: sqlite3.Connection, db: sqlite3.Connection) -> str:
    if (found := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        return str(found)
    if state_schema.version(db) != state_schema.VERSION:
        return ""
    for table in state_schema.OF_RECORDS:
        columns = ", ".join(
            name
            for _, name, *_ in fresh.execute(f"PRAGMA table_info({table})")
            if name != "is_void"
        )
        query = f"SELECT {columns} FROM {table}"
        if lost := set(fresh.execute(query)) - set(db.execute(query)):
            return f"its table {table} lacks {len(lost)} rows that the landing store has"
    return ""


def restored(state: Path, path: str) -> Record | None:
    """Return the record of a path as state.db has it; None where it does not."""
    folder, *names = path.removesuffix(".json").split("/")
    number, first = int(names.pop()), "/".join(names[:1])
    middle = "/".join(names[1:])
    record: Record | None = read_state(
        state, lambda db: _KEPT[folder].read(db, first, middle, number)
    )
    return record


def _version(db: sqlite3.Connection, source: str, key: str, number: int) -> Record | None:
    states = lookup.states_of_key(db, source, key)
    return next((s.landing for s in states if s.landing.ordinal == number), None)


def _decision(db: sqlite3.Connection, source: str, key: str, number: int) -> Record | None:
    for state in lookup.states_of_key(db, source, key):
        landing = state.landing
        if landing.ordinal == number and state.decision and state.decided_at:
            query = "SELECT decided_by FROM decisions WHERE landing_id = ?"
            (by,) = db.execute(query, (landing.landing_id,)).fetchone()
            decided = state.decision, state.decided_at
            return Decided(source, key, number, landing.landing_id, *decided, by)
    return None


def _done(db: sqlite3.Connection, table: str, name: str, number: int) -> Record | None:
    query = "SELECT text FROM units WHERE table_name = ? AND name = ? AND number = ?"
    row = db.execute(query, (table, name, number)).fetchone()
    return None if row is None else NumberedDone(number, done_of(row[0]))


def _expired(db: sqlite3.Connection, table: str, _: str, number: int) -> Record | None:
    query = "SELECT snapshot_id FROM expired WHERE table_name = ? AND record = ? ORDER BY 1"
    ids = tuple(i for (i,) in db.execute(query, (table, number)))
    return Expired(table, number, ids) if ids else None


def _void(db: sqlite3.Connection, table: str, _: str, number: int) -> Record | None:
    query = "SELECT name, number FROM voided WHERE table_name = ? AND record = ? ORDER BY rowid"
    units = tuple((name, n) for name, n in db.execute(query, (table, number)))
    return Voided(table, number, units) if units else None


def _checks(db: sqlite3.Connection, run: str, _: str, number: int) -> Record | None:
    query = "SELECT text FROM checks WHERE run = ? AND number = ? ORDER BY nth"
    results = tuple(result_of(text) for (text,) in db.execute(query, (run, number)))
    return Checked(run, number, results) if results else None


def _clock(db: sqlite3.Connection, _: str, __: str, number: int) -> Record | None:
    query = "SELECT at_us, first_us, last_us FROM clocks WHERE number = ?"
    row = db.execute(query, (number,)).fetchone()
    return None if row is None else ClockAccepted(number, *map(state_schema.from_us, row))


def _dataset(db: sqlite3.Connection, source: str, name: str, number: int) -> Record | None:
    query = "SELECT text FROM datasets WHERE source = ? AND dataset = ? AND number = ?"
    row = db.execute(query, (source, name, number)).fetchone()
    return None if row is None else NumberedDataset(number, facts_of(row[0]))


class _Kept(NamedTuple):
    """How state.db keeps the records of one folder."""

    paths: str
    """Query that gives the parts of each record's path below the folder."""
    read: Callable[[sqlite3.Connection, str, str, int], Record | None]
    """Gives the record of a path, by its first part, the parts between, and its number."""


_DECIDED: Final = "SELECT source, key, ordinal FROM decisions JOIN versions USING (landing_id)"
_KEPT: Final = {
    "versions": _Kept("SELECT source, key, ordinal FROM versions", _version),
    "decisions": _Kept(_DECIDED, _decision),
    "units": _Kept("SELECT table_name, name, number FROM units", _done),
    "expired": _Kept("SELECT DISTINCT table_name, record FROM expired", _expired),
    "voided": _Kept("SELECT DISTINCT table_name, record FROM voided", _void),
    "checks": _Kept("SELECT DISTINCT run, number FROM checks", _checks),
    "clocks": _Kept("SELECT number FROM clocks", _clock),
    "datasets": _Kept("SELECT source, dataset, number FROM datasets", _dataset),
}
"""By folder: every one of `RECORD_FOLDERS`."""
