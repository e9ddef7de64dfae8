-- What actions add on an adjusted basis. An action acts on the first session from its ex-date on;
-- cash is per new share where a split has the same date.
SELECT a.symbol, a.ratio, a.cash, a.known_from, a.known_to, MIN(CAST(c.session_index AS BIGINT)) AS i
FROM (
  SELECT symbol, action_id, ex_date, known_from, known_to,
    CASE WHEN kind IN ('split', 'stock_dividend')
      THEN CAST(ratio_to AS DOUBLE) / CAST(ratio_from AS DOUBLE) ELSE 1 END AS ratio,
    $cash AS cash
  FROM actions
  WHERE $kinds
) AS a
JOIN calendar AS c ON c.trade_date >= a.ex_date AND c.trade_date < a.ex_date + 10
GROUP BY a.symbol, a.action_id, a.ex_date, a.ratio, a.cash, a.known_from, a.known_to
