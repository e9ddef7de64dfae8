-- gold.monthly_bars at each change point of each symbol's month, from every version of its days.
WITH chosen AS (
  SELECT symbol, trade_date, open, high, low, close, volume, known_from, known_to
  FROM daily_bars
  WHERE trade_date >= $start AND trade_date < $end
),
points AS (
  SELECT symbol, known_from AS moment FROM chosen
  UNION
  SELECT symbol, known_to AS moment FROM chosen WHERE known_to < $forever
)
SELECT p.symbol, $start AS month_start, p.moment,
  CASE WHEN COUNT(d.symbol) > 0 THEN 1 ELSE 0 END AS present,
  arg_min(d.open, CASE WHEN d.open IS NULL THEN NULL ELSE d.trade_date END) AS open,
  MAX(d.high) AS high,
  MIN(d.low) AS low,
  arg_max(d.close, CASE WHEN d.close IS NULL THEN NULL ELSE d.trade_date END) AS close,
  CAST(COALESCE(SUM(d.volume), 0) AS DECIMAL(18, 6)) AS volume,
  CAST(COUNT(d.symbol) AS INTEGER) AS days
FROM points AS p
LEFT JOIN chosen AS d
  ON p.symbol = d.symbol AND d.known_from <= p.moment AND p.moment < d.known_to
GROUP BY p.symbol, p.moment
