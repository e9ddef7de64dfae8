"""What state.db says, as values of the model."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import QueryError
from ingot.model import known_time
from ingot.model.landing import (
    Decision,
    KnownBasis,
    Landing,
    LandingState,
    Outcome,
)
from ingot.storage.fs.os_errors import bordered
from ingot.storage.landing.records import NumberedDone, done_of, facts_of, result_of
from ingot.storage.ledger import state_schema
from ingot.storage.ledger.state_schema import from_us, scope_key, to_us, widened

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    import pyarrow as pa

    from ingot.model.check_record import CheckResult
    from ingot.model.dataset import DatasetFacts
    from ingot.model.unit import Done, Scope
    from ingot.storage.landing.store import LandingStore
    from ingot.storage.ledger.refinement import Refinement
    from ingot.storage.ledger.state_db import StateCache
    from ingot.storage.ledger.state_schema import Unprojected

_VERSION = (
    "v.source, v.dataset, v.file_date, v.key, v.ordinal, v.sha256, v.size_bytes, v.etag, "
    "v.last_modified_us, v.first_seen_us, v.known_from_us, v.known_basis, v.rule"
)
_COLUMNS = 13
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
_OF_SCOPE: Final = (
    "table_name = ? AND source = ? AND dataset = ? AND start = ? AND end = ? "
    "AND landing_id IS ? AND NOT is_void"
)


@bordered
class LedgerQueries:
    """The reading half of a ledger; each method reads one consistent state."""

    store: LandingStore
    state: StateCache

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.state.read(lambda db: db.execute(query, values).fetchall())

    def _dones(self, query: str, *values: object) -> tuple[Done, ...]:
        return tuple(done_of(text) for (text,) in self._rows(query, *values))

    def stamp(self) -> str:
        """Return a name of the ledger's state: another after every change, by any process."""
        return self.state.read(state_schema.stamp)

    def datasets(self) -> tuple[tuple[str, str], ...]:
        """Return each (source, dataset) that anything landed of, in order."""
        return tuple(
            self._rows("SELECT DISTINCT source, dataset FROM versions ORDER BY source, dataset")
        )

    def datasets_of(self, table: str) -> tuple[tuple[str, str], ...]:
        """Return each (source, dataset) that a table has units of, sorted."""
        return tuple(
            self._rows(
                "SELECT DISTINCT source, dataset FROM units WHERE table_name = ? AND NOT is_void "
                "ORDER BY source, dataset",
                table,
            )
        )

    def states(
        self, source: str, dataset: str, start: date | None = None, end: date | None = None
    ) -> tuple[LandingState, ...]:
        """Return the versions filed in `[start, end)`, by file date, key and ordinal."""
        found = self._rows(
            f"{_STATE} WHERE v.source = ? AND v.dataset = ? AND v.file_date >= ? "
            "AND v.file_date < ? ORDER BY v.file_date, v.key, v.ordinal",
            source,
            dataset,
            "" if start is None else start.isoformat(),
            "~" if end is None else end.isoformat(),
        )
        return tuple(map(_state, found))

    def next_known_from(self, after: datetime) -> datetime | None:
        """Return the least known_from or decision later than `after`; None without one."""
        ((found,),) = self._rows(
            "SELECT min(moment) FROM (SELECT min(known_from_us) AS moment FROM versions "
            "WHERE known_from_us > ?1 UNION ALL SELECT min(decided_us) FROM decisions "
            "WHERE decided_us > ?1)",
            to_us(after),
        )
        return None if found is None else from_us(found)

    def find(self, landing_id: int | str) -> LandingState:
        """Return the version with this id, or whose id begins with it; the minus may be left out.

        Raises:
            QueryError: No version has it, or several begin with it; the message names the nearest.
        """
        text = str(landing_id).strip()
        ids = [i for (i,) in self._rows("SELECT landing_id FROM versions ORDER BY landing_id")]
        exact = [i for i in ids if text in {str(i), str(abs(i))}]
        alike = (i for i in ids if text and text in {str(i)[: len(text)], str(abs(i))[: len(text)]})
        found = exact or list(alike)
        states = self._rows(f"{_STATE} WHERE v.landing_id = ?", *found) if len(found) == 1 else []
        if not states:
            raise QueryError(_not_one(text, [str(i) for i in found], [str(i) for i in ids]))
        return _state(states[0])

    def last_done(self, table: str, scope: Scope) -> Done | None:
        """Return the record of the unit whose rows the scope holds now."""
        found = self._dones(
            f"SELECT text FROM units WHERE {_OF_SCOPE} ORDER BY number DESC, digest DESC LIMIT 1",
            table,
            *scope_key(scope),
        )
        return found[0] if found else None

    def done_all(
        self, table: str | None, *, source: str | None = None, dataset: str | None = None
    ) -> tuple[Done, ...]:
        """Return, for each scope of a table, the record of the unit whose rows it holds now.

        None is every table.
        """
        return self._dones(
            "SELECT text FROM effective WHERE table_name = coalesce(?, table_name) "
            "AND source = coalesce(?, source) AND dataset = coalesce(?, dataset) "
            "ORDER BY table_name, source, dataset, start, end, number, digest",
            table,
            source,
            dataset,
        )

    def redone(self) -> tuple[Done, ...]:
        """Return every record of the scopes outside bronze that were done more than once.

        By scope, oldest first; without those that a rollback undid.
        """
        return self._dones(
            "SELECT text FROM (SELECT *, count(*) OVER (PARTITION BY table_name, source, dataset, "
            "start, end) AS times FROM units WHERE NOT is_void AND table_name NOT GLOB 'bronze.*') "
            "WHERE times > 1 ORDER BY table_name, source, dataset, start, end, number, digest"
        )

    def quarantined(
        self,
        source: str | None = None,
        dataset: str | None = None,
        start: date | None = None,
        end: date | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Return refused rows filed in `[start, end)`, in the columns of ops.quarantine.

        By source, dataset, date, table, version and row number; at most `limit` of them.
        """
        from ingot.storage.landing.quarantine import read_rows  # noqa: PLC0415  (pyarrow)

        first, last = widened(start or date.min, end or date.max)
        dones = self._dones(
            "SELECT text FROM effective WHERE rows_refused > 0 "
            "AND source = coalesce(?, source) AND dataset = coalesce(?, dataset) AND end > ? "
            "AND start <= ? ORDER BY source, dataset, start, table_name, number, digest",
            source,
            dataset,
            first.isoformat(),
            last.isoformat(),
        )
        return read_rows(self._quarantine_files(dones), start=start, end=end, limit=limit)

    def refused_keys(self, landing_ids: Collection[int]) -> pa.Table:
        """Return landing_id, file_date, symbol, bar_start_ns of rows that bronze refused in these.

        Each once; symbol and start are null where they could not be read.
        """
        from ingot.storage.landing.quarantine import read_keys  # noqa: PLC0415  (pyarrow)

        return read_keys(self._quarantine_files(self._refusing(landing_ids)))

    def refused_symbols(self, ids: Collection[int]) -> frozenset[tuple[int, str, str | None]]:
        """Return (landing_id, rule, symbol or None) of bronze rows refused in these versions."""
        from ingot.storage.landing.quarantine import read_symbols  # noqa: PLC0415  (pyarrow)

        return read_symbols(self._quarantine_files(self._refusing(ids)))

    def _refusing(self, landing_ids: Iterable[int]) -> tuple[Done, ...]:
        """Return the units that loaded these versions and refused rows of them, by version."""
        query = f"SELECT text FROM units WHERE rowid = {_LOADED.format('?')} AND rows_refused > 0"
        ids = sorted(set(landing_ids))
        found = self.state.read(lambda db: [db.execute(query, (i,)).fetchone() for i in ids])
        return tuple(done_of(row[0]) for row in found if row is not None)

    def _quarantine_files(self, dones: Iterable[Done]) -> Iterator[tuple[str, bytes]]:
        """Yield (place, bytes) of the files of refused rows, each read when it is wanted."""
        for done in dones:
            if name := self.store.quarantine_name(done.unit):
                yield self.store.objects.place(name), self.store.objects.get(name)

    def checked_head(self, table: str) -> str | None:
        """Return the pointer that the table had when `Ledger.void` last looked at it.

        While it is the same, `void` need not be called. None after state.db was rebuilt.
        """
        found = self._rows("SELECT pointer FROM heads WHERE table_name = ?", table)
        return found[0][0] if found else None

    def last_checked(self, rule: str) -> CheckResult | None:
        """Return the latest result of a rule; None where it never ran."""
        found = self._rows(
            "SELECT text FROM checks WHERE json_extract(text, '$.rule') = ? "
            "ORDER BY started_us DESC LIMIT 1",
            rule,
        )
        return result_of(found[0][0]) if found else None

    def settled_until(self, refinements: Iterable[Refinement]) -> datetime | None:
        """Return the least moment from which something landed is not refined yet.

        Answers as known before it are final; None when everything landed is refined. Versions
        that are held, rejected or refused, or that never came into force, do not count.
        """
        moments = [moment for r in refinements for moment in self._unrefined(r)]
        return min(moments, default=None)

    def _unrefined(self, refinement: Refinement) -> Iterable[datetime]:
        source, dataset, table = refinement.source, refinement.dataset, refinement.table
        states = self.states(source, dataset)
        lost = {gap.landing.landing_id for gap in known_time.gaps(states)}
        pending = (s.landing for s in states if s.outcome is None)
        yield from (v.known_from for v in pending if v.landing_id not in lost)
        if table is None:
            return
        read = self._refined(table, source, dataset)
        ever = known_time.ever_in_force(states)
        for state in states:
            landing_id, since = state.landing.landing_id, state.in_force_from
            if since is not None and landing_id in ever:
                spans = read.get(landing_id, ())
                dates = refinement.trade_dates(state.landing.file_date)
                whole = all(any(a <= day < b for a, b in spans) for day in dates)
                if not (whole if refinement.per_day else spans):
                    yield since

    def _refined(self, table: str, source: str, dataset: str) -> dict[int, list[tuple[date, date]]]:
        """Return, for each version that rows of the table were made of, the spans of those rows."""
        found = self._rows(
            "SELECT r.landing_id, e.start, e.end FROM effective e "
            "JOIN reads r ON r.table_name = e.table_name AND r.name = e.name "
            "AND r.number = e.number "
            "WHERE e.table_name = ? AND e.source = ? AND e.dataset = ? AND e.outcome = 'done'",
            table,
            source,
            dataset,
        )
        spans: dict[int, list[tuple[date, date]]] = {}
        for landing_id, start, end in found:
            span = (date.fromisoformat(start), date.fromisoformat(end))
            spans.setdefault(landing_id, []).append(span)
        return spans

    def landed_between(
        self, start_us: int, end_us: int
    ) -> Iterator[tuple[LandingState, int, int, str]]:
        """Yield versions first seen in `[start_us, end_us)` with rows, rows refused and reason."""
        for row in self._rows(
            f"{_STATE} WHERE v.first_seen_us >= ? AND v.first_seen_us < ? "
            "ORDER BY v.source, v.dataset, v.file_date, v.key, v.ordinal",
            start_us,
            end_us,
        ):
            rows, refused, reason = row[_COLUMNS + 3 :]
            yield _state(row), rows or 0, refused or 0, reason or ""

    def runs(self, start_us: int, end_us: int) -> tuple[NumberedDone, ...]:
        """Return every done record that began in `[start_us, end_us)`, by start and unit."""
        found = self._rows(
            "SELECT number, text FROM units WHERE started_us >= ? AND started_us < ? "
            "ORDER BY started_us, table_name, name, number",
            start_us,
            end_us,
        )
        return tuple(NumberedDone(number, done_of(text)) for number, text in found)

    def checks(self, start_us: int, end_us: int) -> tuple[tuple[str, CheckResult], ...]:
        """Return run and result of every check that began in `[start_us, end_us)`, by start."""
        found = self._rows(
            "SELECT run, text FROM checks WHERE started_us >= ? AND started_us < ? "
            "ORDER BY started_us, run, number, nth",
            start_us,
            end_us,
        )
        return tuple((run, result_of(text)) for run, text in found)

    def unprojected(self) -> tuple[Unprojected, ...]:
        """Return the months of ops tables that changed since they were projected, in order."""
        return self.state.read(state_schema.unprojected)


def _not_one(text: str, found: Sequence[str], ids: Sequence[str]) -> str:
    """Return why `text` does not name one landing, and the ids that are like it."""
    if found:
        return f"Landing id {text!r} begins {len(found)} ids: {', '.join(found[:5])}. Write more."
    near = get_close_matches(text, ids, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See them with: ingot landings"
    return f"There is no landing {text!r}. {hint}"


def dataset_facts(connection: sqlite3.Connection) -> dict[tuple[str, str], DatasetFacts]:
    """Return the last recorded facts of each (source, dataset)."""
    found = connection.execute(
        "SELECT source, dataset, text FROM datasets ORDER BY source, dataset, number"
    )
    return {(source, dataset): facts_of(text) for source, dataset, text in found}


def states_of_key(
    connection: sqlite3.Connection, source: str, key: str
) -> tuple[LandingState, ...]:
    """Return the versions of one key, by ordinal."""
    found = connection.execute(
        f"{_STATE} WHERE v.source = ? AND v.key = ? ORDER BY v.ordinal", (source, key)
    )
    return tuple(_state(row) for row in found)


def _state(row: Sequence[Any]) -> LandingState:
    outcome, decision, decided_us = row[_COLUMNS : _COLUMNS + 3]
    return LandingState(
        _landing(row[:_COLUMNS]),
        None if outcome is None else Outcome(outcome),
        None if decision is None else Decision(decision),
        None if decided_us is None else from_us(decided_us),
    )


def _landing(row: Sequence[Any]) -> Landing:
    """Return a version of its columns, which are the fields in their order."""
    source, dataset, file_date, key, ordinal, sha256, size_bytes, etag, *rest = row
    modified_us, landed_us, known_us, basis, rule = rest
    return Landing(
        source,
        dataset,
        date.fromisoformat(file_date),
        key,
        ordinal,
        sha256,
        size_bytes,
        etag,
        None if modified_us is None else from_us(modified_us),
        from_us(landed_us),
        from_us(known_us),
        KnownBasis(basis),
        rule,
    )


def numbers(
    connection: sqlite3.Connection, table: str, scope: Scope
) -> tuple[tuple[str, int], ...]:
    """Return (unit name, number) of every record of a scope that is not void."""
    query = f"SELECT name, number FROM units WHERE {_OF_SCOPE}"
    return tuple(connection.execute(query, (table, *scope_key(scope))).fetchall())
