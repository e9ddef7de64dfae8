"""Which transform makes each derived table, under the present rules."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ingot.tables import gold
from ingot.transforms import gold as gold_transforms
from ingot.transforms import reference
from ingot.transforms import silver as silver_transforms
from ingot.transforms.performance import performance_transform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingot.app.parts import Parts
    from ingot.tables.contract import Table


TRANSFORM: Final = "transform"
"""Under this name a done record keeps the digest of the transform that made its rows."""


def transform_digests(parts: Parts, tables: Iterable[Table]) -> dict[str, str]:
    """Return the digest of the transform behind each of these tables that has one."""
    found = {}
    for table in tables:
        if digest := _digest(parts, table):
            found[table.name] = digest
    return found


def _digest(parts: Parts, table: Table) -> str | None:
    if table is gold.PERFORMANCE:
        return performance_transform(risk_free_rate=parts.settings.risk_free_rate).digest
    if table is gold.DAILY_BARS:
        return gold_transforms.DAILY_BARS.digest
    for transform_of in (silver_transforms.transform_of, reference.transform_of):
        with suppress(KeyError):
            return transform_of(table).digest
    return None
