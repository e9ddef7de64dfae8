-- The rules: `-- name: tables, dimension, severity[, cheap][, history]`, what must hold, and the SQL
-- of the rows, or dates, that break it. A name that begins with an underscore follows that of each
-- of its tables. `$key` names a bar.

-- _prices_in_order: minute day, accuracy, error, cheap
-- Low is the least and high the greatest price, above zero; volume is not negative.
SELECT $key, open, high, low, close, volume FROM rows
WHERE low > open OR low > close OR high < open OR high < close OR low <= 0 OR volume < 0

-- _known_after_it_began: minute day, timeliness, error, cheap
-- No bar is known before it began.
SELECT $key, known_from FROM rows WHERE known_from < bar_start

-- _interval_is_not_empty: minute day, consistency, error, cheap, history
-- Each version was known for some time: known_from is before known_to.
SELECT $key, known_from, known_to FROM rows WHERE known_from >= known_to

-- _one_version_at_a_time: minute day, consistency, error, history
-- The versions of a key follow each other and never overlap.
SELECT $key, known_from, known_to, next_from FROM (
  SELECT $key, known_from, known_to, lead(known_from) OVER (
    PARTITION BY source, dataset, symbol, bar_start_ns ORDER BY known_from) AS next_from
  FROM rows) AS versions WHERE next_from < known_to

-- _every_trade_date_has_bars: minute day, completeness, warning
-- Each trade date between the first and the last has bars.
SELECT trade_date FROM (
  SELECT DISTINCT trade_date FROM sessions WHERE session = 'regular') AS days
WHERE trade_date > (SELECT min(trade_date) FROM rows)
  AND trade_date < (SELECT max(trade_date) FROM rows)
  AND trade_date NOT IN (SELECT trade_date FROM rows)

-- _symbols_do_not_halve: minute day, completeness, warning
-- A trade date has at least half the symbols of the trade date before.
SELECT trade_date, symbols, symbols_before FROM (
  SELECT trade_date, symbols, lag(symbols) OVER (ORDER BY trade_date) AS symbols_before FROM (
    SELECT trade_date, count(DISTINCT symbol) AS symbols FROM rows GROUP BY trade_date) AS days
  ) AS pairs WHERE 2 * symbols < symbols_before

-- _known_within_four_days: minute day, timeliness, warning
-- A bar is known within four days of its trade date.
SELECT trade_date, min(known_from) AS known_from, count(*) AS bars FROM rows
WHERE CAST(known_from AS DATE) > trade_date + INTERVAL '4' DAY GROUP BY trade_date

-- minute_session_holds_it: minute, consistency, error
-- A bar that names a session starts within it.
SELECT b.source, b.dataset, b.symbol, b.trade_date, b.bar_start_ns, b.session FROM rows AS b
JOIN sessions AS s ON s.trade_date = b.trade_date AND s.session = b.session
WHERE b.bar_start_ns < s.start_ns OR b.bar_start_ns >= s.end_ns

-- minute_trailing_holds_the_bar: minute, consistency, error, cheap
-- The trailing 15 minutes hold the bar itself, and at most 15 bars.
SELECT $key, rolling_bars FROM rows
WHERE high_15m < high OR low_15m > low OR volume_15m < volume OR rolling_bars < 1
  OR rolling_bars > 15

-- minute_volume_has_trades: minute, accuracy, warning
-- A bar with volume has trades, and one with trades has volume.
SELECT $key, volume, transactions FROM rows
WHERE (volume > 0 AND transactions = 0) OR (volume = 0 AND transactions > 0)

-- day_has_minutes: day, completeness, warning
-- A symbol with a day bar has minutes on a trade date for which its source has minutes.
SELECT d.source, d.symbol, d.trade_date, d.volume FROM rows AS d
JOIN (SELECT DISTINCT source, trade_date FROM minutes) AS have
  ON have.source = d.source AND have.trade_date = d.trade_date
LEFT JOIN (SELECT DISTINCT source, symbol, trade_date FROM minutes) AS m
  ON m.source = d.source AND m.symbol = d.symbol AND m.trade_date = d.trade_date
WHERE m.symbol IS NULL

-- day_price_does_not_leap_and_return: day, accuracy, warning
-- No close is tenfold the closes before and after it, or a tenth: a price in another unit.
SELECT source, dataset, symbol, trade_date, before, close, after FROM (
  SELECT source, dataset, symbol, trade_date, close, lag(close) OVER own AS before,
    lead(close) OVER own AS after
  FROM rows WINDOW own AS (PARTITION BY source, dataset, symbol ORDER BY trade_date)) AS around
WHERE (close >= 9 * before AND close >= 9 * after) OR (9 * close <= before AND 9 * close <= after)

-- daily_close_in_range: daily, accuracy, error, cheap
-- Open and close are between low and high.
SELECT $key, open, high, low, close FROM rows
WHERE low > open OR low > close OR high < open OR high < close

-- daily_volumes_add_up: daily, consistency, error, cheap
-- Regular, pre-market and post-market volume are no more than the total.
SELECT $key, volume, pre_volume, post_volume, total_volume FROM rows
WHERE volume + pre_volume + post_volume > total_volume

-- performance_action_not_suspect: performance, accuracy, warning
-- No return beyond 40 % is made of prices that no action explains.
SELECT $key, basis, return_1d FROM rows WHERE suspect_action
