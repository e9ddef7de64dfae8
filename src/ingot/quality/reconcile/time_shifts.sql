-- Causes that move bars. Each section names keys: symbol, start_ns, measure, cause, basis, evidence.
-- One shift or one other symbol must explain 0.6 of a symbol's differing keys, and three of them.

-- shifts: a bar of one side is at another time in the other, by all its values
-- The shift that explains most of a symbol's differing keys is its cause; `clocks` says whether a
-- symbol differs on dates of one clock only, by the hour of the opening.
WITH lost AS (SELECT symbol, start_ns, in_a, in_b FROM aligned.pairs WHERE $differ),
meetings AS (
  SELECT a.symbol, a.start_ns AS a_ns, b.start_ns AS b_ns, b.start_ns - a.start_ns AS shift_ns,
    CASE WHEN $is_label THEN 'end_labelled_bars' ELSE 'time_zone' END AS cause
  FROM aligned.a AS a JOIN aligned.b AS b ON a.symbol = b.symbol AND $same
  WHERE a.start_ns <> b.start_ns AND abs(b.start_ns - a.start_ns) <= $farthest
    AND a.symbol IN (SELECT symbol FROM lost)),
clocks AS (
  SELECT symbol, count(DISTINCT opens) FILTER (WHERE differs) = 1
    AND count(DISTINCT opens) FILTER (WHERE NOT differs) >= 1
    AND max(opens) FILTER (WHERE differs) <> max(opens) FILTER (WHERE NOT differs) AS partly
  FROM (
    SELECT symbol, opens, bool_or($differ) AS differs FROM aligned.pairs
    JOIN (SELECT trade_date, start_ns % 86400000000000 AS opens FROM quality.sessions
      WHERE session = 'regular') USING (trade_date) GROUP BY symbol, trade_date, opens)
  GROUP BY symbol),
moved AS (
  SELECT symbol, a_ns AS start_ns, shift_ns, cause FROM meetings
  UNION SELECT symbol, b_ns, shift_ns, cause FROM meetings),
explained AS (
  SELECT m.*, $apart AS apart FROM moved AS m JOIN lost USING (symbol, start_ns)),
counted AS (
  SELECT symbol, apart, count(DISTINCT start_ns) AS bars, mode(shift_ns) AS usual_ns
  FROM explained GROUP BY symbol, apart),
wanting AS (SELECT symbol, count(*) AS keys FROM lost GROUP BY symbol),
best AS (
  SELECT * FROM counted JOIN wanting USING (symbol) WHERE bars >= 3 AND bars >= 0.6 * keys
  QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY bars DESC, abs(apart)) = 1)
SELECT t.symbol, t.start_ns, m.measure, $cause AS cause, false AS basis,
  CAST(json_object('shift_minutes', usual_ns // 60000000000, 'bars', b.bars, 'of', b.keys,
    'changes_with_clocks', c.partly) AS VARCHAR) AS evidence
FROM explained AS t JOIN best AS b USING (symbol, apart) LEFT JOIN clocks AS c USING (symbol)
CROSS JOIN (VALUES ('bar'), ('price'), ('volume')) AS m(measure)
QUALIFY row_number() OVER (PARTITION BY t.symbol, t.start_ns, m.measure
  ORDER BY abs(t.shift_ns)) = 1

-- renames: bars that the other side has under another symbol
WITH lost AS (SELECT symbol, start_ns FROM aligned.pairs WHERE $differ),
meetings AS (
  SELECT a.symbol AS a_symbol, b.symbol AS b_symbol, a.start_ns
  FROM aligned.a AS a JOIN aligned.b AS b
    ON a.start_ns = b.start_ns AND a.symbol <> b.symbol AND $same),
found AS (
  SELECT DISTINCT a_symbol AS symbol, b_symbol AS other, meetings.start_ns, 'b' AS found_in
  FROM meetings JOIN lost ON lost.symbol = a_symbol AND lost.start_ns = meetings.start_ns
  UNION SELECT DISTINCT b_symbol, a_symbol, meetings.start_ns, 'a'
  FROM meetings JOIN lost ON lost.symbol = b_symbol AND lost.start_ns = meetings.start_ns),
wanting AS (SELECT symbol, count(*) AS keys FROM lost GROUP BY symbol),
best AS (
  SELECT symbol, other, count(DISTINCT start_ns) AS bars, any_value(keys) AS keys
  FROM found JOIN wanting USING (symbol) GROUP BY symbol, other
  HAVING count(DISTINCT start_ns) >= 3 AND count(DISTINCT start_ns) >= 0.6 * any_value(keys)
  QUALIFY row_number() OVER (
    PARTITION BY symbol ORDER BY count(DISTINCT start_ns) DESC, other) = 1)
SELECT t.symbol, t.start_ns, m.measure, 'renamed' AS cause, false AS basis,
  CAST(json_object('other_symbol', other, 'found_in', t.found_in, 'bars', b.bars, 'of', b.keys)
    AS VARCHAR) AS evidence
FROM found AS t JOIN best AS b USING (symbol, other)
CROSS JOIN (VALUES ('bar'), ('price'), ('volume')) AS m(measure)

-- shifted: $one, aligned anew with its labels moved, agrees with $other
WITH lost AS (SELECT * FROM aligned.pairs WHERE $differ),
tried AS (
  SELECT p.symbol, p.start_ns, s.symbol IS NOT NULL AND in_$other AND NOT ($differs) AS agrees,
    s.symbol IS NULL AND NOT in_$other AS gone,
    p.in_$other AND p.trade_date >=
      (SELECT first_date FROM aligned.ends WHERE side = '$one') AS counts
  FROM lost AS p LEFT JOIN $moved AS s USING (symbol, start_ns)),
verdicts AS (
  SELECT symbol, count(*) FILTER (WHERE agrees) AS bars, count(*) FILTER (WHERE counts) AS keys
  FROM tried GROUP BY symbol)
SELECT t.symbol, t.start_ns, m.measure, '$cause' AS cause, false AS basis,
  CAST(json_object('shift_minutes', $minutes, 'side', '$one', 'bars', v.bars, 'of', v.keys)
    AS VARCHAR) AS evidence
FROM tried AS t JOIN verdicts AS v USING (symbol)
CROSS JOIN (VALUES ('bar'), ('price'), ('volume')) AS m(measure)
WHERE (t.agrees OR t.gone) AND v.bars >= 3 AND v.bars >= 0.6 * v.keys
