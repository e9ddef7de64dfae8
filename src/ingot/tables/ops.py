"""Ops: what landed, was refused, ran: projections of the landing store, rebuilt by repair."""

from __future__ import annotations

from ingot.tables.contract import (
    Binding,
    Column,
    Date,
    Int32,
    Int64,
    String,
    Table,
    TimestampUs,
    month,
)

LANDINGS = Table(
    name="ops.landings",
    doc="One version of one vendor object.",
    columns=(
        Column("source", String, "Connector that fetched it."),
        Column("dataset", String, "The vendor's dataset."),
        Column("file_date", Date, "Day under which the vendor filed it."),
        Column("key", String, "The vendor's own name of the object."),
        Column("ordinal", Int32, "1 for the first version of the key."),
        Column("landing_id", Int64, "The version's identity."),
        Column("etag", String, "The store's entity tag."),
        Column("sha256", String, "Of the bytes; 64 hex digits."),
        Column("size_bytes", Int64, "Size of the object.", unit="bytes"),
        Column("last_modified", TimestampUs, "As the store says.", nullable=True),
        Column("first_seen", TimestampUs, "When this lake fetched it."),
        Column("known_from", TimestampUs, "From when anyone could have known it."),
        Column("known_basis", String, "observed, assumed or stated."),
        Column("rule", String, "Id of the publication rule at hand when known_from was fixed."),
        Column("status", String, "landed, loaded, held, accepted, rejected or refused."),
        Column(
            "in_force_from",
            TimestampUs,
            "From when reads use it; null while they do not.",
            nullable=True,
        ),
        Column("rows", Int64, "Rows in bronze."),
        Column("rows_refused", Int64, "Rows in quarantine."),
        Column("reason", String, "Why it was held or refused; empty otherwise."),
    ),
    key=("landing_id",),
    binding=Binding.NONE,
    partition=month("first_seen"),
)

QUARANTINE = Table(
    name="ops.quarantine",
    doc="One refused row.",
    columns=(
        Column("source", String, "Connector that fetched it."),
        Column("dataset", String, "The vendor's dataset."),
        Column("file_date", Date, "Day under which the vendor filed it."),
        Column("landing_id", Int64, "The version that holds it."),
        Column(
            "row_number", Int32, "Line of the row in its file; 1 is the first after the header."
        ),
        Column("layer", String, "bronze where it could not be read, silver where it broke a rule."),
        Column("rule", String, "The rule that refused it."),
        Column("raw", String, "The row's text."),
    ),
    key=("landing_id", "layer", "row_number", "rule"),
    binding=Binding.NONE,
    partition=month("file_date"),
)

RUNS = Table(
    name="ops.runs",
    doc="One unit of work that was finished.",
    columns=(
        Column("run", String, "Id of the command's run."),
        Column("table_name", String, "Table that the unit belongs to."),
        Column("unit", String, "The unit's deterministic name."),
        Column("source", String, "Connector."),
        Column("dataset", String, "The vendor's dataset."),
        Column("date", Date, "First day of the unit's scope."),
        Column("outcome", String, "done, held or refused."),
        Column("started", TimestampUs, "When it began."),
        Column("ended", TimestampUs, "When it was done."),
        Column("rows_in", Int64, "Rows read."),
        Column("rows_out", Int64, "Rows written."),
        Column("rows_refused", Int64, "Rows refused."),
        Column("duplicates", Int64, "Rows that were there more than once, of which one was kept."),
        Column("snapshot_id", Int64, "Snapshot of the table that holds the rows.", nullable=True),
        Column("code_version", String, "Version of Ingot."),
    ),
    key=("table_name", "unit", "ended"),
    binding=Binding.NONE,
    partition=month("started"),
)

CHECKS = Table(
    name="ops.checks",
    doc="One rule run over one span of one table.",
    columns=(
        Column("run", String, "Id of the command's run."),
        Column("rule", String, "Id of the rule."),
        Column("dimension", String, "completeness, accuracy, consistency or timeliness."),
        Column("severity", String, "error or warning."),
        Column("table_name", String, "Table that was checked."),
        Column("start_date", Date, "First date of the span."),
        Column("end_date", Date, "The day after its last."),
        Column("checked_rows", Int64, "Rows looked at."),
        Column("violations", Int64, "Rows, or dates, that break the rule."),
        Column("examples", String, "Up to five of them as a JSON array of objects."),
        Column("started", TimestampUs, "When the rule began to run."),
        Column("ended", TimestampUs, "When it was done."),
    ),
    key=("run", "rule", "table_name", "start_date", "end_date", "started"),
    binding=Binding.NONE,
    partition=month("started"),
)

COVERAGE = Table(
    name="ops.coverage",
    doc="What is there of one symbol and trade date, as last saved by `ingot coverage --save`.",
    columns=(
        Column("source", String, "Connector."),
        Column("dataset", String, "The vendor's dataset."),
        Column("symbol", String, "Source symbol; empty for the dataset's whole day."),
        Column("trade_date", Date, "Date of the trading session."),
        Column("range_start", TimestampUs, "First minute meant, where known.", nullable=True),
        Column("range_end", TimestampUs, "Where it ends, outside.", nullable=True),
        Column(
            "state",
            String,
            "present, no_trade, halted, closed, not_listed, late, hole, refused or unknown.",
        ),
        Column("bars", Int64, "Bars that are there."),
        Column("evidence", String, "What says so; empty where the bars do."),
        Column("known_at", TimestampUs, "The moment whose knowledge was used."),
        Column("computed_at", TimestampUs, "When it was computed."),
    ),
    key=("source", "dataset", "symbol", "trade_date", "state", "range_start"),
    binding=Binding.NONE,
    partition=month("trade_date"),
    sort=("symbol", "trade_date"),
)

TABLES = (LANDINGS, QUARANTINE, RUNS, CHECKS, COVERAGE)
