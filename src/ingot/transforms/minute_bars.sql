-- One state of one trade date of silver.minute_bars: symbol, session, start, prices, rolling values.
WITH starts_$state AS (
  SELECT file_date, window_start
  FROM bars
  WHERE landing_id IN ($landing_ids)
  GROUP BY file_date, window_start
),
-- Bounds are joined to the few distinct starts; grouping keeps planners from joining every bar.
-- A start on another date than its file's is refused (see quarantine).
labels_$state AS (
  SELECT t.file_date, t.window_start, COALESCE(MAX(s.session), '$closed') AS session
  FROM starts_$state AS t
  JOIN ($filed) AS f
    ON t.file_date = f.file_date AND t.window_start >= f.start_ns AND t.window_start < f.end_ns
  LEFT JOIN sessions AS s ON t.window_start >= s.start_ns AND t.window_start < s.end_ns
  GROUP BY t.file_date, t.window_start
  HAVING COALESCE(MAX(s.trade_date), t.file_date) = $trade_date
),
named_$state AS (
  SELECT b.ticker AS symbol, l.session, b.window_start AS bar_start_ns,
    b.open, b.high, b.low, b.close, b.volume, b.transactions, b.row_number, b.landing_id
  FROM bars AS b
  JOIN labels_$state AS l ON b.file_date = l.file_date AND b.window_start = l.window_start
  $zones
  WHERE b.landing_id IN ($landing_ids)
),
-- As one condition: of ten, a planner expects that hardly a row is left, and joins accordingly.
ranked_$state AS (
  SELECT symbol, session, bar_start_ns, open, high, low, close, volume, transactions,
    $place AS place
  FROM named_$state
  WHERE CASE WHEN $checked THEN 1 ELSE 0 END = 1
),
-- One window sum carries two: millionths of the close times 16, plus 1 per bar (15 at most).
-- Prices below 10^8 have millionths below 2^53, so that the detour through DOUBLE is exact.
packed_$state AS (
  SELECT symbol, session, bar_start_ns, open, high, low, close, volume, transactions,
    bar_start_ns // 60000000000 AS bar_minute,
    CAST(ROUND(CAST(close AS DOUBLE) * 1000000) AS BIGINT) * 16 + 1 AS close_and_one
  FROM ranked_$state
  WHERE place = 1
),
rolled_$state AS (
  SELECT symbol, session, bar_start_ns, open, high, low, close, volume, transactions,
    CAST(SUM(close_and_one) OVER last_15m AS BIGINT) AS closes_and_bars,
    CAST(SUM(volume) OVER last_15m AS DECIMAL(18, 6)) AS volume_15m,
    MAX(high) OVER last_15m AS high_15m,
    MIN(low) OVER last_15m AS low_15m
  FROM packed_$state
  WINDOW last_15m AS (
    PARTITION BY symbol ORDER BY bar_minute RANGE BETWEEN 14 PRECEDING AND CURRENT ROW
  )
)
SELECT symbol, session, bar_start_ns, open, high, low, close, volume, transactions,
  CAST(
    CAST(
      (2 * (closes_and_bars // 16) + closes_and_bars % 16) // (2 * (closes_and_bars % 16))
      AS DECIMAL(18, 0)
    ) * 0.000001 AS DECIMAL(18, 6)
  ) AS close_avg_15m,
  volume_15m, high_15m, low_15m,
  CAST(closes_and_bars % 16 AS INTEGER) AS rolling_bars
FROM rolled_$state
