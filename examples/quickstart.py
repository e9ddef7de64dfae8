"""A week of one symbol as known two weeks later, and as known now (after `make demo`)."""

import ingot

lake = ingot.open("demo/lake")
symbol = lake.symbols().to_polars()["symbol"][0]
week = {"start": "2025-06-02", "end": "2025-06-07", "interval": "1d", "session": "regular"}

then = lake.bars(symbol, known_at="2025-06-20", **week).to_polars()
now = lake.bars(symbol, **week).to_polars()

both = then.join(now, on=("symbol", "trade_date"), suffix="_now")
print(both.select("symbol", "trade_date", "close", "close_now", "volume", "volume_now"))
