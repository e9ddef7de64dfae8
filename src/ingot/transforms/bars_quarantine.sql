-- Rows of bronze that break a rule, and losers of conflicting duplicates, on one trade date.
WITH broken AS (
  SELECT landing_id, row_number, file_date, symbol, bar_start_ns,
    $rule AS rule, $raw AS raw
  FROM ($named) AS named
  WHERE NOT ($checked) OR $misfiled
),
suspects AS (
  SELECT landing_id, row_number, file_date, symbol, bar_start_ns, rule, raw FROM broken
  $losers
),
-- A start on another date than its file's is reported with the file, whatever session holds it.
dated AS (
  SELECT q.landing_id, q.row_number, q.rule, q.raw, q.symbol, q.bar_start_ns,
    CASE WHEN q.bar_start_ns >= f.start_ns AND q.bar_start_ns < f.end_ns
      THEN $session_date ELSE q.file_date END AS trade_date
  FROM suspects AS q
  JOIN ($filed) AS f ON q.file_date = f.file_date
  $sessions
)
SELECT landing_id, row_number, rule, raw, symbol, bar_start_ns
FROM dated
WHERE trade_date = $trade_date
ORDER BY landing_id, row_number
