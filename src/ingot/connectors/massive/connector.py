"""The connector that the entry point names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingot.connectors.massive.datasets import DATASETS, NAME
from ingot.connectors.massive.settings import MassiveSettings
from ingot.connectors.reference.datasets import ACTIONS, INSTRUMENTS, reference_datasets
from ingot.connectors.transport.backoff import Backoff
from ingot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from ingot.connectors.base import FileSource, Parser
    from ingot.model.time import Clock
    from ingot.tables.dataset import Dataset

_SCHEME: Final = "://"
_S3: Final = "s3://"


class MassiveConnector:
    """Opens a folder that mirrors the vendor's tree, or its bucket."""

    @property
    def name(self) -> str:
        """The name of the entry point and of the settings section."""
        return NAME

    @property
    def settings(self) -> type[BaseModel]:
        """Model of the section `[massive]`."""
        return MassiveSettings

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The four datasets of aggregates, then reference data."""
        return {**DATASETS, **reference_datasets(ACTIONS, INSTRUMENTS)}

    def open(
        self, location: str, settings: BaseModel, *, backoff: Backoff | None = None
    ) -> FileSource:
        """Return the source at `location`: a folder, or s3://bucket[/prefix].

        `s3://` alone means the bucket of the settings. Nothing is read yet.

        Raises:
            ConfigError: The location is neither, or the bucket's key pair is missing.
        """
        own = _own(settings)
        policy = backoff or Backoff(own.attempts, own.backoff_first_s, own.backoff_longest_s)
        if location.startswith(_S3):
            from ingot.connectors.massive.flatfiles.bucket import open_bucket  # noqa: PLC0415 (loads obstore)

            return open_bucket(location.removeprefix(_S3), own, policy)
        if not location or _SCHEME in location:
            raise ConfigError(
                f"The location of massive was {location!r}. Name a folder that mirrors the "
                "vendor's tree, or s3://bucket[/prefix]."
            )
        from ingot.connectors.massive.flatfiles.folder import FolderSource  # noqa: PLC0415 (one of two)

        return FolderSource(Path(location).expanduser().absolute(), own, policy)

    def open_reference(
        self,
        location: str,
        settings: BaseModel,
        *,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> FileSource:
        """Return the reference data at `location`: the REST host, or a folder of its responses.

        The folder's files are named by their requests (`__` for `/`), or it has a folder `rest`
        of such files, as `ingot simulate` writes it.

        Raises:
            ConfigError: The folder has no responses, the address is wrong, or the key is missing.
        """
        from ingot.connectors.massive.rest.source import (  # noqa: PLC0415 (files need none of it)
            open_reference,
        )

        own = _own(settings)
        policy = backoff or Backoff(own.attempts, own.backoff_first_s, own.backoff_longest_s)
        return open_reference(location, own, policy, clock)

    def parser(self, dataset: Dataset, settings: BaseModel) -> Parser:
        """Return what parses landed objects of a dataset."""
        if dataset.name not in DATASETS:
            from ingot.connectors.massive.rest.source import parser  # noqa: PLC0415 (one of two)

            return parser()
        from ingot.connectors.massive.flatfiles.source import MassiveFiles  # noqa: PLC0415 (the other)

        return MassiveFiles("", _own(settings), Backoff())


def _own(settings: BaseModel) -> MassiveSettings:
    return MassiveSettings.model_validate(settings, from_attributes=True)


connector: Final = MassiveConnector()
