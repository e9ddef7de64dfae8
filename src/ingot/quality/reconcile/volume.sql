-- Causes in what is counted as volume. Each section names keys: symbol, start_ns, measure, cause,
-- basis, evidence. A pattern must hold for 0.9 of a symbol's differing volumes, and lots for three;
-- odd lots of a day are no more than 0.3 of its volume. A round lot is of 100 shares.

-- lots: the volume of $one is that of $other in lots of 100, rounded
SELECT d.symbol, d.start_ns, 'volume' AS measure, 'lots' AS cause, false AS basis,
  CAST(json_object('lots', '$one', 'ratio', [[s.ratio]], 'bars', s.bars, 'of', s.keys) AS VARCHAR)
    AS evidence
FROM $drifts AS d JOIN (
  SELECT symbol, count(*) AS keys, count(*) FILTER (WHERE $in_lots) AS bars,
    median(volume_b / nullif(volume_a, 0)) AS ratio
  FROM $drifts GROUP BY symbol) AS s USING (symbol)
WHERE s.bars >= 0.9 * s.keys AND $in_lots AND volume_$other >= 100

-- round_lots: $one counts round lots only: whole hundreds, never more than $other
SELECT d.symbol, d.start_ns, 'volume', 'odd_lots', false,
  CAST(json_object('without', '$one', 'whole_hundreds', [[s.bars / s.keys]],
    'whole_hundreds_other', [[s.whole_other / s.keys]], 'missing_shares', [[s.missing]],
    'bars', s.bars, 'of', s.keys) AS VARCHAR)
FROM $drifts AS d JOIN (
  SELECT symbol, count(*) AS keys, count(*) FILTER (WHERE $is_rounded) AS bars,
    count(*) FILTER (WHERE volume_$other % 100 = 0) AS whole_other,
    median(volume_$other - volume_$one) AS missing
  FROM $drifts GROUP BY symbol) AS s USING (symbol)
WHERE s.keys >= 3 AND s.bars >= 0.9 * s.keys AND s.whole_other <= 0.5 * s.keys AND $is_rounded

-- small_bars: $one lacks bars of fewer than 100 shares: it does not count odd lots
SELECT d.symbol, d.start_ns, 'bar', 'odd_lots', false,
  CAST(json_object('without', '$one', 'volume', d.volume_$other, 'bars', s.bars, 'of', s.keys)
    AS VARCHAR)
FROM aligned.pairs AS d JOIN (
  SELECT symbol, count(*) AS keys, count(*) FILTER (WHERE volume_$other < 100) AS bars
  FROM aligned.pairs WHERE in_$other AND NOT in_$one AND volume_$other > 0
  GROUP BY symbol) AS s USING (symbol)
WHERE in_$other AND NOT in_$one AND volume_$other > 0 AND volume_$other < 100 AND s.keys >= 3
  AND s.bars >= 0.9 * s.keys

-- outside: the day of $other is between the regular session of $one and all of it
-- Where the minutes themselves have nothing outside the regular session, a larger day does.
SELECT symbol, start_ns, 'volume', 'extended_hours_volume', false,
  CAST(json_object('regular', volume_regular_$one, 'outside', volume_outside_$one,
    'day', volume_$other, 'ratio', [[volume_$other / nullif(volume_$one, 0)]]) AS VARCHAR)
FROM aligned.pairs WHERE volume_differs AND volume_regular_$one IS NOT NULL
  AND volume_$other >= volume_regular_$one * $less AND volume_$other > 0
  AND (volume_$other <= volume_$one * $more
    OR ((SELECT coalesce(sum(volume_outside), 0) = 0 FROM aligned.$one)
      AND volume_$other > volume_$one AND volume_$one >= 0.3 * volume_$other))

-- odd_in_days: days of $other count more than the minutes of $one: minutes show no odd lots
SELECT symbol, start_ns, 'volume', 'odd_lots', false,
  CAST(json_object('without', '$one', 'missing_shares', [[volume_$other - volume_$one]],
    'ratio', [[volume_$other / nullif(volume_$one, 0)]], 'usual_ratio', [[s.usual]],
    'bars', s.bars, 'of', s.keys) AS VARCHAR)
FROM aligned.pairs CROSS JOIN (
  SELECT count(*) AS keys, count(*) FILTER (WHERE $has_more) AS bars,
    median(volume_$other / nullif(volume_$one, 0)) FILTER (WHERE $has_more) AS usual
  FROM aligned.pairs WHERE volume_differs AND volume_regular_$one IS NOT NULL
    AND volume_$other > volume_$one) AS s
WHERE volume_differs AND volume_regular_$one IS NOT NULL AND $has_more AND s.bars >= 0.9 * s.keys
