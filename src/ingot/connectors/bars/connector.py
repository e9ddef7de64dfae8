"""The connector `bars`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingot.connectors.bars.datasets import DATASETS, NAME
from ingot.connectors.bars.lean import ZONE
from ingot.connectors.bars.settings import BarsSettings
from ingot.connectors.bars.source import BarsSource
from ingot.connectors.reference.dated_file import file_at
from ingot.connectors.registry import connector_names
from ingot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from ingot.connectors.base import FileSource, Parser
    from ingot.tables.dataset import Dataset

_PLACES: Final = "csv:FILE, parquet:FILE or lean:DIR"


class BarsConnector:
    """Bars of your own: --source csv:FILE, parquet:FILE or lean:DIR.

    The file has the columns symbol, time, open, high, low, close, volume and maybe transactions
    (0 if it has none), under these names or as --map says. Prices are as traded, in US dollars.
    Of a folder of LEAN's archives the trades of --interval are read; their times are those of New
    York without --zone.
    """

    name = NAME
    settings = BarsSettings

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Minutes and days."""
        return DATASETS

    def open(self, location: str, settings: BaseModel) -> FileSource:
        """Return the file at `location` as a source.

        Raises:
            ConfigError: The location is not csv:FILE, parquet:FILE or lean:DIR, there is no such
                file or folder, or the name is that of a connector.
        """
        found = BarsSettings.model_validate(settings, from_attributes=True)
        kind, _, place = location.partition(":")
        path = Path(place).expanduser().absolute()
        if kind != "lean":
            path = file_at(location, _PLACES)
        elif not path.is_dir() or found.label == "end" or found.symbol or found.map:
            raise ConfigError(
                f"The location was {location!r}. Name a folder of LEAN's archives, without "
                "--label end, --symbol and --map: they name symbol, start and columns themselves."
            )
        elif not found.zone:
            found = found.model_copy(update={"zone": ZONE})
        if found.name in set(connector_names()) - {NAME}:
            raise ConfigError(
                f"The name was {found.name!r}, under which a connector stores its own rows. "
                "Choose another one, such as mine."
            )
        return BarsSource(path, found)

    def parser(self, dataset: Dataset, settings: BaseModel) -> Parser:
        """Return what parses landed objects of a dataset."""
        del dataset
        return BarsSource(Path(), BarsSettings.model_validate(settings, from_attributes=True))


connector: Final = BarsConnector()
