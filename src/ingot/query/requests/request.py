"""What a caller may write in a request: its words, its options, and dates in any usual type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from ingot.errors import QueryError
from ingot.model.time import Interval, to_ns
from ingot.query.requests.bars import BarsRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

IntervalName = (
    Literal["1m", "5m", "15m", "30m", "1h", "2h", "4h", "1d", "1w", "1mo"] | str  # noqa: PYI051
)
"""Width of a bar: n minutes or hours (`90m`, `4h`), 1d, 1w or 1mo; editors offer the usual ones."""
Basis = Literal["raw", "split", "total_return", "scaled_raw"]
SessionName = Literal["overnight", "pre", "regular", "post"]
Layout = Literal["long", "wide"]
ExportFormat = Literal["parquet", "csv", "arrow", "lean"]
Format = Literal["table", "csv", "json", "jsonl", "parquet", "arrow"]
Params = Mapping[str, object] | Sequence[object] | None
Fill = Literal["none", "previous"]
Value = Literal["open", "high", "low", "close", "volume", "transactions"]
Day = str | date | datetime
"""A date, its ISO 8601 text, or midnight of it (a `pandas.Timestamp` is a datetime)."""
Moment = str | date | datetime | None
"""An instant with offset, a date (00:00 New York of it), or None for now."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """How prices and volumes are adjusted for corporate actions."""

    basis: Basis = "raw"
    """raw (as traded), split, total_return, or scaled_raw (1 on the last date of the range)."""
    formula: Literal["standard", "wiki"] = "standard"
    """How a dividend adjusts: standard (1 - cash / close before) or wiki (c / (c + cash))."""
    strict: bool = False
    """Raise an error when an action cannot be applied; else `unapplied_actions` names it."""

    @classmethod
    def of(cls, basis: Basis | Adjustment) -> Adjustment:
        """Return the adjustment that a basis names, or the one given.

        >>> Adjustment.of("split")
        Adjustment(basis='split', formula='standard', strict=False)
        """
        return basis if isinstance(basis, Adjustment) else cls(basis)


class BarsOptions(TypedDict, total=False):
    """Further options of `Lake.bars`."""

    fill: Fill
    """none, or previous to fill gaps with the close before."""
    layout: Layout
    """long (a row per symbol and bar) or wide (a column per symbol)."""
    value: Value
    """What the wide layout shows."""
    source: str | None
    """Only this connector; by default one per symbol and day, by precedence."""
    window: tuple[str | datetime, str | datetime] | str | None
    """Only bars that start in `[from, until)`: two instants, or `from/until`."""
    follow: bool
    """Follow a symbol's instrument through all of its symbols; False reads the symbol literally."""
    symbol_date: Day | None
    """When the holder of a symbol is resolved; the range's last trade date by default."""
    known_basis: str | None
    """Only what landed with such a known time, e.g. observed."""


class ExportOptions(BarsOptions, total=False):
    """Options of the query that an export answers: those of `Lake.bars` or `Lake.sql`."""

    start: Day | None
    end: Day | None
    interval: IntervalName
    session: SessionName | None
    basis: Basis | Adjustment
    known_at: Moment
    params: Params


_NAMED: Final = ("start", "end", "interval", "session", "basis", "known_at")
BARS_OPTIONS: Final = tuple(BarsOptions.__annotations__)
EXPORT_OPTIONS: Final = tuple(n for n in ExportOptions.__annotations__ if n != "params")
SQL_OPTIONS: Final = ("params", "known_at", "basis", "known_basis")


def bars_request(
    symbols: Iterable[str | Iterable[str]],
    span: tuple[date, date],
    *,
    interval: str = "1d",
    session: str | None = None,
    basis: Basis | Adjustment = "raw",
    **options: Any,  # noqa: ANN401  # those of BarsOptions, which are checked
) -> BarsRequest:
    """Return the request for bars that these words and options make.

    Raises:
        QueryError: An option or a word is unknown, or a date cannot be read.
    """
    require_options("bars", options, BARS_OPTIONS, beside=_NAMED)
    adjustment = Adjustment.of(basis)
    window, symbol_date = options.pop("window", None), options.pop("symbol_date", None)
    return BarsRequest(
        symbol_names(symbols),
        *span,
        interval=interval,
        session=session,
        basis=adjustment.basis,
        formula=adjustment.formula,
        strict=adjustment.strict,
        window=None if window is None else _window(window),
        symbol_date=None if symbol_date is None else as_date("symbol_date", symbol_date),
        **options,
    )


def symbol_names(symbols: Iterable[str | Iterable[str]]) -> tuple[str, ...]:
    """Return symbols given one by one, in lists, or both; each once.

    >>> symbol_names([["AAPL", "MSFT"], "SPY", "AAPL"])
    ('AAPL', 'MSFT', 'SPY')
    """
    found: list[str] = []
    for symbol in symbols:
        found += [symbol] if isinstance(symbol, str) else symbol
    return tuple(dict.fromkeys(found))


def require_options(
    query: str,
    given: Mapping[str, object],
    allowed: Collection[str],
    *,
    beside: Collection[str] = (),
) -> None:
    """Refuse an option that a query does not have; `beside` are its parameters of their own.

    Raises:
        QueryError: There is one; the message names the nearest.
    """
    for name in given:
        if name not in allowed:
            known = (*beside, *allowed)
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(known)}."
            raise QueryError(f"{query} has no option {name!r}. {hint}")


def as_date(name: str, value: Day) -> date:
    """Return the trade date that a caller wrote as text, date, datetime or Timestamp.

    >>> as_date("start", datetime(2025, 6, 2))
    datetime.date(2025, 6, 2)

    Raises:
        QueryError: It is none, or an instant within a day.
    """
    try:
        found: object = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(found, datetime):
            if found.time() == time():
                return found.date()
        elif isinstance(found, date):
            return found
    except (ValueError, TypeError):  # a text that is no date; NaT
        pass
    raise QueryError(f"{name} was {value!r}. Write a date such as 2025-06-02.")


def _window(window: tuple[str | datetime, str | datetime] | str) -> Interval:
    start, end = window.partition("/")[::2] if isinstance(window, str) else window
    interval = Interval(_instant_ns(start), _instant_ns(end))
    if interval.start_ns >= interval.end_ns:
        raise QueryError(f"The window from {start} to before {end} is empty. Swap its ends.")
    return interval


def _instant_ns(value: str | datetime) -> int:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        instant = None
    if not isinstance(instant, datetime) or instant.utcoffset() is None:
        raise QueryError(
            f"window was {value!r}. Write two instants with offset, such as "
            "2025-06-02T15:59:00-04:00."
        )
    return to_ns(instant)
