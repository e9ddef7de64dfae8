"""The front door: one lake, one method per question."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ingot.app import coverage, describe, exports, identity, replay, retroactive, revisions
from ingot.app.check import check
from ingot.app.parts import open_parts
from ingot.app.query import Reader
from ingot.app.reconcile import ReconcileRequest, reconcile
from ingot.errors import QueryError
from ingot.model.time import Interval, as_of, to_ns
from ingot.query import listings
from ingot.query.bars import BarsRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from ingot.app.coverage import Coverage
    from ingot.app.exports import Exported
    from ingot.app.parts import Parts
    from ingot.app.replay import Replayed
    from ingot.app.report import LoadReport
    from ingot.config import Settings
    from ingot.query.answer import Answer

Moment = str | date | datetime | None


def open_lake(path: str | Path, *, settings: Settings | None = None) -> Lake:
    """Open the lake at `path`; nothing of it is read before the first question.

    Args:
        path: Folder of the lake.
        settings: Taken as they are; None reads the lake's file and the environment.

    Raises:
        LakeNotFoundError: There is no lake at `path`.
        ConfigError: A setting is wrong.
    """
    return Lake(open_parts(path, environ=os.environ, settings=settings))


class Lake:
    """One lake, for reading; safe to use from several threads.

    Dates are trade dates, half-open: `start` inside, `end` outside. `known_at` is an instant with
    offset, a date (00:00 New York of it), or None for now.

    A question raises QueryError where a word of it is unknown, its span is empty or it cannot be
    answered as asked; a method names what else it raises.
    """

    def __init__(self, parts: Parts, reader: Reader | None = None) -> None:
        """Read `parts`; by `reader` where one stands still already."""
        self._parts = parts
        if reader is not None:
            self._reader = reader

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._parts)

    def bars(
        self,
        *symbols: str,
        start: str | date | None = None,
        end: str | date | None = None,
        interval: str = "1d",
        session: str | None = None,
        basis: str = "raw",
        known_at: Moment = None,
        fill: str = "none",
        form: str = "long",
        value: str = "close",
        source: str | None = None,
        window: tuple[str | datetime, str | datetime] | str | None = None,
        follow: bool = True,
        symbol_date: str | date | None = None,
        formula: str = "standard",
        strict: bool = False,
        known_basis: str | None = None,
    ) -> Answer:
        """Return bars of these symbols (of every symbol, if none is named), oldest first.

        Args:
            *symbols: Source symbols, case-sensitive.
            start: First trade date; the beginning by default.
            end: The day after the last trade date; tomorrow by default.
            interval: 1m, 5m, 15m, 30m, 1h or 1d.
            session: overnight, pre, regular or post; all by default (1d: the vendor's day).
            basis: raw (as traded), split, total_return or scaled_raw (total_return with 1 on the
                range's last date), by the actions known at the moment; float64 unless raw.
            known_at: The moment whose knowledge is used.
            fill: none, or previous to fill gaps with the close before.
            form: long (a row per symbol and bar) or wide (a column per symbol).
            value: What the wide form shows.
            source: Only this connector; by default one per symbol and day, by precedence.
            window: Only minutes that start in `[from, until)`: two instants, or `from/until`.
            follow: A symbol stands for its instrument under all symbols; False: literally.
            symbol_date: When the holder is looked up; the range's last trade date by default.
            formula: How dividends adjust: standard (1 - cash / close before) or wiki (c / (c + d)).
            strict: Refuse when an action cannot be applied; else see `unapplied_actions`.
            known_basis: Only what landed with such a known time, e.g. observed.
        """
        request = BarsRequest(
            symbols,
            *self._span(start, end),
            interval=interval,
            session=session,
            basis=basis,
            fill=fill,
            form=form,
            value=value,
            source=source,
            window=None if window is None else _window(window),
            follow=follow,
            symbol_date=None if symbol_date is None else _date("symbol_date", symbol_date),
            formula=formula,
            strict=strict,
            known_basis=known_basis,
        )
        return self._reader.bars(request, known_at)

    def sql(
        self,
        question: str,
        *,
        known_at: Moment = None,
        basis: str = "raw",
        strict: bool = False,
        known_basis: str | None = None,
    ) -> Answer:
        """Return the answer to one SELECT over bronze, silver, gold and ops.

        Args:
            question: The SELECT.
            known_at: The moment whose knowledge is used.
            basis: raw, split or total_return: what the prices and volumes of silver.minute_bars,
                silver.day_bars and gold.daily_bars are on; each under its symbol as traded.
            strict: Refuse the answer when an action cannot be applied.
            known_basis: Only what landed with a known time of these bases, between commas:
                observed, assumed, stated. Dates of bars count when all that landed of them does.

        Raises:
            QueryError: It is not one allowed SELECT, names what is not there, or passes a limit;
                or the basis cannot be had.
        """
        return self._reader.sql(
            question, known_at, basis=basis, strict=strict, known_basis=known_basis
        )

    def resolve(
        self, symbol: str, date: str | date | None = None, *, known_at: Moment = None
    ) -> Answer:
        """Return every symbol of the instrument that holds `symbol` on a date, oldest first.

        The date is today by default. No row, and a notice, where nobody is known to hold it.
        """
        day = self.today() if date is None else _date("date", date)
        return identity.resolve(self._parts, self._reader, symbol, day, known_at)

    def universe(
        self, date: str | date, *, known_at: Moment = None, rule: str | None = None
    ) -> Answer:
        """Return the symbols that traded on `date`, delisted ones included.

        Args:
            date: Trade date.
            known_at: The moment whose knowledge is used.
            rule: Condition that the rows must keep, over symbol, instrument_id, name, type,
                exchange, list_date, close, volume, dollar_volume (close x volume) and bar_source,
                e.g. "type = 'CS' and close >= 5 and dollar_volume >= 1e6".

        Raises:
            QueryError: The rule is not a condition over these columns.
        """
        day = _date("date", date)
        return identity.universe(self._parts, self._reader, day, known_at, rule=rule)

    def reconcile(
        self,
        a: str,
        b: str,
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        symbols: Sequence[str] = (),
        layer: str = "",
        known_at: Moment = None,
    ) -> Answer:
        """Return how two sides differ, a row per finding, with the likely cause and evidence.

        Args:
            a: A table (`silver.day_bars@massive`, `silver.minute_bars@known_at=2025-06-10`) or a
                file with its reader (`csv:FILE`, `yahoo:FILE`, `alphavantage:FILE`, `lean:DIR`).
            b: The other side.
            start: First trade date; the beginning by default.
            end: The day after the last trade date; tomorrow by default.
            symbols: Only these; all by default.
            layer: bronze, silver or gold: a side that names no table is then a source in it.
            known_at: The moment whose knowledge is used.

        Raises:
            QueryError: A side cannot be had, or the two cannot be compared.
            CorruptFileError: A file cannot be read.
        """
        first, last = self._span(start, end)
        request = ReconcileRequest(a, b, first, last, tuple(symbols), layer, known_at)
        return reconcile(self._parts, request).answer

    def check(
        self,
        table: str | None = None,
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        rules: Sequence[str] = (),
    ) -> Answer:
        """Return what check rules find in a table (in all), and keep it in ops.checks.

        Raises:
            QueryError: There is no such table or rule.
        """
        first, last = self._span(start, end)
        return check(self._parts, table=table, start=first, end=last, rules=rules).answer

    def symbols(
        self,
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        known_at: Moment = None,
    ) -> Answer:
        """Return the symbols that have bars in the span, with first and last trade date."""
        return self._reader.listing(listings.symbols(*self._span(start, end)), known_at)

    def sessions(self, *, start: str | date | None = None, end: str | date | None = None) -> Answer:
        """Return the sessions of the span: calendar, trade date, session, start and end."""
        return self._reader.listing(listings.sessions(*self._span(start, end)), None)

    def history(
        self, symbol: str, *, date: str | date, interval: str = "1m", known_at: Moment = None
    ) -> Answer:
        """Return every version of a symbol's 1m or 1d bars of one trade date."""
        listing = listings.history(symbol, _date("date", date), interval=interval)
        return self._reader.listing(listing, known_at)

    def revisions(
        self,
        symbol: str | None = None,
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        since: str | date | datetime | None = None,
        interval: str | None = None,
        known_at: Moment = None,
    ) -> Answer:
        """Return what vendors changed of a symbol's bars (of all), and what used the old value.

        Args:
            symbol: Source symbol, case-sensitive; every one by default.
            start: First trade date; the beginning by default.
            end: The day after the last trade date; tomorrow by default.
            since: Only what was revised at this moment or later.
            interval: 1m or 1d; both by default.
            known_at: The moment whose knowledge is used.

        Raises:
            QueryError: A word or a moment is wrong.
        """
        first, last = self._span(start, end)
        return revisions.revisions(
            self._parts,
            symbol=symbol,
            start=first,
            end=last,
            interval=interval,
            since=None if since is None else as_of(since, self._parts.clock).known_at,
            known_at=known_at,
        )

    def retroactive(self) -> Answer:
        """Return each exception of the as-known law, with what it affects and from when."""
        return retroactive.retroactive(self._parts)

    def coverage(
        self,
        *symbols: str,
        start: str | date | None = None,
        end: str | date | None = None,
        known_at: Moment = None,
        everything: bool = False,
    ) -> Coverage:
        """Return what is there of each symbol and trade date, and what has to be done.

        Args:
            *symbols: Only these, with every state; by default the alerts of every symbol.
            start: First trade date; the first that landed by default.
            end: The day after the last; today by default.
            known_at: The moment whose knowledge is used.
            everything: Return every symbol and day.

        Raises:
            QueryError: A date or the moment is wrong, or there are more rows than a limit.
        """
        return coverage.coverage(
            self._parts,
            start=None if start is None else _date("start", start),
            end=self.today() if end is None else _date("end", end),
            symbols=symbols,
            known_at=known_at,
            everything=everything,
        )

    def save_coverage(
        self, *, start: str | date | None = None, end: str | date | None = None
    ) -> int:
        """Compute the whole market's coverage and keep it in ops.coverage; return its rows."""
        return coverage.save(
            self._parts,
            start=None if start is None else _date("start", start),
            end=self.today() if end is None else _date("end", end),
        )

    def export(
        self,
        folder: str | Path,
        *symbols: str,
        sql: str | None = None,
        format: str = "parquet",  # noqa: A002  # the word that the command line has
        allow_unsettled: bool = False,
        **asked: Any,  # noqa: ANN401  # as `bars` or `sql` take it
    ) -> Exported:
        """Write bars, or the answer to a SELECT, to a folder with a manifest to replay it by.

        The snapshots read are pinned until `release`. The same export has the same bytes, on any
        machine with the same library versions.

        Args:
            folder: An empty or new folder.
            *symbols: As in `bars`.
            sql: One SELECT, instead of bars.
            format: parquet, csv, arrow or lean (bars of 1m, 1h or 1d).
            allow_unsettled: Also export what may change when all that landed is refined, and bars
                without a row.
            **asked: Everything else that `bars` or `sql` takes, known_at included.

        Raises:
            QueryError: The answer is not settled, the folder is in use, or the question is wrong.
        """
        order = exports.ExportOrder(Path(folder), format, allow_unsettled)
        if sql is not None:
            return exports.export(
                self._parts, order, lambda r: Lake(self._parts, r).sql(sql, **asked)
            )
        return exports.export(
            self._parts, order, lambda r: Lake(self._parts, r).bars(*symbols, **asked)
        )

    def replay(self, manifest: str | Path, folder: str | Path) -> Replayed:
        """Write an export again from the snapshots that it read, to an empty or new folder.

        Raises:
            NotReplayableError: Something of it is gone; the message names it.
        """
        return replay.replay(self._parts, Path(manifest), Path(folder))

    def exports(self) -> Answer:
        """Return the exports that this lake has made and how many snapshots each pins."""
        return exports.exports(self._parts)

    def release(self, export_id: str) -> str:
        """Give an export's snapshots free, so that they may expire; say what was done."""
        return exports.release(self._parts, export_id)

    def tables(self) -> Answer:
        """Return the lake's tables with rows, size and what one row is."""
        return describe.tables(self._parts)

    def describe(self, table: str) -> Answer:
        """Return a table's columns with type, unit and meaning."""
        return describe.columns(self._parts, table)

    def write_bars(
        self,
        frame: object,
        *,
        source: str = "mine",
        interval: Literal["1m", "1d"] = "1d",
        zone: str = "",
        label: Literal["start", "end"] = "start",
        symbol: str = "",
        columns: Mapping[str, str] | None = None,
    ) -> LoadReport:
        """Load bars of your own and refine them; return what was loaded, day by day.

        Each date of the frame replaces what the source had of that date, as a new version: answers
        about the past do not change. A row that breaks a rule goes to ops.quarantine.

        Args:
            frame: A frame of Polars, pandas or Arrow with the columns symbol, time, open, high,
                low, close, volume and maybe transactions; prices as traded, in US dollars.
            source: The source that the rows are stored under.
            interval: 1m or 1d.
            zone: Zone of times without a UTC offset; such times are refused without it.
            label: Whether the time of a minute bar is its start or its end.
            symbol: Symbol of every row, where the frame has no column for it.
            columns: Field -> column, for columns that are named otherwise.

        Raises:
            ConfigError: It is not a frame, or an argument is wrong.
            SchemaDriftError: A column is missing.
        """
        from ingot.app.own import write_bars

        named = ",".join(f"{field}={column}" for field, column in (columns or {}).items())
        options = {"name": source, "interval": interval, "zone": zone, "label": label}
        return write_bars(self._parts, frame, options | {"symbol": symbol, "map": named})

    def today(self) -> date:
        """Return the present date, UTC."""
        return self._parts.clock.now().date()

    def close(self) -> None:
        """Release connections and processes."""
        if "_reader" in self.__dict__:
            self._reader.close()
        self._parts.close()

    def __enter__(self) -> Self:
        """Return the lake itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _span(self, start: str | date | None, end: str | date | None) -> tuple[date, date]:
        first = date.min if start is None else _date("start", start)
        last = self.today() + timedelta(days=1) if end is None else _date("end", end)
        return first, last


def _date(name: str, value: str | date) -> date:
    if isinstance(value, datetime):
        raise QueryError(f"{name} was {value!r}: write a trade date, such as 2025-06-02.")
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError as exc:
        raise QueryError(f"{name} was {value!r}: write a date such as 2025-06-02.") from exc


def _window(window: tuple[str | datetime, str | datetime] | str) -> Interval:
    start, end = window.partition("/")[::2] if isinstance(window, str) else window
    interval = Interval(_instant_ns(start), _instant_ns(end))
    if interval.start_ns >= interval.end_ns:
        raise QueryError(f"The window from {start} to before {end} holds no instant.")
    return interval


def _instant_ns(value: str | datetime) -> int:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        instant = None
    if instant is None or instant.utcoffset() is None:
        raise QueryError(
            f"window holds {value!r}: write two instants with offset, such as "
            "2025-06-02T15:59:00-04:00."
        )
    return to_ns(instant)
