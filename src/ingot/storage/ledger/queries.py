"""Questions to state.db, answered as values of the model."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ingot.model.landing import (
    Decision,
    KnownBasis,
    Landing,
    LandingState,
    Outcome,
    RemoteObject,
)
from ingot.storage.landing.records import NumberedDone, done_of, facts_of, result_of
from ingot.storage.ledger.state_schema import from_us, scope_key, to_us, widened

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from ingot.model.check_record import CheckResult
    from ingot.model.dataset import DatasetFacts
    from ingot.model.unit import Done, Scope

_VERSION = (
    "v.source, v.dataset, v.file_date, v.key, v.ordinal, v.sha256, v.size_bytes, v.etag, "
    "v.last_modified_us, v.first_seen_us, v.known_from_us, v.known_basis, v.rule"
)
_COLUMNS = 13
# A decision is made of held versions only: loading one again must not date it back.
# The row of the unit that loaded a version last and was not undone: one step into an index.
_LOADED = """(SELECT u.rowid FROM units u
    WHERE u.landing_id = {0} AND NOT u.is_void AND u.table_name GLOB 'bronze.*'
    ORDER BY u.number DESC, u.digest DESC LIMIT 1)"""
# A decision is made of held versions only: loading one again must not date it back.
_STATE = f"""
    SELECT {_VERSION},
        CASE WHEN d.decision IS NOT NULL AND l.outcome = 'done' THEN 'held' ELSE l.outcome END,
        d.decision, d.decided_us, l.rows_out, l.rows_refused, l.reason
    FROM versions v LEFT JOIN units l ON l.rowid = {_LOADED.format("v.landing_id")}
        LEFT JOIN decisions d ON d.landing_id = v.landing_id
"""
_LAST = "ORDER BY number DESC, digest DESC LIMIT 1"


def listing(
    connection: sqlite3.Connection, source: str, location: str
) -> dict[tuple[str, str], tuple[str, int, int | None]]:
    """Return (dataset, key) -> (etag, size, last modified in us) as remembered of a location."""
    found = connection.execute(
        "SELECT dataset, key, etag, size_bytes, last_modified_us FROM listing "
        "WHERE source = ? AND location = ?",
        (source, location),
    )
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in found}


def seen_as(remote: RemoteObject) -> tuple[str, int, int | None]:
    """Return what `listing` remembers of an object."""
    modified = remote.last_modified
    return remote.etag, remote.size_bytes, None if modified is None else to_us(modified)


def remember(
    connection: sqlite3.Connection, source: str, location: str, remotes: Iterable[RemoteObject]
) -> None:
    """Remember these objects as landed the way they are listed."""
    connection.executemany(
        "INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(source, location, r.dataset, r.key, *seen_as(r)) for r in remotes],
    )


def forget(connection: sqlite3.Connection, source: str, keys: Iterable[str]) -> None:
    """Forget how these keys were listed, wherever."""
    connection.executemany(
        "DELETE FROM listing WHERE source = ? AND key = ?", [(source, key) for key in keys]
    )


def sources(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the sources that anything landed from."""
    found = connection.execute("SELECT DISTINCT source FROM versions ORDER BY source")
    return tuple(source for (source,) in found)


def datasets(connection: sqlite3.Connection) -> tuple[tuple[str, str], ...]:
    """Return each (source, dataset) that anything landed of."""
    return tuple(
        connection.execute(
            "SELECT DISTINCT source, dataset FROM versions ORDER BY source, dataset"
        ).fetchall()
    )


def datasets_of_table(connection: sqlite3.Connection, table: str) -> tuple[tuple[str, str], ...]:
    """Return each (source, dataset) that a table has units of."""
    return tuple(
        connection.execute(
            "SELECT DISTINCT source, dataset FROM units WHERE table_name = ? AND NOT is_void "
            "ORDER BY source, dataset",
            (table,),
        ).fetchall()
    )


def dataset_facts(connection: sqlite3.Connection) -> dict[tuple[str, str], DatasetFacts]:
    """Return the last recorded facts of each (source, dataset)."""
    found = connection.execute(
        "SELECT source, dataset, text FROM datasets ORDER BY source, dataset, number"
    )
    return {(source, dataset): facts_of(text) for source, dataset, text in found}


def states_of_dataset(
    connection: sqlite3.Connection,
    source: str,
    dataset: str,
    start: date | None,
    end: date | None,
) -> tuple[LandingState, ...]:
    """Return the versions filed in `[start, end)`, by file date, key and ordinal."""
    found = connection.execute(
        f"{_STATE} WHERE v.source = ? AND v.dataset = ? AND v.file_date >= ? AND v.file_date < ? "
        "ORDER BY v.file_date, v.key, v.ordinal",
        (source, dataset, *_bounds(start, end)),
    )
    return tuple(_state(row) for row in found)


def next_known_from(connection: sqlite3.Connection, after: datetime) -> datetime | None:
    """Return the least known_from or decision later than `after`, if there is one."""
    (found,) = connection.execute(
        "SELECT min(moment) FROM (SELECT min(known_from_us) AS moment FROM versions "
        "WHERE known_from_us > :after UNION ALL SELECT min(decided_us) FROM decisions "
        "WHERE decided_us > :after)",
        {"after": to_us(after)},
    ).fetchone()
    return None if found is None else from_us(found)


def states_of_key(
    connection: sqlite3.Connection, source: str, key: str
) -> tuple[LandingState, ...]:
    """Return the versions of one key, by ordinal."""
    found = connection.execute(
        f"{_STATE} WHERE v.source = ? AND v.key = ? ORDER BY v.ordinal", (source, key)
    )
    return tuple(_state(row) for row in found)


def state(connection: sqlite3.Connection, landing_id: int) -> LandingState | None:
    """Return the version with this id."""
    row = connection.execute(f"{_STATE} WHERE v.landing_id = ?", (landing_id,)).fetchone()
    return None if row is None else _state(row)


def landing_ids(connection: sqlite3.Connection) -> tuple[int, ...]:
    """Return the id of every version, ascending."""
    found = connection.execute("SELECT landing_id FROM versions ORDER BY landing_id")
    return tuple(found_id for (found_id,) in found)


def states_first_seen(
    connection: sqlite3.Connection, start_us: int, end_us: int
) -> Iterator[tuple[LandingState, int, int, str]]:
    """Yield versions first seen in `[start_us, end_us)` with rows, rows refused and reason."""
    found = connection.execute(
        f"{_STATE} WHERE v.first_seen_us >= ? AND v.first_seen_us < ? "
        "ORDER BY v.source, v.dataset, v.file_date, v.key, v.ordinal",
        (start_us, end_us),
    )
    for row in found:
        rows, refused, reason = row[_COLUMNS + 3 :]
        yield _state(row), rows or 0, refused or 0, reason or ""


def _state(row: Sequence[Any]) -> LandingState:
    outcome, decision, decided_us = row[_COLUMNS : _COLUMNS + 3]
    return LandingState(
        _landing(row[:_COLUMNS]),
        None if outcome is None else Outcome(outcome),
        None if decision is None else Decision(decision),
        None if decided_us is None else from_us(decided_us),
    )


def _landing(row: Sequence[Any]) -> Landing:
    source, dataset, file_date, key, ordinal, sha256, size_bytes, etag, *rest = row
    last_modified_us, first_seen_us, known_from_us, known_basis, rule = rest
    return Landing(
        source=source,
        dataset=dataset,
        file_date=date.fromisoformat(file_date),
        key=key,
        ordinal=ordinal,
        sha256=sha256,
        size_bytes=size_bytes,
        etag=etag,
        last_modified=None if last_modified_us is None else from_us(last_modified_us),
        first_seen=from_us(first_seen_us),
        known_from=from_us(known_from_us),
        known_basis=KnownBasis(known_basis),
        rule=rule,
    )


def last_done(connection: sqlite3.Connection, table: str, scope: Scope) -> Done | None:
    """Return the record of the unit that holds the scope's rows now."""
    row = connection.execute(
        "SELECT text FROM units WHERE table_name = ? AND source = ? AND dataset = ? AND start = ? "
        f"AND end = ? AND landing_id IS ? AND NOT is_void {_LAST}",
        (table, *scope_key(scope)),
    ).fetchone()
    return None if row is None else done_of(row[0])


def effective(
    connection: sqlite3.Connection,
    table: str | None = None,
    source: str | None = None,
    dataset: str | None = None,
) -> tuple[Done, ...]:
    """Return the record of each scope's unit that holds its rows now, by scope."""
    found = connection.execute(
        "SELECT text FROM effective WHERE table_name = coalesce(?, table_name) "
        "AND source = coalesce(?, source) AND dataset = coalesce(?, dataset) "
        "ORDER BY table_name, source, dataset, start, end, number, digest",
        (table, source, dataset),
    )
    return tuple(done_of(text) for (text,) in found)


def numbers(
    connection: sqlite3.Connection, table: str, scope: Scope
) -> tuple[tuple[str, int], ...]:
    """Return (unit name, number) of every record of a scope that is not void."""
    return tuple(
        connection.execute(
            "SELECT name, number FROM units WHERE table_name = ? AND source = ? AND dataset = ? "
            "AND start = ? AND end = ? AND landing_id IS ? AND NOT is_void",
            (table, *scope_key(scope)),
        ).fetchall()
    )


def redone(connection: sqlite3.Connection) -> tuple[Done, ...]:
    """Return every record of the scopes outside bronze that were done more than once.

    By scope, oldest first; without those that a rollback undid.
    """
    found = connection.execute(
        "SELECT text FROM (SELECT *, count(*) OVER (PARTITION BY table_name, source, dataset, "
        "start, end) AS times FROM units WHERE NOT is_void AND table_name NOT GLOB 'bronze.*') "
        "WHERE times > 1 ORDER BY table_name, source, dataset, start, end, number, digest"
    )
    return tuple(done_of(text) for (text,) in found)


def refusing(
    connection: sqlite3.Connection,
    source: str | None,
    dataset: str | None,
    start: date | None,
    end: date | None,
) -> tuple[Done, ...]:
    """Return the effective units that refused rows which may be filed in `[start, end)`."""
    first, last = widened(start or date.min, end or date.max)
    found = connection.execute(
        "SELECT text FROM effective WHERE rows_refused > 0 "
        "AND source = coalesce(?, source) AND dataset = coalesce(?, dataset) "
        "AND end > ? AND start <= ? ORDER BY source, dataset, start, table_name, number, digest",
        (source, dataset, first.isoformat(), last.isoformat()),
    )
    return tuple(done_of(text) for (text,) in found)


def refusing_landings(connection: sqlite3.Connection, ids: Iterable[int]) -> tuple[Done, ...]:
    """Return the units that loaded these versions and refused rows of them, by version."""
    question = f"SELECT text FROM units WHERE rowid = {_LOADED.format('?')} AND rows_refused > 0"
    rows = (connection.execute(question, (i,)).fetchone() for i in sorted(set(ids)))
    return tuple(done_of(row[0]) for row in rows if row is not None)


def refined(
    connection: sqlite3.Connection, table: str, source: str, dataset: str
) -> dict[int, tuple[tuple[date, date], ...]]:
    """Return, for each version that rows of the table were made of, the spans of those rows."""
    found = connection.execute(
        "SELECT r.landing_id, e.start, e.end FROM effective e "
        "JOIN reads r ON r.table_name = e.table_name AND r.name = e.name AND r.number = e.number "
        "WHERE e.table_name = ? AND e.source = ? AND e.dataset = ? AND e.outcome = 'done'",
        (table, source, dataset),
    )
    spans: dict[int, tuple[tuple[date, date], ...]] = {}
    for landing_id, start, end in found:
        span = (date.fromisoformat(start), date.fromisoformat(end))
        spans[landing_id] = (*spans.get(landing_id, ()), span)
    return spans


def runs(connection: sqlite3.Connection, start_us: int, end_us: int) -> tuple[NumberedDone, ...]:
    """Return every done record that began in `[start_us, end_us)`, by start and unit."""
    found = connection.execute(
        "SELECT number, text FROM units WHERE started_us >= ? AND started_us < ? "
        "ORDER BY started_us, table_name, name, number",
        (start_us, end_us),
    )
    return tuple(NumberedDone(number, done_of(text)) for number, text in found)


def checks(
    connection: sqlite3.Connection, start_us: int, end_us: int
) -> tuple[tuple[str, CheckResult], ...]:
    """Return run and result of every check that began in `[start_us, end_us)`, by start."""
    found = connection.execute(
        "SELECT run, text FROM checks WHERE started_us >= ? AND started_us < ? "
        "ORDER BY started_us, run, number, nth",
        (start_us, end_us),
    )
    return tuple((run, result_of(text)) for run, text in found)


def last_checked(connection: sqlite3.Connection, rule: str) -> CheckResult | None:
    """Return the latest result of a rule."""
    row = connection.execute(
        "SELECT text FROM checks WHERE json_extract(text, '$.rule') = ? "
        "ORDER BY started_us DESC LIMIT 1",
        (rule,),
    ).fetchone()
    return None if row is None else result_of(row[0])


def begins(landing_id: int, text: str) -> bool:
    """Return True if a landing id, with or without its minus, begins with `text`."""
    return str(landing_id).startswith(text) or str(abs(landing_id)).startswith(text)


def not_one(text: str, found: Sequence[str], ids: Sequence[str]) -> str:
    """Return why `text` does not name one landing, and the ids that are like it."""
    if found:
        return f"Landing id {text!r} begins {len(found)} ids: {', '.join(found[:5])}. Write more."
    near = get_close_matches(text, ids, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See them with: ingot landings"
    return f"There is no landing {text!r}. {hint}"


def _bounds(start: date | None, end: date | None) -> tuple[str, str]:
    return "" if start is None else start.isoformat(), "~" if end is None else end.isoformat()
