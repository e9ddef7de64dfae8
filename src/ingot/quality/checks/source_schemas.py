"""Registered schemas of sources, and what a change of columns means to readers.

A verdict has the usual meaning of Avro and of schema registries. *Backward*: who reads with the
new schema can read what was written with the old one. *Forward*: who reads with the old schema can
read what is written with the new one. *Full*: both; *none*: neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ingot.tables import contract

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingot.tables.contract import ColumnType

_WIDER: Final = {
    "date": ("timestamp", "string"),
    "timestamp": ("string",),
    "boolean": ("string",),
    "integer": ("number", "string"),
    "number": ("string",),
    "string": (),
}
"""Types that hold every value of a type, as text files write them."""


class Verdict(StrEnum):
    """Who can read what after a change."""

    FULL = "full"
    BACKWARD = "backward"
    FORWARD = "forward"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a source: its type, and whether a row may go without it."""

    name: str
    type: str
    """date, timestamp, boolean, integer, number or string."""
    optional: bool = False
    """True where an absent value is null, Avro's default."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of one source, in order."""

    source: str
    fields: tuple[Field, ...]

    def get(self, name: str) -> Field | None:
        """Return the column called `name`."""
        return next((f for f in self.fields if f.name == name), None)


@dataclass(frozen=True, slots=True)
class Change:
    """One column that is not as registered."""

    column: str
    what: str
    """added, removed, retyped or reordered."""
    was: str
    now: str
    verdict: Verdict


def changes(registered: Schema, observed: Schema) -> tuple[Change, ...]:
    """Return what differs between a registered schema and the one seen, column by column."""
    found = []
    for field in registered.fields:
        now = observed.get(field.name)
        if now is None:
            verdict = Verdict.FULL if field.optional else Verdict.BACKWARD
            found.append(Change(field.name, "removed", field.type, "", verdict))
        elif now.type != field.type and not _holds(field.type, now.type, exactly=True):
            found.append(
                Change(field.name, "retyped", field.type, now.type, _retyped(field.type, now.type))
            )
    for field in observed.fields:
        if registered.get(field.name) is None:
            verdict = Verdict.FULL if field.optional else Verdict.FORWARD
            found.append(Change(field.name, "added", "", field.type, verdict))
    return tuple(found)


def verdict(found: Iterable[Change]) -> Verdict:
    """Return what several changes together allow.

    >>> verdict([]).value
    'full'
    """
    verdicts = {change.verdict for change in found}
    backward = all(v in {Verdict.FULL, Verdict.BACKWARD} for v in verdicts)
    forward = all(v in {Verdict.FULL, Verdict.FORWARD} for v in verdicts)
    if backward and forward:
        return Verdict.FULL
    if backward:
        return Verdict.BACKWARD
    return Verdict.FORWARD if forward else Verdict.NONE


def _retyped(was: str, now: str) -> Verdict:
    if _holds(now, was):
        return Verdict.BACKWARD
    return Verdict.FORWARD if _holds(was, now) else Verdict.NONE


def _holds(wide: str, narrow: str, *, exactly: bool = False) -> bool:
    """Return True if every value of `narrow` is one of `wide`.

    In a text file narrower values in a column are no change of it (`exactly`): a column of texts
    may hold numbers only, one of numbers whole ones, one of instants dates.
    """
    if exactly:
        return wide == "string" or (wide, narrow) in {
            ("number", "integer"),
            ("timestamp", "date"),
        }
    return wide == narrow or wide in _WIDER.get(narrow, ())


def type_name(column_type: ColumnType) -> str:
    """Return a contract's type as a type of text files."""
    if isinstance(column_type, contract.Decimal) or column_type == contract.Float64:
        return "number"
    names = {
        contract.Int32: "integer",
        contract.Int64: "integer",
        contract.Boolean: "boolean",
        contract.Date: "date",
        contract.TimestampUs: "timestamp",
    }
    return names.get(column_type, "string")
