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
