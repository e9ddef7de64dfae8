"""SQL of the universe: which symbols traded on a date, and what was known of them then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.tables.view import literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

COLUMNS: Final = {
    **dict.fromkeys(("symbol", "instrument_id", "name", "type", "exchange"), "VARCHAR"),
    "list_date": "DATE",
    **dict.fromkeys(("close", "volume"), "DECIMAL(18,6)"),
    "dollar_volume": "DECIMAL(38,12)",
    "bar_source": "VARCHAR",
}
"""Columns of the universe, which a rule may name, and their types in DuckDB's dialect."""


def universe_sql(
    day: date,
    *,
    rule: str | None,
    bar_sources: Sequence[str],
    instrument_sources: Sequence[str],
) -> str:
    """Return the query that lists the symbols with a bar on a trade date, by symbol.

    It reads silver.day_bars, gold.daily_bars where the first has no bar of the symbol, and
    silver.instruments; `rule` is one condition over COLUMNS, already screened, that rows must keep.
    """
    bars = f"""
  SELECT source, symbol, close, volume, 0 AS tier FROM silver.day_bars
  WHERE trade_date = {literal(day)}
  UNION ALL
  SELECT source, symbol, close, total_volume AS volume, 1 AS tier FROM gold.daily_bars
  WHERE trade_date = {literal(day)} AND close IS NOT NULL"""
    held = f"""
  SELECT source, symbol, instrument_id, name, type, exchange, list_date FROM silver.instruments
  WHERE valid_from <= {literal(day)} AND {literal(day)} < valid_to"""
    return f"""WITH bars AS ({bars}
),
traded AS (
  SELECT source, symbol, close, volume,
    row_number() OVER (PARTITION BY symbol ORDER BY tier, {_rank(bar_sources)}, source) AS choice
  FROM bars
),
held AS ({held}
),
named AS (
  SELECT symbol, instrument_id, name, type, exchange, list_date,
    row_number() OVER (
      PARTITION BY symbol ORDER BY {_rank(instrument_sources)}, source, instrument_id
    ) AS choice
  FROM held
),
universe AS (
  SELECT t.symbol, n.instrument_id, n.name, n.type, n.exchange, n.list_date,
    t.close, t.volume,
    CAST(t.close AS DECIMAL(19,6)) * CAST(t.volume AS DECIMAL(19,6)) AS dollar_volume,
    t.source AS bar_source
  FROM traded AS t
  LEFT JOIN named AS n ON t.symbol = n.symbol AND n.choice = 1
  WHERE t.choice = 1
)
SELECT {", ".join(COLUMNS)} FROM universe WHERE (
{rule or "true"}
) ORDER BY symbol"""


def _rank(sources: Sequence[str]) -> str:
    whens = "".join(f" WHEN {literal(s)} THEN {i}" for i, s in enumerate(sources))
    return f"CASE source{whens} ELSE {len(sources)} END" if whens else "0"
