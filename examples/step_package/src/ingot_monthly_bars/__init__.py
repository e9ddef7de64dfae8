"""A table of one's own: monthly bars, made of Ingot's daily bars."""

from __future__ import annotations

from importlib.resources import files

from ingot.steps import Input, Step, Table, Transform
from ingot.tables import gold
from ingot.tables.contract import (
    Binding,
    Column,
    Date,
    Int32,
    Price,
    Quantity,
    String,
    TimestampUs,
    year,
)

MONTHLY_BARS = Table(
    name="gold.monthly_bars",
    doc="One version of one symbol's month, made of its daily bars; prices as traded.",
    columns=(
        Column("source", String, "Connector of the daily bars."),
        Column("dataset", String, "Vendor's dataset."),
        Column("symbol", String, "Source symbol, case-sensitive."),
        Column("month_start", Date, "First day of the month."),
        Column("open", Price, "Open of the first day that has one.", unit="USD", nullable=True),
        Column("high", Price, "Highest high.", unit="USD", nullable=True),
        Column("low", Price, "Lowest low.", unit="USD", nullable=True),
        Column("close", Price, "Close of the last day that has one.", unit="USD", nullable=True),
        Column("volume", Quantity, "Volume of the regular sessions.", unit="shares"),
        Column("days", Int32, "Daily bars in the month."),
        Column("known_from", TimestampUs, "From when the version is known."),
        Column("known_to", TimestampUs, "Until when it is known; 9999-12-31 for the last one."),
    ),
    key=("source", "dataset", "symbol", "month_start", "known_from"),
    binding=Binding.INTERVAL,
    partition=year("month_start"),
    sort=("symbol", "month_start", "known_from"),
)

MONTHLY_BARS_STEP = Step(
    output=MONTHLY_BARS,
    inputs=(Input("daily_bars", gold.DAILY_BARS),),
    unit="month",
    transform=Transform(
        name="gold.monthly_bars",
        output=MONTHLY_BARS,
        inputs=("daily_bars",),
        sql=files(__name__).joinpath("monthly_bars.sql").read_text(encoding="utf-8"),
    ),
)
