-- silver.day_bars from answers over ranges of dates: at each change point of each bar. An answer
-- replaces what older ones said of its symbol and dates; a date that it leaves out has no bar.
-- Prices become those traded, in the whole currency.
WITH answers AS (
  SELECT DISTINCT b.landing_id, b.symbol, b.range_start, b.range_end, l.since, l.place,
    l.assumed_before
  FROM bars AS b
  JOIN landings AS l ON b.landing_id = l.landing_id
),
dated AS (
  SELECT b.symbol, b.trade_date, m.midnight_ns AS bar_start_ns, b.open, b.high, b.low, b.close, b.volume,
    b.currency, b.splits_from, b.splits_to, b.row_number, a.place, a.since, a.assumed_before, m.next_midnight AS due
  FROM bars AS b
  JOIN answers AS a ON b.landing_id = a.landing_id AND b.symbol = a.symbol
  JOIN midnights AS m ON b.trade_date = m.day
  WHERE b.trade_date >= $start AND b.trade_date < $end
),
spans AS (
  SELECT d.symbol, d.trade_date, d.place, d.row_number, MIN(d.bar_start_ns) AS bar_start_ns,
    MIN(d.open) AS open, MIN(d.high) AS high, MIN(d.low) AS low, MIN(d.close) AS close,
    MIN(d.volume) AS volume, MIN(d.currency) AS currency, MIN(d.splits_from) AS splits_from, MIN(d.splits_to) AS splits_to,
    MIN(CASE WHEN e.landing_id IS NULL AND d.due < d.assumed_before THEN d.due
      ELSE d.since END) AS since,
    COALESCE(MIN(n.since), $forever) AS until
  FROM dated AS d
  LEFT JOIN answers AS e
    ON e.symbol = d.symbol AND e.range_start <= d.trade_date AND d.trade_date < e.range_end
    AND e.place < d.place
  LEFT JOIN answers AS n
    ON n.symbol = d.symbol AND n.range_start <= d.trade_date AND d.trade_date < n.range_end
    AND n.place > d.place
  GROUP BY d.symbol, d.trade_date, d.place, d.row_number
),
points AS (
  SELECT symbol, trade_date, since AS moment FROM spans WHERE since < until
  UNION
  SELECT symbol, trade_date, until AS moment FROM spans WHERE since < until AND until < $forever
),
ranked AS (
  SELECT p.symbol, p.trade_date, p.moment, s.bar_start_ns, s.open, s.high, s.low, s.close, s.volume,
    s.currency, s.splits_from, s.splits_to, s.place,
    ROW_NUMBER() OVER (
      PARTITION BY p.symbol, p.trade_date, p.moment
      ORDER BY s.place DESC NULLS LAST, s.row_number DESC
    ) AS choice
  FROM points AS p
  LEFT JOIN spans AS s
    ON p.symbol = s.symbol AND p.trade_date = s.trade_date
    AND s.since <= p.moment AND p.moment < s.until
)
SELECT symbol, trade_date, moment, CASE WHEN place IS NULL THEN 0 ELSE 1 END AS present,
  bar_start_ns,
  $open AS open, $high AS high, $low AS low, $close AS close, $volume AS volume, $currency AS currency
FROM ranked
WHERE choice = 1
