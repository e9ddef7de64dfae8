#!/usr/bin/env bash
# The main job from end to end on a synthetic market. Run by `make demo`; safe to run again.
#
#   DEMO    folder to work in (default: demo); made new each time, refused if it is not ours
#   INGOT   the command (default: ingot)
set -euo pipefail

DEMO=${DEMO:-demo}
INGOT=${INGOT:-ingot}
FIRST=2025-05-01 LAST=2025-06-30
STOCKS=us_stocks_sip
export INGOT_LAKE="$DEMO/lake"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

run() {
    printf '$ ingot'
    printf ' %q' "$@"
    printf '\n'
    "$INGOT" "$@"
}

value() { "$INGOT" sql "$1" --format csv | tail -n 1; }

if [ -e "$DEMO" ] && [ ! -e "$DEMO/made-by-ingot-demo" ]; then
    echo "$DEMO exists and is not a demo of ours; say DEMO=... to work elsewhere" >&2
    exit 2
fi
rm -rf "$DEMO"
mkdir -p "$DEMO"
touch "$DEMO/made-by-ingot-demo"

say "1. A vendor publishes two months of a market: a gzip file for each day, bars by minute and day."
run simulate "$DEMO/vendor" --from $FIRST --to $LAST --symbols 60 --seed 7 \
    --dataset $STOCKS/minute_aggs_v1 --dataset $STOCKS/day_aggs_v1

say "2. A lake is made, and the files are landed, loaded and refined."
run init
run backfill massive --source "$DEMO/vendor" --from $FIRST --to $LAST

say "3. Weeks later the vendor publishes some days again, with corrections."
before=$(date -u +%Y-%m-%dT%H:%M:%SZ)
sleep 1
run simulate "$DEMO/vendor" --from $FIRST --to $LAST --symbols 60 --seed 7 --stage 2 \
    --dataset $STOCKS/minute_aggs_v1 --dataset $STOCKS/day_aggs_v1
run backfill massive --source "$DEMO/vendor" --from $FIRST --to $LAST

say "4. Which bars have changed? Every version is kept, with the time from which it was known."
run sql "select symbol, bar_start, close, volume, known_from, known_to
from silver.minute_bars_history
where (symbol, bar_start_ns) in (
    select (symbol, bar_start_ns) from silver.minute_bars_history
    group by symbol, bar_start_ns having count(*) > 1)
order by symbol, bar_start, known_from limit 6"

changed="from silver.minute_bars_history group by symbol, trade_date, bar_start_ns
having count(distinct close) > 1 order by 1 limit 1"
symbol=$(value "select symbol $changed")
day=$(value "select trade_date $changed")

say "5. One symbol's hours of one of those days, as known before the correction ($before) ..."
run bars "$symbol" --from "$day" --to "$day" --interval 1h --session regular --known-at "$before"

say "   ... and as known now. The first answer will never change."
run bars "$symbol" --from "$day" --to "$day" --interval 1h --session regular

say "6. Performance, made of the daily closes: the five best months."
run sql "select symbol, trade_date, close, return_1d, return_30d, volatility_30d, sharpe_30d, drawdown
from gold.performance where trade_date = date '$LAST'
order by return_30d desc nulls last limit 5"

say "7. The state of the lake."
run status

say "The lake stays in $INGOT_LAKE; ask it with: .venv/bin/ingot --lake $INGOT_LAKE sql \"select ...\""
