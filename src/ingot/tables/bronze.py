"""Bronze: the vendor's own columns, append only, every version of every file."""

from __future__ import annotations

from ingot.tables.contract import (
    Binding,
    Column,
    Date,
    Int32,
    Int64,
    Price,
    Quantity,
    String,
    Table,
    month,
)

LINEAGE = (
    Column("source", String, "Connector that fetched the row."),
    Column("dataset", String, "The vendor's dataset, e.g. us_stocks_sip/minute_aggs_v1."),
    Column("file_date", Date, "Day under which the vendor filed the row."),
    Column("landing_id", Int64, "The version of the file that holds the row (ops.landings)."),
    Column("row_number", Int32, "Line of the row in its file; 1 is the first after the header."),
)

_AGGREGATES = (
    Column("ticker", String, "The vendor's symbol, case-sensitive; NA and TRUE are symbols."),
    Column("volume", Quantity, "Traded quantity; may be fractional.", unit="shares or contracts"),
    Column("open", Price, "First eligible trade, as traded.", unit="USD"),
    Column("close", Price, "Last eligible trade, as traded.", unit="USD"),
    Column("high", Price, "Highest eligible trade, as traded.", unit="USD"),
    Column("low", Price, "Lowest eligible trade, as traded.", unit="USD"),
    Column("window_start", Int64, "Start of the bar, nanoseconds since 1970 UTC.", unit="ns"),
    Column("transactions", Int64, "Number of trades."),
)

MINUTE_BARS = Table(
    name="bronze.minute_bars",
    doc="One row of one version of a vendor's minute file, in the vendor's own columns.",
    columns=(*LINEAGE, *_AGGREGATES),
    key=("source", "dataset", "landing_id", "row_number"),
    binding=Binding.LANDING,
    partition=month("file_date"),
)

DAY_BARS = Table(
    name="bronze.day_bars",
    doc="One row of one version of a vendor's day file, in the vendor's own columns.",
    columns=(*LINEAGE, *_AGGREGATES),
    key=("source", "dataset", "landing_id", "row_number"),
    binding=Binding.LANDING,
    partition=month("file_date"),
)

TABLES = (MINUTE_BARS, DAY_BARS)
