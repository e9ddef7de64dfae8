"""The front door: one lake, one method per query.

A method imports what it needs when it is called, so that a read loads no more than reading takes.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ingot.app.context.lake_context import open_parts
from ingot.app.operations import Operations
from ingot.app.read.sql_options import sql_words
from ingot.model.time import as_of
from ingot.query.requests import listings
from ingot.query.requests.request import (
    EXPORT_OPTIONS,
    SQL_OPTIONS,
    Adjustment,
    as_date,
    bars_request,
    require_options,
    symbol_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self, Unpack

    import pyarrow as pa

    from ingot.app.context.lake_context import Parts
    from ingot.app.exports.make import Exported
    from ingot.app.read.reader import Reader
    from ingot.app.trust.coverage import Coverage
    from ingot.config import Settings
    from ingot.query.requests.bars import BarsRequest
    from ingot.query.requests.request import (
        BarsOptions,
        Basis,
        Day,
        ExportFormat,
        ExportOptions,
        IntervalName,
        Moment,
        Params,
        SessionName,
    )
    from ingot.query.result.answer import Answer

_SHOW_TABLES: Final = re.compile(r"\s*show\s+(all\s+)?tables\s*;?\s*", re.IGNORECASE)


def open_lake(path: str | Path, *, settings: Settings | None = None) -> Lake:
    """Open the lake at `path`; nothing of it is read before the first query.

    Args:
        path: Folder of the lake.
        settings: Taken as they are; None reads the lake's file and the environment.

    Raises:
        LakeNotFoundError: There is no lake at `path`.
        ConfigError: A setting is wrong.
    """
    return Lake(open_parts(path, environ=os.environ, settings=settings))


class Lake(Operations):
    """One lake; reading is safe from several threads.

    Dates are trade dates, half-open: `start` inside, `end` outside; text, date, datetime and
    `pandas.Timestamp` are accepted. `known_at` is an instant with
    offset, a date (00:00 New York of it), or None for now.

    A query raises QueryError where a word of it is unknown, its span is empty or it cannot be
    answered; a method names what else it raises.
    """

    def __init__(self, parts: Parts, reader: Reader | None = None) -> None:
        """Read `parts`; by `reader` where one is given."""
        self._parts = parts
        if reader is not None:
            self._reader = reader

    @cached_property
    def _reader(self) -> Reader:
        from ingot.app.read.reader import reader_of

        return reader_of(self._parts)

    def bars(
        self,
        *symbols: str | Sequence[str],
        start: Day | None = None,
        end: Day | None = None,
        interval: IntervalName = "1d",
        session: SessionName | None = None,
        basis: Basis | Adjustment = "raw",
        known_at: Moment = None,
        **options: Unpack[BarsOptions],
    ) -> Answer:
        """Return bars of these symbols (of every symbol, if none is named), oldest first.

        >>> lake.bars(["AAPL", "SPY"], start="2025-06-02", end="2025-06-04")["symbol"].to_list()
        ['AAPL', 'AAPL', 'SPY', 'SPY']
        >>> lake.bars("AAPL", interval="1h", session="regular", layout="wide").columns
        ('trade_date', 'session', 'bar_start', 'AAPL')

        Args:
            *symbols: Source symbols, case-sensitive; one by one or in a list.
            start: First trade date; the beginning by default.
            end: The day after the last trade date; tomorrow by default.
            interval: n minutes or hours (1m, 90m, 4h) that divide a day or the session named, 1d,
                1w or 1mo. A week begins on Monday.
            session: overnight, pre, regular or post; all by default (1d: the vendor's day).
            basis: raw (as traded), split, total_return or scaled_raw (total_return with 1 on the
                range's last date), by the actions known at the moment; float64 unless raw. An
                `Adjustment` also says the formula, and whether to be strict.
            known_at: The moment whose knowledge is used.
            **options: fill, layout, value, source, window, follow, symbol_date, known_basis; see
                `BarsOptions`.
        """
        span = self._span(start, end)
        request = bars_request(
            symbols, span, interval=interval, session=session, basis=basis, **options
        )
        from ingot.app.read.absent_symbols import explained

        return explained(self._reader, self._reader.bars(request, known_at), known_at)

    def stream(
        self, *symbols: str | Sequence[str], **options: Unpack[ExportOptions]
    ) -> Iterator[pa.RecordBatch]:
        """Yield bars of any long span as Arrow batches; memory holds one month of them.

        Rows are in the order of months, then as in `bars`, whose options it takes. All are as
        known at one moment.

        >>> sum(len(batch) for batch in lake.stream("AAPL", interval="1h", session="regular"))
        14

        Raises:
            QueryError: A bar of the request depends on those of other months.
        """
        from ingot.app.read.stream import stream

        return stream(self._parts, self._reader, *self._request("stream", symbols, {**options}))

    def sql(
        self,
        query: str,
        params: Params = None,
        *,
        known_at: Moment = None,
        basis: Basis | Adjustment = "raw",
        known_basis: str | None = None,
    ) -> Answer:
        """Return the rows of one SELECT over bronze, silver, gold and ops.

        >>> query = "select count(*) as bars from silver.day_bars where symbol = $symbol"
        >>> lake.sql(query, {"symbol": "AAPL"})["bars"].to_list()
        [2]

        Args:
            query: One SELECT, or DESCRIBE, SUMMARIZE or SHOW TABLES. `current_date` is the New
                York date of `known_at`.
            params: Values bound to `$name` (a mapping) or to `?` and `$1` (a sequence).
            known_at: The moment whose knowledge is used.
            basis: raw, split or total_return: what the prices and volumes of silver.minute_bars,
                silver.day_bars and gold.daily_bars are on; each under its symbol as traded.
            known_basis: Only what landed with a known time of these bases, between commas:
                observed, assumed, stated. Dates of bars count when all that landed of them does.

        Raises:
            QueryError: It is not one allowed SELECT, names what does not exist, or exceeds a limit;
                or the basis cannot be had. Reading a long answer raises it, too.
        """
        if _SHOW_TABLES.fullmatch(query):
            return self.tables()
        return self._reader.sql(query, known_at, **sql_words(params, basis, known_basis))

    def resolve(self, symbol: str, date: Day | None = None, *, known_at: Moment = None) -> Answer:
        """Return every symbol of the instrument that holds `symbol` on a date, oldest first.

        >>> lake.resolve("AAPL", "2025-06-02").notices
        ('no instrument holds AAPL on 2025-06-02: the symbol is read literally',)

        The date is today by default. No row, and a notice, where no instrument holds it.
        """
        day = self.today() if date is None else as_date("date", date)
        from ingot.app.read import symbology

        return symbology.resolve(self._parts, self._reader, symbol, day, known_at)

    def universe(self, date: Day, *, known_at: Moment = None, rule: str | None = None) -> Answer:
        """Return the symbols that traded on `date`, delisted ones included.

        >>> lake.universe("2025-06-02", rule="symbol = 'AAPL'")["symbol"].to_list()
        ['AAPL']

        Args:
            date: Trade date.
            known_at: The moment whose knowledge is used.
            rule: Condition that the rows must keep, over symbol, instrument_id, name, type,
                exchange, list_date, close, volume, dollar_volume (close x volume) and bar_source,
                e.g. "type = 'CS' and close >= 5 and dollar_volume >= 1e6".

        Raises:
            QueryError: The rule is not a condition over these columns.
        """
        day = as_date("date", date)
        from ingot.app.read import symbology

        return symbology.universe(self._parts, self._reader, day, known_at, rule=rule)

    def reconcile(
        self,
        a: str,
        b: str,
        *,
        start: Day | None = None,
        end: Day | None = None,
        symbols: Sequence[str] = (),
        layer: str = "",
        known_at: Moment = None,
    ) -> Answer:
        """Return how two sides differ, a row per finding, with the likely cause and evidence.

        >>> lake.reconcile("silver.day_bars", "gold.daily_bars").columns[:2]
        ('kind', 'cause')

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
        from ingot.app.trust.reconcile import ReconcileRequest, reconcile

        request = ReconcileRequest(a, b, first, last, tuple(symbols), layer, known_at)
        return reconcile(self._parts, request).answer

    def check(
        self,
        table: str | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        rules: Sequence[str] = (),
    ) -> Answer:
        """Return what check rules find in a table (in all), and keep it in ops.checks.

        >>> lake.check("silver.day_bars", rules=["day_prices_in_order"])["violations"].to_list()
        [0]

        Raises:
            QueryError: There is no such table or rule.
        """
        first, last = self._span(start, end)
        from ingot.app.trust.check import check

        return check(self._parts, table=table, start=first, end=last, rules=rules).answer

    def symbols(
        self,
        *,
        start: Day | None = None,
        end: Day | None = None,
        known_at: Moment = None,
    ) -> Answer:
        """Return the symbols that have bars in the span, with first and last trade date.

        >>> lake.symbols()["symbol"].to_list()[:2]
        ['AAPL', 'BACpA']
        """
        return self._reader.listing(listings.symbols(*self._span(start, end)), known_at)

    def sessions(self, *, start: Day | None = None, end: Day | None = None) -> Answer:
        """Return the sessions of the span: calendar, trade date, session, start and end.

        >>> lake.sessions(start="2025-06-02", end="2025-06-03")["session"].to_list()
        ['pre', 'regular', 'post']
        """
        return self._reader.listing(listings.sessions(*self._span(start, end)), None)

    def history(
        self, symbol: str, *, date: Day, interval: str = "1m", known_at: Moment = None
    ) -> Answer:
        """Return every version of a symbol's 1m or 1d bars of one trade date.

        >>> lake.history("AAPL", date="2025-06-02", interval="1d").shape[0]
        1
        """
        listing = listings.history(symbol, as_date("date", date), interval=interval)
        return self._reader.listing(listing, known_at)

    def revisions(
        self,
        symbol: str | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        since: Moment = None,
        interval: str | None = None,
        known_at: Moment = None,
    ) -> Answer:
        """Return what vendors changed of a symbol's bars (of all), and what used the old value.

        >>> len(lake.revisions("AAPL"))
        0

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
        from ingot.app.trust import revisions

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
        """Return each exception of the as-known law, with what it affects and from when.

        >>> lake.retroactive().columns[:2]
        ('exception', 'affects')
        """
        from ingot.app.trust import as_known_exceptions

        return as_known_exceptions.retroactive(self._parts)

    def coverage(
        self,
        *symbols: str | Sequence[str],
        start: Day | None = None,
        end: Day | None = None,
        known_at: Moment = None,
        everything: bool = False,
    ) -> Coverage:
        """Return what is there of each symbol and trade date, and what has to be done.

        >>> lake.coverage("AAPL", end="2025-06-04").rows["state"].unique().to_list()
        ['present']

        Args:
            *symbols: Only these, with every state; by default the alerts of every symbol.
            start: First trade date; the first that landed by default.
            end: The day after the last; today by default.
            known_at: The moment whose knowledge is used.
            everything: Return every symbol and day.

        Raises:
            QueryError: A date or the moment is wrong, or there are more rows than a limit.
        """
        from ingot.app.trust import coverage

        return coverage.coverage(
            self._parts,
            start=None if start is None else as_date("start", start),
            end=self.today() if end is None else as_date("end", end),
            symbols=symbol_names(symbols),
            known_at=known_at,
            everything=everything,
        )

    def export(
        self,
        folder: str | Path,
        *symbols: str | Sequence[str],
        query: str | None = None,
        format: ExportFormat = "parquet",  # noqa: A002  # the word that the command line has
        allow_unsettled: bool = False,
        **options: Unpack[ExportOptions],
    ) -> Exported:
        """Write bars, or the rows of a SELECT, to a folder with a manifest to replay it by.

        The snapshots read are pinned until `release`. The same export has the same bytes, on any
        machine with the same library versions.

        >>> made = lake.export(folder / "export", "AAPL", start="2025-06-02", end="2025-06-04")
        >>> made.manifest.rows
        2

        Args:
            folder: An empty or new folder.
            *symbols: As in `bars`.
            query: One SELECT, instead of bars.
            format: parquet, csv, arrow or lean (bars of 1m, 1h or 1d).
            allow_unsettled: Also export what may change when all that landed is refined, and bars
                without a row.
            **options: Those of `bars`, or with a query those of `sql`.

        Raises:
            QueryError: The answer is not settled, the folder is in use, or the query is wrong.
        """
        from ingot.app.exports import make

        order = make.ExportOrder(Path(folder), format, allow_unsettled)
        if query is None:
            request, moment = self._request("export", symbols, {**options})
            return make.export(self._parts, order, lambda reader: reader.bars(request, moment))
        require_options("export of a query", options, SQL_OPTIONS)
        moment = options.pop("known_at", None)
        words = sql_words(**cast("dict[str, Any]", options))
        return make.export(self._parts, order, lambda reader: reader.sql(query, moment, **words))

    def _request(
        self, query: str, symbols: Sequence[str | Sequence[str]], options: dict[str, Any]
    ) -> tuple[BarsRequest, Moment]:
        """Return the request for bars, and its moment, that options of a query make."""
        require_options(query, options, EXPORT_OPTIONS)
        span = self._span(options.pop("start", None), options.pop("end", None))
        known_at = options.pop("known_at", None)
        return bars_request(symbols, span, **options), known_at

    def tables(self) -> Answer:
        """Return the lake's tables with rows, size and what one row is.

        >>> lake.tables()["table"].to_list()[:2]
        ['bronze.minute_bars', 'bronze.day_bars']
        """
        from ingot.app.read import describe

        return describe.tables(self._parts)

    def describe(self, table: str) -> Answer:
        """Return a table's columns with type, unit and meaning.

        >>> lake.describe("silver.day_bars")["column"].to_list()[:2]
        ['source', 'dataset']
        """
        from ingot.app.read import describe

        return describe.columns(self._parts, table)

    def __repr__(self) -> str:
        """Say where the lake is and what its silver tables hold."""
        return f"Lake({str(self._parts.root)!r}, {', '.join(_facts(self))})"

    def _repr_html_(self) -> str:
        return f"<b>Lake</b> {escape(str(self._parts.root))}<br>{'<br>'.join(_facts(self))}"

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


def _facts(lake: Lake) -> tuple[str, ...]:
    """Return what a person wants to know of a lake at a glance."""
    held = [f"{row['table']} {row['rows']:,} rows" for row in lake.tables() if row["rows"]]
    silver = [text for text in held if text.startswith("silver.")]
    return (*(silver or ["empty"]), f"today {lake.today()}")
