"""Tables that a lake declares itself, from a file of its user: bronze.NAME and silver.NAME.

The contract is what is recorded of the dataset, so that a lake is read by it and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingot.errors import ConfigError, SchemaDriftError
from ingot.tables import bronze, contract
from ingot.tables.contract import Binding, Boolean, Column, Date, Decimal, String, Table, month
from ingot.tables.registry import VIEWS, all_tables
from ingot.tables.silver import KNOWN_TIME, STALE_REFUSED
from ingot.tables.view import HISTORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingot.tables.contract import ColumnType

CONNECTOR: Final = "table"
"""The connector that parses the objects of every such dataset."""
SOURCE: Final = "mine"
"""The source of every row of such a table."""
ROW_KEY: Final = "row_key"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_TYPES: Final = {
    kind.sql: kind
    for kind in (String, contract.Int64, contract.Float64, Boolean, Date, contract.TimestampUs)
}
_OURS: Final = frozenset(
    {*(c.name for c in (*bronze.LINEAGE, *KNOWN_TIME, STALE_REFUSED)), ROW_KEY}
    | {"moment", "present", "starts"}  # of the text that makes a history
)
_WORDS: Final = (
    "all analyse analyze and anti any array as asc asof asymmetric at authorization binary both "
    "by case cast check collate collation column concurrently constraint create cross default "
    "deferrable desc describe distinct do else end except false fetch for foreign freeze from "
    "full glob group having ilike in initially inner intersect into is isnull join lambda lateral "
    "leading left like limit natural not notnull null offset on only or order outer overlaps "
    "pivot pivot_longer pivot_wider placing positional primary qualify references returning right "
    "select semi show similar some summarize symmetric table tablesample then to trailing true "
    "union unique unpack unpivot using variadic verbose when where window with"
)
RESERVED: Final = frozenset(_WORDS.split())
"""Words that SQL keeps to itself."""


@dataclass(frozen=True)
class OwnTable(Table):
    """A table that a lake declares itself."""

    bronze: Table | None = None
    """Of a silver table: the bronze table that it is refined from."""


def check_name(name: str) -> None:
    """Refuse a name under which no table can be declared.

    Raises:
        ConfigError: It is not a name, or another table has it.
    """
    taken = {table.name.partition(".")[2] for table in (*all_tables(), *VIEWS)}
    if not _NAME.fullmatch(name) or name in RESERVED or name.endswith(HISTORY):
        raise ConfigError(
            f"The name of the table was {name!r}. Use lower case letters, digits and underscores, "
            f"no word of SQL, and no name that ends in {HISTORY}."
        )
    if name in taken:
        raise ConfigError(f"Ingot has a table {name} already. Choose another name.")


def check_columns(names: Iterable[str]) -> None:
    """Refuse columns that cannot be stored under their names.

    Raises:
        ConfigError: One cannot; the message names it.
    """
    for name in names:
        if not _NAME.fullmatch(name) or name in RESERVED | _OURS:
            raise ConfigError(
                f"The column {name!r} cannot be stored under its name. Rename it: lower case "
                "letters, digits and underscores, no word of SQL, and none of "
                f"{', '.join(sorted(_OURS))}."
            )


def is_own(source: str, dataset: str) -> bool:
    """Return True if a dataset is that of a table that a lake declares itself."""
    return source == SOURCE and dataset.startswith(f"{CONNECTOR}/")


def columns_text(columns: Mapping[str, ColumnType]) -> str:
    """Return columns as they are recorded.

    >>> columns_text({"symbol": String, "price": Decimal(18, 6)})
    'symbol VARCHAR, price DECIMAL(18,6)'
    """
    return ", ".join(f"{name} {kind.sql}" for name, kind in columns.items())


def columns_of(text: str) -> dict[str, ColumnType]:
    """Return the columns of a text made by `columns_text`."""
    pairs = (part.partition(" ") for part in text.split(", ") if part)
    return {name: _type(sql) for name, _, sql in pairs}


def check_same_columns(name: str, recorded: Mapping[str, str], chosen: Mapping[str, str]) -> None:
    """Refuse options of a dataset whose columns are not the recorded ones.

    Raises:
        SchemaDriftError: A column is missing, new or of another type.
    """
    before, now = (columns_of(options.get("columns", "")) for options in (recorded, chosen))
    missing, unexpected = before.keys() - now.keys(), now.keys() - before.keys()
    kinds = {c: kind for c, kind in now.items() if c in before and kind != before[c]}
    changed = [f"{c} ({kind.sql}, not {before[c].sql})" for c, kind in kinds.items()]
    if missing or unexpected or changed:
        raise SchemaDriftError(
            name, missing=sorted(missing), unexpected=sorted(unexpected), changed=changed
        )


def _type(sql: str) -> ColumnType:
    if found := _DECIMAL.fullmatch(sql):
        return Decimal(int(found[1]), int(found[2]))
    return _TYPES[sql]


def listed(text: str) -> tuple[str, ...]:
    """Return the names between commas."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def own_tables(options: Mapping[str, str]) -> tuple[OwnTable, OwnTable]:
    """Return the bronze and the silver table of a dataset, by its recorded options."""
    name, key, time = options["name"], listed(options["key"]), options["time"]
    required = {*key, time}
    columns = tuple(
        Column(column, kind, _meaning(column, key, time), nullable=column not in required)
        for column, kind in columns_of(options["columns"]).items()
    )
    row_key = Column(ROW_KEY, String, "The values of the key as JSON; names a rejected row.")
    loaded = OwnTable(
        name=f"bronze.{name}",
        doc=f"One row of one version of a file that was loaded to {name}, in its own columns.",
        columns=(*bronze.LINEAGE, row_key, *columns),
        key=("source", "dataset", "landing_id", "row_number"),
        binding=Binding.LANDING,
        partition=month("file_date"),
    )
    scope = tuple(c for c in bronze.LINEAGE if c.name in {"source", "dataset", "file_date"})
    refined = OwnTable(
        name=f"silver.{name}",
        doc=f"One version of one row of {name}, a table that was loaded from files of one's own.",
        columns=(*scope, *columns, STALE_REFUSED, *KNOWN_TIME),
        key=("source", "dataset", "file_date", *key, Table.KNOWN_FROM),
        binding=Binding.INTERVAL,
        partition=month("file_date"),
        sort=("file_date", *key, Table.KNOWN_FROM),
        bronze=loaded,
    )
    return loaded, refined


def _meaning(column: str, key: tuple[str, ...], time: str) -> str:
    roles = [*(["part of the key"] if column in key else []), *(["time"] if column == time else [])]
    return f"As in the file{': ' if roles else ''}{' and '.join(roles)}."
