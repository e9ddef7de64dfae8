"""PyIceberg's view of the lake's catalog: everything that makes and commits table metadata.

Import this module late: PyIceberg takes most of a second.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, ValidationError
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.locations import load_location_provider
from pyiceberg.table.update import update_table_metadata

from ingot.errors import DamagedFileError
from ingot.storage.fs.sealed_names import sealed
from ingot.storage.iceberg.catalog.file_io import StoreFileIO
from ingot.storage.iceberg.catalog.sqlite import CATALOG_NAME

if TYPE_CHECKING:
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.update import TableRequirement, TableUpdate
    from pyiceberg.typedef import Identifier

    from ingot.storage.iceberg.catalog.sqlite import Catalog
    from ingot.storage.iceberg.layout.file_access import FileAccess

_KEPT: Final = 32
_VERSION: Final = re.compile(r"(?:.*/)?(\d+)-[^/]*\.metadata\.json")


class CommitCatalog(Protocol):
    """What a commit needs of a catalog; the boundary to other catalogs, and to tests."""

    def load_table(self, identifier: str | Identifier) -> IcebergTable:
        """Return the table's current state."""
        ...

    def commit_table(
        self,
        table: IcebergTable,
        requirements: tuple[TableRequirement, ...],
        updates: tuple[TableUpdate, ...],
    ) -> TableMetadata:
        """Move the pointer if the requirements hold and return the new state; raise otherwise."""
        ...


class LakeCatalog:
    """The tables of one lake as PyIceberg has them: durable files, parsed metadata kept by name."""

    def __init__(self, catalog: Catalog, files: FileAccess) -> None:
        self._catalog = catalog
        self._files = files
        self._io = StoreFileIO(files)
        self._nothing = NoopCatalog(CATALOG_NAME)  # tables of PyIceberg commit through us alone
        self._parsed: OrderedDict[str, TableMetadata] = OrderedDict()
        self._parsed_lock = threading.Lock()

    def load_table(self, identifier: str | Identifier) -> IcebergTable:
        """Return the table's current state; its metadata is parsed once per process."""
        names = NoopCatalog.identifier_to_tuple(identifier)
        location = self._catalog.get(".".join(names))
        if location is None:
            raise NoSuchTableError(f"Table does not exist: {'.'.join(names)}")
        return IcebergTable(
            identifier=names,
            metadata=self._metadata(location),
            metadata_location=location,
            io=self._io,
            catalog=self._nothing,
        )

    def commit_table(
        self,
        table: IcebergTable,
        requirements: tuple[TableRequirement, ...],
        updates: tuple[TableUpdate, ...],
    ) -> TableMetadata:
        """Write the table's next metadata file, move its pointer there and return the new state.

        Raises:
            CommitFailedException: A requirement does not hold, or another commit was faster.
        """
        current = self.load_table(table.name())
        for requirement in requirements:
            requirement.validate(current.metadata)
        before = current.metadata_location
        metadata = update_table_metadata(current.metadata, updates, metadata_location=before)
        if metadata == current.metadata:
            return metadata
        name = ".".join(table.name())
        location = self._written(metadata, _version(before) + 1)
        if not self._catalog.swap(name, before, location):
            raise CommitFailedException(f"Another process has updated the table {name}")
        return metadata

    def _written(self, metadata: TableMetadata, version: int) -> str:
        """Write a metadata file named by the hash of its bytes, and return its location."""
        provider = load_location_provider(metadata.location, metadata.properties)
        data = metadata.model_dump_json(exclude_none=True).encode()
        name = provider.new_table_metadata_file_location(version)
        location = sealed(name, sha256(data).hexdigest())
        self._files.write(location, data)
        return location

    def _metadata(self, location: str) -> TableMetadata:
        with self._parsed_lock:
            if found := self._parsed.get(location):
                return found
        try:
            metadata = FromInputFile.table_metadata(self._io.new_input(location))
        except (ValidationError, ValueError) as exc:
            why = f"it is not table metadata ({str(exc).splitlines()[0]})"
            raise DamagedFileError(location, found=why) from exc
        with self._parsed_lock:
            self._parsed[location] = metadata
            while len(self._parsed) > _KEPT:
                self._parsed.popitem(last=False)
        return metadata


def _version(location: str) -> int:
    """Return the number that a metadata file's name begins with; -1 for another writer's name."""
    found = _VERSION.fullmatch(location)
    return int(found[1]) if found else -1
