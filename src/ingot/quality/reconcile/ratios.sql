-- Causes that multiply prices. Runs are described first; then each SELECT names keys: symbol,
-- start_ns, measure, cause, basis, evidence. Ratios within 0.0003, beside half a tick of either
-- price, are the same; volumes within 0.01. A dividend takes no more than 0.25 of a price; a run of
-- an odd ratio needs three bars to be more than chance.

-- ratios: split factors, dividends and prices times 100
-- `bars` to `steps` cut each suspect symbol's bars into runs of one ratio; a bar whose four prices
-- do not differ alike belongs to no run. `acted` gives each run the known action at its end, and
-- `fitting` the split stated in a file that fits it: one with exactly the run's ratio may be stated
-- anywhere; at the run's ends it may be as far off as a dividend of the same date makes it, 0.1 as
-- a logarithm.
-- `verdicts` says what each run is; a run whose ratio is 1 has none of these causes.
WITH bars AS (
  SELECT symbol, trade_date, start_ns, price_differs, close_differs, volume_a, volume_b,
    0.0003 + $noise AS noise,
    CASE WHEN price_differs THEN close_b / close_a ELSE 1 END AS ratio,
    greatest($each) / least($each) - 1 AS spread
  FROM aligned.pairs WHERE in_a AND in_b AND $positive
    AND symbol IN (SELECT symbol FROM aligned.pairs WHERE price_differs)),
cut AS (
  SELECT *, lag(ratio) OVER own AS ratio_before, lag(noise) OVER own AS noise_before
  FROM bars WHERE NOT price_differs OR (close_differs AND spread <= 4 * noise)
  WINDOW own AS (PARTITION BY symbol ORDER BY start_ns)),
numbered AS (
  SELECT *, sum(CASE WHEN ratio_before IS NULL
      OR abs(ratio / ratio_before - 1) > noise + noise_before THEN 1 ELSE 0 END)
    OVER (PARTITION BY symbol ORDER BY start_ns) AS run FROM cut),
runs AS (
  SELECT symbol, run, count(*) AS bars, bool_or(price_differs) AS differs,
    median(ratio) AS ratio, max(noise) AS noise, max(ratio) / min(ratio) - 1 AS wander,
    min(trade_date) AS first_date, max(trade_date) AS last_date,
    median(volume_b / volume_a) FILTER (WHERE volume_a > 0 AND volume_b > 0) AS volume_ratio
  FROM numbered GROUP BY symbol, run),
steps AS (
  SELECT *, lead(ratio) OVER own AS ratio_after, lead(first_date) OVER own AS next_date
  FROM runs WINDOW own AS (PARTITION BY symbol ORDER BY run)),
acted AS (
  SELECT s.symbol, s.run, max(CAST(x.ratio AS DOUBLE)) FILTER (WHERE x.ratio <> 1) AS split,
    max(CAST(x.cash AS DOUBLE)) FILTER (WHERE x.cash > 0) AS cash, min(x.ex_date) AS ex_date
  FROM steps AS s JOIN quality.actions AS x ON x.symbol = s.symbol
    AND ((x.ex_date > s.last_date AND x.ex_date <= coalesce(s.next_date, DATE '9999-12-31'))
      OR (s.first_date >= x.ex_date AND s.next_date IS NULL))
  WHERE s.differs GROUP BY 1, 2),
stated AS (
  SELECT symbol, trade_date, CAST(split AS DOUBLE) AS split FROM (
    SELECT symbol, trade_date,
      CASE WHEN coalesce(split_a, 0) > 0 THEN split_a ELSE split_b END AS split
    FROM aligned.pairs) WHERE split > 0 AND split <> 1),
fitting AS (
  SELECT symbol, run, arg_min(split, off) AS stated_split FROM (
    SELECT s.symbol, s.run, t.split, abs(abs(ln(s.ratio)) - abs(ln(t.split))) AS off, s.noise,
      ((t.trade_date > s.last_date
          AND t.trade_date <= coalesce(s.next_date, DATE '9999-12-31'))
        OR t.trade_date = s.first_date) AS edge
    FROM steps AS s JOIN stated AS t USING (symbol) WHERE s.differs)
  WHERE off < noise + 0.0003 OR (edge AND off < least(0.1, abs(ln(split)) / 2))
  GROUP BY symbol, run),
verdicts AS (
  SELECT s.*, k.split AS action_split, k.cash, k.ex_date, f.stated_split,
    ratio / coalesce(ratio_after, 1) AS step,
    CASE WHEN f.stated_split IS NOT NULL THEN 'split_factor'
      WHEN (abs(ratio / 100 - 1) < noise + 0.0003 OR abs(ratio * 100 - 1) < noise + 0.0003)
        AND NOT $inverse AND k.split IS NULL THEN 'scale_x100'
      WHEN $inverse OR (coalesce($volume_is_split, false)
          AND coalesce(abs(ratio * volume_ratio - 1) < 0.25, false)
          AND abs(ln(ratio)) > abs(ln(volume_ratio)) / 2) THEN 'split_factor'
      WHEN abs(abs(ln(ratio)) - abs(ln(k.split))) < least(0.25, abs(ln(k.split)) / 2)
        THEN 'split_factor'
      WHEN $is_split THEN 'split_factor'
      WHEN (volume_ratio IS NULL OR abs(volume_ratio - 1) < 0.01)
        AND abs(ratio / coalesce(ratio_after, 1) - 1) BETWEEN 3 * noise AND 0.25
        AND wander <= 2 * noise AND (bars >= 3 OR k.cash IS NOT NULL) THEN 'dividend'
      ELSE '' END AS cause
  FROM steps AS s LEFT JOIN acted AS k USING (symbol, run) LEFT JOIN fitting AS f USING (symbol, run)
  WHERE s.differs AND abs(ratio - 1) > noise)
SELECT n.symbol, n.start_ns, m.measure, j.cause, $is_known AS basis, $run AS evidence
FROM verdicts AS j JOIN numbered AS n USING (symbol, run)
CROSS JOIN (VALUES ('price'), ('volume')) AS m(measure)
WHERE j.cause <> '' AND n.price_differs AND (m.measure = 'price' OR j.cause = 'split_factor')
UNION ALL  -- where closes differ, the adjusted ones that differ alike share their cause
SELECT n.symbol, n.start_ns, 'adj_close', j.cause, $is_known, $run
FROM verdicts AS j JOIN numbered AS n USING (symbol, run)
JOIN aligned.pairs AS p USING (symbol, start_ns)
WHERE j.cause <> '' AND n.price_differs AND
  abs((adj_close_b / nullif(adj_close_a, 0)) / nullif((close_b / nullif(close_a, 0)), 0) - 1) < 0.01
UNION ALL  -- where closes agree, adjusted closes can only differ by dividends
SELECT symbol, start_ns, 'adj_close', 'dividend', false,
  CAST(json_object('ratio', [[adj_close_b / nullif(adj_close_a, 0)]], 'bars', count(*) OVER own,
    'last', max(trade_date) OVER own) AS VARCHAR)
FROM aligned.pairs WHERE adj_close_differs AND NOT price_differs
WINDOW own AS (PARTITION BY symbol, round(adj_close_b / nullif(adj_close_a, 0), 4))
UNION ALL  -- a stated dividend or split that differs is its own cause
SELECT symbol, start_ns, 'dividend', 'dividend', false,
  CAST(json_object('a', dividend_a, 'b', dividend_b,
    'ratio', [[dividend_b / nullif(dividend_a, 0)]]) AS VARCHAR)
FROM aligned.pairs WHERE dividend_differs
UNION ALL SELECT symbol, start_ns, 'split', 'split_factor', false,
  CAST(json_object('a', split_a, 'b', split_b, 'ratio', [[split_b / nullif(split_a, 0)]])
    AS VARCHAR)
FROM aligned.pairs WHERE split_differs
UNION ALL  -- a bar of which each price that differs is a hundred times off: in another unit
SELECT symbol, start_ns, 'price', 'scale_x100', false,
  CAST(json_object('ratio', [[CASE $differing END]]) AS VARCHAR)
FROM aligned.pairs WHERE price_differs AND $are_hundreds
UNION ALL SELECT symbol, start_ns, 'adj_close', 'scale_x100', false,
  CAST(json_object('ratio', [[adj_close_b / adj_close_a]]) AS VARCHAR)
FROM aligned.pairs WHERE $is_hundred

-- run: evidence of a run
CAST(json_object('ratio', [[j.ratio]], 'bars', j.bars, 'first', j.first_date,
  'last', j.last_date, 'step', [[j.step]], 'volume_ratio', [[j.volume_ratio]],
  'stated_split', stated_split, 'action_ratio', action_split, 'action_cash', cash,
  'ex_date', ex_date) AS VARCHAR)

-- is_known: whether a known action explains a run
CASE cause WHEN 'split_factor' THEN action_split IS NOT NULL
  WHEN 'dividend' THEN cash IS NOT NULL ELSE false END
