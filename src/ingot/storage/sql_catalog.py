"""PyIceberg's SQL catalog on the lake's own file: everything that moves a pointer.

Import this module late: PyIceberg's catalog and SQLAlchemy take more than a second.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError, ValidationError
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import StagedTable
from pyiceberg.table import Table as IcebergTable
from pyiceberg.typedef import EMPTY_DICT
from sqlalchemy import URL

from ingot.errors import DamagedFileError
from ingot.storage.catalog import CATALOG_FILE, CATALOG_NAME, TIMEOUT_S, Pointers
from ingot.storage.local_io import RECORDED, ROOT, LocalFileIO
from ingot.storage.seal import sealed

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.io import FileIO
    from pyiceberg.table import CommitTableResponse
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.update import TableRequirement, TableUpdate
    from pyiceberg.typedef import Identifier, Properties

    from ingot.storage.boundary import Boundary
    from ingot.storage.locations import Locations

_KEPT: Final = 32
_IO: Final = f"{LocalFileIO.__module__}.{LocalFileIO.__qualname__}"


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
    ) -> CommitTableResponse:
        """Move the pointer if the requirements hold; raise otherwise."""
        ...


class LakeCatalog(SqlCatalog):
    """The catalog of one lake: durable files, parsed metadata kept by its name."""

    def __init__(self, locations: Locations, *, boundary: Boundary) -> None:
        path = locations.root / CATALOG_FILE
        self._io_properties = {RECORDED: locations.recorded, ROOT: str(locations.root)}
        self._io = LocalFileIO(self._io_properties, boundary=boundary)
        self._parsed: OrderedDict[str, TableMetadata] = OrderedDict()
        self._parsed_lock = threading.Lock()
        super().__init__(
            CATALOG_NAME,
            uri=_url(path),
            warehouse=locations.warehouse,
            init_catalog_tables="false",
            **{"py-io-impl": _IO, **self._io_properties},
        )
        self._pointers = Pointers(path)

    def load_table(self, identifier: str | Identifier) -> IcebergTable:
        """Return the table's current state; its metadata is parsed once per process."""
        names = Catalog.identifier_to_tuple(identifier)
        location = self._pointers.get(".".join(names))
        if location is None:
            raise NoSuchTableError(f"Table does not exist: {'.'.join(names)}")
        return IcebergTable(
            identifier=names,
            metadata=self._metadata(location),
            metadata_location=location,
            io=self._io,
            catalog=self,
        )

    def table_exists(self, identifier: str | Identifier) -> bool:
        """Return True if the catalog names the table, whether its metadata can be read or not."""
        return self._pointers.get(".".join(Catalog.identifier_to_tuple(identifier))) is not None

    def close(self) -> None:
        """Release the connections."""
        super().close()
        self._pointers.close()

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

    def _update_and_stage_table(
        self,
        current_table: IcebergTable | None,
        table_identifier: Identifier,
        requirements: tuple[TableRequirement, ...],
        updates: tuple[TableUpdate, ...],
    ) -> StagedTable:
        return _sealed(
            super()._update_and_stage_table(current_table, table_identifier, requirements, updates)
        )

    def _load_file_io(
        self, properties: Properties = EMPTY_DICT, location: str | None = None
    ) -> FileIO:
        del properties, location
        return self._io


def _sealed(staged: StagedTable) -> StagedTable:
    """Name the metadata file to be written by the hash of its bytes."""
    data = staged.metadata.model_dump_json(exclude_none=True).encode()
    staged.metadata_location = sealed(staged.metadata_location, sha256(data).hexdigest())
    return staged


def _url(path: Path) -> str:
    """Return the URL of a database; in it `%`, `?` and `#` mean something, in a path nothing."""
    url = URL.create("sqlite", database=str(path), query={"timeout": f"{TIMEOUT_S:g}"})
    return url.render_as_string()
