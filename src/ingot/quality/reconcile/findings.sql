-- findings: what differs with its likely cause, worst first
WITH found AS ($found),
named AS (SELECT *, CASE cause $order END AS place FROM ($causes)),
first_named AS (
  SELECT symbol, start_ns, measure, cause, basis, evidence FROM named
  QUALIFY row_number() OVER (PARTITION BY symbol, start_ns, measure ORDER BY place, evidence) = 1),
explained AS (
  SELECT f.*, coalesce(c.cause, 'unexplained') AS cause, coalesce(c.basis, false) AS basis,
    coalesce(c.evidence, CAST(json_object('field', f.field,
      'ratio', [[f.value_b / nullif(f.value_a, 0)]],
      'bars', count(*) OVER (PARTITION BY f.symbol, f.field)) AS VARCHAR)) AS evidence,
    CASE WHEN c.cause = 'renamed' THEN 'IDENTITY_MISMATCH'
      WHEN c.basis THEN 'BASIS_MISMATCH' ELSE f.kind_found END AS kind
  FROM found AS f LEFT JOIN first_named AS c USING (symbol, start_ns, measure)
  WHERE c.cause IS NOT NULL OR f.measure <> 'bar' OR $has_begun)
SELECT kind, cause, cause IN ($legal) AS legal, symbol, trade_date,
  make_timestamptz(start_ns // 1000) AS bar_start, side,
  string_agg(field, ',' ORDER BY nth) AS fields,
  arg_max(value_a, abs(coalesce(difference_pct, 0))) AS value_a,
  arg_max(value_b, abs(coalesce(difference_pct, 0))) AS value_b,
  round(arg_max(difference_pct, abs(coalesce(difference_pct, 0))), 6) AS difference_pct,
  min(evidence) AS evidence
FROM explained GROUP BY kind, cause, symbol, trade_date, start_ns, side
ORDER BY legal, kind, cause, symbol, start_ns, side

-- missing: bars that $one does not have
SELECT symbol, trade_date, start_ns, 'bar' AS measure,
  CASE WHEN $is_late THEN 'LATE' ELSE 'MISSING' END AS kind_found, '$one' AS side, 'bar' AS field,
  0 AS nth, $value_a AS value_a, $value_b AS value_b, CAST(NULL AS DOUBLE) AS difference_pct
FROM aligned.pairs WHERE NOT in_$one

-- duplicate: keys that $one has more than once
SELECT symbol, trade_date, start_ns, 'copies_$one', 'DUPLICATE', '$one', 'copies', 0,
  CAST(copies_a AS DOUBLE), CAST(copies_b AS DOUBLE), CAST(NULL AS DOUBLE)
FROM aligned.pairs WHERE copies_$one > 1

-- drift: values that differ
SELECT symbol, trade_date, start_ns, '$measure', 'VALUE_DRIFT', CAST(NULL AS VARCHAR), '$field',
  $nth, ${field}_a, ${field}_b, (${field}_b - ${field}_a) / nullif(abs(${field}_a), 0) * 100
FROM aligned.pairs WHERE ${field}_differs
