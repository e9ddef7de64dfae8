"""Types of rows in memory, between a block of text and a bronze file."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from ingot.tables.contract import Price

TICKER_TYPE: Final = pa.dictionary(pa.int32(), pa.string())
DECIMAL_TYPE: Final = pa.decimal64(Price.precision, Price.scale)
"""Half as wide as the contract's type, and the same in a Parquet file."""
