-- What is there of every symbol and trade date, and what says so (SEMANTICS 8).
-- A hole needs a contradiction: minutes against the day file, or the day file against minutes.
-- Where nothing contradicts, a minute or a day without a bar is one without a trade.
WITH minute_days AS (
  SELECT b.source, b.dataset, b.symbol, b.trade_date,
    COUNT(*) AS bars,
    COUNT(CASE WHEN b.session = 'regular' THEN 1 END) AS regular_bars,
    CAST(SUM(b.volume) AS DECIMAL(24, 6)) AS volume,
    CAST(SUM(b.transactions) AS BIGINT) AS transactions,
    MAX(CASE WHEN b.session = 'regular' THEN b.bar_start_ns END) AS last_ns,
    arg_max(b.low, CASE WHEN b.session = 'regular' THEN b.bar_start_ns END) AS last_low,
    arg_max(b.high, CASE WHEN b.session = 'regular' THEN b.bar_start_ns END) AS last_high,
    MAX(CASE WHEN b.bar_start_ns = s.close_ns THEN b.low END) AS auction_low,
    MAX(CASE WHEN b.bar_start_ns = s.close_ns THEN b.high END) AS auction_high
  FROM silver.minute_bars AS b
  LEFT JOIN coverage_sessions AS s ON s.trade_date = b.trade_date
  GROUP BY b.source, b.dataset, b.symbol, b.trade_date
),
day_rows AS (
  SELECT source, dataset, symbol, trade_date, close, volume, transactions
  FROM silver.day_bars
  WHERE trade_date >= $start AND trade_date < $end
),
spans AS (
  SELECT source, dataset, symbol, MIN(trade_date) AS first_date, MAX(trade_date) AS last_date
  FROM (
    SELECT source, dataset, symbol, trade_date FROM silver.day_bars
    UNION ALL SELECT source, dataset, symbol, trade_date FROM gold.daily_bars
    UNION ALL SELECT source, dataset, symbol, trade_date FROM minute_days
  ) AS bars
  GROUP BY source, dataset, symbol
),
bounds AS (
  SELECT m.source, m.market, s.symbol, MIN(s.first_date) AS first_date,
    MAX(s.last_date) AS last_date
  FROM coverage_markets AS m
  JOIN spans AS s ON s.source = m.source AND s.dataset = m.dataset
  GROUP BY m.source, m.market, s.symbol
),
listed AS (
  SELECT symbol, MIN(listed_from) AS first_listed FROM coverage_listed GROUP BY symbol
),
universe AS (
  SELECT source, market, symbol, first_date, last_date FROM bounds
  WHERE first_date < $end AND last_date >= $start AND $chosen
  UNION ALL
  SELECT m.source, m.market, l.symbol, CAST(NULL AS DATE), CAST(NULL AS DATE)
  FROM (
    -- A market that trades some of them: options are not listed as stocks are.
    SELECT DISTINCT b.source, b.market FROM bounds AS b
    JOIN listed AS l ON l.symbol = b.symbol
  ) AS m
  CROSS JOIN (
    SELECT DISTINCT symbol FROM coverage_listed
    WHERE listed_from < $end AND COALESCE(listed_to, $end) > $start AND $chosen
  ) AS l
  LEFT JOIN bounds AS b ON b.source = m.source AND b.market = m.market AND b.symbol = l.symbol
  WHERE b.symbol IS NULL
),
refused AS (
  SELECT source, dataset, symbol, trade_date, COUNT(*) AS refused_rows
  FROM coverage_refused GROUP BY source, dataset, symbol, trade_date
),
holders AS (
  SELECT DISTINCT l.symbol, d.trade_date
  FROM coverage_days AS d
  JOIN coverage_listed AS l
    ON d.trade_date >= l.listed_from AND (l.listed_to IS NULL OR d.trade_date < l.listed_to)
),
cells AS (
  SELECT d.source, d.dataset, d.kind, d.trade_date, d.state AS day_state,
    d.evidence AS day_evidence, o.state AS other_state, u.symbol, u.first_date, u.last_date,
    s.open_ns, s.close_ns, r.refused_rows,
    l.symbol IS NOT NULL AS is_listing_known, h.symbol IS NOT NULL AS is_listed,
    m.bars, m.regular_bars, m.volume AS minute_volume, m.last_ns, m.last_low, m.last_high,
    v.close AS day_close, v.volume AS day_volume,
    v.close IS NOT NULL AND m.bars IS NOT NULL
      AND NOT COALESCE(v.close BETWEEN m.last_low AND m.last_high, FALSE)
      AND NOT COALESCE(v.close BETWEEN m.auction_low AND m.auction_high, FALSE) AS is_close_missed,
    v.close IS NOT NULL AND m.bars IS NOT NULL AND v.volume > m.volume AND (
      -- An odd lot is less than a round one, so more than that a trade was no odd lot.
      v.volume - m.volume >= $round_lot * GREATEST(v.transactions - m.transactions, 1)
      OR (v.volume - m.volume) * 100 > v.volume * $volume_pct AND v.volume - m.volume > $round_lot
    ) AS is_volume_missed
  FROM coverage_days AS d
  JOIN coverage_markets AS k ON k.source = d.source AND k.dataset = d.dataset
  JOIN universe AS u ON u.source = k.source AND u.market = k.market
  LEFT JOIN coverage_markets AS p
    ON p.source = k.source AND p.market = k.market AND p.dataset <> k.dataset
  LEFT JOIN coverage_days AS o
    ON o.source = p.source AND o.dataset = p.dataset AND o.trade_date = d.trade_date
  LEFT JOIN coverage_sessions AS s ON s.trade_date = d.trade_date
  LEFT JOIN minute_days AS m ON m.source = d.source AND m.symbol = u.symbol
    AND m.trade_date = d.trade_date
    AND m.dataset = CASE WHEN d.kind = 'minutes' THEN d.dataset ELSE p.dataset END
  LEFT JOIN day_rows AS v ON v.source = d.source AND v.symbol = u.symbol
    AND v.trade_date = d.trade_date
    AND v.dataset = CASE WHEN d.kind = 'days' THEN d.dataset ELSE p.dataset END
  LEFT JOIN refused AS r ON r.source = d.source AND r.dataset = d.dataset
    AND r.symbol = u.symbol AND r.trade_date = d.trade_date
  LEFT JOIN listed AS l ON l.symbol = u.symbol
  LEFT JOIN holders AS h ON h.symbol = u.symbol AND h.trade_date = d.trade_date
  WHERE d.state <> 'closed'
),
compared AS (
  SELECT *,
    CASE WHEN kind = 'minutes' THEN bars IS NOT NULL ELSE day_close IS NOT NULL END AS is_there,
    CASE WHEN kind = 'minutes' THEN day_close IS NOT NULL AND bars IS NULL
      ELSE day_close IS NULL AND COALESCE(regular_bars, 0) > 0 END AS is_contradicted,
    kind = 'minutes' AND (is_close_missed OR is_volume_missed) AS is_short
  FROM cells
),
stated AS (
  SELECT *,
    CASE
      WHEN day_state = 'present' AND is_there AND NOT is_short THEN 'present'
      WHEN is_listing_known AND NOT is_listed AND NOT is_there AND NOT is_contradicted
        THEN 'not_listed'
      WHEN day_state <> 'present' THEN day_state
      WHEN refused_rows > 0 THEN 'refused'
      WHEN is_short OR is_contradicted THEN 'hole'
      WHEN NOT is_listing_known AND (trade_date < first_date OR trade_date > last_date)
        THEN 'unknown'
      ELSE 'no_trade'
    END AS state
  FROM compared
),
found AS (
SELECT source, dataset, symbol, trade_date,
  CASE WHEN state = 'hole' AND is_close_missed THEN
    make_timestamptz(COALESCE(last_ns + 60000000000, open_ns) // 1000) END AS range_start,
  CASE WHEN state = 'hole' AND is_close_missed THEN
    make_timestamptz((close_ns + 60000000000) // 1000) END AS range_end,
  state,
  CAST(COALESCE(CASE WHEN kind = 'minutes' THEN bars
    WHEN day_close IS NOT NULL THEN 1 END, 0) AS BIGINT) AS bars,
  CASE
    WHEN state = 'present' THEN ''
    WHEN state = 'not_listed' THEN 'instruments: not listed on the date'
    WHEN state = day_state THEN day_evidence
    WHEN state = 'refused' THEN CAST(refused_rows AS VARCHAR) || ' rows of it were refused'
    WHEN state = 'hole' AND is_close_missed THEN 'the day closes at '
      || CAST(day_close AS VARCHAR) || ', which neither the last minute nor the closing one holds'
    WHEN state = 'hole' AND is_short THEN 'the day has volume ' || CAST(day_volume AS VARCHAR)
      || ', its minutes ' || CAST(minute_volume AS VARCHAR)
    WHEN state = 'hole' AND kind = 'minutes' THEN 'the day file has volume '
      || CAST(day_volume AS VARCHAR) || ', and there is no minute'
    WHEN state = 'hole' THEN 'there are ' || CAST(regular_bars AS VARCHAR)
      || ' regular minutes, and no day bar'
    WHEN state = 'unknown' AND trade_date < first_date THEN 'before the first bar of the symbol, '
      || CAST(first_date AS VARCHAR) || '; no listing is known'
    WHEN state = 'unknown' THEN 'after the last bar of the symbol, '
      || CAST(last_date AS VARCHAR) || '; no listing is known'
    WHEN other_state = 'present' AND kind = 'minutes' THEN 'the day file has no bar of it, either'
    WHEN other_state = 'present' THEN 'there is no regular minute of it, either'
    ELSE 'assumed: nothing else of the date is there to contradict it'
  END AS evidence,
  day_state = 'present' OR state <> day_state AS is_own
FROM stated
UNION ALL
SELECT source, dataset, symbol, trade_date, make_timestamptz(bar_start_ns // 1000),
  make_timestamptz((bar_start_ns + 60000000000) // 1000), 'refused', CAST(0 AS BIGINT),
  'the row of this minute was refused; see: ingot quarantine', TRUE
FROM coverage_refused
WHERE kind = 'minutes'
UNION ALL
SELECT k.source, k.dataset, h.symbol, h.trade_date, make_timestamptz(h.start_ns // 1000),
  make_timestamptz(h.end_ns // 1000), 'halted', CAST(0 AS BIGINT), 'a halt is known', TRUE
FROM coverage_halts AS h
CROSS JOIN (SELECT source, dataset FROM coverage_markets WHERE kind = 'minutes') AS k
WHERE h.trade_date >= $start AND h.trade_date < $end
)
SELECT $columns FROM found WHERE $wanted
ORDER BY source, dataset, trade_date, symbol, range_start
