"""Requests for bars, and the SQL that answers them.

Long rows of minute intervals: symbol, trade_date, session (for 1m, or where one is named),
bar_start (UTC), open, high, low, close, volume, transactions, bars (how many minutes a resampled
bar is made of; 0 where filled), source. Rows are ordered by symbol and time. Daily rows: the
table's own columns without lineage.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.model.calendar import REGULAR, SESSIONS
from ingot.model.time import NS_PER_MINUTE, NS_PER_US, new_york, to_ns
from ingot.query.requests.adjustment import BASES, FORMULAS, RAW
from ingot.query.requests.adjustment_sql import adjusted, columns_of
from ingot.query.requests.resample import bucket_start, fill_previous, resampled
from ingot.tables.gold import DAILY_BARS
from ingot.tables.silver import DAY_BARS, MINUTE_BARS
from ingot.tables.view import Condition, literal, name, readable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from ingot.model.calendar import Session
    from ingot.model.time import Interval
    from ingot.tables.contract import Table

DAY: Final = "1d"
PERIODS: Final = {"1w": "week", "1mo": "month"}
"""Intervals that are made of day bars, and what DuckDB calls them."""
_MINUTES: Final = re.compile(r"([1-9]\d{0,3})(m|h)")
_INTERVAL: Final = re.compile(r"[1-9]\d{0,3}(m(?!o)|h)|1(d|w|mo)")
"""How an interval begins; the rest of `5min` or `1month` is what is wrong."""
_MINUTES_OF_AN_HOUR: Final = 60
_MINUTES_OF_A_DAY: Final = 24 * 60
MIXED: Final = "mixes_sessions"
"""A column of resampled bars that the answer turns into a notice."""
FILLS: Final = ("none", "previous")
LAYOUTS: Final = ("long", "wide")
VALUES: Final = ("open", "high", "low", "close", "volume", "transactions")
"""What a wide answer can show, one column per symbol."""
OPTION: Final = "O:"
"""How the symbol of an option begins."""
CURRENCY: Final = "currency"
"""A column of the vendor's day bars; an answer shows it where a price is not in USD."""
_OHLCV: Final = ("open", "high", "low", "close", "volume", "transactions")
_LABEL: Final = ("symbol", "trade_date", "session")
_DAILY: Final = (
    *_OHLCV,
    "bar_count",
    "pre_volume",
    "post_volume",
    "total_volume",
    "close_bar_open",
    "close_bar_close",
    "close_bar_volume",
    "vwap_typical",
)


@dataclass(frozen=True, slots=True)
class BarsRequest:
    """Which bars are asked for.

    Raises:
        QueryError: A word is none of those allowed (the message names the nearest), the range is
            empty, or the combination has no meaning.
    """

    symbols: tuple[str, ...]
    """Source symbols, case-sensitive; none means every symbol."""
    start: date
    """First trade date."""
    end: date
    """The trade date after the last."""
    interval: str = DAY
    session: str | None = None
    """overnight, pre, regular or post; None for all (1d: the vendor's day bars)."""
    basis: str = "raw"
    fill: str = "none"
    """`previous` fills gaps between a symbol's first and last bar of a trade date (1m: of a
    session; 1d: of the range) with the close before, volume 0; nothing after the last bar."""
    layout: str = "long"
    value: str = "close"
    """What the wide layout shows."""
    source: str | None = None
    """Only this connector; None for the precedence list."""
    dataset: str | None = None
    window: Interval | None = None
    """Only minutes that start in it."""
    follow: bool = True
    """Whether a symbol means the instrument that holds it, under all its symbols."""
    symbol_date: date | None = None
    """The date on which the symbol's holder is looked up; None for the range's last trade date."""
    formula: str = "standard"
    """How a dividend adjusts: standard (1 - cash / close before) or wiki (c / (c + cash))."""
    strict: bool = False
    """Whether an action that cannot be applied is an error."""
    known_basis: str | None = None
    """Only what landed with a known time of these bases, e.g. observed; None for all."""

    def __post_init__(self) -> None:
        """Refuse what cannot be answered."""
        for symbol in self.symbols:
            readable(symbol)
        if self.minutes is None and self.interval not in {DAY, *PERIODS}:
            begun = _INTERVAL.match(self.interval)
            hint = f"Did you mean {begun[0]}? " if begun else ""
            raise QueryError(
                f"interval was {self.interval!r}. {hint}Write minutes or hours, such as 5m or 4h, "
                f"or {', '.join((DAY, *PERIODS))}."
            )
        _one_of("basis", self.basis, BASES)
        _one_of("formula", self.formula, FORMULAS)
        _one_of("fill", self.fill, FILLS)
        _one_of("layout", self.layout, LAYOUTS)
        _one_of("value", self.value, VALUES)
        if self.session is not None:
            _one_of("session", self.session, SESSIONS)
        if self.start >= self.end:
            raise QueryError(
                f"The range from {self.start} to before {self.end} has no day; "
                "end is the day after the last."
            )
        if options := [s for s in self.symbols if s.startswith(OPTION)]:
            self._refuse_adjusted_options(options)
        if self.window and self.minutes is None:
            raise QueryError("A window is a span of minutes. Use an interval such as 1m or 1h.")

    def _refuse_adjusted_options(self, options: Sequence[str]) -> None:
        if self.basis != RAW:
            raise QueryError(
                f"basis was {self.basis!r} for the option {options[0]}: an action changes an "
                "option's contract, not its prices, so options are read on basis raw only."
            )

    @property
    def minutes(self) -> int | None:
        """Width of a bar in minutes; None for days and longer."""
        if not (found := _MINUTES.fullmatch(self.interval)):
            return None
        return int(found[1]) * (60 if found[2] == "h" else 1)

    @property
    def width_ns(self) -> int:
        """Width of a bar of minutes, nanoseconds."""
        return (self.minutes or 0) * NS_PER_MINUTE

    @property
    def table(self) -> Table:
        """The table whose rows answer the request.

        A day without a session is the vendor's own day bar; of the regular session it is made of
        minutes in gold; of another session it is made of minutes here.
        """
        if self.minutes is not None or self.session not in {None, REGULAR}:
            return MINUTE_BARS
        return DAY_BARS if self.session is None else DAILY_BARS


@dataclass(frozen=True, slots=True)
class Sources:
    """Which connectors have rows, and which of them answers first from each date on."""

    present: tuple[str, ...]
    precedence: tuple[tuple[date, tuple[str, ...]], ...] = ()
    """Dates ascending; connectors that are not listed come after, by name."""

    def rank(self, start: date, end: date) -> str | None:
        """Return SQL that ranks `source` on `trade_date`; None when only one is there."""
        if len(self.present) <= 1:
            return None
        cuts = [row for row in self.precedence if row[0] < end]
        cuts = cuts[max(0, sum(row[0] <= start for row in cuts) - 1) :]
        ranked = [(since, self._case(listed)) for since, listed in reversed(cuts)]
        whens = "".join(f" WHEN trade_date >= {literal(d)} THEN {case}" for d, case in ranked)
        default = self._case(())
        return f"CASE{whens} ELSE {default} END" if whens else default

    def _case(self, listed: Sequence[str]) -> str:
        others = sorted(set(self.present) - set(listed))
        order = [source for source in (*listed, *others) if source in self.present]
        whens = (f" WHEN {literal(source)} THEN {i}" for i, source in enumerate(order))
        return f"CASE source{''.join(whens)} END"


@dataclass(frozen=True, slots=True)
class BarsPlan:
    """How a request is answered: conditions that narrow one table's view, and SQL over it."""

    request: BarsRequest
    table: Table
    conditions: tuple[Condition, ...]
    """What every row read must keep; for pruning files as well."""
    sql: str
    """Over the narrowed view, named as the table."""
    columns: tuple[str, ...]
    """Columns of the answer."""
    order: tuple[str, ...]
    """Columns by which its rows are ordered."""
    rows_only: bool
    """True when the answer is just the view's rows, these columns in this order."""


def plan_bars(
    request: BarsRequest, *, sessions: Collection[Session] = (), sources: Sources = Sources(())
) -> BarsPlan:
    """Return how to answer `request`.

    Args:
        request: Which bars are wanted.
        sessions: Sessions of the market from `start` to `end`, all of them; buckets of a named
            session begin at its start, and day bars are filled on trade dates.
        sources: Connectors that have rows.

    The bars are those of the source, as traded: `adjusted_bars` puts them on a basis and under
    the symbols of the request.
    """
    rank = None if request.source else sources.rank(request.start, request.end)
    table = request.table
    if table is MINUTE_BARS:
        return _minutes(request, sessions, rank)
    shown = (*_DAILY, "source") if table is DAILY_BARS else (*_OHLCV, "source", CURRENCY)
    columns = ("symbol", "trade_date", *shown)
    order = ("symbol", "trade_date")
    body = f"SELECT {_list(columns)} FROM {_chosen(table, rank)}"
    if request.fill == "previous":
        days = sorted({s.trade_date for s in sessions if s.session == REGULAR})
        body = fill_previous(body, columns, order=order, days=days)
    return BarsPlan(
        request=request,
        table=table,
        conditions=_conditions(request),
        columns=columns,
        sql=f"{body} ORDER BY {_list(order)}",
        rows_only=rank is None and request.fill == "none",
        order=order,
    )


def adjusted_bars(
    plan: BarsPlan,
    *,
    fill: str,
    sessions: Collection[Session],
    scale: bool,
    renamed: bool,
) -> tuple[str, tuple[str, ...]]:
    """Return the SQL, and its columns, that sees a plan's rows through a perspective.

    It reads `bars`, the rows of `plan`, whose request has no fill, and `perspective` (see
    `query.adjusted`). What is absent is filled here, so that a change of symbols leaves no gap.
    """
    request = plan.request
    every = not request.symbols
    body = adjusted("bars", plan.columns, scale=scale, renamed=renamed, every=every)
    columns = columns_of(plan.columns, renamed=renamed)
    if fill == "previous":
        days = sorted({s.trade_date for s in sessions if s.session == REGULAR})
        daily = request.minutes is None
        label = plan.order if daily else tuple(c for c in plan.columns if c in _LABEL)
        width = None if daily else request.width_ns
        body = fill_previous(body, columns, order=label, days=days, width_ns=width)
    return f"{body} ORDER BY {_list(plan.order)}", columns


def _minutes(request: BarsRequest, sessions: Collection[Session], rank: str | None) -> BarsPlan:
    named = () if request.session is None else ("session",)
    raw = request.minutes == 1
    label = ("symbol", "trade_date", *(("session",) if raw else named))
    chosen = _chosen(MINUTE_BARS, rank)
    if raw:
        columns = (*label, "bar_start", *_OHLCV, "source")
        body = f"SELECT {_list(columns)} FROM {chosen}"
    elif request.minutes is None:
        columns = (*label, *_OHLCV, "bars", "source")
        body = resampled(chosen, label=label)
    else:
        mixed = () if request.session else (MIXED,)
        columns = (*label, "bar_start", *_OHLCV, "bars", "source", *mixed)
        start = bucket_start(request.width_ns, _anchors(request, sessions))
        body = resampled(chosen, label=label, bucket=start, mixed=bool(mixed))
        if window := request.window:
            body = f"SELECT * FROM ({body}) AS bars WHERE {_starts_in(window)}"
    order = tuple(c for c in ("symbol", "trade_date", "bar_start") if c in columns)
    if request.fill == "previous":
        days = sorted({s.trade_date for s in sessions if s.session == REGULAR})
        width = None if request.minutes is None else request.width_ns
        body = fill_previous(body, columns, order=label, days=days, width_ns=width)
    return BarsPlan(
        request=request,
        table=MINUTE_BARS,
        conditions=_conditions(request),
        columns=columns,
        sql=f"{body} ORDER BY {_list(order)}",
        rows_only=raw and rank is None and request.fill == "none",
        order=order,
    )


def _anchors(request: BarsRequest, sessions: Collection[Session]) -> dict[date, int]:
    """Return where buckets begin on each trade date: at the session, or at New York midnight.

    Raises:
        QueryError: The width divides neither a day nor the session.
    """
    own = [s for s in sessions if s.session == request.session]
    width, minutes = request.width_ns, request.minutes or 1
    lengths = Counter((s.end_ns - s.start_ns) // NS_PER_MINUTE for s in own)
    usual = lengths.most_common(1)[0][0] if lengths else _MINUTES_OF_A_DAY
    if _MINUTES_OF_A_DAY % minutes and usual % minutes:
        what = f"the {request.session} session" if lengths else "a day"
        raise QueryError(
            f"interval was {request.interval!r}, which does not divide {what} ({usual} minutes). "
            "Use a divisor, such as 5m, 30m or 2h."
        )
    if request.session:
        return {s.trade_date: s.start_ns % width for s in own}
    if not _MINUTES_OF_AN_HOUR % minutes:
        return {}
    return {day: to_ns(new_york(day)) % width for day in {s.trade_date for s in sessions}}


def _starts_in(window: Interval) -> str:
    start, end = (f"make_timestamptz({ns // NS_PER_US})" for ns in (window.start_ns, window.end_ns))
    return f"bar_start >= {start} AND bar_start < {end}"


def _conditions(request: BarsRequest) -> tuple[Condition, ...]:
    found = [
        Condition("trade_date", ">=", request.start),
        Condition("trade_date", "<", request.end),
    ]
    if request.symbols:
        found.append(Condition("symbol", "in", tuple(sorted(set(request.symbols)))))
    if request.session and request.table is MINUTE_BARS:
        found.append(Condition("session", "=", request.session))
    if request.source:
        found.append(Condition("source", "=", request.source))
    if request.dataset:
        found.append(Condition("dataset", "=", request.dataset))
    if request.window:
        found.append(Condition("bar_start_ns", ">=", request.window.start_ns))
        reach = 0 if request.minutes == 1 else request.width_ns
        found.append(Condition("bar_start_ns", "<", request.window.end_ns + reach))
    return tuple(found)


def _chosen(table: Table, rank: str | None) -> str:
    """Return the rows of the one source that answers for each symbol and day."""
    if rank is None:
        return table.name
    best = "dense_rank() OVER (PARTITION BY symbol, trade_date ORDER BY choice, dataset)"
    ranked = f"SELECT *, {rank} AS choice FROM {table.name}"
    return f"(SELECT * FROM ({ranked}) AS ranked QUALIFY {best} = 1) AS chosen"


def _list(columns: Collection[str]) -> str:
    return ", ".join(map(name, columns))


def _one_of(what: str, value: str, allowed: Collection[str]) -> None:
    if value in allowed:
        return
    word = value.lower()
    begun = [known for known in allowed if word.startswith(known)]
    near = begun or get_close_matches(word, allowed, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise QueryError(f"{what} was {value!r}. {hint}It is one of {', '.join(allowed)}.")
