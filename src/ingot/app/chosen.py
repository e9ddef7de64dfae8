"""The corporate actions that count, over known time: per symbol, ex-date and kind one source."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ingot.app.listed import as_table
from ingot.model.steps import lasting, steps
from ingot.query.adjust import Action, applying
from ingot.tables import silver

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import pyarrow as pa

    from ingot.app.parts import Parts
    from ingot.model.steps import Version
    from ingot.tables.contract import Table

_ACTION: Final = tuple(field.name for field in fields(Action))
_DATES: Final = {
    silver.CORPORATE_ACTIONS.name: (
        "actions of ",
        ("ex_date",),
        silver.CORPORATE_ACTIONS.column_names,
    ),
    silver.INSTRUMENTS.name: (
        "holders from ",
        ("valid_from", "valid_to"),
        ("source", "instrument_id", "symbol", "valid_from", "valid_to", "known_from", "known_to"),
    ),
}
"""How details of done records are named, which dates of a row count, and what else of it."""


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


def digests_by_month(table: Table, rows: pa.Table) -> dict[str, str]:
    """Return what names the rows of each month of ex-dates, or of changes of holders; else none."""
    if table.name not in _DATES:
        return {}
    prefix, dates, columns = _DATES[table.name]
    texts: dict[str, set[str]] = defaultdict(set)
    for row in rows.select(list(columns)).to_pylist():
        for column in dates:
            texts[f"{prefix}{row[column]:%Y-%m}"].add(repr(sorted(row.items())))
    return {
        month: sha256("\n".join(sorted(found)).encode()).hexdigest()[:16]
        for month, found in texts.items()
    }


def months_of(parts: Parts, table: Table) -> dict[str, tuple[str, ...]]:
    """Return, for each month of a table's dates, what names the rows that are refined of it."""
    prefix = _DATES[table.name][0]
    found: dict[str, tuple[str, ...]] = {}
    for done in parts.ledger.done_all(table.name):
        for key, digest in done.details.items():
            if key.startswith(prefix):
                month = key.removeprefix(prefix)
                found[month] = tuple(sorted((*found.get(month, ()), digest)))
    return found
