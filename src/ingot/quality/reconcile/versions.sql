-- Causes in which version of a bar a side has. Each section names keys: symbol, start_ns, measure,
-- cause, basis, evidence.

-- republished: an earlier version of $one agrees with $other
SELECT p.symbol, p.start_ns, m.measure, 'republished' AS cause, false AS basis,
  CAST(json_object('side', '$one', 'first_close', f.close, 'now_close', p.close_$one,
    'first_volume', f.volume, 'now_volume', p.volume_$one,
    'known_from', CAST(p.known_from_$one AS VARCHAR)) AS VARCHAR) AS evidence
FROM aligned.pairs AS p JOIN $first AS f USING (symbol, start_ns)
CROSS JOIN (VALUES ('price'), ('volume')) AS m(measure)
WHERE p.in_a AND p.in_b AND (p.price_differs OR p.volume_differs) AND NOT ($differs)

-- two_moments: every difference between two moments of one table
SELECT symbol, start_ns, m.measure, 'republished' AS cause, false AS basis,
  CAST(json_object('known_from_a', CAST(known_from_a AS VARCHAR),
    'known_from_b', CAST(known_from_b AS VARCHAR)) AS VARCHAR) AS evidence
FROM aligned.pairs CROSS JOIN (VALUES ('bar'), ('price'), ('volume')) AS m(measure)

-- unpublished: bars beyond the last date that $one has
SELECT symbol, start_ns, 'bar' AS measure, 'not_published' AS cause, false AS basis,
  CAST(json_object('last_date_of_other',
    (SELECT last_date FROM aligned.ends WHERE side = '$one')) AS VARCHAR) AS evidence
FROM aligned.pairs WHERE NOT in_$one
  AND trade_date > (SELECT last_date FROM aligned.ends WHERE side = '$one')

-- duplicates: of keys with several rows in $one, whether those agree
SELECT symbol, start_ns, 'copies_$one' AS measure, 'unexplained' AS cause, false AS basis,
  CAST(json_object('copies', copies_$one, 'different_values', variants_$one) AS VARCHAR) AS evidence
FROM aligned.pairs WHERE copies_$one > 1
