"""Gold: daily bars made of minutes, and performance."""

from __future__ import annotations

from ingot.tables.contract import (
    Binding,
    Boolean,
    Column,
    Date,
    Float64,
    Int32,
    Int64,
    Price,
    Quantity,
    String,
    Table,
    year,
)
from ingot.tables.silver import KNOWN_TIME, SOURCE_AND_DATASET

DAILY_BARS = Table(
    name="gold.daily_bars",
    doc="One version of one symbol's day, made of its minute bars; prices as traded.",
    columns=(
        *SOURCE_AND_DATASET,
        Column("symbol", String, "Source symbol, case-sensitive."),
        Column("trade_date", Date, "Date of the trading session."),
        Column(
            "open",
            Price,
            "Open of the first regular bar; null without one.",
            unit="USD",
            nullable=True,
        ),
        Column("high", Price, "Highest high of the regular bars.", unit="USD", nullable=True),
        Column("low", Price, "Lowest low of the regular bars.", unit="USD", nullable=True),
        Column("close", Price, "Close of the last regular bar.", unit="USD", nullable=True),
        Column("volume", Quantity, "Volume of the regular bars.", unit="shares"),
        Column("transactions", Int64, "Trades in the regular bars."),
        Column("bar_count", Int32, "Regular bars that exist."),
        Column("pre_volume", Quantity, "Volume of the pre-market bars.", unit="shares"),
        Column("post_volume", Quantity, "Volume of the post-market bars.", unit="shares"),
        Column("total_volume", Quantity, "Volume of all bars of the trade date.", unit="shares"),
        Column(
            "close_bar_open",
            Price,
            "Open of the bar that starts at the close.",
            unit="USD",
            nullable=True,
        ),
        Column(
            "close_bar_close",
            Price,
            "Close of that bar (holds the closing auction).",
            unit="USD",
            nullable=True,
        ),
        Column("close_bar_volume", Quantity, "Volume of that bar.", unit="shares", nullable=True),
        Column(
            "vwap_typical",
            Price,
            "sum(v (h + l + c) / 3) / sum(v) of the regular bars, half up; null at volume 0.",
            unit="USD",
            nullable=True,
        ),
        *KNOWN_TIME,
    ),
    key=("source", "dataset", "symbol", "trade_date", "known_from"),
    binding=Binding.INTERVAL,
    partition=year("trade_date"),
    sort=("symbol", "trade_date", "known_from"),
)

PERFORMANCE = Table(
    name="gold.performance",
    doc="One version of a symbol's returns, volatility, Sharpe ratio, year to date and drawdown.",
    columns=(
        *SOURCE_AND_DATASET,
        Column("symbol", String, "Source symbol, case-sensitive."),
        Column("trade_date", Date, "Last session of the windows."),
        Column("basis", String, "raw, split or total_return."),
        Column("close", Price, "Close of the session, as traded.", unit="USD"),
        Column(
            "close_source", String, "silver.day_bars or gold.daily_bars, one for the whole window."
        ),
        Column(
            "adjusted", Boolean, "False while no corporate actions are loaded: basis is then raw."
        ),
        Column(
            "suspect_action",
            Boolean,
            "True where an unadjusted |return| is above 40 %, or a large action is not applied.",
        ),
        Column("return_1d", Float64, "r = (C x ratio + cash) / C_prev - 1.", nullable=True),
        Column(
            "return_30d",
            Float64,
            "prod(1 + r) - 1 over 30 sessions; null with no close at the anchor.",
            nullable=True,
        ),
        Column("return_90d", Float64, "The same over 90 sessions.", nullable=True),
        Column(
            "return_ytd",
            Float64,
            "The same from the last close of the previous year.",
            nullable=True,
        ),
        Column(
            "volatility_30d",
            Float64,
            "Sample deviation of ln(1 + r) over 30 sessions x sqrt(252).",
            nullable=True,
        ),
        Column("volatility_90d", Float64, "The same over 90 sessions.", nullable=True),
        Column(
            "sharpe_30d",
            Float64,
            "(mean r - rf / 252) / sample deviation of r x sqrt(252).",
            nullable=True,
        ),
        Column("sharpe_90d", Float64, "The same over 90 sessions.", nullable=True),
        Column(
            "drawdown",
            Float64,
            "Close over the maximum of the last 252 sessions, minus 1.",
            nullable=True,
        ),
        Column("observations_90d", Int32, "Returns that the 90-session values are made of."),
        *KNOWN_TIME,
        Column(
            "history_from",
            Date,
            "First close in the window, under any symbol of the instrument.",
            nullable=True,
        ),
    ),
    key=("source", "dataset", "symbol", "trade_date", "basis", "known_from"),
    binding=Binding.INTERVAL,
    partition=year("trade_date"),
    sort=("symbol", "trade_date", "basis", "known_from"),
)

TABLES = (DAILY_BARS, PERFORMANCE)
