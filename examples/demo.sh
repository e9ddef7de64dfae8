#!/usr/bin/env bash
# The main job from end to end on a synthetic market. Run by `make demo`; safe to run again.
#
#   DEMO    folder to work in (default: demo); made new each time, refused if it is not ours
#   INGOT   the command (default: ingot)
set -euo pipefail

DEMO=${DEMO:-demo}
INGOT=${INGOT:-ingot}
MARKET=(--from 2025-05-27 --to 2025-06-27 --symbols 30 --seed 7
    --dataset us_stocks_sip/minute_aggs_v1 --dataset us_stocks_sip/day_aggs_v1)
BEFORE=2025-07-01 LATER=2025-07-14T12:00Z
export INGOT_LAKE="$DEMO/lake"

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# Print a command as a person would type it, and run it.
run() {
    local word line='$ ingot'
    for word in "$@"; do
        case $word in *[[:space:]\(\*]*) word="\"$word\"" ;; esac
        line+=" $word"
    done
    printf '%s\n' "$line"
    "$INGOT" "$@"
}

if [ -e "$DEMO" ] && [ ! -e "$DEMO/made-by-ingot-demo" ]; then
    echo "$DEMO exists and is not a demo of ours; say DEMO=... to work elsewhere" >&2
    exit 2
fi
rm -rf "$DEMO"
mkdir -p "$DEMO"
touch "$DEMO/made-by-ingot-demo"

say "1. A vendor publishes a month of a market: gzip files, one per day, of minute and day bars."
run simulate "$DEMO/vendor" "${MARKET[@]}"

say "2. A lake is made; the files are landed as they are, loaded to bronze, refined to silver and gold."
printf '$ export INGOT_LAKE=%s\n' "$INGOT_LAKE"
run init
run backfill massive --source "$DEMO/vendor"

say "3. On 14 July (--now pretends that it is) the vendor publishes half of the days again, corrected."
run simulate "$DEMO/vendor" "${MARKET[@]}" --stage 2
run --now $LATER backfill massive --source "$DEMO/vendor"

say "4. What was corrected? Every version is kept, with the time from which it was known."
changed="from silver.minute_bars_history where session = 'regular'
window bar as (partition by symbol, bar_start)
qualify min(close) over bar <> max(close) over bar"
run sql "select symbol, bar_start, close, volume, known_from, known_to
$changed
order by symbol, bar_start, known_from limit 6"

# The last minute of an hour is one that shows in the hour's own close.
IFS=, read -r symbol day < <("$INGOT" sql "select symbol, trade_date $changed
order by extract(minute from bar_start) = 29 desc, symbol, bar_start limit 1" \
    --format csv | tail -n 1)

say "5. $symbol by the hour of $day, as it was known on 1 July ..."
run bars "$symbol" --from "$day" --to "$day" --interval 1h --session regular --known-at $BEFORE

say "   ... and as it is known now. The first answer stays what it is, whatever comes."
run bars "$symbol" --from "$day" --to "$day" --interval 1h --session regular

say "6. Performance, from daily closes as known now: the five best Sharpe ratios."
run sql "select symbol, close, round(return_1d, 4) as return_1d,
    round(volatility_30d, 4) as volatility_30d, round(sharpe_30d, 2) as sharpe_30d,
    round(drawdown, 4) as drawdown
from gold.performance where trade_date = '2025-06-27'
order by sharpe_30d desc nulls last limit 5"

say "7. The state of the lake."
run status

say "The lake stays in $INGOT_LAKE. Ask it: .venv/bin/ingot --lake $INGOT_LAKE sql \"select ...\""
