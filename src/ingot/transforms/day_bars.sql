-- Bars of one state of one trade date of silver.day_bars.
WITH named_$state AS (
  SELECT file_date, ticker AS symbol, window_start AS bar_start_ns,
    open, high, low, close, volume, transactions, row_number, landing_id
  FROM bars
  WHERE landing_id IN ($landing_ids) AND file_date = $trade_date
),
ranked_$state AS (
  SELECT file_date, symbol, bar_start_ns, open, high, low, close, volume, transactions,
    $place AS place
  FROM named_$state
  WHERE $checked
)
SELECT file_date, symbol, bar_start_ns, open, high, low, close, volume, transactions
FROM ranked_$state
WHERE place = 1
