-- silver.instruments at each change point of each symbol's holding. Where the known time is
-- assumed, the end of a holding is known from that end on; before, the symbol is held without one.
-- It is assumed only by the first version that speaks of the holding, and then only the last
-- symbol's row tells of a delisting. A row refused in a later version ends nothing.
WITH firsts AS (
  SELECT r.instrument_id, r.symbol, r.valid_from, MIN(l.place) AS place
  FROM instruments AS r
  JOIN landings AS l ON r.landing_id = l.landing_id
  GROUP BY r.instrument_id, r.symbol, r.valid_from
),
dated AS (
  SELECT r.instrument_id, r.symbol, r.valid_from, r.valid_to, r.name, r.exchange, r.type, r.figi,
    r.cik, r.round_lot, r.list_date, r.row_number, l.place,
    COALESCE(s.until, w.until, l.until) AS until,
    CASE WHEN r.stated_from IS NOT NULL THEN r.stated_from
      WHEN l.is_first AND l.place = e.place AND f.midnight < l.assumed_before THEN f.midnight
      ELSE l.since END AS since,
    CASE WHEN r.stated_from IS NOT NULL THEN r.stated_from
      WHEN l.is_first AND l.place = e.place
        AND COALESCE(t.midnight, f.midnight) < l.assumed_before
        THEN COALESCE(t.midnight, f.midnight)
      ELSE l.since END AS whole_since,
    CASE WHEN r.stated_from IS NULL AND l.is_first AND l.place = e.place
      AND r.delisted_date > COALESCE(r.valid_to, r.valid_from) THEN CAST(NULL AS DATE)
      ELSE r.delisted_date END AS delisted_date
  FROM instruments AS r
  JOIN landings AS l ON r.landing_id = l.landing_id
  JOIN firsts AS e ON r.instrument_id = e.instrument_id AND r.symbol = e.symbol
    AND r.valid_from = e.valid_from
  JOIN midnights AS f ON r.valid_from = f.day
  LEFT JOIN midnights AS t ON r.valid_to = t.day
  LEFT JOIN kept AS s ON r.landing_id = s.landing_id AND r.symbol = s.symbol
  LEFT JOIN kept AS w ON r.landing_id = w.landing_id AND w.symbol = ''
),
spans AS (
  SELECT instrument_id, symbol, valid_from, CAST($never AS DATE) AS valid_to, name, exchange, type,
    figi, cik, round_lot, list_date, CAST(NULL AS DATE) AS delisted_date, row_number, place,
    since, CASE WHEN whole_since < until THEN whole_since ELSE until END AS until
  FROM dated
  WHERE valid_to IS NOT NULL
  UNION ALL
  SELECT instrument_id, symbol, valid_from, COALESCE(valid_to, CAST($never AS DATE)) AS valid_to,
    name, exchange, type, figi, cik, round_lot, list_date, delisted_date, row_number, place,
    whole_since AS since, until
  FROM dated
),
points AS (
  SELECT instrument_id, symbol, valid_from, since AS moment FROM spans WHERE since < until
  UNION
  SELECT instrument_id, symbol, valid_from, until AS moment
  FROM spans WHERE since < until AND until < $forever
),
ranked AS (
  SELECT p.instrument_id, p.symbol, p.valid_from, p.moment, s.valid_to, s.name, s.exchange, s.type,
    s.figi, s.cik, s.round_lot, s.list_date, s.delisted_date, s.place,
    ROW_NUMBER() OVER (
      PARTITION BY p.instrument_id, p.symbol, p.valid_from, p.moment
      ORDER BY s.place DESC NULLS LAST, s.row_number DESC
    ) AS choice
  FROM points AS p
  LEFT JOIN spans AS s
    ON p.instrument_id = s.instrument_id AND p.symbol = s.symbol AND p.valid_from = s.valid_from
    AND s.since <= p.moment AND p.moment < s.until
)
SELECT instrument_id, symbol, valid_from, moment,
  CASE WHEN place IS NULL THEN 0 ELSE 1 END AS present,
  valid_to, name, exchange, type, figi, cik, round_lot, list_date, delisted_date
FROM ranked
WHERE choice = 1
