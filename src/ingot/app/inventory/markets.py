"""The markets of a lake: datasets of one source that are refined together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingot.app.inventory.datasets import landed_datasets
from ingot.storage.ledger.refinement import Refinement
from ingot.tables import silver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingot.app.context.lake_context import Parts
    from ingot.tables.contract import Table
    from ingot.tables.dataset import Dataset

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
    for source, dataset in landed_datasets(parts):
        if dataset.silver in _BARS:
            kinds = landed.setdefault((source, dataset.name.split("/")[0]), {})
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
    for source, dataset in landed_datasets(parts):
        if dataset.bronze is silver.SESSIONS:
            continue  # sessions are exempt from known time
        table: Table | None = dataset.silver
        name = table.name if table else None
        yield Refinement(source, dataset.name, name, fed, per_day=dataset.per_day)
