"""The bare Polars pipeline: scan_csv to Parquet, rolling values, reads; no lake, no history."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks.clock import repeated, tell, timed

SCHEMA = {
    "ticker": pl.String,
    "volume": pl.Float64,
    "open": pl.Float64,
    "close": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "window_start": pl.Int64,
    "transactions": pl.Int64,
}
COLUMNS = (
    *("ticker", "trade_date", "session", "ts", "open", "high", "low", "close"),
    *("volume", "transactions"),
)
_ROW_GROUP_ROWS = 65_536


def load(files: list[Path], out: Path) -> None:
    """Turn each csv.gz into one Parquet file."""
    out.mkdir(parents=True, exist_ok=True)
    with timed("load") as figures:
        for path in files:
            frame = pl.scan_csv(path, schema=SCHEMA)
            frame.sink_parquet(out / f"{path.name[:10]}.parquet", compression="zstd")
        figures["rows"] = pl.scan_parquet(out / "*.parquet").select(pl.len()).collect().item()
    size = sum(path.stat().st_size for path in out.glob("*.parquet"))
    tell("stored", rows=figures["rows"], bytes=size)


def silver(out: Path) -> None:
    """Sessions by clock time and trailing 15-minute values, one day after the other."""
    target = out.parent / "polars_silver"
    target.mkdir(exist_ok=True)
    with timed("silver") as figures:
        for path in sorted(out.glob("*.parquet")):
            figures["rows"] += _silver_day(path, target / path.name)


def _silver_day(path: Path, to: Path) -> int:
    start = pl.from_epoch("window_start", time_unit="ns")
    local = start.dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    minute = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    session = (
        pl.when(minute < 570)
        .then(pl.lit("pre"))
        .when(minute < 960)
        .then(pl.lit("regular"))
        .otherwise(pl.lit("post"))
    )
    rolling = [
        pl.col("close").rolling_mean_by("ts", "15m").over("ticker").alias("close_avg_15m"),
        pl.col("volume").rolling_sum_by("ts", "15m").over("ticker").alias("volume_15m"),
        pl.col("high").rolling_max_by("ts", "15m").over("ticker").alias("high_15m"),
        pl.col("low").rolling_min_by("ts", "15m").over("ticker").alias("low_15m"),
    ]
    frame = (
        pl.scan_parquet(path)
        .with_columns(ts=start, trade_date=local.dt.date(), session=session)
        .sort("ticker", "ts")
        .with_columns(rolling)
    )
    # Small row groups in order of symbol: their statistics prune a read of one of them.
    frame.sink_parquet(to, compression="zstd", row_group_size=_ROW_GROUP_ROWS)
    return int(pl.scan_parquet(to).select(pl.len()).collect().item())


def reads(out: Path, symbols: list[str]) -> None:
    """Read one symbol's day, its last 20 days, one minute of the market, and daily bars."""
    days = sorted((out.parent / "polars_silver").glob("*.parquet"))

    def one(i: int, paths: list[Path]) -> pl.DataFrame:
        return pl.scan_parquet(paths).filter(ticker=symbols[i]).select(COLUMNS).collect()

    repeated("one symbol one day", lambda i: one(i, days[-1:]))
    repeated("one symbol 20 days", lambda i: one(i, days[-20:]))
    moment = datetime.fromisoformat(days[-1].stem) + timedelta(hours=16)
    repeated(
        "market one minute",
        lambda i: (
            pl.scan_parquet(days[-1])
            .filter(pl.col("ts") == moment + timedelta(minutes=i))
            .select(COLUMNS)
            .collect()
        ),
    )
    repeated("daily bars from minutes", lambda _: _daily(days[-20:]), times=3, warm=1)


def _daily(days: list[Path]) -> pl.DataFrame:
    grouped = pl.scan_parquet(days).group_by("ticker", "trade_date")
    return grouped.agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    ).collect()


def main() -> None:
    """Run: polars_bare TREE OUT SYMBOL..."""
    tree, out, *symbols = sys.argv[1:]
    files = sorted(Path(tree).rglob("*.csv.gz"))
    parquet = Path(out) / "polars"
    load(files, parquet)
    silver(parquet)
    reads(parquet, symbols)


if __name__ == "__main__":
    main()
