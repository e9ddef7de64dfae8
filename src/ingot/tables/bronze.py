"""Bronze: the vendor's own columns, append only, every version of every file."""

from __future__ import annotations

from ingot.tables.contract import (
    Binding,
    Column,
    Date,
    Decimal,
    Float64,
    Int32,
    Int64,
    Price,
    Quantity,
    String,
    Table,
    TimestampUs,
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

_STATED = (
    Column("stated_from", TimestampUs, "Known from, where the source states it.", nullable=True),
    Column("raw", String, "The row as its source wrote it, secrets left out."),
)

ACTION = (
    Column("action_id", String, "The source's id, or one made of symbol, ex-date and kind."),
    Column("symbol", String, "Symbol on the ex-date, case-sensitive."),
    Column("ex_date", Date, "First trade date on the new scale, or without the dividend."),
    Column("kind", String, "split, stock_dividend, cash_dividend, spin_off, rights or merger."),
    Column("ratio_from", Decimal(18, 6), "Old shares of a split.", nullable=True),
    Column("ratio_to", Decimal(18, 6), "New shares of a split.", nullable=True),
    Column("cash", Decimal(18, 9), "Cash of one share, as declared.", nullable=True),
    Column("currency", String, "ISO 4217 code of the cash.", nullable=True),
    Column("declared_date", Date, "Declaration date, if the source has one.", nullable=True),
)
"""What a corporate action is, in bronze and silver."""
DESCRIPTION = (
    Column("name", String, "Name of the company or fund.", nullable=True),
    Column("exchange", String, "Primary exchange by its ISO 10383 code.", nullable=True),
    Column("type", String, "The source's code, e.g. CS or ETF.", nullable=True),
    Column("figi", String, "Composite FIGI.", nullable=True),
    Column("cik", String, "Number of the issuer at the SEC, ten digits.", nullable=True),
    Column("round_lot", Int64, "Shares of a round lot.", unit="shares", nullable=True),
    Column("list_date", Date, "First day of listing.", nullable=True),
    Column("delisted_date", Date, "First day no longer listed.", nullable=True),
)
"""Columns that describe an instrument, in bronze and silver."""

CORPORATE_ACTIONS = Table(
    name="bronze.corporate_actions",
    doc="One corporate action in one version of a file, or of all pages of a query.",
    columns=(
        *LINEAGE,
        *ACTION,
        *_STATED,
    ),
    key=("source", "dataset", "landing_id", "row_number"),
    binding=Binding.LANDING,
    partition=month("file_date"),
)

INSTRUMENTS = Table(
    name="bronze.instruments",
    doc="One symbol held by one instrument in one version of a file, or of all pages of a query.",
    columns=(
        *LINEAGE,
        Column(
            "instrument_id",
            String,
            "Composite FIGI; else CIK and type; else source : first symbol @ list date.",
        ),
        Column("symbol", String, "Symbol that the instrument holds, case-sensitive."),
        Column("valid_from", Date, "First trade date of the symbol, as the source says."),
        Column("valid_to", Date, "The date after the last; null while it holds.", nullable=True),
        *DESCRIPTION,
        *_STATED,
    ),
    key=("source", "dataset", "landing_id", "row_number"),
    binding=Binding.LANDING,
    partition=month("file_date"),
)

REST_DAY_BARS = Table(
    name="bronze.rest_day_bars",
    doc="One day bar of one version of a REST answer, in the source's own numbers.",
    columns=(
        *LINEAGE,
        Column("symbol", String, "The source's symbol, case-sensitive."),
        Column("trade_date", Date, "Date of the session, in the exchange's time zone."),
        Column("bar_start", Int64, "The source's label, seconds since 1970 UTC.", unit="s"),
        Column("range_start", Date, "First date that the answer was asked for."),
        Column("range_end", Date, "The date after the last."),
        Column("open", Float64, "As answered, on `price_basis`."),
        Column("high", Float64, "As answered, on `price_basis`."),
        Column("low", Float64, "As answered, on `price_basis`."),
        Column("close", Float64, "As answered, on `price_basis`."),
        Column("adjusted_close", Float64, "The source's own total return close.", nullable=True),
        Column("volume", Float64, "As answered, on `price_basis`.", unit="shares"),
        Column("currency", String, "Currency or minor unit of the prices, e.g. USD or GBp."),
        Column("time_zone", String, "IANA name of the exchange's time zone."),
        Column("price_basis", String, "as_traded, or split_adjusted at the time of the answer."),
        Column("splits_from", Decimal(18, 6), "Old shares of all splits since that it took out."),
        Column("splits_to", Decimal(18, 6), "New shares of them: as traded = price x to / from."),
    ),
    key=("source", "dataset", "landing_id", "row_number"),
    binding=Binding.LANDING,
    partition=month("file_date"),
)

TABLES = (MINUTE_BARS, DAY_BARS, CORPORATE_ACTIONS, INSTRUMENTS, REST_DAY_BARS)
