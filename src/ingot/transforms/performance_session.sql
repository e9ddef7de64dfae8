-- What performance_windows.sql gives, where the keys are of one session: each series is read once,
-- by aggregates, and no window is computed for sessions that are not asked for.
ends AS (
  SELECT series, first_i,
    MAX(level) FILTER (WHERE i = first_i) AS level,
    arg_max(level, i) FILTER (WHERE i <= first_i - 30) AS level_30,
    arg_max(level, i) FILTER (WHERE i <= first_i - 90) AS level_90,
    MAX(i) FILTER (WHERE i <= first_i - 90) AS i_90,
    MAX(level) FILTER (WHERE i >= first_i - 251) AS highest,
    MIN(i) AS begins
  FROM levels
  GROUP BY series, first_i
),
followed AS (
  SELECT series, first_i, i, level,
    LAG(level) OVER sessions AS previous_level, LAG(i) OVER sessions AS previous_i
  FROM (
    SELECT series, first_i, i, level FROM levels WHERE i > first_i - 90
    UNION ALL
    SELECT series, first_i, i_90 AS i, level_90 AS level FROM ends WHERE i_90 IS NOT NULL
  ) AS recent
  WINDOW sessions AS (PARTITION BY series ORDER BY i)
),
returned AS (
  SELECT series, first_i, i,
    CASE WHEN i - previous_i <= $longest_pause THEN level / previous_level END AS growth
  FROM followed
  WHERE i > first_i - 90
),
scaled AS (
  SELECT series, first_i, i, growth - 1 AS r,
    CASE WHEN growth <= 1001
      THEN CAST(CAST(FLOOR(LN(growth) * 1e15 + 0.5) AS BIGINT) AS HUGEINT) END AS x,
    CASE WHEN growth <= 1001
      THEN CAST(CAST(FLOOR((growth - 1) * 1e14 + 0.5) AS BIGINT) AS HUGEINT) END AS y
  FROM returned
),
sums AS (
  SELECT series, MAX(r) FILTER (WHERE i = first_i) AS r,
    COUNT(x) FILTER (WHERE i > first_i - 30) AS n_30,
    CAST(SUM(x) FILTER (WHERE i > first_i - 30) AS HUGEINT) AS x_30,
    CAST(SUM(x * x) FILTER (WHERE i > first_i - 30) AS HUGEINT) AS xx_30,
    CAST(SUM(y) FILTER (WHERE i > first_i - 30) AS HUGEINT) AS y_30,
    CAST(SUM(y * y) FILTER (WHERE i > first_i - 30) AS HUGEINT) AS yy_30,
    COUNT(x) AS n_90,
    CAST(SUM(x) AS HUGEINT) AS x_90, CAST(SUM(x * x) AS HUGEINT) AS xx_90,
    CAST(SUM(y) AS HUGEINT) AS y_90, CAST(SUM(y * y) AS HUGEINT) AS yy_90
  FROM scaled
  GROUP BY series
),
summed AS (
  SELECT e.series, e.first_i, e.first_i AS i, e.level, e.level_30, e.level_90, e.highest,
    e.begins, s.r, s.n_30, s.x_30, s.xx_30, s.y_30, s.yy_30,
    s.n_90, s.x_90, s.xx_90, s.y_90, s.yy_90
  FROM ends AS e
  JOIN sums AS s ON e.series = s.series
  WHERE e.level IS NOT NULL
),
