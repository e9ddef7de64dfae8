"""Reads through the front door, `ingot.open`: no answer is one that was kept."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta

import ingot
from benchmarks.clock import repeated, tell, timed

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


def main() -> None:
    """Run: reads LAKE FIRST_DAY_OF_20 LAST_DAY SYMBOL..."""
    lake_path, first_text, last_text, *symbols = sys.argv[1:]
    first, last = date.fromisoformat(first_text), date.fromisoformat(last_text)
    moment = datetime(last.year, last.month, last.day, 16, tzinfo=UTC)

    with timed("first answer") as figures, ingot.open(lake_path) as lake:
        figures["rows"] = len(lake.bars(symbols[0], start=last, end=last + _DAY, interval="1m"))

    with ingot.open(lake_path) as lake:

        def bars(i: int, start: date) -> object:
            return lake.bars(symbols[i], start=start, end=last + _DAY, interval="1m").to_arrow()

        def minute(i: int) -> object:
            begin = moment + i * _MINUTE
            window = (begin, begin + _MINUTE)
            return lake.bars(start=last, end=last + _DAY, interval="1m", window=window).to_arrow()

        def minute_in_sql(i: int) -> object:
            return lake.sql(
                "SELECT symbol, open, high, low, close, volume FROM silver.minute_bars "
                f"WHERE trade_date = DATE '{last}' "
                f"AND bar_start = TIMESTAMPTZ '{(moment + i * _MINUTE).isoformat()}'"
            ).to_arrow()

        repeated("one symbol one day", lambda i: bars(i, last))
        repeated("the same again", lambda _: bars(0, last))
        repeated("one symbol 20 days", lambda i: bars(i, first))
        repeated("market one minute", minute)
        repeated("market one minute in SQL", minute_in_sql)
        repeated("daily bars from minutes", lambda i: _daily(lake, first, i), times=3, warm=1)
        repeated(
            "daily bars from gold",
            lambda i: lake.bars(
                start=first - i * _DAY, end=last + _DAY, interval="1d", session="regular"
            ).to_arrow(),
            times=3,
            warm=1,
        )
        repeated(
            "a question",
            lambda i: lake.sql(
                "SELECT session, COUNT(*) AS bars, MAX(high) AS high FROM silver.minute_bars "
                f"WHERE symbol = '{symbols[i]}' AND trade_date = DATE '{last}' GROUP BY session"
            ).to_arrow(),
        )
        tell("rows read", rows=len(lake.bars(start=first, end=last + _DAY, session="regular")))


def _daily(lake: ingot.Lake, first: date, i: int) -> object:
    return lake.sql(
        "SELECT symbol, trade_date, arg_min(open, bar_start_ns) AS open, MAX(high) AS high, "
        "MIN(low) AS low, arg_max(close, bar_start_ns) AS close, SUM(volume) AS volume "
        f"FROM silver.minute_bars WHERE trade_date >= DATE '{first - i * _DAY}' "
        "GROUP BY symbol, trade_date"
    ).to_arrow()


if __name__ == "__main__":
    main()
