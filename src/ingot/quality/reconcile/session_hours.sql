-- Causes in which hours a bar is made of. Each section names keys: symbol, start_ns, measure, cause,
-- basis, evidence.

-- auction: each price of $other that differs is a print of the bar of $one that starts at the close
-- A symbol that only the auction traded has no regular prices at all.
SELECT symbol, start_ns, 'price' AS measure, 'closing_auction' AS cause, false AS basis,
  CAST(json_object('last_regular', close_$one, 'auction_low', auction_low_$one,
    'auction_high', auction_high_$one, 'day_close', close_$other) AS VARCHAR) AS evidence
FROM aligned.pairs WHERE price_differs AND auction_low_$one IS NOT NULL AND $is_auction

-- all_sessions: each price of $other that differs is that of all sessions of $one together
SELECT symbol, start_ns, 'price', 'session_set', false,
  CAST(json_object('regular_high', high_$one, 'regular_low', low_$one,
    'all_high', all_high_$one, 'all_low', all_low_$one) AS VARCHAR)
FROM aligned.pairs WHERE price_differs AND all_close_$one IS NOT NULL AND $is_of_all

-- absent_session: $other has no bar in this session of any symbol, or $one none of regular hours
SELECT p.symbol, p.start_ns, 'bar', 'session_set', false,
  CAST(json_object('session', p.session_$one, 'bars_of_other', 0) AS VARCHAR)
FROM aligned.pairs AS p WHERE p.in_$one AND NOT p.in_$other
  AND ((p.session_$one <> 'regular' AND p.session_$one NOT IN
      (SELECT DISTINCT session FROM aligned.$other WHERE session IS NOT NULL)
      AND EXISTS (SELECT 1 FROM aligned.$other WHERE session IS NOT NULL))
    OR (p.volume_regular_$one IS NOT NULL AND p.open_$one IS NULL))

-- absent_date: $other has no bar of any symbol on a date that is no trade date of the calendar
SELECT p.symbol, p.start_ns, 'bar', 'session_set', false,
  CAST(json_object('symbols', d.symbols, 'symbols_of_other', 0, 'weekday', isodow(p.trade_date))
    AS VARCHAR)
FROM aligned.pairs AS p JOIN (
  SELECT trade_date, count(DISTINCT symbol) AS symbols FROM aligned.$one GROUP BY trade_date) AS d
  USING (trade_date)
WHERE p.in_$one AND NOT p.in_$other
  AND p.trade_date BETWEEN (SELECT first_date FROM aligned.ends WHERE side = '$other')
    AND (SELECT last_date FROM aligned.ends WHERE side = '$other')
  AND p.trade_date NOT IN (SELECT DISTINCT trade_date FROM aligned.$other)
  AND (isodow(p.trade_date) > 5 OR (
    p.trade_date NOT IN (SELECT trade_date FROM quality.sessions WHERE session = 'regular')
    AND p.trade_date BETWEEN (SELECT min(trade_date) FROM quality.sessions)
      AND (SELECT max(trade_date) FROM quality.sessions)))

-- partial_week: the first or last week of $one is within that of $other and trades less
SELECT symbol, start_ns, m.measure, 'partial_week', false,
  CAST(json_object('partial', '$one', 'volume_share', [[volume_$one / nullif(volume_$other, 0)]],
    'days_a', bars_a, 'days_b', bars_b) AS VARCHAR)
FROM aligned.pairs CROSS JOIN (VALUES ('price'), ('volume')) AS m(measure)
WHERE (price_differs OR volume_differs) AND volume_$one > 0 AND volume_$one < volume_$other
  AND high_$one <= high_$other AND low_$one >= low_$other
  AND ((start_ns = (SELECT max(start_ns) FROM aligned.$one) AND NOT open_differs)
    OR (start_ns = (SELECT min(start_ns) FROM aligned.$one) AND NOT close_differs))
