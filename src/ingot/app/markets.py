"""The markets of a lake: datasets of one source that are refined together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingot.connectors.registry import connector
from ingot.storage.refinement import Refinement
from ingot.tables import silver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingot.app.parts import Parts
    from ingot.connectors.base import Dataset
    from ingot.tables.contract import Table

_BARS: Final = (silver.MINUTE_BARS, silver.DAY_BARS)


@dataclass(frozen=True, slots=True)
class Market:
    """A vendor's prefix, e.g. us_stocks_sip, with what it has of minutes and days."""

    source: str
    name: str
    minutes: Dataset | None
    days: Dataset | None

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """Those that it has."""
        return tuple(d for d in (self.minutes, self.days) if d is not None)


def markets_of(parts: Parts) -> tuple[Market, ...]:
    """Return the markets that anything landed of and that have a silver table, in order."""
    landed: dict[tuple[str, str], dict[str, Dataset]] = {}
    for source, name in parts.ledger.datasets():
        dataset = connector(source).datasets.get(name)
        if dataset is not None and dataset.silver in _BARS:
            kinds = landed.setdefault((source, name.split("/")[0]), {})
            kinds[_name(dataset)] = dataset
    return tuple(
        Market(source, name, kinds.get(silver.MINUTE_BARS.name), kinds.get(silver.DAY_BARS.name))
        for (source, name), kinds in sorted(landed.items())
    )


def _name(dataset: Dataset) -> str:
    return dataset.silver.name if dataset.silver else ""


def refinements(parts: Parts) -> Iterable[Refinement]:
    """Yield, for each dataset that landed, where it is refined to."""
    fed = parts.calendar.fed_dates
    for source, name in parts.ledger.datasets():
        dataset = connector(source).datasets.get(name)
        if dataset is None or dataset.bronze is silver.SESSIONS:
            continue  # sessions are exempt from known time
        table: Table | None = dataset.silver
        per_day = dataset.per_day
        yield Refinement(source, name, table.name if table else None, fed, per_day=per_day)
