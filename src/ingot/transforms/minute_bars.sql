-- Bars of one state of one trade date of silver.minute_bars, before their trailing values.
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
  SELECT b.file_date, b.ticker AS symbol, l.session, b.window_start AS bar_start_ns,
    b.open, b.high, b.low, b.close, b.volume, b.transactions, b.row_number, b.landing_id
  FROM bars AS b
  JOIN labels_$state AS l ON b.file_date = l.file_date AND b.window_start = l.window_start
  $zones
  WHERE b.landing_id IN ($landing_ids)
),
-- As one condition: of ten, a planner expects that hardly a row is left, and joins accordingly.
ranked_$state AS (
  SELECT file_date, symbol, session, bar_start_ns, open, high, low, close, volume, transactions,
    $place AS place
  FROM named_$state
  WHERE CASE WHEN $checked THEN 1 ELSE 0 END = 1
)
SELECT file_date, symbol, session, bar_start_ns, open, high, low, close, volume, transactions
FROM ranked_$state
WHERE place = 1
