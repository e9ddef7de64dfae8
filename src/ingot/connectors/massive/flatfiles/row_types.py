"""How rows lie in memory on their way from a block of text to a bronze file."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from ingot.tables.contract import Price

TICKER_TYPE: Final = pa.dictionary(pa.int32(), pa.string())
DECIMAL_TYPE: Final = pa.decimal64(Price.precision, Price.scale)
"""Half as wide as the contract's type, and the same in a Parquet file."""
