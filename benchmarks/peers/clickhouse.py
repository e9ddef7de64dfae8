"""ClickHouse in the process (chdb): partitions of a trade date in order of symbol and time."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chdb.session import Session

from benchmarks.clock import repeated, tell, timed

BARS = """
CREATE TABLE m.bars (
  ticker LowCardinality(String), volume Float64, open Float64, close Float64, high Float64,
  low Float64, window_start Int64 CODEC(DoubleDelta, ZSTD), transactions Int64 CODEC(ZSTD),
  trade_date Date MATERIALIZED toDate(fromUnixTimestamp64Nano(window_start, 'America/New_York'))
) ENGINE = MergeTree PARTITION BY trade_date ORDER BY (ticker, window_start)
"""
SILVER = """
CREATE TABLE m.silver ENGINE = MergeTree PARTITION BY trade_date ORDER BY (ticker, ts) AS
SELECT ticker, trade_date, fromUnixTimestamp64Nano(window_start, 'UTC') AS ts,
  multiIf(minute < 570, 'pre', minute < 960, 'regular', 'post')::LowCardinality(String) AS session,
  open, high, low, close, volume, transactions,
  avg(close) OVER w AS close_avg_15m, sum(volume) OVER w AS volume_15m,
  max(high) OVER w AS high_15m, min(low) OVER w AS low_15m
FROM (
  SELECT *, trade_date, fromUnixTimestamp64Nano(window_start, 'America/New_York') AS et,
    toHour(et) * 60 + toMinute(et) AS minute, intDiv(window_start, 60000000000) AS m
  FROM m.bars
)
WINDOW w AS (PARTITION BY ticker, trade_date ORDER BY m RANGE BETWEEN 14 PRECEDING AND CURRENT ROW)
"""
COLUMNS = "ticker, trade_date, session, ts, open, high, low, close, volume, transactions"
ONE = (
    f"SELECT {COLUMNS} FROM m.silver "
    "WHERE ticker = {ticker:String} AND trade_date >= {first:Date} ORDER BY ts"
)
MINUTE = (
    f"SELECT {COLUMNS} FROM m.silver "
    "WHERE trade_date = {first:Date} AND ts = {ts:String} ORDER BY ticker"
)
DAILY = (
    "SELECT ticker, trade_date, argMin(open, ts), max(high), min(low), argMax(close, ts), "
    "sum(volume) FROM m.silver WHERE trade_date >= {first:Date} GROUP BY ticker, trade_date"
)


def main() -> None:
    """Run: clickhouse TREE OUT SYMBOL..."""
    tree, out, *symbols = sys.argv[1:]
    folder = Path(out) / "clickhouse"
    shutil.rmtree(folder, ignore_errors=True)
    session = Session(str(folder))
    session.query("CREATE DATABASE m ENGINE = Atomic")
    session.query(BARS)
    files = sorted(Path(tree).rglob("*.csv.gz"))
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
    session.query("OPTIMIZE TABLE m.silver FINAL")
    _reads(session, [file.name[:10] for file in files], symbols)


def _reads(session: Session, days: list[str], symbols: list[str]) -> None:
    last, first = days[-1], days[-20:][0]
    moment = datetime.fromisoformat(last).replace(tzinfo=UTC) + timedelta(hours=16)

    def answer(text: str, **values: str) -> object:
        return session.query(text, "Arrow", params=values)

    repeated("one symbol one day", lambda i: answer(ONE, ticker=symbols[i], first=last))
    repeated("one symbol 20 days", lambda i: answer(ONE, ticker=symbols[i], first=first))
    repeated(
        "market one minute",
        lambda i: answer(MINUTE, first=last, ts=f"{moment + timedelta(minutes=i):%F %T}"),
    )
    repeated("daily bars from minutes", lambda _: answer(DAILY, first=first), times=3, warm=1)


def _one(session: Session, sql: str) -> int:
    return int(str(session.query(sql, "TSV")).strip())


if __name__ == "__main__":
    main()
