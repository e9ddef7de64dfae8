"""Requests for bars, and the SQL that answers them.

Long rows of minute intervals: symbol, trade_date, session (for 1m, or where one is named),
bar_start (UTC), open, high, low, close, volume, transactions, bars (how many minutes a resampled
bar is made of; 0 where filled), source. Rows are ordered by symbol and time. Daily rows: the
table's own columns without lineage.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.model.calendar import REGULAR, SESSIONS
from ingot.model.time import NS_PER_MINUTE
from ingot.query.adjust import BASES, FORMULAS, RAW
from ingot.query.adjusted import adjusted, columns_of
from ingot.query.buckets import fill_previous, resampled
from ingot.tables.gold import DAILY_BARS
from ingot.tables.silver import DAY_BARS, MINUTE_BARS
from ingot.tables.view import Condition, literal, name, readable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from ingot.model.calendar import Session
    from ingot.model.time import Interval
    from ingot.tables.contract import Table

INTERVALS: Final = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "1d": 1440}
"""Intervals of bars, in minutes."""
FILLS: Final = ("none", "previous")
FORMS: Final = ("long", "wide")
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
    interval: str = "1d"
    session: str | None = None
    """overnight, pre, regular or post; None for all (1d: the vendor's day bars)."""
    basis: str = "raw"
    fill: str = "none"
    """`previous` fills gaps between a symbol's first and last bar of a trade date (1m: of a
    session; 1d: of the range) with the close before, volume 0; nothing after the last bar."""
    form: str = "long"
    value: str = "close"
    """What the wide form shows."""
    source: str | None = None
    """Only this connector; None for the precedence list."""
    dataset: str | None = None
    window: Interval | None = None
    """Only minutes that start in it."""
    follow: bool = True
    """Whether a symbol stands for the instrument that holds it, under all its symbols."""
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
        _one_of("interval", self.interval, INTERVALS)
        _one_of("basis", self.basis, BASES)
        _one_of("formula", self.formula, FORMULAS)
        _one_of("fill", self.fill, FILLS)
        _one_of("form", self.form, FORMS)
        _one_of("value", self.value, VALUES)
        if self.session is not None:
            _one_of("session", self.session, SESSIONS)
        if self.start >= self.end:
            raise QueryError(
                f"The range from {self.start} to before {self.end} holds no day; "
                "end is the day after the last."
            )
        if options := [s for s in self.symbols if s.startswith(OPTION)]:
            self._refuse_adjusted_options(options)
        if self.window and self.interval == "1d":
            raise QueryError("A window of minutes cannot be cut from day bars; ask for 1m.")

    def _refuse_adjusted_options(self, options: Sequence[str]) -> None:
        if self.basis != RAW:
            raise QueryError(
                f"basis was {self.basis!r} for the option {options[0]}: an action changes an "
                "option's contract, not its prices, so options are read on basis raw only."
            )

    @property
    def width_ns(self) -> int:
        """Width of a bar, nanoseconds."""
        return INTERVALS[self.interval] * NS_PER_MINUTE

    @property
    def table(self) -> Table:
        """The table whose rows answer the request.

        A day without a session is the vendor's own day bar; of the regular session it is made of
        minutes in gold; of another session it is made of minutes here.
        """
        if self.interval != "1d" or self.session not in {None, REGULAR}:
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
        request: What is asked.
        sessions: Sessions of the market from `start` to `end`, all of them; buckets of a named
            session begin at its start, and day bars are filled on trade dates.
        sources: Connectors that have rows.

    The bars are those of the source, as traded: `seen` puts them on a basis and under the symbols
    asked for.
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


def seen(
    plan: BarsPlan,
    *,
    fill: str,
    sessions: Collection[Session],
    scale: bool,
    renamed: bool,
) -> tuple[str, tuple[str, ...]]:
    """Return the SQL, and its columns, that sees a plan's rows through a perspective.

    It reads `bars`, the rows of `plan`, whose request has no fill, and `perspective` (see
    `query.adjusted`). What is absent is filled here, so that a change of symbols is no gap.
    """
    request = plan.request
    every = not request.symbols
    body = adjusted("bars", plan.columns, scale=scale, renamed=renamed, every=every)
    columns = columns_of(plan.columns, renamed=renamed)
    if fill == "previous":
        days = sorted({s.trade_date for s in sessions if s.session == REGULAR})
        daily = request.interval == "1d"
        label = plan.order if daily else tuple(c for c in plan.columns if c in _LABEL)
        width = None if daily else request.width_ns
        body = fill_previous(body, columns, order=label, days=days, width_ns=width)
    return f"{body} ORDER BY {_list(plan.order)}", columns


def _minutes(request: BarsRequest, sessions: Collection[Session], rank: str | None) -> BarsPlan:
    named = () if request.session is None else ("session",)
    raw = request.interval == "1m"
    label = ("symbol", "trade_date", *(("session",) if raw else named))
    chosen = _chosen(MINUTE_BARS, rank)
    if raw:
        columns = (*label, "bar_start", *_OHLCV, "source")
        body = f"SELECT {_list(columns)} FROM {chosen}"
    elif request.interval == "1d":
        columns = (*label, *_OHLCV, "bars", "source")
        body = resampled(chosen, label=label, width_ns=None, sessions=())
    else:
        columns = (*label, "bar_start", *_OHLCV, "bars", "source")
        anchored = [s for s in sessions if s.session == request.session]
        body = resampled(chosen, label=label, width_ns=request.width_ns, sessions=anchored)
    order = tuple(c for c in ("symbol", "trade_date", "bar_start") if c in columns)
    if request.fill == "previous":
        days = sorted({s.trade_date for s in sessions if s.session == REGULAR})
        width = None if request.interval == "1d" else request.width_ns
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
        found.append(Condition("bar_start_ns", "<", request.window.end_ns))
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
