"""The tables of state.db, and how each record of the landing store is entered in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from ingot.model.landing import Landing
from ingot.storage.landing.records import (
    Checked,
    ClockAccepted,
    Decided,
    Expired,
    NumberedDataset,
    NumberedDone,
    Voided,
    path_of,
    to_line,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from ingot.model.unit import Done, Scope
    from ingot.storage.landing.records import Record

    _Rows = Sequence[tuple[object, ...]]

VERSION: Final = 7
"""Raised with every change of the schema: a database of another version is built anew."""
OF_RECORDS: Final = (
    "versions",
    "decisions",
    "units",
    "reads",
    "expired",
    "voided",
    "checks",
    "clocks",
    "datasets",
)
"""Tables with exactly the values of the landing store's records."""
QUARANTINE_REACH: Final = timedelta(days=4)
"""A refused row's file date is at most this far outside its unit's trade dates (an overnight
session begins on an evening before, with a long weekend between)."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_US: Final = timedelta(microseconds=1)

_SCHEMA: Final = (
    "CREATE TABLE records (path TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE listing (
        source TEXT, location TEXT, dataset TEXT, key TEXT,
        etag TEXT, size_bytes INTEGER, last_modified_us INTEGER,
        PRIMARY KEY (source, location, dataset, key)) WITHOUT ROWID""",
    """CREATE TABLE versions (
        landing_id INTEGER PRIMARY KEY, source TEXT, dataset TEXT, file_date TEXT, key TEXT,
        ordinal INTEGER, sha256 TEXT, size_bytes INTEGER, etag TEXT, last_modified_us INTEGER,
        first_seen_us INTEGER, known_from_us INTEGER, known_basis TEXT, rule TEXT,
        UNIQUE (source, key, ordinal))""",
    "CREATE INDEX versions_by_date ON versions (source, dataset, file_date, key, ordinal)",
    "CREATE INDEX versions_seen ON versions (first_seen_us) WHERE known_basis <> 'stated'",
    "CREATE INDEX versions_known ON versions (known_from_us) WHERE known_basis <> 'stated'",
    """CREATE TABLE decisions (
        landing_id INTEGER PRIMARY KEY, decision TEXT, decided_us INTEGER, decided_by TEXT)""",
    """CREATE TABLE units (
        table_name TEXT, name TEXT, number INTEGER,
        source TEXT, dataset TEXT, start TEXT, end TEXT, landing_id INTEGER, digest TEXT,
        outcome TEXT, snapshot_id INTEGER, rows_out INTEGER, rows_refused INTEGER,
        started_us INTEGER, reason TEXT, is_void INTEGER, text TEXT,
        PRIMARY KEY (table_name, name, number))""",
    """CREATE INDEX units_by_scope
        ON units (table_name, source, dataset, start, end, landing_id, number, digest)""",
    "CREATE INDEX units_by_landing ON units (landing_id) WHERE landing_id IS NOT NULL",
    """CREATE TABLE reads (
        table_name TEXT, name TEXT, number INTEGER, landing_id INTEGER,
        PRIMARY KEY (table_name, name, number, landing_id)) WITHOUT ROWID""",
    # The unit that holds a scope's rows now: the last one done, and not undone by a rollback.
    """CREATE VIEW effective AS
        SELECT *, max(printf('%012d', number) || digest) AS latest FROM units WHERE NOT is_void
        GROUP BY table_name, source, dataset, start, end, landing_id""",
    """CREATE TABLE expired (
        table_name TEXT, snapshot_id INTEGER, record INTEGER,
        PRIMARY KEY (table_name, snapshot_id))""",
    """CREATE TABLE voided (
        table_name TEXT, name TEXT, number INTEGER, record INTEGER,
        PRIMARY KEY (table_name, name, number))""",
    """CREATE TABLE checks (
        run TEXT, number INTEGER, nth INTEGER, started_us INTEGER, text TEXT,
        PRIMARY KEY (run, number, nth))""",
    """CREATE TABLE clocks (
        number INTEGER PRIMARY KEY, at_us INTEGER, first_us INTEGER, last_us INTEGER)""",
    """CREATE TABLE datasets (
        source TEXT, dataset TEXT, number INTEGER, text TEXT,
        PRIMARY KEY (source, dataset, number)) WITHOUT ROWID""",
    "CREATE TABLE changes (stamp TEXT)",
    "CREATE TABLE heads (table_name TEXT PRIMARY KEY, pointer TEXT)",
    """CREATE TABLE unprojected (
        table_name TEXT, month TEXT, stamp TEXT, PRIMARY KEY (table_name, month))""",
)


@dataclass(frozen=True, slots=True)
class Unprojected:
    """A month of an ops table that differs from what was projected last."""

    table: str
    month: date
    """First day of the month."""
    stamp: str
    """Names the change, so that one that comes during the projection is not lost."""


def to_us(instant: datetime) -> int:
    """Return microseconds since the epoch."""
    return (instant - _EPOCH) // _ONE_US


def from_us(us: int) -> datetime:
    """Return the instant of `us`, UTC."""
    return _EPOCH + timedelta(microseconds=us)


def version(connection: sqlite3.Connection) -> int:
    """Return the version of the schema that the database has; 0 for an empty one."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def create(connection: sqlite3.Connection) -> None:
    """Make every table anew and empty, in the open transaction."""
    objects = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    for kind, name in objects:
        connection.execute(f'DROP {kind} "{name}"')
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO changes VALUES (?)", (uuid4().hex,))
    connection.execute(f"PRAGMA user_version = {VERSION}")


def stamp(connection: sqlite3.Connection) -> str:
    """Return a name of what the tables hold: another after every record taken or made void."""
    found: str = connection.execute("SELECT stamp FROM changes").fetchone()[0]
    return found


def change_stamp(connection: sqlite3.Connection) -> None:
    """Give the tables' state a new name."""
    connection.execute("UPDATE changes SET stamp = ?", (uuid4().hex,))


def paths(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the path of every record that was taken."""
    return frozenset(path for (path,) in connection.execute("SELECT path FROM records"))


def take(connection: sqlite3.Connection, record: Record) -> None:
    """Enter a record, and note which partitions of ops.* it changes; twice is once."""
    _insert(connection, "records", [(path_of(record),)])
    if enter(connection, record):
        change_stamp(connection)
        mark_unprojected(connection, _partitions(connection, record))


def enter(connection: sqlite3.Connection, record: Record) -> bool:
    """Enter a record; return False when it was there already."""
    if isinstance(record, Voided):
        connection.executemany(
            "UPDATE units SET is_void = 1 WHERE table_name = ? AND name = ? AND number = ?",
            [(record.table, name, number) for name, number in record.units],
        )
    entered = [_insert(connection, table, rows) for table, rows in _rows_of(record)]
    return any(entered)


def _rows_of(record: Record) -> Iterator[tuple[str, _Rows]]:
    """Yield each table that a record is entered in, with its rows there."""
    match record:
        case Landing():
            values = (_stored(getattr(record, name)) for name in Landing.__slots__)
            yield "versions", [(record.landing_id, *values)]
        case Decided():
            yield "decisions", [(record.landing_id, record.decision, to_us(record.at), record.by)]
        case NumberedDone():
            yield from _rows_of_done(record.done, record.number)
        case Expired():
            yield "expired", [(record.table, s, record.number) for s in record.snapshot_ids]
        case Voided():
            yield "voided", [(record.table, *unit, record.number) for unit in record.units]
        case Checked():
            results = enumerate(record.results)
            about = record.run, record.number
            yield "checks", [(*about, n, to_us(r.started), to_line(r)) for n, r in results]
        case ClockAccepted():
            moments = map(to_us, (record.at, record.first, record.last))
            yield "clocks", [(record.number, *moments)]
        case NumberedDataset():
            facts = record.facts
            yield "datasets", [(facts.source, facts.name, record.number, to_line(facts))]


def _rows_of_done(done: Done, number: int) -> Iterator[tuple[str, _Rows]]:
    unit = done.unit
    identity = (unit.table, unit.name, number)
    yield "reads", [(*identity, i) for i in done.landing_ids]
    row = (
        *identity,
        *scope_key(unit.scope),
        unit.digest,
        done.outcome,
        done.snapshot_id,
        done.rows_out,
        done.rows_refused,
        to_us(done.started),
        done.reason.encode("utf-8", "replace").decode(),
        0,
        to_line(done),
    )
    yield "units", [row]


def _stored(value: object) -> object:
    if isinstance(value, datetime):
        return to_us(value)
    return value.isoformat() if isinstance(value, date) else value


def _insert(connection: sqlite3.Connection, table: str, rows: _Rows) -> bool:
    inserted = False
    for row in rows:
        places = ", ".join("?" * len(row))
        cursor = connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row)
        inserted = inserted or cursor.rowcount > 0
    return inserted


def scope_key(scope: Scope) -> tuple[str, str, str, str, int | None]:
    """Return the columns of `units` that name a scope within its table."""
    start, end = scope.start.isoformat(), scope.end.isoformat()
    return scope.source, scope.dataset, start, end, scope.landing_id


def mark_unprojected(
    connection: sqlite3.Connection, partitions: Iterable[tuple[str, date]]
) -> None:
    """Note that these (ops table, first of month) differ from what was projected."""
    stamp = uuid4().hex
    rows = [(table, month.isoformat(), stamp) for table, month in partitions]
    connection.executemany("INSERT OR REPLACE INTO unprojected VALUES (?, ?, ?)", rows)


def unprojected(connection: sqlite3.Connection) -> tuple[Unprojected, ...]:
    """Return the partitions of ops.* that differ from what was projected, in order."""
    found = connection.execute(
        "SELECT table_name, month, stamp FROM unprojected ORDER BY table_name, month"
    )
    return tuple(Unprojected(table, date.fromisoformat(m), stamp) for table, m, stamp in found)


def mark_projected(connection: sqlite3.Connection, projected: Iterable[Unprojected]) -> None:
    """Note that these partitions were projected, unless they changed again meanwhile."""
    connection.executemany(
        "DELETE FROM unprojected WHERE table_name = ? AND month = ? AND stamp = ?",
        [(p.table, p.month.isoformat(), p.stamp) for p in projected],
    )


def mark_all_unprojected(connection: sqlite3.Connection) -> None:
    """Note that every partition of ops.* may differ from what was projected."""
    months = "SELECT DISTINCT strftime('%Y-%m-01', {0} / 1000000, 'unixepoch') FROM {1}"
    marks = set[tuple[str, date]]()
    for table, column, of in (
        ("ops.landings", "first_seen_us", "versions"),
        ("ops.runs", "started_us", "units"),
        ("ops.checks", "started_us", "checks"),
    ):
        found = connection.execute(months.format(column, of))
        marks |= {(table, date.fromisoformat(month)) for (month,) in found}
    spans = connection.execute("SELECT DISTINCT start, end FROM units WHERE rows_refused > 0")
    marks |= {("ops.quarantine", m) for start, end in spans for m in _reached(start, end)}
    mark_unprojected(connection, marks)


def mark_table_unprojected(connection: sqlite3.Connection, table: str) -> None:
    """Note what a change of which units of `table` are void does to ops.*."""
    mark_unprojected(connection, _table_partitions(connection, table))


def _table_partitions(connection: sqlite3.Connection, table: str) -> set[tuple[str, date]]:
    landings = connection.execute(
        "SELECT DISTINCT first_seen_us FROM units JOIN versions USING (landing_id) "
        "WHERE table_name = ?",
        (table,),
    )
    marks = {("ops.landings", from_us(us).date().replace(day=1)) for (us,) in landings}
    spans = connection.execute(
        "SELECT DISTINCT start, end FROM units WHERE table_name = ? AND rows_refused > 0", (table,)
    )
    return marks | {("ops.quarantine", m) for start, end in spans for m in _reached(start, end)}


def _partitions(connection: sqlite3.Connection, record: Record) -> Iterator[tuple[str, date]]:
    match record:
        case Landing():
            yield "ops.landings", _month(record.first_seen)
        case Decided():
            yield from _landing_partition(connection, record.landing_id)
        case NumberedDone():
            scope = record.done.unit.scope
            yield "ops.runs", _month(record.done.started)
            yield from _landing_partition(connection, scope.landing_id)
            if _has_refused(connection, record.done.unit.table, scope):
                reached = _reached(scope.start.isoformat(), scope.end.isoformat())
                yield from (("ops.quarantine", month) for month in reached)
        case Voided():
            yield from _table_partitions(connection, record.table)
        case Checked():
            yield from (("ops.checks", _month(result.started)) for result in record.results)


def _landing_partition(
    connection: sqlite3.Connection, landing_id: int | None
) -> Iterator[tuple[str, date]]:
    found = connection.execute(
        "SELECT first_seen_us FROM versions WHERE landing_id = ?", (landing_id,)
    )
    yield from (("ops.landings", _month(from_us(us))) for (us,) in found.fetchall())


def _has_refused(connection: sqlite3.Connection, table: str, scope: Scope) -> bool:
    found = connection.execute(
        "SELECT 1 FROM units WHERE table_name = ? AND source = ? AND dataset = ? AND start = ? "
        "AND end = ? AND landing_id IS ? AND rows_refused > 0 LIMIT 1",
        (table, *scope_key(scope)),
    )
    return found.fetchone() is not None


def _month(instant: datetime) -> date:
    return instant.astimezone(UTC).date().replace(day=1)


def _reached(start: str, end: str) -> Iterator[date]:
    """Yield the first day of each month that refused rows of a scope can be filed under."""
    first, last = widened(date.fromisoformat(start), date.fromisoformat(end))
    for month in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(month // 12, month % 12 + 1, 1)


def widened(start: date, end: date) -> tuple[date, date]:
    """Return the dates that refused rows of the scope `[start, end)` can be filed under."""
    reach = QUARANTINE_REACH
    first = start - reach if start - date.min > reach else date.min
    last = end + reach if date.max - end > reach else date.max
    return first, last - timedelta(days=1)
