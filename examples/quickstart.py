"""Hours of one symbol as known before a correction, and as known now (after `make demo`)."""

import ingot

lake = ingot.open("demo/lake")
day = {"start": "2025-06-10", "end": "2025-06-11", "interval": "1h", "session": "regular"}

then = lake.bars("FZQQ", known_at="2025-07-01", **day).to_polars()
now = lake.bars("FZQQ", **day).to_polars()

both = then.join(now, on=("symbol", "bar_start"), suffix="_now")
print(both.select("symbol", "bar_start", "close", "close_now", "volume", "volume_now"))
