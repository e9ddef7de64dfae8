"""The corporate actions that count, over known time: per symbol, ex-date and kind one source."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ingot.app.context.answer_table import as_table
from ingot.model.step_function import lasting, steps
from ingot.query.requests.adjustment import Action, applying
from ingot.tables import silver

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import pyarrow as pa

    from ingot.app.context.lake_context import Parts
    from ingot.model.step_function import Version
    from ingot.tables.contract import Table

_ACTION: Final = tuple(field.name for field in fields(Action))


@dataclass(frozen=True)
class MonthDigests:
    """Names the rows of each month of a table in the details of its done records."""

    table: Table
    prefix: str
    """Of the names of the details."""
    dates: tuple[str, ...]
    """The dates by which a row counts to a month."""
    columns: tuple[str, ...]
    """What of a row counts."""

    def of(self, rows: pa.Table) -> dict[str, str]:
        """Return the details that name the rows of each month."""
        texts: dict[str, set[str]] = defaultdict(set)
        for row in rows.select(list(self.columns)).to_pylist():
            for column in self.dates:
                texts[f"{self.prefix}{row[column]:%Y-%m}"].add(repr(sorted(row.items())))
        return {
            month: sha256("\n".join(sorted(found)).encode()).hexdigest()[:16]
            for month, found in texts.items()
        }

    def recorded(self, parts: Parts) -> dict[str, tuple[str, ...]]:
        """Return, for each month, what names the rows that are refined of it."""
        found: dict[str, tuple[str, ...]] = {}
        for done in parts.ledger.done_all(self.table.name):
            for key, digest in done.details.items():
                if key.startswith(self.prefix):
                    month = key.removeprefix(self.prefix)
                    found[month] = tuple(sorted((*found.get(month, ()), digest)))
        return found


ACTIONS_BY_MONTH: Final = MonthDigests(
    silver.CORPORATE_ACTIONS,
    "actions of ",
    ("ex_date",),
    silver.CORPORATE_ACTIONS.column_names,
)
HOLDERS_BY_MONTH: Final = MonthDigests(
    silver.INSTRUMENTS,
    "holders from ",
    ("valid_from", "valid_to"),
    ("source", "instrument_id", "symbol", "valid_from", "valid_to", "known_from", "known_to"),
)


def versions_of(rows: pa.Table) -> list[Version[Action]]:
    """Return versions of silver.corporate_actions as actions with their known time."""
    columns = rows.select([*_ACTION, "known_from", "known_to"]).columns
    tuples = zip(*(column.to_pylist() for column in columns), strict=True)
    return [(Action(*row[:-2]), row[-2], row[-1]) for row in tuples]


def chosen(rows: pa.Table, sources: Sequence[str]) -> pa.Table:
    """Return the versions of actions that count (see `applying`), of any symbols.

    Args:
        rows: All versions of silver.corporate_actions.
        sources: Precedence; sources that are not listed come after, by name.
    """
    events: dict[tuple[str, date], list[Version[Action]]] = defaultdict(list)
    for version in versions_of(rows):
        events[version[0].symbol, version[0].ex_date].append(version)
    found = [
        (*astuple(action), since, until)
        for versions in events.values()
        for action, since, until in lasting(
            steps(versions, lambda actions: applying(actions, sources)), tuple
        )
    ]
    return as_table(rows.select([*_ACTION, "known_from", "known_to"]).schema, found)
