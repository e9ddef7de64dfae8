"""Answers: from a request to bound views of planned files, and through the cache."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, TypeVar

import pyarrow as pa

from ingot.app.context.run_lifecycle import behind
from ingot.app.inventory.undeclared import refuse_undeclared
from ingot.app.read.adjustment import Perspectives
from ingot.app.read.read_log import Query
from ingot.app.read.views import Views, bases_of
from ingot.engines.limits import Limits
from ingot.engines.sandbox.client import Sandbox
from ingot.engines.sandbox.function_allowlist import TODAY
from ingot.engines.trusted_queries import Reads
from ingot.errors import QueryError
from ingot.model.landing import ALL_BASES
from ingot.model.time import FOREVER, NEW_YORK, as_of
from ingot.query.plan_cache import Cache, Key
from ingot.query.requests.adjustment import RAW, counted
from ingot.query.requests.adjustment_sql import PERSPECTIVE
from ingot.query.requests.bars import DAY, PERIODS, BarsRequest, adjusted_bars, plan_bars
from ingot.query.requests.resample import periods
from ingot.query.result.answer import (
    Answer,
    in_currencies,
    sources_in,
    time_of,
    to_wide,
    without_mixed,
)
from ingot.query.result.values import distinct
from ingot.tables import gold, silver
from ingot.tables.basis import FACTORS
from ingot.tables.input import ArrowRelation
from ingot.tables.stream import Stream
from ingot.tables.view import HISTORY, View

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
    from datetime import datetime

    from ingot.app.context.lake_context import Parts
    from ingot.app.read.adjustment import Perspective
    from ingot.app.read.read_log import ReadLog
    from ingot.model.calendar import Session
    from ingot.model.landing import KnownBasis
    from ingot.model.time import AsOf
    from ingot.query.requests.bars import BarsPlan
    from ingot.query.requests.listings import Listing
    from ingot.tables.view import Condition

_BARS: Final = (silver.MINUTE_BARS, silver.DAY_BARS, gold.DAILY_BARS)
"""Tables of bars as traded, which a query can put on a basis."""
_NAMED: Final = 5
_SMALL_BYTES: Final = 8 * 1024 * 1024
_STATED: Final = {
    table.name + suffix
    for table in (silver.CORPORATE_ACTIONS, silver.INSTRUMENTS)
    for suffix in ("", HISTORY)
}
"""Tables whose rows may become known later by what a person stated, which no ledger tells."""
_MIB: Final = 1024 * 1024
Rows = TypeVar("Rows", bound=pa.Table | Stream)


class Reader:
    """Answers queries over one lake; safe to use from several threads."""

    def __init__(self, parts: Parts, log: ReadLog | None = None) -> None:
        """Read `parts`; with a log on one thread, so that the order of rows never differs."""
        self._parts = parts
        self._log = log
        self._cache = Cache(parts.settings.cache_mb * _MIB)
        self._views = Views(parts, log)

    @cached_property
    def _limits(self) -> Limits:
        from ingot.app.context.resources import look

        machine = look(self._parts.root)
        memory = self._parts.settings.query_memory_mb or machine.memory_bytes // 4 // _MIB
        return Limits(
            memory_mb=memory,
            threads=1 if self._log else machine.cores,
            timeout_s=self._parts.settings.query_timeout_s,
            max_rows=self._parts.settings.query_max_rows,
            max_answer_mb=self._parts.settings.query_max_answer_mb,
        )

    @cached_property
    def _reads(self) -> Reads:
        return Reads(self._limits)

    @cached_property
    def _sandbox(self) -> Sandbox:
        return Sandbox(self._parts.root / "warehouse", self._limits)

    def close(self) -> None:
        """End the query process and forget every answer."""
        self.__dict__.pop("perspectives", None)
        for name in ("_sandbox", "_reads"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()
        self._cache.clear()

    @cached_property
    def perspectives(self) -> Perspectives:
        """What symbols stand for and what bars are multiplied by."""
        return Perspectives(self._parts, self._reads, self._views)

    def bars(self, request: BarsRequest, known_at: str | date | datetime | None) -> Answer:
        """Answer a request for bars.

        Raises:
            QueryError: The moment, basis, interval or session cannot be answered.
        """
        moment = as_of(known_at, self._parts.clock)
        if self._log is not None:
            self._log.query = Query("bars", request, {}, is_now=known_at is None)
        sources = self._views.facts().sources
        if request.source and request.source not in sources.present:
            raise QueryError(
                f"source was {request.source!r}, and this lake has bars of: "
                f"{', '.join(sources.present) or 'none'}."
            )
        perspective = self.perspectives.of(request, moment)
        read = self._as_traded if perspective.is_plain else partial(self._adjusted, perspective)
        period = PERIODS.get(request.interval)
        rows = read(replace(request, interval=DAY) if period else request, moment)
        absent = _absent(request, rows)
        rows, mixed = without_mixed(self._in_periods(rows, period) if period else rows)
        rows, currencies = in_currencies(rows)
        if is_wide := request.layout == "wide":
            rows = to_wide(rows, request.value, symbols=request.symbols)
        notices = (*perspective.notices, *currencies, *_no_bars(absent, moment), *mixed)
        answer = _on_its_basis(self._answer(rows, moment, notices), request.basis, perspective)
        return replace(answer, absent=absent, index=time_of(rows) if is_wide else None)

    def _in_periods(self, rows: pa.Table, period: str) -> pa.Table:
        """Return day bars as bars of weeks or months; their columns keep their types."""
        view = View("bars", ArrowRelation(rows), tuple(rows.column_names))
        found = self._reads.run(periods("bars", rows.column_names, period), {"bars": view})
        types = {"bars": pa.int32(), **{field.name: field.type for field in rows.schema}}
        return found.cast(pa.schema([(name, types[name]) for name in found.column_names]))

    def _as_traded(self, request: BarsRequest, moment: AsOf) -> pa.Table:
        """Return the rows of a request on basis raw, under the symbols as traded."""
        table = request.table
        bases = bases_of(request.known_basis)

        def answer() -> pa.Table:
            plan = self._planned(request)
            view = self._views.view(table.name, moment, plan.conditions, bases=bases)
            if plan.rows_only:
                return self._reads.rows(view, plan.columns, plan.order)
            return self._reads.run(plan.sql, {table.name: view})

        question = (request, self._limited(bases))
        return self._cached((table.name, silver.SESSIONS.name), moment, question, answer)

    def _limited(self, bases: Collection[KnownBasis]) -> str | None:
        """Name what an answer depends on when not all known times count: the ledger's state."""
        return None if set(bases) == set(ALL_BASES) else self._views.facts().stamp

    def _adjusted(self, perspective: Perspective, request: BarsRequest, moment: AsOf) -> pa.Table:
        """Return the rows of a request through its perspective."""
        symbols = request.symbols and (perspective.symbols or request.symbols[:1])
        traded = replace(request, symbols=symbols, basis=RAW, fill="none", layout="long")
        plan = self._planned(traded)
        rows = self._as_traded(traded, moment)
        sql, columns = adjusted_bars(
            plan,
            fill=request.fill,
            sessions=self._sessions(request),
            scale=perspective.scaled,
            renamed=perspective.renamed,
        )
        views = {
            "bars": View("bars", ArrowRelation(rows), plan.columns),
            PERSPECTIVE: View(PERSPECTIVE, ArrowRelation(perspective.relation()), FACTORS),
        }
        return self._reads.run(sql, views).select(list(columns))

    def _planned(self, request: BarsRequest) -> BarsPlan:
        sources = self._views.facts().sources
        return plan_bars(request, sessions=self._sessions(request), sources=sources)

    def _sessions(self, request: BarsRequest) -> list[Session]:
        calendar = self._parts.calendar
        days = calendar.between(request.start, request.end)
        return [s for day in days for s in calendar.of_date(day)]

    def sql(
        self,
        text: str,
        known_at: str | date | datetime | None,
        *,
        basis: str = RAW,
        strict: bool = False,
        known_basis: str | None = None,
        params: str | None = None,
    ) -> Answer:
        """Answer one SELECT that a user wrote; its bars are on the basis.

        `params` are the values bound to it, as `ingot.engines.params` packs them.

        Raises:
            QueryError: It is not one allowed SELECT, names what is not there, or passes a limit;
                or the basis cannot be had.
        """
        moment = as_of(known_at, self._parts.clock)
        if self._log is not None:
            words = {"basis": basis, "strict": strict, "known_basis": known_basis}
            others: dict[str, object] = dict(words)
            others |= {} if params is None else {"params": params}
            self._log.query = Query("sql", text, others, is_now=known_at is None)
        tables = self._tables_of(text)
        notices = self._caught_up(tables)
        request = BarsRequest((), date.min, date.max, basis=basis, strict=strict)
        perspective = self.perspectives.of(request, moment)
        bases = bases_of(known_basis)
        sources: tuple[str, ...] = ()

        def answer() -> pa.Table | Stream:
            nonlocal sources
            views = traded = {name: self._views.view(name, moment, bases=bases) for name in tables}
            if perspective.scaled:
                factors = ArrowRelation(perspective.relation())
                views = {name: _on_basis(view, factors) for name, view in views.items()}
            ask = self._sandbox.ask if self._log else self._sandbox.stream
            rows = ask(text, views, params=params, today=today)
            if isinstance(rows, Stream) and "source" in rows.schema.names:
                sources = self._sources_of(traded)
            return rows

        today = moment.known_at.astimezone(NEW_YORK).date()
        dated = today if TODAY in text.lower() else None
        question = (
            text,
            params,
            dated,
            basis,
            perspective.factors,
            self._limited(bases),
            known_basis,
        )
        answered = self._answer(self._cached(tables, moment, question, answer), moment, notices)
        answered = replace(answered, sources=sources or answered.sources)
        return _on_its_basis(answered, basis, perspective)

    def _sources_of(self, views: Mapping[str, View]) -> tuple[str, ...]:
        """Return the connectors that have rows in the views, sorted."""
        found: set[str] = set()
        for view in views.values():
            if "source" in view.columns:
                sql = f"SELECT DISTINCT source FROM {view.name}"
                found.update(sources_in(self._reads.run(sql, {view.name: view})))
        return tuple(sorted(found))

    def _tables_of(self, text: str) -> list[str]:
        try:
            own = self._parts.own_names(HISTORY)
            return sorted(self._sandbox.tables_of(text, own))
        except QueryError:
            refuse_undeclared(self._parts, text)
            raise

    def listing(self, listing: Listing, known_at: str | date | datetime | None) -> Answer:
        """Answer one of our own listings."""
        moment = as_of(known_at, self._parts.clock)
        notices = self._caught_up(listing.tables)

        def answer() -> pa.Table:
            views = {
                name: self._views.view(name, moment, listing.conditions) for name in listing.tables
            }
            return self._reads.run(listing.sql, views)

        return self._answer(self._cached(listing.tables, moment, listing, answer), moment, notices)

    def _caught_up(self, tables: Collection[str]) -> tuple[str, ...]:
        """Bring the ops tables up to the ledger before one is read; a notice where that fails.

        A process may have died between what it recorded and what it showed of it.
        """
        if self._log is not None:
            return ()
        return behind(self._parts) if any(n.startswith("ops.") for n in tables) else ()

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
        return self._views.view(name, as_of(known_at, self._parts.clock), conditions)

    def _cached(
        self, names: Sequence[str], moment: AsOf, question: Hashable, answer: Callable[[], Rows]
    ) -> Rows:
        """Return what is kept for the query on exactly these table states, or answer it."""
        pointers = {n: self._views.pointer(n) for n in names}
        key = Key.of(pointers, moment, question)
        now = self._parts.clock.now()
        kept: Rows | None = self._cache.get(key, now)
        if kept is not None:
            return kept
        rows = answer()
        if isinstance(rows, Stream):
            return rows
        if rows.nbytes <= _SMALL_BYTES and not (moment.is_now and _STATED & set(names)):
            until = self._next_known(now) if moment.is_now else FOREVER
            self._cache.put(key, rows, size_bytes=rows.nbytes, now=now, until=until)
        return rows

    def _next_known(self, now: datetime) -> datetime:
        """Return the next moment from which an answer for now may differ."""
        return self._parts.ledger.next_known_from(now) or FOREVER

    def _known_later(self) -> Iterator[str]:
        """Name the versions that a clock which was ahead has stamped: reads do not show them."""
        clock = self._parts.clock
        later = () if clock.stated else self._views.facts().known_after(clock.now())
        if later:
            yield (
                f"{len(later)} versions are known only from {later[0]:%Y-%m-%d %H:%M} UTC on, "
                "which is in the future, and no read shows them until then; see: ingot status"
            )

    def _answer(
        self, rows: pa.Table | Stream, moment: AsOf, notices: tuple[str, ...] = ()
    ) -> Answer:
        settled_until = self._views.facts().settled_until
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
            notices=(*notices, *self._known_later()),
            settled=settled,
            sources=() if isinstance(rows, Stream) else sources_in(rows),
        )


def reader_of(parts: Parts) -> Reader:
    """Return the one reader of a lake, which is closed with it."""
    return parts.keep_reader(Reader)


def _on_basis(view: View, factors: ArrowRelation) -> View:
    """Return a view of bars on a basis; views of anything else are what they were."""
    is_bars = view.name.removesuffix(HISTORY) in {table.name for table in _BARS}
    return replace(view, factors=factors) if is_bars else view


def _on_its_basis(answer: Answer, basis: str, perspective: Perspective) -> Answer:
    """Return the answer with its basis, and the actions that are missing from it."""
    unapplied = tuple(a.title for a in perspective.unapplied)
    notices = answer.notices
    if unapplied:
        listed = "; ".join(unapplied[:_NAMED])
        more = f" and {len(unapplied) - _NAMED:,} more" if len(unapplied) > _NAMED else ""
        notices = (*notices, f"{counted(unapplied)} not applied: {listed}{more}")
    return replace(answer, basis=basis, notices=notices, unapplied_actions=unapplied)


def _absent(request: BarsRequest, rows: pa.Table) -> tuple[str, ...]:
    """Return the symbols asked for that have no bar."""
    if len(request.symbols) == 1:
        return () if rows.num_rows else request.symbols
    found = distinct(rows["symbol"]) if request.symbols else set()
    return tuple(symbol for symbol in request.symbols if symbol not in found)


def _no_bars(absent: Sequence[str], moment: AsOf) -> tuple[str, ...]:
    if not absent:
        return ()
    known = "" if moment.is_now else f" as known at {moment.known_at:%Y-%m-%dT%H:%M:%SZ}"
    text = f"no bars of {', '.join(absent)} in the span{known}; symbols are case-sensitive"
    return (f"{text}, see them with: ingot symbols",)
