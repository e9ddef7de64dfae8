-- Rows of bronze that break a check, and losers of conflicting duplicates, on one trade date.
WITH broken AS (
  SELECT landing_id, row_number, file_date, symbol, bar_start_ns,
    CASE $first_broken END AS rule, $raw AS raw
  FROM ($named) AS named
  WHERE NOT ($checked)
),
suspects AS (
  SELECT landing_id, row_number, file_date, symbol, bar_start_ns, rule, raw FROM broken
  $losers
),
dated AS (
  SELECT q.landing_id, q.row_number, q.rule, q.raw, q.symbol, q.bar_start_ns, q.file_date,
    $trade_date_of AS trade_date
  FROM suspects AS q
  $sessions
)
SELECT landing_id, row_number, rule, raw, symbol, bar_start_ns
FROM dated
WHERE trade_date = $trade_date
ORDER BY landing_id, row_number
