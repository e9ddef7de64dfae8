"""Minute bars that others recorded, read without our code, and bars made of them by hand."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ingot.query.result.answer import Answer

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
"""Header of the vendor's aggregates, in its order: the close comes second."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What was traded in `[start, start + width)`."""

    symbol: str
    start: datetime
    """UTC."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    transactions: int = 1
    """1 where the recording does not say."""

    @property
    def day(self) -> date:
        """The date in New York."""
        return self.start.astimezone(NEW_YORK).date()

    @property
    def start_ns(self) -> int:
        """The start in nanoseconds since 1970."""
        return (self.start - EPOCH) // timedelta(microseconds=1) * 1000

    @property
    def clock(self) -> time:
        """The start on New York's clock."""
        return self.start.astimezone(NEW_YORK).time()


def read_lean(folder: Path, symbol: str, day: date) -> list[Bar]:
    """Read one of LEAN's day archives: milliseconds since midnight New York, prices times 10000."""
    with zipfile.ZipFile(folder / symbol.lower() / f"{day:%Y%m%d}_trade.zip") as archive:
        (name,) = archive.namelist()
        return lean_bars(archive.read(name).decode(), symbol, day)


def lean_bars(text: str, symbol: str, day: date) -> list[Bar]:
    """Read the text of one of LEAN's minute files."""
    midnight = datetime.combine(day, time(), NEW_YORK)
    bars = []
    for ms, *prices, volume in csv.reader(text.splitlines()):
        start = midnight.astimezone(UTC) + timedelta(milliseconds=int(ms))
        ohlc = [Decimal(price) / 10_000 for price in prices]
        bars.append(_bar(symbol, start, [*ohlc, Decimal(volume)]))
    return bars


def read_alphavantage(path: Path, symbol: str, width: timedelta) -> list[Bar]:
    """Read one of Alpha Vantage's files: newest first, naive New York, labelled by their ends."""
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.reader(file))[1:]
    bars = []
    for label, *values in reversed(rows):
        end = datetime.fromisoformat(label).replace(tzinfo=NEW_YORK)
        bars.append(_bar(symbol, end.astimezone(UTC) - width, [Decimal(v) for v in values]))
    return bars


def read_massive_rest(path: Path, symbol: str) -> list[Bar]:
    """Read minutes as the vendor's REST interface gives them, labelled by their starts."""
    names = ("open", "high", "low", "close", "volume")
    with gzip.open(path, "rt", newline="") as file:
        return [
            _bar(
                symbol,
                datetime.fromisoformat(row["datetime"]).astimezone(UTC),
                [Decimal(row[name]) for name in names],
                int(row["transactions"]),
            )
            for row in csv.DictReader(file)
        ]


def _bar(symbol: str, start: datetime, values: list[Decimal], transactions: int = 1) -> Bar:
    first, high, low, last, volume = values
    return Bar(symbol, start, first, high, low, last, volume, transactions)


def publish(tree: Path, dataset: str, day: date, text: str) -> None:
    """Put a file where the vendor would."""
    path = tree / dataset / f"{day:%Y}" / f"{day:%m}" / f"{day}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def publish_bars(tree: Path, dataset: str, bars: Iterable[Bar]) -> list[date]:
    """Put bars where the vendor would, in its columns; return their days."""
    days = [(day, list(group)) for day, group in groupby(sorted(bars, key=_filed), lambda b: b.day)]
    for day, found in days:
        publish(tree, dataset, day, as_vendor(found))
    return [day for day, _ in days]


def _filed(bar: Bar) -> tuple[date, str, datetime]:
    return bar.day, bar.symbol, bar.start


def as_vendor(bars: Iterable[Bar]) -> str:
    """Return bars as the text of the vendor's file."""
    lines = io.StringIO()
    lines.write(HEADER + "\n")
    for b in bars:
        values = (b.symbol, b.volume, b.open, b.close, b.high, b.low, b.start_ns, b.transactions)
        lines.write(",".join(str(value) for value in values) + "\n")
    return lines.getvalue()


def one_of(bars: Sequence[Bar], start: datetime) -> Bar:
    """Return the one bar that minutes, oldest first, add up to."""
    return Bar(
        symbol=bars[0].symbol,
        start=start,
        open=bars[0].open,
        high=max(b.high for b in bars),
        low=min(b.low for b in bars),
        close=bars[-1].close,
        volume=sum((b.volume for b in bars), Decimal(0)),
        transactions=sum(b.transactions for b in bars),
    )


def resampled(bars: Iterable[Bar], start_of: Callable[[Bar], datetime]) -> list[Bar]:
    """Return one bar for all minutes of a symbol whose buckets start alike, oldest first."""
    ordered = sorted(bars, key=lambda b: (b.symbol, b.start))
    groups = groupby(ordered, lambda b: (b.symbol, start_of(b)))
    return [one_of(list(found), start) for (_, start), found in groups]


def trailing_15_minutes(bars: Sequence[Bar]) -> list[tuple[Decimal | int, ...]]:
    """Return average close, volume, high, low and count of the 15 minutes up to each bar.

    Of one symbol and trade date, oldest first; the average is rounded half up to 6 digits.
    """
    found: list[tuple[Decimal | int, ...]] = []
    for bar in bars:
        window = [b for b in bars if bar.start - 15 * MINUTE < b.start <= bar.start]
        average = sum(b.close for b in window) / Decimal(len(window))
        found.append(
            (
                average.quantize(Decimal("0.000001"), ROUND_HALF_UP),
                sum((b.volume for b in window), Decimal(0)),
                max(b.high for b in window),
                min(b.low for b in window),
                len(window),
            )
        )
    return found


def session_of(bar: Bar, close: time = time(16), post_end: time = time(20)) -> str:
    """Return the session by New York's clock; an early close ends regular and post earlier."""
    sessions = (
        (time(4), "closed"),
        (time(9, 30), "pre"),
        (close, "regular"),
        (post_end, "post"),
    )
    return next((name for end, name in sessions if bar.clock < end), "closed")


def bars_in(answer: Answer) -> list[Bar]:
    """Return the bars of an answer, without its other columns."""
    names = ["symbol", "bar_start", "open", "high", "low", "close", "volume", "transactions"]
    return [Bar(*row) for row in rows_in(answer, *names)]


def rows_in(answer: Answer, *names: str) -> list[tuple[Any, ...]]:
    """Return columns of an answer as rows."""
    columns = (answer.to_arrow()[name].to_pylist() for name in names)
    return list(zip(*columns, strict=True))
