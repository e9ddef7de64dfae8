"""Instruments written by hand: one line for each symbol that an instrument held.

id,symbol,valid_from,valid_to,name,exchange,type,known_from
BBG000MM2P62,FB,2012-05-18,2022-06-09,Meta Platforms,XNAS,CS,
BBG000MM2P62,META,2022-06-09,,Meta Platforms,XNAS,CS,2022-05-31
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError, optional
from ingot.connectors.reference.rows import Bad, Good, InstrumentRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.connectors.csv_lines import CsvFile, Line

NEEDED: Final = frozenset({"id", "symbol", "valid_from"})
KNOWN: Final = NEEDED | {"valid_to", "name", "exchange", "type", "known_from"}
_FIGI: Final = re.compile(r"[BCDFGHJKLMNPQRSTVWXYZ]{2}G[0-9BCDFGHJKLMNPQRSTVWXYZ]{8}\d", re.ASCII)


def read_instruments(file: CsvFile) -> Iterator[Good | Bad]:
    """Yield the file's instruments; a line that breaks a rule is refused with the rule's name.

    Raises:
        SchemaDriftError: A needed column is missing, or one is unknown.
        CorruptFileError: The file cannot be read to its end.
    """
    file.check(NEEDED, KNOWN)
    found: set[tuple[str, str, object]] = set()
    for line in file.lines():
        try:
            row = _row(line)
            key = row.instrument_id, row.symbol, row.valid_from
            if key in found:
                raise FaultError("duplicate")  # noqa: TRY301 (refused as every broken rule is)
            found.add(key)
            yield Good(line.number, row)
        except FaultError as fault:
            yield Bad(line.number, fault.rule, line.raw, line.fields.get("symbol") or None)


def _row(line: Line) -> InstrumentRow:
    if not line.fields:
        raise FaultError("columns")
    text = line.fields.get
    identity = text("id", "")
    if not identity or not identity.isprintable():
        raise FaultError("id")
    valid_from = fields.day(text("valid_from", ""), "valid_from")
    valid_to = optional(text("valid_to", ""), lambda t: fields.day(t, "valid_to"))
    if valid_to is not None and valid_to <= valid_from:
        raise FaultError("valid_to")
    return InstrumentRow(
        instrument_id=identity,
        symbol=fields.symbol(text("symbol", "")),
        valid_from=valid_from,
        valid_to=valid_to,
        name=text("name") or None,
        exchange=text("exchange") or None,
        type=text("type") or None,
        figi=identity if _FIGI.fullmatch(identity) else None,
        stated_from=optional(text("known_from", ""), lambda t: fields.instant(t, "known_from")),
        raw=line.raw,
    )
