-- A table that a lake declares itself, at each change point of the file of one date. A key that a
-- version lacks is gone, unless a row of it, or one whose key could not be read, was rejected there:
-- then the row of the version before stays.
WITH row_keys AS (
  SELECT DISTINCT row_key, $key FROM given
),
named AS (
  SELECT DISTINCT landing_id, symbol AS row_key FROM refused WHERE symbol IS NOT NULL
),
unnamed AS (
  SELECT DISTINCT landing_id FROM refused WHERE symbol IS NULL
),
places AS (
  SELECT k.row_key, l.place, l.since,
    CASE WHEN r.row_key IS NULL AND (n.row_key IS NOT NULL OR u.landing_id IS NOT NULL)
      THEN 1 ELSE 0 END AS carried
  FROM row_keys AS k
  CROSS JOIN landings AS l
  LEFT JOIN given AS r ON r.landing_id = l.landing_id AND r.row_key = k.row_key
  LEFT JOIN named AS n ON n.landing_id = l.landing_id AND n.row_key = k.row_key
  LEFT JOIN unnamed AS u ON u.landing_id = l.landing_id
),
shown AS (
  SELECT row_key, since, carried,
    MAX(CASE WHEN carried = 0 THEN place END) OVER (PARTITION BY row_key ORDER BY place) AS place
  FROM places
)
SELECT $keys_of, s.since AS moment, CASE WHEN r.row_key IS NULL THEN 0 ELSE 1 END AS present,
  $values s.carried = 1 AS stale_refused
FROM shown AS s
JOIN row_keys AS k ON k.row_key = s.row_key
LEFT JOIN landings AS l ON l.place = s.place
LEFT JOIN given AS r ON r.landing_id = l.landing_id AND r.row_key = s.row_key
