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
