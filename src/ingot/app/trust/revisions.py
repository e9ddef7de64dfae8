"""What vendors changed, and who used the old value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ingot.app.exports.make import manifests
from ingot.app.read.reader import reader_of
from ingot.export.request import decoded
from ingot.model.time import Interval
from ingot.query.requests import revisions as requests
from ingot.query.requests.bars import BarsRequest
from ingot.tables import gold
from ingot.tables.view import HISTORY

if TYPE_CHECKING:
    from datetime import date, datetime

    from ingot.app.context.lake_context import Parts
    from ingot.export.manifest import Manifest
    from ingot.query.result.answer import Answer

_INSTANT: Final = pa.timestamp("us", tz="UTC")
_MADE_OF: Final = {
    "1m": {"silver.minute_bars", gold.DAILY_BARS.name, gold.PERFORMANCE.name},
    "1d": {"silver.day_bars", gold.PERFORMANCE.name},
}


def revisions(
    parts: Parts,
    *,
    symbol: str | None,
    start: date,
    end: date,
    interval: str | None = None,
    since: datetime | None = None,
    known_at: str | date | datetime | None = None,
) -> Answer:
    """Return what was revised of trade dates in `[start, end)`, oldest revision first.

    Each row says what used the old value: the silver day, rows of gold that the revision
    replaced, and the exports whose query and moment reach it.

    Raises:
        QueryError: The interval is neither 1m nor 1d, or the moment is wrong.
    """
    listing = requests.question(symbol=symbol, start=start, end=end, interval=interval, since=since)
    reader = reader_of(parts)
    answer = reader.listing(listing, known_at)
    users = [_Use.of(made) for made in manifests(parts)]
    data = answer.to_arrow()
    rows = data.select(
        ["interval", "symbol", "trade_date", "replaced_from", "revised_at"]
    ).to_pylist()
    named = [" ".join(u.export_id for u in users if u.used(row)) or None for row in rows]
    return replace(answer, data=data.append_column("exports", pa.array(named, pa.string())))


@dataclass(frozen=True, slots=True)
class _Use:
    """What one export can have read."""

    export_id: str
    known_at: datetime
    tables: frozenset[str]
    request: BarsRequest | None
    """None for a SELECT, which may have read every date and symbol."""

    @classmethod
    def of(cls, made: Manifest) -> _Use:
        kinds: dict[str, type[Any]] = {"BarsRequest": BarsRequest, "Interval": Interval}
        request = decoded(made.question["asked"], kinds)
        tables = frozenset(t.name.removesuffix(HISTORY) for t in made.tables)
        known = request if isinstance(request, BarsRequest) else None
        return cls(made.export_id, made.known_at, tables, known)

    def used(self, row: dict[str, Any]) -> bool:
        """Return True if the export can hold the value that a revision replaced."""
        if not row["replaced_from"] <= self.known_at < row["revised_at"]:
            return False
        if not self.tables & _MADE_OF[row["interval"]]:
            return False
        bars = self.request
        if bars is None:
            return True
        in_range = bars.start <= row["trade_date"] < bars.end
        return in_range and (not bars.symbols or row["symbol"] in bars.symbols)
