"""A table as a question may see it: rows of a relation that keep conditions, and its columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from ingot.errors import QueryError
from ingot.model.time import FOREVER
from ingot.tables.basis import PRICES, VOLUMES, scaled
from ingot.tables.contract import Table
from ingot.tables.input import FileRelation

if TYPE_CHECKING:
    from ingot.tables.input import ArrowRelation, QueryRelation, Relation

Value = str | int | date | datetime
BARS = "bars"
"""Alias of a view's rows where factors are joined to them."""
SPANS = "spans"
"""Alias of the factors."""
_PATTERN = re.compile(r"[*?[]")
HISTORY = "_history"
"""Suffix of the name under which every version of a table's rows is read."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row must keep: `column operator value`; `in` takes a tuple of values."""

    column: str
    operator: Literal["=", "<", "<=", ">", ">=", "in"]
    value: Value | tuple[Value, ...]

    def __post_init__(self) -> None:
        """Refuse text that no table can hold: not every reader goes through SQL."""
        for value in self.value if isinstance(self.value, tuple) else (self.value,):
            if isinstance(value, str):
                readable(value)

    @property
    def sql(self) -> str:
        """The condition in DuckDB's dialect; an empty `in` keeps nothing."""
        if isinstance(self.value, tuple):
            values = ", ".join(map(literal, self.value))
            return f"{name(self.column)} IN ({values})" if values else "false"
        return f"{name(self.column)} {self.operator} {literal(self.value)}"


@dataclass(frozen=True, slots=True)
class View:
    """The rows that one name in a query means."""

    name: str
    """As the question writes it: `silver.minute_bars`, `silver.minute_bars_history`."""
    relation: Relation | QueryRelation
    columns: tuple[str, ...]
    """The columns that it shows, in order."""
    conditions: tuple[Condition, ...] = ()
    cut: datetime | None = None
    """In a history: a `known_to` later than this is shown as 9999-12-31."""
    factors: ArrowRelation | None = None
    """Puts prices and volumes on a basis (`tables.basis`); None for as traded."""

    @property
    def where(self) -> str | None:
        """The predicate that every row keeps, the relation's own included; None for no rule."""
        own = self.relation.where if isinstance(self.relation, FileRelation) else None
        parts = [f"({own})"] if own else []
        return " AND ".join([*parts, *(c.sql for c in self.conditions)]) or None

    @property
    def select_list(self) -> str:
        """The columns as the list of a SELECT."""
        return ", ".join(map(self._shown, self.columns))

    def narrowed(self, *conditions: Condition) -> View:
        """Return the same view with fewer rows."""
        return replace(self, conditions=(*self.conditions, *conditions))

    def _shown(self, column: str) -> str:
        if self.factors is not None and column in PRICES | VOLUMES:
            return f"{scaled(column, rows=BARS, factors=SPANS)} AS {name(column)}"
        if self.factors is not None and column == "symbol":
            return f"{BARS}.symbol"
        if self.cut is None or column != Table.KNOWN_TO:
            return name(column)
        end = name(column)
        later = f"{end} > {literal(self.cut)}"
        return f"CASE WHEN {later} THEN {literal(FOREVER)} ELSE {end} END AS {end}"


def name(identifier: str) -> str:
    """Return an identifier, quoted.

    >>> name('a"b')
    '"a""b"'
    """
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """Return a value as a SQL literal; an instant keeps its microseconds and its offset.

    >>> literal("O'Hara")
    "'O''Hara'"
    >>> literal(date(2025, 6, 2))
    "DATE '2025-06-02'"

    Raises:
        QueryError: For text that no SQL can hold: a NUL or half a surrogate pair.
    """
    if isinstance(value, datetime):
        return f"TIMESTAMP WITH TIME ZONE '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, int):
        return str(int(value))
    return "'" + readable(value).replace("'", "''") + "'"


def file_literal(path: str) -> str:
    """Return a path as a SQL literal that matches this one file, where DuckDB expects a pattern.

    >>> file_literal("/a?b/[1].parquet")
    "'/a[?]b/[[]1].parquet'"
    """
    return literal(_PATTERN.sub(r"[\g<0>]", path))


def readable(text: str) -> str:
    """Return a text that a caller wrote, if a table can hold it.

    Raises:
        QueryError: It has a NUL or half a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        broken = True
    else:
        broken = "\0" in text
    if broken:
        raise QueryError(
            f"The text {text!r} holds a character that no symbol or name can have. Write it in "
            "UTF-8, without NUL."
        )
    return text
