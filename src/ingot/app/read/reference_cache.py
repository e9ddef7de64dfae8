"""Actions and instruments of a lake, kept in memory while their tables stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingot.query.requests.adjustment import Action
from ingot.query.requests.symbology import Holding
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables import silver
from ingot.tables.view import View

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

    from ingot.app.context.lake_context import Parts
    from ingot.engines.trusted_queries import Reads
    from ingot.model.time import AsOf
    from ingot.tables.contract import Table


class KnownRows:
    """Rows of silver.corporate_actions and silver.instruments, as known at moments."""

    def __init__(self, parts: Parts, reads: Reads) -> None:
        self._parts = parts
        self._reads = reads
        self._kept: dict[str, tuple[str, pl.DataFrame]] = {}

    def actions(self, moment: AsOf, symbols: Collection[str] | None) -> list[Action]:
        """Return the actions as known at a moment: of these symbols, or of all."""
        import polars as pl

        frame = self.at(silver.CORPORATE_ACTIONS, moment)
        if symbols is not None:
            frame = frame.filter(pl.col("symbol").is_in(list(symbols)))
        columns = (
            *("source", "symbol", "ex_date", "kind"),
            *("ratio_from", "ratio_to", "cash", "currency", "action_id"),
        )
        return [Action(*row) for row in frame.select(columns).iter_rows()]

    def holdings(self, moment: AsOf, symbols: Collection[str] | None) -> tuple[Holding, ...]:
        """Return the holdings as known at a moment: of these symbols and of all their holders."""
        if not self._parts.tables.plan(ScanRequest(silver.INSTRUMENTS)).rows:
            return ()
        import polars as pl

        frame = self.at(silver.INSTRUMENTS, moment)
        if symbols is not None:
            holders = frame.filter(pl.col("symbol").is_in(list(symbols)))
            frame = frame.join(
                holders.select("source", "instrument_id").unique(),
                on=["source", "instrument_id"],
                how="semi",
            )
        columns = ("source", "instrument_id", "symbol", "valid_from", "valid_to", "name")
        return tuple(
            Holding(source, instrument, symbol, start, end, title or "")
            for source, instrument, symbol, start, end, title in frame.select(columns).iter_rows()
        )

    def at(self, table: Table, moment: AsOf) -> pl.DataFrame:
        """Return a table's rows in force at a moment."""
        import polars as pl

        instant = pl.lit(moment.known_at).cast(pl.Datetime("us", "UTC"))
        known = (pl.col("known_from") <= instant) & (instant < pl.col("known_to"))
        return self.rows(table).filter(known)

    def rows(self, table: Table) -> pl.DataFrame:
        """Return all versions of a table's rows; read again when the table changes."""
        pointer = self._parts.tables.pointer(table)
        kept = self._kept.get(table.name)
        if kept is None or kept[0] != pointer:
            import polars as pl

            view = View(
                table.name,
                self._parts.tables.plan(ScanRequest(table)).relation(),
                table.column_names,
            )
            names = ", ".join(table.column_names)
            rows: Any = pl.from_arrow(
                self._reads.run(f"SELECT {names} FROM {table.name}", {table.name: view})
            )
            kept = (pointer, rows)
            self._kept[table.name] = kept
        return kept[1]
