"""Bars as columns: what the simulator hands from one step to the next."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ingot.simulator.market.hashing import Ints


@dataclass(frozen=True, slots=True)
class Bars:
    """Rows of one file, sorted by ticker, then start.

    `code` points into `tickers`; prices and volume are millionths; `start` is nanoseconds UTC.
    """

    tickers: tuple[str, ...]
    code: Ints
    start: Ints
    open: Ints
    close: Ints
    high: Ints
    low: Ints
    volume: Ints
    transactions: Ints

    def __len__(self) -> int:
        """Count rows."""
        return len(self.code)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Bars:
        """Return the rows at these positions, or where the mask is true."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def at_one_price(self, name: str) -> Bars:
        """Return the bars with one of their prices as all four."""
        price = getattr(self, name)
        return replace(self, open=price, close=price, high=price, low=price)

    def symbols(self) -> int:
        """Count the tickers that have a row."""
        return len(np.unique(self.code))

    def key(self, row: int) -> tuple[str, int]:
        """Return ticker and start of a row."""
        return self.tickers[int(self.code[row])], int(self.start[row])


COLUMNS = tuple(f.name for f in fields(Bars) if f.name != "tickers")


def joined(parts: Sequence[Bars]) -> Bars:
    """Return the rows of all parts, which share their tickers, in the order given."""
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS}
    return Bars(parts[0].tickers, **columns)


def ordered(bars: Bars) -> Bars:
    """Return the rows by ticker, then start; rows of one key keep their order."""
    return bars.take(np.lexsort((bars.start, bars.code)))
