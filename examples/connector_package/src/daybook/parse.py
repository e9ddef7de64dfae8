"""Lines of a daily file as rows of bronze, or the rule that refuses a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError
from ingot.connectors.reference.rows import Bad, BarRow, Good
from ingot.errors import CorruptFileError, SchemaDriftError
from ingot.model.time import new_york, to_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("day", "code", "o", "h", "l", "c", "size")


def read_bars(data: bytes, name: str, lot: int) -> Iterator[Good | Bad]:
    """Yield a row for each line after the header, good or refused."""
    try:
        header, *lines = data.decode().splitlines()
    except ValueError as exc:
        raise CorruptFileError(f"{name} is empty or not UTF-8. Nothing of it was loaded.") from exc
    names = tuple(header.split(";"))
    if names != COLUMNS:
        missing = [column for column in COLUMNS if column not in names]
        raise SchemaDriftError(name, missing=missing, unexpected=set(names) - set(COLUMNS))
    for number, line in enumerate(lines, start=1):
        try:
            yield Good(number, _bar(line, lot))
        except FaultError as fault:
            yield Bad(number, fault.rule, line)


def _bar(line: str, lot: int) -> BarRow:
    texts = line.split(";")
    if len(texts) != len(COLUMNS):
        raise FaultError("columns")
    day, code, opened, high, low, close, size = texts
    return BarRow(
        ticker=fields.symbol(code),
        window_start=to_ns(new_york(fields.day(day, "day"))),
        open=fields.number(opened, "open"),
        high=fields.number(high, "high"),
        low=fields.number(low, "low"),
        close=fields.number(close, "close"),
        volume=fields.number(size, "volume") * lot,
        transactions=0,
    )
