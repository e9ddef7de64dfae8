"""Silver: sessions, bars with their history, corporate actions."""

from __future__ import annotations

from dataclasses import replace

from ingot.tables.bronze import ACTION, DESCRIPTION
from ingot.tables.contract import (
    Binding,
    Boolean,
    Check,
    Column,
    Date,
    Int32,
    Int64,
    Price,
    Quantity,
    String,
    Table,
    TimestampUs,
    month,
    year,
)

SOURCE_AND_DATASET = (
    Column("source", String, "Connector that the row comes from; sources are never merged."),
    Column("dataset", String, "The vendor's dataset, e.g. us_stocks_sip/minute_aggs_v1."),
)
KNOWN_TIME = (
    Column("known_from", TimestampUs, "From when anyone could have known this version."),
    Column("known_to", TimestampUs, "Until when it was the latest; 9999-12-31 while it is."),
)
IN_CURRENCY = "`currency`"
"""Unit of prices in the currency that their row names."""
_OHLC = (
    Column("open", Price, "First eligible trade; not adjusted.", unit="USD"),
    Column("high", Price, "Highest eligible trade; not adjusted.", unit="USD"),
    Column("low", Price, "Lowest eligible trade; not adjusted.", unit="USD"),
    Column("close", Price, "Last eligible trade; not adjusted.", unit="USD"),
)
_QUANTITY = Column("volume", Quantity, "Traded quantity; may be fractional.", unit="shares")
_VOLUME = (_QUANTITY, Column("transactions", Int64, "Number of trades."))
STALE_REFUSED = Column(
    "stale_refused",
    Boolean,
    "True where the latest version refused the row, so that the one before stays in force.",
)
_BAR_CHECKS = (
    Check(
        "high_is_highest",
        "high >= open AND high >= close AND high >= low",
        "No price is above high.",
    ),
    Check("low_is_lowest", "low <= open AND low <= close", "No price is below low."),
    Check("price_is_positive", "low > 0", "Prices are above zero."),
    Check("volume_is_not_negative", "volume >= 0", "Volume is zero or more."),
    Check(
        "transactions_is_not_negative",
        "COALESCE(transactions, 0) >= 0",
        "Transactions are zero or more.",
    ),
    Check("symbol_is_not_empty", "symbol <> ''", "A symbol has at least one character."),
)

SESSIONS = Table(
    name="silver.sessions",
    doc="One session of one trade date: exchange calendar joined with a dated rulebook.",
    columns=(
        Column("calendar", String, "Market by its ISO 10383 code (XNYS), or 24/7."),
        Column(
            "trade_date", Date, "Date of the trading session, which may be the clock's next day."
        ),
        Column("session", String, "overnight, pre, regular or post."),
        Column("start_ns", Int64, "Start, nanoseconds since 1970 UTC, inside.", unit="ns"),
        Column("end_ns", Int64, "End, nanoseconds since 1970 UTC, outside.", unit="ns"),
        Column("digest", String, "Names the calendar version and rulebook that gave the row."),
    ),
    key=("calendar", "trade_date", "session"),
    binding=Binding.DIGEST,
    sort=("calendar", "trade_date", "start_ns"),
    checks=(Check("start_is_before_end", "start_ns < end_ns", "A session lasts."),),
)

MINUTE_BARS = Table(
    name="silver.minute_bars",
    doc="One version of one minute bar, as its source traded it, with trailing 15-minute values.",
    columns=(
        *SOURCE_AND_DATASET,
        Column("symbol", String, "Source symbol, case-sensitive."),
        Column("trade_date", Date, "Date of the trading session."),
        Column(
            "session",
            String,
            "overnight, pre, regular, post; closed where no session holds the bar.",
        ),
        Column(
            "bar_start",
            TimestampUs,
            "Start of the minute; the bar covers [bar_start, bar_start + 1 min).",
        ),
        Column("bar_start_ns", Int64, "The same in nanoseconds since 1970 UTC.", unit="ns"),
        *_OHLC,
        *_VOLUME,
        Column(
            "close_avg_15m",
            Price,
            "Average of the closes that exist in (bar_start - 15 min, bar_start], rounded half up.",
            unit="USD",
        ),
        Column("volume_15m", Quantity, "Volume summed over the same bars.", unit="shares"),
        Column("high_15m", Price, "Highest high of the same bars.", unit="USD"),
        Column("low_15m", Price, "Lowest low of the same bars.", unit="USD"),
        Column(
            "rolling_bars",
            Int32,
            "How many bars the 15-minute values are made of, this one included.",
        ),
        STALE_REFUSED,
        *KNOWN_TIME,
    ),
    key=("source", "dataset", "symbol", "bar_start_ns", "known_from"),
    binding=Binding.INTERVAL,
    partition=month("trade_date"),
    sort=("symbol", "bar_start_ns", "known_from"),
    checks=(
        *_BAR_CHECKS,
        Check(
            "bar_starts_on_a_minute",
            "bar_start_ns % 60000000000 = 0",
            "A minute bar starts on a minute.",
        ),
        Check(
            "price_is_below_100_million",
            "high < 100000000",
            "Prices are below 10^8, so that sums of their millionths are exact.",
        ),
        Check(
            "volume_is_below_500_million",
            "volume < 500000000",
            "A minute trades less than 5 x 10^8, so that a day's sum fits its type.",
        ),
    ),
)

DAY_BARS = Table(
    name="silver.day_bars",
    doc="One version of one vendor day bar, as its source traded it.",
    columns=(
        *SOURCE_AND_DATASET,
        Column("symbol", String, "Source symbol, case-sensitive."),
        Column("trade_date", Date, "Date of the trading session."),
        Column(
            "bar_start", TimestampUs, "The vendor's label: midnight New York of the trade date."
        ),
        Column("bar_start_ns", Int64, "The same in nanoseconds since 1970 UTC.", unit="ns"),
        *(replace(price, unit=IN_CURRENCY) for price in _OHLC),
        _QUANTITY,
        Column(
            "transactions",
            Int64,
            "Number of trades; null if the source does not give it.",
            nullable=True,
        ),
        STALE_REFUSED,
        *KNOWN_TIME,
        Column(
            "currency",
            String,
            "ISO 4217 code of the prices: minor units such as pence are converted. Null: USD.",
            nullable=True,
        ),
    ),
    key=("source", "dataset", "symbol", "trade_date", "known_from"),
    binding=Binding.INTERVAL,
    partition=month("trade_date"),
    sort=("symbol", "trade_date", "known_from"),
    checks=_BAR_CHECKS,
)

CORPORATE_ACTIONS = Table(
    name="silver.corporate_actions",
    doc="One version of a corporate action; a declared, changed or withdrawn one is a version.",
    columns=(
        *SOURCE_AND_DATASET,
        *ACTION,
        *KNOWN_TIME,
    ),
    key=("source", "dataset", "action_id", "known_from"),
    binding=Binding.INTERVAL,
    partition=year("ex_date"),
    sort=("symbol", "ex_date", "known_from"),
)

INSTRUMENTS = Table(
    name="silver.instruments",
    doc="One version of a symbol that an instrument holds for a span of trade dates.",
    columns=(
        *SOURCE_AND_DATASET,
        Column(
            "instrument_id",
            String,
            "Composite FIGI; else CIK and type; else source : first symbol @ list date.",
        ),
        Column("symbol", String, "Symbol, case-sensitive."),
        Column("valid_from", Date, "First trade date of the symbol, as the source says."),
        Column("valid_to", Date, "The date after the last; 9999-12-31 while it holds."),
        *DESCRIPTION,
        *KNOWN_TIME,
    ),
    key=("source", "dataset", "instrument_id", "symbol", "valid_from", "known_from"),
    binding=Binding.INTERVAL,
    sort=("symbol", "valid_from", "known_from"),
)

TABLES = (SESSIONS, MINUTE_BARS, DAY_BARS, CORPORATE_ACTIONS, INSTRUMENTS)
