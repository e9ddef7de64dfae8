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
