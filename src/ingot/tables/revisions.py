"""silver.revisions: what vendors changed, made of the histories of bars when it is read."""

from __future__ import annotations

from ingot.tables.contract import (
    Binding,
    Column,
    Date,
    Decimal,
    Float64,
    Int64,
    Price,
    String,
    Table,
    TimestampUs,
)
from ingot.tables.silver import SOURCE_AND_DATASET

REVISIONS = Table(
    name="silver.revisions",
    doc="One value of one bar that its vendor changed, or one bar that was added or withdrawn.",
    columns=(
        *SOURCE_AND_DATASET,
        Column("interval", String, "Width of the bar: 1m or 1d."),
        Column("symbol", String, "Source symbol, case-sensitive."),
        Column("trade_date", Date, "Date of the trading session."),
        Column("bar_start", TimestampUs, "Start of the bar."),
        Column("bar_start_ns", Int64, "The same in nanoseconds since 1970 UTC.", unit="ns"),
        Column(
            "kind",
            String,
            "changed; added after the first version of its file; or withdrawn by a later one.",
        ),
        Column("column_name", String, "The value that changed; close for a whole bar."),
        Column("old_value", Price, "Before; null for an added bar.", nullable=True),
        Column("new_value", Price, "After; null for a withdrawn bar.", nullable=True),
        Column("change", Decimal(20, 6), "New less old.", nullable=True),
        Column("change_pct", Float64, "The same, of the old.", unit="percent", nullable=True),
        Column("replaced_from", TimestampUs, "From when the old state was known."),
        Column("revised_at", TimestampUs, "From when the new one is: the old one ends there."),
    ),
    key=("source", "dataset", "interval", "symbol", "bar_start_ns", "column_name", "revised_at"),
    binding=Binding.VIEW,
)
VIEWS = (REVISIONS,)
