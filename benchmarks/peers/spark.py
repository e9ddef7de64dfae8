"""Spark local[2]: csv.gz to Parquet, then sessions and windows over doubles."""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks.clock import tell, timed

SILVER = """
WITH c AS (
  SELECT *, from_utc_timestamp(timestamp_micros(window_start DIV 1000), 'America/New_York') AS et,
    window_start DIV 60000000000 AS m FROM bars
), d AS (
  SELECT *, CAST(et AS DATE) AS trade_date, hour(et) * 60 + minute(et) AS et_minute FROM c
)
SELECT *, CASE WHEN et_minute < 570 THEN 'pre' WHEN et_minute < 960 THEN 'regular' ELSE 'post' END
    AS session,
  avg(close) OVER w AS close_avg_15m, sum(volume) OVER w AS volume_15m,
  max(high) OVER w AS high_15m, min(low) OVER w AS low_15m
FROM d
WINDOW w AS (PARTITION BY ticker, trade_date ORDER BY m RANGE BETWEEN 14 PRECEDING AND CURRENT ROW)
"""
COLUMNS = (
    "ticker STRING, volume DOUBLE, open DOUBLE, close DOUBLE, high DOUBLE, low DOUBLE, "
    "window_start BIGINT, transactions BIGINT"
)


def main() -> None:
    """Run: spark TREE OUT."""
    tree, out = sys.argv[1:3]
    files = [str(p) for p in sorted(Path(tree).rglob("*.csv.gz"))]
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    target = f"{out}/spark"
    with timed("load") as figures:
        frame = spark.read.csv(files, schema=COLUMNS, header=True)
        frame.write.mode("overwrite").option("compression", "zstd").parquet(f"{target}/bars")
        figures["rows"] = spark.read.parquet(f"{target}/bars").count()
    size = sum(path.stat().st_size for path in Path(f"{target}/bars").glob("*.parquet"))
    tell("stored", rows=figures["rows"], bytes=size)
    with timed("silver") as figures:
        spark.read.parquet(f"{target}/bars").createOrReplaceTempView("bars")
        spark.sql(SILVER).write.mode("overwrite").parquet(f"{target}/silver")
        figures["rows"] = spark.read.parquet(f"{target}/silver").count()
    spark.stop()


if __name__ == "__main__":
    main()
