"""Actions and instruments of a lake, kept in memory until their tables change."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from ingot.model.time import NS_PER_US, to_ns
from ingot.query.requests.adjustment import Action
from ingot.query.requests.symbology import Holding
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables import silver
from ingot.tables.view import View

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    import pyarrow as pa

    from ingot.app.context.lake_context import Parts
    from ingot.engines.trusted_queries import Reads
    from ingot.model.time import AsOf
    from ingot.tables.contract import Table

_ACTION: Final = (
    *("source", "symbol", "ex_date", "kind"),
    *("ratio_from", "ratio_to", "cash", "currency", "action_id"),
)
_HOLDING: Final = ("source", "instrument_id", "symbol", "valid_from", "valid_to", "name")
_KNOWN_US: Final = ("from_us", "to_us")
"""The bounds of known time as numbers, which Python compares without making instants."""


@dataclass(frozen=True)
class _Versions:
    """All versions of a table's rows, in the table's order; a row is named by its position."""

    pointer: str
    rows: pa.Table

    @cached_property
    def known_us(self) -> tuple[list[int], list[int]]:
        """The known_from and known_to of each row, in microseconds."""
        since, until = (self.rows[column].to_pylist() for column in _KNOWN_US)
        return cast("list[int]", since), cast("list[int]", until)

    @cached_property
    def bounds_us(self) -> tuple[list[int], list[int]]:
        """All known_from, and all known_to, ascending."""
        since, until = map(sorted, self.known_us)
        return since, until

    @cached_property
    def by_symbol(self) -> dict[str, list[int]]:
        """The rows of each symbol."""
        return _positions(self.rows["symbol"].to_pylist())

    @cached_property
    def by_instrument(self) -> dict[tuple[str, str], list[int]]:
        """The rows of each instrument: of its source and id."""
        columns = (self.rows[column].to_pylist() for column in ("source", "instrument_id"))
        return _positions(zip(*columns, strict=True))

    def at(self, moment: AsOf, rows: Iterable[int] | None = None) -> list[int]:
        """Return the rows in force at a moment: of these, or of all."""
        instant, (since, until) = _us(moment.known_at), self.known_us
        among = range(len(since)) if rows is None else rows
        return [row for row in among if since[row] <= instant < until[row]]

    def of_symbols(self, symbols: Collection[str]) -> Iterator[int]:
        """Yield the rows of these symbols, in order."""
        yield from sorted(row for s in symbols for row in self.by_symbol.get(s, ()))

    def values(self, rows: Collection[int], columns: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        """Return an iterator over these columns of these rows."""
        arrays = [self.rows[column] for column in columns]
        if len(rows) == self.rows.num_rows:
            return zip(*(array.to_pylist() for array in arrays), strict=True)
        return (tuple(array[row].as_py() for array in arrays) for row in rows)


class KnownRows:
    """Rows of silver.corporate_actions and silver.instruments, as known at moments."""

    def __init__(self, parts: Parts, reads: Reads) -> None:
        self._parts = parts
        self._reads = reads
        self._kept: dict[str, _Versions] = {}

    def actions(self, moment: AsOf, symbols: Collection[str] | None) -> list[Action]:
        """Return the actions as known at a moment: of these symbols, or of all."""
        kept = self._versions(silver.CORPORATE_ACTIONS)
        rows = kept.at(moment, None if symbols is None else kept.of_symbols(set(symbols)))
        return [Action(*row) for row in kept.values(rows, _ACTION)]

    def holdings(self, moment: AsOf, symbols: Collection[str]) -> tuple[Holding, ...]:
        """Return the holdings of all holders of these symbols, as known at a moment."""
        if not symbols or not self._parts.tables.plan(ScanRequest(silver.INSTRUMENTS)).rows:
            return ()
        kept = self._versions(silver.INSTRUMENTS)
        own = kept.at(moment, kept.of_symbols(set(symbols)))
        holders = set(kept.values(own, ("source", "instrument_id")))
        theirs = sorted(row for holder in holders for row in kept.by_instrument[holder])
        return tuple(
            Holding(source, instrument, symbol, start, end, title or "")
            for source, instrument, symbol, start, end, title in kept.values(
                kept.at(moment, theirs), _HOLDING
            )
        )

    def of_instrument(self, instrument: tuple[str, str], moment: AsOf) -> list[dict[str, Any]]:
        """Return an instrument's rows of silver.instruments as known at a moment, by date."""
        kept = self._versions(silver.INSTRUMENTS)
        rows = kept.at(moment, kept.by_instrument.get(instrument, ()))
        columns = silver.INSTRUMENTS.column_names
        found = [dict(zip(columns, row, strict=True)) for row in kept.values(rows, columns)]
        return sorted(found, key=lambda row: (row["valid_from"], row["symbol"]))

    def passed(self, table: Table, instant: datetime) -> tuple[int, int]:
        """Return how many versions of a table's rows began, and ended, by an instant."""
        since, until = self._versions(table).bounds_us
        return bisect_right(since, _us(instant)), bisect_right(until, _us(instant))

    def _versions(self, table: Table) -> _Versions:
        """Return all versions of a table's rows; read again when the table changes."""
        pointer = self._parts.tables.pointer(table)
        kept = self._kept.get(table.name)
        if kept is None or kept.pointer != pointer:
            relation = self._parts.tables.plan(ScanRequest(table)).relation()
            view = View(table.name, relation, table.column_names)
            bounds = (f"epoch_us(known_{bound}) AS {bound}_us" for bound in ("from", "to"))
            text = f"SELECT {', '.join((*table.column_names, *bounds))} FROM {table.name}"
            rows = self._reads.run(text, {table.name: view}).combine_chunks()
            kept = self._kept[table.name] = _Versions(pointer, rows)
        return kept


def _positions(keys: Iterable[Any]) -> dict[Any, list[int]]:
    found: dict[Any, list[int]] = {}
    for row, key in enumerate(keys):
        found.setdefault(key, []).append(row)
    return found


def _us(instant: datetime) -> int:
    return to_ns(instant) // NS_PER_US
