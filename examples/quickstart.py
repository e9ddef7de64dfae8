"""Hours of one symbol as known before a correction, and as known now (after `make demo`)."""

from functools import partial

import ingot

lake = ingot.open("demo/lake")
day = partial(lake.bars, "FZQQ", start="2025-06-10", end="2025-06-11")

then = day(interval="1h", session="regular", known_at="2025-07-01").to_polars()
now = day(interval="1h", session="regular").to_polars()

both = then.join(now, on=("symbol", "bar_start"), suffix="_now")
print(both.select("symbol", "bar_start", "close", "close_now", "volume", "volume_now"))
