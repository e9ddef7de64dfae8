-- silver.corporate_actions at each change point of each action, from every version of its queries.
-- A known time is assumed only by the first version that speaks of the action; a row refused in a
-- later version does not withdraw it.
WITH firsts AS (
  SELECT r.action_id, MIN(l.place) AS place
  FROM actions AS r
  JOIN landings AS l ON r.landing_id = l.landing_id
  GROUP BY r.action_id
),
dated AS (
  SELECT r.action_id, r.symbol, r.ex_date, r.kind, r.ratio_from, r.ratio_to, r.cash, r.currency,
    r.declared_date, r.stated_from, r.row_number, l.place, l.since,
    COALESCE(s.until, w.until, l.until) AS until,
    CASE WHEN l.is_first AND l.place = e.place THEN l.assumed_before END AS assumed_before,
    CASE WHEN r.kind = 'cash_dividend' AND d.next_midnight < x.midnight
      THEN d.next_midnight ELSE x.midnight END AS moment
  FROM actions AS r
  JOIN landings AS l ON r.landing_id = l.landing_id
  JOIN firsts AS e ON r.action_id = e.action_id
  JOIN midnights AS x ON r.ex_date = x.day
  LEFT JOIN midnights AS d ON r.declared_date = d.day
  LEFT JOIN kept AS s ON r.landing_id = s.landing_id AND r.symbol = s.symbol
  LEFT JOIN kept AS w ON r.landing_id = w.landing_id AND w.symbol = ''
),
spans AS (
  SELECT action_id, symbol, ex_date, kind, ratio_from, ratio_to, cash, currency, declared_date,
    row_number, place, until,
    CASE WHEN stated_from IS NOT NULL THEN stated_from
      WHEN moment < assumed_before THEN moment
      ELSE since END AS since
  FROM dated
),
points AS (
  SELECT action_id, since AS moment FROM spans WHERE since < until
  UNION
  SELECT action_id, until AS moment FROM spans WHERE since < until AND until < $forever
),
ranked AS (
  SELECT p.action_id, p.moment, s.symbol, s.ex_date, s.kind, s.ratio_from, s.ratio_to, s.cash,
    s.currency, s.declared_date, s.place,
    ROW_NUMBER() OVER (
      PARTITION BY p.action_id, p.moment ORDER BY s.place DESC NULLS LAST, s.row_number DESC
    ) AS choice
  FROM points AS p
  LEFT JOIN spans AS s
    ON p.action_id = s.action_id AND s.since <= p.moment AND p.moment < s.until
)
SELECT action_id, moment, CASE WHEN place IS NULL THEN 0 ELSE 1 END AS present,
  symbol, ex_date, kind, ratio_from, ratio_to, cash, currency, declared_date
FROM ranked
WHERE choice = 1
