-- alone: findings within one side of split-adjusted day bars
WITH bars AS (
  SELECT symbol, trade_date, start_ns, CAST(close AS DOUBLE) AS close,
    CAST(adj_close AS DOUBLE) AS adj_close, CAST(dividend AS DOUBLE) AS dividend,
    CAST(split AS DOUBLE) AS split FROM ($bars)),
pairs AS (
  SELECT *, lag(close) OVER own AS close_before, lag(adj_close) OVER own AS adj_close_before
  FROM bars WHERE close > 0 WINDOW own AS (PARTITION BY symbol ORDER BY start_ns)),
stated AS (  -- the least split whose logarithm stands out of a day's moves
  SELECT DISTINCT symbol, split AS stated FROM bars WHERE split > 0 AND abs(ln(split)) > 0.2),
found AS ($found)
SELECT 'VALUE_DRIFT' AS kind, cause, false AS legal, symbol, trade_date,
  make_timestamptz(start_ns // 1000) AS bar_start, CAST(NULL AS VARCHAR) AS side, fields,
  value_a, value_b, round((value_b - value_a) / nullif(greatest(abs(value_a),
    abs(value_b)), 0) * 100, 6) AS difference_pct, evidence
FROM found ORDER BY cause, symbol, trade_date

-- leaps: a close some hundred times the one before, or a hundredth: in another unit
SELECT 'scale_x100' AS cause, symbol, trade_date, start_ns, 'close' AS fields,
  close_before AS value_a, close AS value_b,
  CAST(json_object('ratio', [[close / close_before]]) AS VARCHAR) AS evidence
FROM pairs WHERE greatest(close / close_before, close_before / close) BETWEEN 80 AND 125

-- splits: a leap near a ratio that the file states as a split
-- Prices are split-adjusted, so the split was not applied, or not everywhere. Near is 0.1 as a
-- logarithm.
SELECT 'split_factor', symbol, trade_date, start_ns, 'close', close_before, close,
  CAST(json_object('ratio', [[close / close_before]], 'stated_split', stated) AS VARCHAR)
FROM pairs JOIN stated USING (symbol)
WHERE abs(abs(ln(close / close_before)) - abs(ln(stated))) < 0.1

-- dividends: an adjusted close whose step at a date is not that of the dividend stated there
-- The two may differ by 0.002 of the price, and by the rounding of adjusted closes.
SELECT 'dividend', symbol, trade_date, start_ns, 'adj_close,dividend',
  1 - coalesce(dividend, 0) / close_before, $step,
  CAST(json_object('dividend', coalesce(dividend, 0), 'implied', [[(1 - $step) * close_before]],
    'close_before', close_before) AS VARCHAR)
FROM pairs WHERE abs($step - (1 - coalesce(dividend, 0) / close_before)) > 0.002
  + 0.000002 / nullif(least(adj_close, adj_close_before), 0)
