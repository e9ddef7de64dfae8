"""DuckDB's own tables: read_csv into a database file, windows over doubles, reads."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.clock import repeated, tell, timed

SILVER = """
CREATE TABLE silver AS
WITH b AS (
  SELECT *, make_timestamp(window_start // 1000) AS ts,
    make_timestamp(window_start // 1000) AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York' AS et
  FROM bars
), c AS (
  SELECT *, CAST(et AS DATE) AS trade_date, hour(et) * 60 + minute(et) AS et_minute,
    window_start // 60000000000 AS m
  FROM b
)
SELECT ticker, trade_date, ts, open, high, low, close, volume, transactions,
  CASE WHEN et_minute < 570 THEN 'pre' WHEN et_minute < 960 THEN 'regular' ELSE 'post' END
    AS session,
  avg(close) OVER w AS close_avg_15m, sum(volume) OVER w AS volume_15m,
  max(high) OVER w AS high_15m, min(low) OVER w AS low_15m
FROM c
WINDOW w AS (PARTITION BY ticker, trade_date ORDER BY m RANGE BETWEEN 14 PRECEDING AND CURRENT ROW)
"""


def main() -> None:
    """Run: duckdb_native TREE OUT SYMBOL..."""
    tree, out, *symbols = sys.argv[1:]
    Path(out).mkdir(parents=True, exist_ok=True)
    path = Path(out) / "native.duckdb"
    path.unlink(missing_ok=True)
    con = duckdb.connect(str(path))
    con.sql("SET GLOBAL TimeZone='UTC'")
    columns = (
        "{'ticker': 'VARCHAR', 'volume': 'DOUBLE', 'open': 'DOUBLE', 'close': 'DOUBLE', "
        "'high': 'DOUBLE', 'low': 'DOUBLE', 'window_start': 'BIGINT', 'transactions': 'BIGINT'}"
    )
    with timed("load") as figures:
        con.sql(
            f"CREATE TABLE bars AS SELECT * FROM read_csv('{tree}/**/*.csv.gz', header=true, "
            f"columns={columns}, nullstr='\\N')"
        )
        con.sql("CHECKPOINT")
        figures["rows"] = _one(con, "SELECT count(*) FROM bars")
    tell("stored", rows=_one(con, "SELECT count(*) FROM bars"), bytes=path.stat().st_size)
    with timed("silver") as figures:
        con.sql(SILVER)
        con.sql("CHECKPOINT")
        figures["rows"] = _one(con, "SELECT count(*) FROM silver")
    _reads(con, symbols)


def _reads(con: duckdb.DuckDBPyConnection, symbols: list[str]) -> None:
    last = con.sql("SELECT max(trade_date) FROM silver").fetchall()[0][0]

    def one(i: int, days: int) -> object:
        return con.sql(
            f"SELECT * FROM silver WHERE ticker = '{symbols[i % len(symbols)]}' "
            f"AND trade_date > DATE '{last - timedelta(days=days)}'"
        ).to_arrow_table()

    repeated("one symbol one day", lambda i: one(i, 1))
    repeated("one symbol 20 days", lambda i: one(i, 30))
    moment = datetime(last.year, last.month, last.day, 16, tzinfo=UTC)
    repeated(
        "market one minute",
        lambda i: con.sql(
            f"SELECT * FROM silver WHERE ts = TIMESTAMP '{moment + timedelta(minutes=i):%F %T}'"
        ).to_arrow_table(),
    )
    repeated(
        "daily bars from minutes",
        lambda _: con.sql(
            "SELECT ticker, trade_date, arg_min(open, ts), max(high), min(low), "
            "arg_max(close, ts), sum(volume) FROM silver "
            f"WHERE trade_date > DATE '{last - timedelta(days=30)}' GROUP BY ALL"
        ).to_arrow_table(),
        times=3,
        warm=1,
    )


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(con.sql(sql).fetchall()[0][0])


if __name__ == "__main__":
    main()
