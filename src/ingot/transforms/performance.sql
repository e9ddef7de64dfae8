-- gold.performance at each change point of each key, from every version of the closes.
-- `i` is a session's number; `tier` is 0 for the vendor's day bars and 1 for bars made of minutes.
WITH $acting
bars AS (
  SELECT b.symbol, 0 AS tier, CAST(c.session_index AS BIGINT) AS i, b.trade_date, b.close,
    b.known_from, b.known_to
  FROM day_bars AS b
  JOIN calendar AS c ON b.trade_date = c.trade_date
  WHERE b.source = $source AND b.trade_date < $end
  UNION ALL
  SELECT b.symbol, 1 AS tier, CAST(c.session_index AS BIGINT) AS i, b.trade_date, b.close,
    b.known_from, b.known_to
  FROM daily_bars AS b
  JOIN calendar AS c ON b.trade_date = c.trade_date
  WHERE b.source = $source AND b.trade_date < $end AND b.close IS NOT NULL
),
-- A symbol without holders is an instrument of its own; `holders` covers all dates and all moments
-- of the others, so a version of a close is cut where its instrument changes.
closes AS (
  SELECT COALESCE(h.instrument, b.symbol) AS instrument, b.symbol, b.tier, b.i, b.trade_date,
    b.close,
    CASE WHEN h.known_from > b.known_from THEN h.known_from ELSE b.known_from END AS known_from,
    CASE WHEN h.known_to < b.known_to THEN h.known_to ELSE b.known_to END AS known_to
  FROM bars AS b
  LEFT JOIN holders AS h
    ON b.symbol = h.symbol AND h.start <= b.trade_date AND b.trade_date < h.until
    AND h.known_from < b.known_to AND b.known_from < h.known_to
),
own AS (
  SELECT symbol, instrument, tier, i, known_from, known_to FROM closes WHERE trade_date >= $start
),
firsts AS (
  SELECT symbol, instrument, i, MIN(known_from) AS moment FROM own GROUP BY symbol, instrument, i
),
-- A moment is late where it falls into the window of a key that was known before. Few are, so they
-- are looked for among the distinct (session, moment) first.
event_moments AS (
  SELECT i, known_from AS moment FROM closes
  UNION SELECT i, known_to AS moment FROM closes WHERE known_to < $forever
  $action_moments
),
late_moments AS (
  SELECT DISTINCT m.i, m.moment
  FROM event_moments AS m
  JOIN (SELECT DISTINCT i, moment FROM firsts) AS f
    ON m.i <= f.i AND f.i <= m.i + $lookback AND m.moment > f.moment
),
late AS (
  SELECT c.instrument, c.tier, c.i, c.known_from AS moment
  FROM closes AS c JOIN late_moments AS l ON c.i = l.i AND c.known_from = l.moment
  UNION
  SELECT c.instrument, c.tier, c.i, c.known_to AS moment
  FROM closes AS c JOIN late_moments AS l ON c.i = l.i AND c.known_to = l.moment
  $late_actions
),
points AS (
  SELECT symbol, i, known_from AS moment FROM own
  UNION SELECT symbol, i, known_to AS moment FROM own WHERE known_to < $forever
  UNION
  SELECT f.symbol, f.i, l.moment
  FROM firsts AS f
  JOIN late AS l
    ON f.instrument = l.instrument AND l.i <= f.i AND f.i <= l.i + $lookback
    AND l.moment > f.moment
),
-- At a point the vendor's day bars count where the day has one, else the bars made of minutes.
used AS (
  SELECT p.symbol, p.i, p.moment, MIN(o.tier) AS tier, MIN(o.instrument) AS instrument
  FROM points AS p
  LEFT JOIN own AS o
    ON p.symbol = o.symbol AND p.i = o.i AND o.known_from <= p.moment AND p.moment < o.known_to
  GROUP BY p.symbol, p.i, p.moment
),
next_late AS (
  SELECT u.symbol, u.i, u.moment, MIN(l.moment) AS until
  FROM used AS u
  JOIN late AS l
    ON u.instrument = l.instrument AND u.tier = l.tier
    AND l.i <= u.i AND u.i <= l.i + $lookback AND l.moment > u.moment
  GROUP BY u.symbol, u.i, u.moment
),
-- Nothing in a key's window changes between a point and the next late moment (mostly none, so
-- FOREVER): what is in force just before that moment is what was known at the point. Keys of one
-- instrument that share it share one series.
asked AS (
  SELECT u.symbol, u.i, u.moment, u.tier, u.instrument,
    COALESCE(n.until, $forever) AS until
  FROM used AS u
  LEFT JOIN next_late AS n ON u.symbol = n.symbol AND u.i = n.i AND u.moment = n.moment
),
wanted AS (
  SELECT instrument, tier, until, first_i, last_i,
    ROW_NUMBER() OVER (ORDER BY instrument, tier, until) AS series
  FROM (
    SELECT instrument, tier, until, MIN(i) AS first_i, MAX(i) AS last_i
    FROM asked
    WHERE tier IS NOT NULL
    GROUP BY instrument, tier, until
  ) AS grouped
),
chosen AS (
  SELECT w.series, w.first_i, c.i, c.close
  FROM closes AS c
  JOIN wanted AS w
    ON c.instrument = w.instrument AND c.tier = w.tier
    AND c.known_from < w.until AND w.until <= c.known_to
    AND c.i >= w.first_i - $lookback AND c.i <= w.last_i
),
$levels,
anchored AS (
  SELECT series, first_i, i, level,
    LAG(level) OVER sessions AS previous_level, LAG(i) OVER sessions AS previous_i,
    LAST_VALUE(level) OVER (
      PARTITION BY series ORDER BY i RANGE BETWEEN $lookback PRECEDING AND 30 PRECEDING
    ) AS level_30,
    LAST_VALUE(level) OVER (
      PARTITION BY series ORDER BY i RANGE BETWEEN $lookback PRECEDING AND 90 PRECEDING
    ) AS level_90,
    MAX(level) OVER (
      PARTITION BY series ORDER BY i RANGE BETWEEN 251 PRECEDING AND CURRENT ROW
    ) AS highest,
    MIN(i) OVER (
      PARTITION BY series ORDER BY i RANGE BETWEEN $lookback PRECEDING AND CURRENT ROW
    ) AS begins
  FROM levels
  WINDOW sessions AS (PARTITION BY series ORDER BY i)
),
returned AS (
  SELECT series, first_i, i, level, level_30, level_90, highest, begins,
    CASE WHEN i - previous_i <= $longest_pause THEN level / previous_level END AS growth
  FROM anchored
  WHERE i > first_i - 90
),
-- Logarithms in 10^-15 and returns in 10^-14, as integers, so that their sums are exact; a return
-- above 1000 is a mistake of units and no observation.
scaled AS (
  SELECT series, first_i, i, level, level_30, level_90, highest, begins, growth - 1 AS r,
    CASE WHEN growth <= 1001
      THEN CAST(CAST(FLOOR(LN(growth) * 1e15 + 0.5) AS BIGINT) AS HUGEINT) END AS x,
    CASE WHEN growth <= 1001
      THEN CAST(CAST(FLOOR((growth - 1) * 1e14 + 0.5) AS BIGINT) AS HUGEINT) END AS y
  FROM returned
),
summed AS (
  SELECT series, first_i, i, level, level_30, level_90, highest, begins, r,
    COUNT(x) OVER w30 AS n_30,
    CAST(SUM(x) OVER w30 AS HUGEINT) AS x_30, CAST(SUM(x * x) OVER w30 AS HUGEINT) AS xx_30,
    CAST(SUM(y) OVER w30 AS HUGEINT) AS y_30, CAST(SUM(y * y) OVER w30 AS HUGEINT) AS yy_30,
    COUNT(x) OVER w90 AS n_90,
    CAST(SUM(x) OVER w90 AS HUGEINT) AS x_90, CAST(SUM(x * x) OVER w90 AS HUGEINT) AS xx_90,
    CAST(SUM(y) OVER w90 AS HUGEINT) AS y_90, CAST(SUM(y * y) OVER w90 AS HUGEINT) AS yy_90
  FROM scaled
  WINDOW w30 AS (PARTITION BY series ORDER BY i RANGE BETWEEN 29 PRECEDING AND CURRENT ROW),
    w90 AS (PARTITION BY series ORDER BY i RANGE BETWEEN 89 PRECEDING AND CURRENT ROW)
),
years AS (
  SELECT CAST(session_index AS BIGINT) AS i, trade_date,
    CAST(EXTRACT(YEAR FROM trade_date) AS INTEGER) AS y
  FROM calendar
),
year_ends AS (
  SELECT l.series, y.y, arg_max(l.level, l.i) AS level, MAX(l.i) AS i
  FROM levels AS l JOIN years AS y ON l.i = y.i
  GROUP BY l.series, y.y
),
measured AS (
  SELECT s.series, s.i, s.begins, s.r, s.n_30, s.n_90,
    s.level / s.level_30 - 1 AS return_30d, s.level / s.level_90 - 1 AS return_90d,
    CASE WHEN s.i - e.i <= $lookback THEN s.level / e.level - 1 END AS return_ytd,
    s.level / s.highest - 1 AS drawdown,
    CASE WHEN s.n_30 >= 20 THEN
      SQRT(CAST(s.n_30 * s.xx_30 - s.x_30 * s.x_30 AS DOUBLE) / (s.n_30 * (s.n_30 - 1)))
    END AS x_deviation_30,
    CASE WHEN s.n_30 >= 20 THEN
      SQRT(CAST(s.n_30 * s.yy_30 - s.y_30 * s.y_30 AS DOUBLE) / (s.n_30 * (s.n_30 - 1)))
    END AS y_deviation_30,
    CAST(s.y_30 AS DOUBLE) / s.n_30 AS y_mean_30,
    CASE WHEN s.n_90 >= 60 THEN
      SQRT(CAST(s.n_90 * s.xx_90 - s.x_90 * s.x_90 AS DOUBLE) / (s.n_90 * (s.n_90 - 1)))
    END AS x_deviation_90,
    CASE WHEN s.n_90 >= 60 THEN
      SQRT(CAST(s.n_90 * s.yy_90 - s.y_90 * s.y_90 AS DOUBLE) / (s.n_90 * (s.n_90 - 1)))
    END AS y_deviation_90,
    CAST(s.y_90 AS DOUBLE) / s.n_90 AS y_mean_90
  FROM summed AS s
  JOIN years AS y ON s.i = y.i
  LEFT JOIN year_ends AS e ON s.series = e.series AND e.y = y.y - 1
  WHERE s.i >= s.first_i
)
SELECT a.symbol, y.trade_date, a.moment,
  CASE WHEN a.tier IS NULL THEN 0 ELSE 1 END AS present,
  c.close,
  CASE WHEN a.tier = 0 THEN 'silver.day_bars' ELSE 'gold.daily_bars' END AS close_source,
  COALESCE($suspect, FALSE) AS suspect_action,
  m.r AS return_1d, m.return_30d, m.return_90d, m.return_ytd,
  m.x_deviation_30 / 1e15 * SQRT($per_year) AS volatility_30d,
  m.x_deviation_90 / 1e15 * SQRT($per_year) AS volatility_90d,
  CASE WHEN m.y_deviation_30 > 0 THEN
    (m.y_mean_30 / 1e14 - $risk_free / $per_year) / (m.y_deviation_30 / 1e14) * SQRT($per_year)
  END AS sharpe_30d,
  CASE WHEN m.y_deviation_90 > 0 THEN
    (m.y_mean_90 / 1e14 - $risk_free / $per_year) / (m.y_deviation_90 / 1e14) * SQRT($per_year)
  END AS sharpe_90d,
  m.drawdown,
  CAST(COALESCE(m.n_90, 0) AS INTEGER) AS observations_90d,
  h.trade_date AS history_from
FROM asked AS a
JOIN years AS y ON a.i = y.i
LEFT JOIN wanted AS w
  ON a.instrument = w.instrument AND a.tier = w.tier AND a.until = w.until
LEFT JOIN measured AS m ON w.series = m.series AND a.i = m.i
LEFT JOIN years AS h ON m.begins = h.i
LEFT JOIN chosen AS c ON w.series = c.series AND a.i = c.i
$unapplied
