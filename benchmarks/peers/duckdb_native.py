"""DuckDB's own tables, loaded day by day so that zone maps prune; prepared reads."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.clock import repeated, tell, timed

_CSV = (
    "{'ticker': 'VARCHAR', 'volume': 'DOUBLE', 'open': 'DOUBLE', 'close': 'DOUBLE', "
    "'high': 'DOUBLE', 'low': 'DOUBLE', 'window_start': 'BIGINT', 'transactions': 'BIGINT'}"
)
# A day's rows in the order in which they are read: the zone map of a row group is a few symbols.
SILVER = """
SELECT ticker, CAST(et AS DATE) AS trade_date,
  CASE WHEN et_minute < 570 THEN 'pre' WHEN et_minute < 960 THEN 'regular' ELSE 'post' END
    AS session,
  ts, open, high, low, close, volume, transactions,
  avg(close) OVER w AS close_avg_15m, sum(volume) OVER w AS volume_15m,
  max(high) OVER w AS high_15m, min(low) OVER w AS low_15m
FROM (
  SELECT *, hour(et) * 60 + minute(et) AS et_minute, window_start // 60000000000 AS m
  FROM (
    SELECT *, make_timestamp(window_start // 1000) AS ts,
      ts AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York' AS et
    FROM bars WHERE window_start >= $1 AND window_start < $2
  )
)
WINDOW w AS (PARTITION BY ticker ORDER BY m RANGE BETWEEN 14 PRECEDING AND CURRENT ROW)
ORDER BY ticker, ts
"""
COLUMNS = "ticker, trade_date, session, ts, open, high, low, close, volume, transactions"
READS = {
    "one": f"SELECT {COLUMNS} FROM silver WHERE ticker = $1 AND trade_date >= $2 ORDER BY ts",
    "minute": f"SELECT {COLUMNS} FROM silver WHERE ts = $1 AND trade_date = $2 ORDER BY ticker",
    "daily": (
        "SELECT ticker, trade_date, arg_min(open, ts), max(high), min(low), arg_max(close, ts), "
        "sum(volume) FROM silver WHERE trade_date >= $1 GROUP BY ticker, trade_date"
    ),
}


def main() -> None:
    """Run: duckdb_native TREE OUT SYMBOL..."""
    tree, out, *symbols = sys.argv[1:]
    files = sorted(Path(tree).rglob("*.csv.gz"))
    Path(out).mkdir(parents=True, exist_ok=True)
    path = Path(out) / "native.duckdb"
    path.unlink(missing_ok=True)
    con = duckdb.connect(str(path))
    con.sql("SET GLOBAL TimeZone='UTC'")
    _load(con, files)
    tell("stored", rows=_one(con, "SELECT count(*) FROM bars"), bytes=path.stat().st_size)
    with timed("silver") as figures:
        for file in files:
            _refine(con, datetime.fromisoformat(file.name[:10]).replace(tzinfo=UTC))
        con.sql("CHECKPOINT")
        figures["rows"] = _one(con, "SELECT count(*) FROM silver")
    _reads(con, [file.name[:10] for file in files], symbols)


def _load(con: duckdb.DuckDBPyConnection, files: list[Path]) -> None:
    con.sql(f"CREATE TABLE bars AS SELECT * FROM {_scan(files[0])} LIMIT 0")
    with timed("load") as figures:
        for file in files:
            con.sql(f"INSERT INTO bars FROM {_scan(file)}")
        con.sql("CHECKPOINT")
        figures["rows"] = _one(con, "SELECT count(*) FROM bars")


def _scan(file: Path) -> str:
    return f"read_csv('{file}', header=true, columns={_CSV}, nullstr='\\N')"


def _refine(con: duckdb.DuckDBPyConnection, day: datetime) -> None:
    """Refine one day; bars of a date lie between 04:00 and 20:00 New York."""
    start = int(day.timestamp()) + 4 * 3600
    bounds = [start * 1_000_000_000, (start + 24 * 3600) * 1_000_000_000]
    there = _one(con, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'silver'")
    con.execute(f"{'INSERT INTO silver' if there else 'CREATE TABLE silver AS'} {SILVER}", bounds)


def _reads(con: duckdb.DuckDBPyConnection, days: list[str], symbols: list[str]) -> None:
    for name, text in READS.items():
        con.execute(f"PREPARE {name} AS {text}")
    last, first = days[-1], days[-20:][0]
    moment = datetime.fromisoformat(last) + timedelta(hours=16)

    def executed(call: str) -> object:
        return con.sql(f"EXECUTE {call}").to_arrow_table()

    repeated("one symbol one day", lambda i: executed(f"one('{symbols[i]}', DATE '{last}')"))
    repeated("one symbol 20 days", lambda i: executed(f"one('{symbols[i]}', DATE '{first}')"))
    repeated(
        "market one minute",
        lambda i: executed(
            f"minute(TIMESTAMP '{moment + timedelta(minutes=i):%F %T}', DATE '{last}')"
        ),
    )
    repeated(
        "daily bars from minutes", lambda _: executed(f"daily(DATE '{first}')"), times=3, warm=1
    )


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(con.sql(sql).fetchall()[0][0])


if __name__ == "__main__":
    main()
