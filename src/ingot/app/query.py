"""Answers: from a request to bound views of planned files, and through the cache."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from ingot.app.facts import read_facts
from ingot.engines.limits import Limits
from ingot.engines.reads import Reads
from ingot.engines.sandbox import Sandbox
from ingot.errors import QueryError
from ingot.model.time import FOREVER, as_of
from ingot.query.answer import Answer, sources_in, to_wide
from ingot.query.bars import plan_bars
from ingot.query.bind import bind, table_of
from ingot.query.cache import Cache, Key
from ingot.tables import silver
from ingot.tables.contract import Binding

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from datetime import date, datetime

    import pyarrow as pa

    from ingot.app.facts import LedgerFacts
    from ingot.app.parts import Parts
    from ingot.model.time import AsOf
    from ingot.query.bars import BarsRequest
    from ingot.query.listings import Listing
    from ingot.tables.contract import Table
    from ingot.tables.view import Condition, View

_SMALL_BYTES: Final = 8 * 1024 * 1024
_MIB: Final = 1024 * 1024


class Reader:
    """Answers questions over one lake; safe to use from several threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._cache = Cache(parts.settings.cache_mb * _MIB)
        self._known: LedgerFacts | None = None

    @cached_property
    def _limits(self) -> Limits:
        from ingot.app.machine import look

        machine = look(self._parts.root)
        memory = self._parts.settings.query_memory_mb or machine.memory_bytes // 4 // _MIB
        return Limits(
            memory_mb=memory,
            threads=machine.cores,
            timeout_s=self._parts.settings.query_timeout_s,
            max_rows=self._parts.settings.query_max_rows,
        )

    @cached_property
    def _reads(self) -> Reads:
        return Reads(self._limits)

    @cached_property
    def _sandbox(self) -> Sandbox:
        limits = self._limits
        return Sandbox(
            self._parts.root / "warehouse",
            memory_mb=limits.memory_mb,
            threads=limits.threads,
            timeout_s=limits.timeout_s,
            max_rows=limits.max_rows,
        )

    def close(self) -> None:
        """End the question process and forget every answer."""
        for name in ("_sandbox", "_reads"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()
        self._cache.clear()

    def bars(self, request: BarsRequest, known_at: str | date | datetime | None) -> Answer:
        """Answer a request for bars.

        Raises:
            QueryError: The moment, basis, interval or session cannot be answered.
        """
        moment = as_of(known_at, self._parts.clock)
        sessions = [
            s
            for day in self._parts.calendar.between(request.start, request.end)
            for s in self._parts.calendar.of_date(day)
        ]
        sources = self._facts().sources
        if request.source and request.source not in sources.present:
            raise QueryError(
                f"source was {request.source!r}, and this lake has bars of: "
                f"{', '.join(sources.present) or 'none'}."
            )
        plan = plan_bars(request, sessions=sessions, sources=sources)
        table = plan.table

        def answer() -> pa.Table:
            view = self._view(table.name, moment, plan.conditions)
            if plan.rows_only:
                return self._reads.rows(view, plan.columns, plan.order)
            return self._reads.run(plan.sql, {table.name: view})

        rows = self._cached((table.name, silver.SESSIONS.name), moment, request, answer)
        absent = _absent(request, rows, moment)
        if request.form == "wide":
            rows = to_wide(rows, request.value, symbols=request.symbols)
        return self._answer(rows, moment, absent)

    def sql(self, text: str, known_at: str | date | datetime | None) -> Answer:
        """Answer one SELECT that a user wrote.

        Raises:
            QueryError: It is not one allowed SELECT, names what is not there, or passes a limit.
        """
        moment = as_of(known_at, self._parts.clock)
        tables = sorted(self._sandbox.tables_of(text))

        def answer() -> pa.Table:
            views = {name: self._view(name, moment, ()) for name in tables}
            return self._sandbox.ask(text, views)

        return self._answer(self._cached(tables, moment, text, answer), moment)

    def listing(self, listing: Listing, known_at: str | date | datetime | None) -> Answer:
        """Answer one of our own listings."""
        moment = as_of(known_at, self._parts.clock)

        def answer() -> pa.Table:
            views = {name: self._view(name, moment, listing.conditions) for name in listing.tables}
            return self._reads.run(listing.sql, views)

        return self._answer(self._cached(listing.tables, moment, listing, answer), moment)

    def run(self, text: str, views: Mapping[str, View]) -> pa.Table:
        """Return the rows of a text of our own over views; nothing of it is kept.

        Raises:
            QueryError: It is beyond a limit.
        """
        return self._reads.run(text, views)

    def view(
        self, name: str, known_at: str | date | datetime | None, conditions: Sequence[Condition]
    ) -> View:
        """Return a table or its history as known at a moment, narrowed by conditions.

        Raises:
            QueryError: There is none, or it is not bound to known time.
        """
        return self._view(name, as_of(known_at, self._parts.clock), conditions)

    def _view(self, name: str, moment: AsOf, conditions: Sequence[Condition]) -> View:
        """Return the table or history `name` as known at `moment`, over the files that matter."""
        table, history = table_of(name)
        start, end = _dates(table, conditions)
        plan = self._parts.tables.plan(
            table,
            start=start,
            end=end,
            source=_equal(conditions, "source"),
            dataset=_equal(conditions, "dataset"),
        )
        landing_ids = None
        if table.binding is Binding.LANDING and not (history and moment.is_now):
            landing_ids = self._facts().landing_ids(moment.known_at, history=history)
        view = bind(name, moment, plan.relation(), landing_ids=landing_ids)
        return view.narrowed(*conditions)

    def _cached(
        self, names: Iterable[str], moment: AsOf, question: Hashable, answer: Callable[[], pa.Table]
    ) -> pa.Table:
        """Return what is kept for the question on exactly these table states, or answer it."""
        pointers = {n: self._pointer(n) for n in names}
        key = Key.of(pointers, moment, question)
        now = self._parts.clock.now()
        kept: pa.Table | None = self._cache.get(key, now)
        if kept is not None:
            return kept
        rows = answer()
        if rows.nbytes <= _SMALL_BYTES:
            until = self._next_known(now) if moment.is_now else FOREVER
            self._cache.put(key, rows, size_bytes=rows.nbytes, now=now, until=until)
        return rows

    def _pointer(self, name: str) -> str:
        """Name a table's exact state, with the ledger's where landings bind it."""
        table, _ = table_of(name)
        pointer = self._parts.tables.pointer(table)
        if table.binding is Binding.LANDING:
            return f"{pointer} {self._parts.ledger.stamp()}"
        return pointer

    def _next_known(self, now: datetime) -> datetime:
        """Return the next moment from which an answer for now may differ."""
        return self._parts.ledger.next_known_from(now) or FOREVER

    def _answer(self, rows: pa.Table, moment: AsOf, notices: tuple[str, ...] = ()) -> Answer:
        settled_until = self._facts().settled_until
        settled = settled_until is None or moment.known_at < settled_until
        if not settled and settled_until is not None:
            text = (
                f"not settled: versions known from {settled_until:%Y-%m-%d %H:%M} UTC on are "
                "landed but not refined; run: ingot build"
            )
            notices = (*notices, text)
        return Answer(
            data=rows,
            known_at=moment.known_at,
            notices=notices,
            settled=settled,
            sources=sources_in(rows),
        )

    def _facts(self) -> LedgerFacts:
        """Return what the ledger says now; read anew only when it changed."""
        stamp = self._parts.ledger.stamp()
        if self._known is None or self._known.stamp != stamp:
            self._known = read_facts(self._parts, stamp)
        return self._known


def _absent(request: BarsRequest, rows: pa.Table, moment: AsOf) -> tuple[str, ...]:
    """Say which of the symbols asked for have no bar."""
    if len(request.symbols) > 1:
        found = set(rows["symbol"].unique().to_pylist())
        absent = [symbol for symbol in request.symbols if symbol not in found]
    else:
        absent = [] if rows.num_rows else list(request.symbols)
    if not absent:
        return ()
    known = "" if moment.is_now else f" as known at {moment.known_at:%Y-%m-%dT%H:%M:%SZ}"
    text = f"no bars of {', '.join(absent)} in the span{known}; symbols are case-sensitive"
    return (f"{text}, see them with: ingot symbols",)


def _dates(table: Table, conditions: Sequence[Condition]) -> tuple[date | None, date | None]:
    """Return the half-open dates that the conditions leave of the table's partition column."""
    column = table.partition.column if table.partition else None
    start = end = None
    for condition in conditions:
        if condition.column != column or isinstance(condition.value, tuple | str | int):
            continue
        if condition.operator == ">=":
            start = condition.value
        elif condition.operator == "<":
            end = condition.value
    return start, end


def _equal(conditions: Sequence[Condition], column: str) -> str | None:
    for condition in conditions:
        if condition.column == column and condition.operator == "=":
            return str(condition.value)
    return None
