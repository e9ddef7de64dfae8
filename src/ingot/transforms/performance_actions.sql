-- What actions add on an adjusted basis. An action acts on the first session from its ex-date on;
-- cash is per new share where a split has the same date.
SELECT a.instrument, a.ratio, $cash AS cash, $unapplied AS unapplied, a.known_from, a.known_to,
  MIN(CAST(c.session_index AS BIGINT)) AS i
FROM actions AS a
JOIN calendar AS c ON c.trade_date >= a.ex_date AND c.trade_date < a.ex_date + 10
WHERE $acts
GROUP BY a.instrument, a.ex_date, a.ratio, a.cash, a.unapplied_split, a.unapplied_cash,
  a.known_from, a.known_to
