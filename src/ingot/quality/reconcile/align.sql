-- with_sessions: bars with the session and trade date that their start is in; their own date where none
SELECT $columns, coalesce(s.trade_date, r.trade_date) AS trade_date,
  coalesce(s.session, 'closed') AS session
FROM ($rows) AS r LEFT JOIN quality.sessions AS s
  ON r.start_ns >= s.start_ns AND r.start_ns < s.end_ns

-- once: one row of each key, by greatest volume, and how often it occurs
SELECT $columns, copies, variants FROM (
  SELECT $columns, count(*) OVER (PARTITION BY symbol, start_ns) AS copies,
    count(DISTINCT row(open, high, low, close, volume)) OVER (PARTITION BY symbol, start_ns)
      AS variants,
    row_number() OVER (PARTITION BY symbol, start_ns
      ORDER BY volume DESC, open, high, low, close, volume) AS nth
  FROM ($rows)) WHERE nth = 1

-- buckets: wider intraday bars, anchored at the clock's hours
SELECT symbol, trade_date, start_ns // $width_ns * $width_ns AS start_ns, min(session) AS session,
  arg_min(open, start_ns) AS open, max(high) AS high, min(low) AS low,
  arg_max(close, start_ns) AS close, sum(volume) AS volume,
  max(copies) AS copies, max(variants) AS variants, count(*) AS bars
FROM ($rows) GROUP BY symbol, trade_date, start_ns // $width_ns * $width_ns

-- days: day bars: prices of the regular session, volume of all, the rest beside them
SELECT symbol, trade_date, epoch_us(trade_date) * 1000 AS start_ns,
  arg_min(open, start_ns) FILTER (WHERE session = 'regular') AS open,
  max(high) FILTER (WHERE session = 'regular') AS high,
  min(low) FILTER (WHERE session = 'regular') AS low,
  arg_max(close, start_ns) FILTER (WHERE session = 'regular') AS close,
  sum(volume) AS volume,
  arg_min(open, start_ns) AS all_open, max(high) AS all_high, min(low) AS all_low,
  arg_max(close, start_ns) AS all_close,
  min(low) FILTER (WHERE start_ns = end_ns) AS auction_low,
  max(high) FILTER (WHERE start_ns = end_ns) AS auction_high,
  coalesce(sum(volume) FILTER (WHERE session = 'regular'), 0) AS volume_regular,
  coalesce(sum(volume) FILTER (WHERE session <> 'regular'), 0) AS volume_outside,
  max(copies) AS copies, max(variants) AS variants, count(*) AS bars
FROM (
  SELECT r.*, e.end_ns FROM ($rows) AS r LEFT JOIN (
    SELECT trade_date, end_ns FROM quality.sessions WHERE session = 'regular') AS e
  ON r.trade_date = e.trade_date)
GROUP BY symbol, trade_date

-- weeks: weeks that begin on Monday
SELECT symbol, CAST(date_trunc('week', trade_date) AS DATE) AS trade_date,
  epoch_us(CAST(date_trunc('week', trade_date) AS DATE)) * 1000 AS start_ns,
  arg_min(open, start_ns) AS open, max(high) AS high, min(low) AS low,
  arg_max(close, start_ns) AS close, sum(volume) AS volume,
  max(copies) AS copies, max(variants) AS variants, count(*) AS bars,
  arg_max(adj_close, start_ns) AS adj_close, sum(dividend) AS dividend, max(split) AS split
FROM (SELECT * FROM ($rows)) GROUP BY symbol, CAST(date_trunc('week', trade_date) AS DATE)

-- adjusted: raw prices and volumes on the scale after every action that follows their date
WITH bars AS ($rows),
factors AS (
  SELECT b.symbol, b.trade_date, product($cash / CAST(x.ratio AS DOUBLE)) AS price_factor,
    product(CAST(x.ratio AS DOUBLE)) AS volume_factor
  FROM (SELECT DISTINCT symbol, trade_date FROM bars) AS b JOIN $actions AS x
    ON x.symbol = b.symbol AND x.ex_date > b.trade_date GROUP BY b.symbol, b.trade_date)
SELECT b.* REPLACE ($adjusted,
  TRY_CAST(CAST(b.volume AS DOUBLE) * f.volume_factor AS DECIMAL(24,6)) AS volume)
FROM bars AS b JOIN factors AS f USING (symbol, trade_date)
UNION ALL
SELECT b.* REPLACE ($plain, CAST(b.volume AS DECIMAL(24,6)) AS volume)
FROM bars AS b ANTI JOIN factors AS f USING (symbol, trade_date)

-- with_closes: actions with the close before their ex-date
(SELECT a.*, (SELECT arg_max(r.close, r.start_ns) FROM bars AS r
  WHERE r.symbol = a.symbol AND r.trade_date < a.ex_date) AS close_before
FROM quality.actions AS a)

-- cash: what is left of a price after a dividend, whose cash is per new share
(CASE WHEN CAST(x.cash AS DOUBLE) * x.ratio / x.close_before < 1
  THEN 1 - CAST(x.cash AS DOUBLE) * x.ratio / x.close_before ELSE 1 END)

-- typed: the columns of `CELLS` in order, null where the text has none
SELECT $shown FROM (
  SELECT * FROM (SELECT $nothing) WHERE false UNION ALL BY NAME SELECT * FROM ($rows))
