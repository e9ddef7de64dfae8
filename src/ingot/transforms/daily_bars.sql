-- gold.daily_bars at each change point of each day, from every version of its minutes.
-- A part is what the minutes of one session and one known interval give; a day at a change point is
-- made of the parts in force then. A day of one version has one part per session and one point.
WITH closes AS (
  SELECT trade_date, MAX(end_ns) AS close_ns
  FROM sessions
  WHERE session = '$regular'
  GROUP BY trade_date
),
chosen AS (
  SELECT symbol, trade_date, session, bar_start_ns, open, high, low, close, volume, transactions,
    known_from, known_to
  FROM minutes
  WHERE source = $source AND dataset = $dataset AND trade_date >= $start AND trade_date < $end
),
parts AS (
  SELECT symbol, trade_date, session AS part, known_from, known_to,
    MIN(bar_start_ns) AS first_ns, MAX(bar_start_ns) AS last_ns,
    arg_min(open, bar_start_ns) AS open, MAX(high) AS high, MIN(low) AS low,
    arg_max(close, bar_start_ns) AS close,
    CAST(SUM(volume) AS DECIMAL(18, 6)) AS volume,
    CAST(SUM(transactions) AS BIGINT) AS transactions,
    COUNT(*) AS bars,
    -- Millionths below 2^53 (contract checks), so that the detour through DOUBLE is exact.
    CAST(SUM(CAST(ROUND(CAST(volume AS DOUBLE) * 1000000) AS BIGINT)) AS HUGEINT) AS units,
    CAST(SUM(
      CAST(ROUND(CAST(volume AS DOUBLE) * 1000000) AS BIGINT)
      * CAST(CAST(ROUND(CAST(high + low + close AS DOUBLE) * 1000000) AS BIGINT) AS HUGEINT)
    ) AS HUGEINT) AS turnover
  FROM chosen
  GROUP BY symbol, trade_date, session, known_from, known_to
  UNION ALL
  SELECT m.symbol, m.trade_date, 'close_bar' AS part, m.known_from, m.known_to,
    m.bar_start_ns AS first_ns, m.bar_start_ns AS last_ns, m.open, m.high, m.low, m.close,
    m.volume, m.transactions, 1 AS bars, CAST(0 AS HUGEINT) AS units, CAST(0 AS HUGEINT) AS turnover
  FROM chosen AS m
  JOIN closes AS c ON m.trade_date = c.trade_date AND m.bar_start_ns = c.close_ns
),
points AS (
  SELECT symbol, trade_date, known_from AS moment FROM parts
  UNION
  SELECT symbol, trade_date, known_to AS moment FROM parts WHERE known_to < $forever
),
days AS (
  SELECT p.symbol, p.trade_date, p.moment,
    CASE WHEN COUNT(a.part) > 0 THEN 1 ELSE 0 END AS present,
    arg_min(a.open, a.first_ns) FILTER (WHERE a.part = '$regular') AS open,
    MAX(a.high) FILTER (WHERE a.part = '$regular') AS high,
    MIN(a.low) FILTER (WHERE a.part = '$regular') AS low,
    arg_max(a.close, a.last_ns) FILTER (WHERE a.part = '$regular') AS close,
    CAST(SUM(CASE WHEN a.part = '$regular' THEN a.volume END) AS DECIMAL(18, 6)) AS volume,
    CAST(SUM(CASE WHEN a.part = '$regular' THEN a.transactions END) AS BIGINT) AS transactions,
    CAST(SUM(CASE WHEN a.part = '$regular' THEN a.bars END) AS INTEGER) AS bar_count,
    CAST(SUM(CASE WHEN a.part = '$pre' THEN a.volume END) AS DECIMAL(18, 6)) AS pre_volume,
    CAST(SUM(CASE WHEN a.part = '$post' THEN a.volume END) AS DECIMAL(18, 6)) AS post_volume,
    CAST(SUM(CASE WHEN a.part <> 'close_bar' THEN a.volume END) AS DECIMAL(18, 6)) AS total_volume,
    MAX(a.open) FILTER (WHERE a.part = 'close_bar') AS close_bar_open,
    MAX(a.close) FILTER (WHERE a.part = 'close_bar') AS close_bar_close,
    MAX(a.volume) FILTER (WHERE a.part = 'close_bar') AS close_bar_volume,
    CAST(SUM(CASE WHEN a.part = '$regular' THEN a.units END) AS HUGEINT) AS units,
    CAST(SUM(CASE WHEN a.part = '$regular' THEN a.turnover END) AS HUGEINT) AS turnover
  FROM points AS p
  LEFT JOIN parts AS a
    ON p.symbol = a.symbol AND p.trade_date = a.trade_date
    AND a.known_from <= p.moment AND p.moment < a.known_to
  GROUP BY p.symbol, p.trade_date, p.moment
)
SELECT symbol, trade_date, moment, present, open, high, low, close,
  CAST(COALESCE(volume, 0) AS DECIMAL(18, 6)) AS volume,
  COALESCE(transactions, 0) AS transactions,
  COALESCE(bar_count, 0) AS bar_count,
  CAST(COALESCE(pre_volume, 0) AS DECIMAL(18, 6)) AS pre_volume,
  CAST(COALESCE(post_volume, 0) AS DECIMAL(18, 6)) AS post_volume,
  CAST(COALESCE(total_volume, 0) AS DECIMAL(18, 6)) AS total_volume,
  close_bar_open, close_bar_close, close_bar_volume,
  CASE WHEN units > 0 THEN CAST(
    CAST(CAST((2 * turnover + 3 * units) // (6 * units) AS BIGINT) AS DECIMAL(18, 0)) * 0.000001
    AS DECIMAL(18, 6)
  ) END AS vwap_typical
FROM days
