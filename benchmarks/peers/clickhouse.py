"""ClickHouse in the process (chdb): a MergeTree table, windows over doubles, reads."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from chdb.session import Session

from benchmarks.clock import repeated, tell, timed

BARS = """
CREATE TABLE m.bars (
  ticker LowCardinality(String), volume Float64, open Float64, close Float64, high Float64,
  low Float64, window_start Int64 CODEC(DoubleDelta, ZSTD), transactions Int64 CODEC(ZSTD)
) ENGINE = MergeTree PARTITION BY toYYYYMM(fromUnixTimestamp64Nano(window_start))
ORDER BY (ticker, window_start)
"""
SILVER = """
CREATE TABLE m.silver ENGINE = MergeTree ORDER BY (ticker, window_start) AS
SELECT *, multiIf(minute < 570, 'pre', minute < 960, 'regular', 'post') AS session,
  avg(close) OVER w AS close_avg_15m, sum(volume) OVER w AS volume_15m,
  max(high) OVER w AS high_15m, min(low) OVER w AS low_15m
FROM (
  SELECT *, fromUnixTimestamp64Nano(window_start, 'America/New_York') AS et,
    toDate(et) AS trade_date, toHour(et) * 60 + toMinute(et) AS minute,
    intDiv(window_start, 60000000000) AS m
  FROM m.bars
)
WINDOW w AS (PARTITION BY ticker, trade_date ORDER BY m RANGE BETWEEN 14 PRECEDING AND CURRENT ROW)
"""


def main() -> None:
    """Run: clickhouse TREE OUT SYMBOL..."""
    tree, out, *symbols = sys.argv[1:]
    folder = Path(out) / "clickhouse"
    shutil.rmtree(folder, ignore_errors=True)
    session = Session(str(folder))
    session.query("CREATE DATABASE m ENGINE = Atomic")
    session.query(BARS)
    with timed("load") as figures:
        session.query(
            f"INSERT INTO m.bars SELECT * FROM file('{tree}/*/*/*.csv.gz', 'CSVWithNames', "
            "'ticker String, volume Float64, open Float64, close Float64, high Float64, "
            "low Float64, window_start Int64, transactions Int64')"
        )
        figures["rows"] = _one(session, "SELECT count() FROM m.bars")
    session.query("OPTIMIZE TABLE m.bars FINAL")
    size = _one(
        session, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'bars'"
    )
    tell("stored", rows=_one(session, "SELECT count() FROM m.bars"), bytes=size)
    with timed("silver") as figures:
        session.query(SILVER)
        figures["rows"] = _one(session, "SELECT count() FROM m.silver")
    _reads(session, symbols)


def _reads(session: Session, symbols: list[str]) -> None:
    last = _one(session, "SELECT max(intDiv(window_start, 86400000000000)) FROM m.silver")
    day = 86_400_000_000_000

    def one(i: int, days: int) -> object:
        return session.query(
            f"SELECT * FROM m.silver WHERE ticker = '{symbols[i % len(symbols)]}' "
            f"AND window_start >= {(last - days + 1) * day}",
            "Arrow",
        )

    repeated("one symbol one day", lambda i: one(i, 1))
    repeated("one symbol 20 days", lambda i: one(i, 30))
    repeated(
        "market one minute",
        lambda i: session.query(
            "SELECT * FROM m.silver WHERE window_start = "
            f"{last * day + (16 * 60 + i) * 60_000_000_000}",
            "Arrow",
        ),
    )
    repeated(
        "daily bars from minutes",
        lambda _: session.query(
            "SELECT ticker, trade_date, argMin(open, window_start), max(high), min(low), "
            "argMax(close, window_start), sum(volume) FROM m.silver "
            f"WHERE window_start >= {(last - 29) * day} GROUP BY ticker, trade_date",
            "Arrow",
        ),
        times=3,
        warm=1,
    )


def _one(session: Session, sql: str) -> int:
    return int(str(session.query(sql, "TSV")).strip())


if __name__ == "__main__":
    main()
