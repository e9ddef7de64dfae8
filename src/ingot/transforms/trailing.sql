-- Bars with the values of the 15 minutes that end with them, state by state.
-- One window sum carries two: millionths of the close times 16, plus 1 per bar (15 at most).
-- Prices below 10^8 have millionths below 2^53, so that the detour through DOUBLE is exact.
WITH packed_$name AS (
  SELECT $columns,
    bar_start_ns // 60000000000 AS bar_minute,
    CAST(ROUND(CAST(close AS DOUBLE) * 1000000) AS BIGINT) * 16 + 1 AS close_and_one
  FROM (
$bars) AS bars_$name
),
rolled_$name AS (
  SELECT $columns,
    CAST(SUM(close_and_one) OVER last_15m AS BIGINT) AS closes_and_bars,
    CAST(SUM(volume) OVER last_15m AS DECIMAL(18, 6)) AS volume_15m,
    MAX(high) OVER last_15m AS high_15m,
    MIN(low) OVER last_15m AS low_15m
  FROM packed_$name
  WINDOW last_15m AS (
    PARTITION BY $series ORDER BY bar_minute RANGE BETWEEN 14 PRECEDING AND CURRENT ROW
  )
)
SELECT $columns,
  CAST(
    CAST(
      (2 * (closes_and_bars // 16) + closes_and_bars % 16) // (2 * (closes_and_bars % 16))
      AS DECIMAL(18, 0)
    ) * 0.000001 AS DECIMAL(18, 6)
  ) AS close_avg_15m,
  volume_15m, high_15m, low_15m,
  CAST(closes_and_bars % 16 AS INTEGER) AS rolling_bars
FROM rolled_$name
