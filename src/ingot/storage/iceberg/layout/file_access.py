"""The files of a lake's tables, by the locations that Iceberg's metadata gives them.

Iceberg writes absolute locations. A lake that was moved or copied still names its files by the
place where it was made; `FileAccess` maps those names to objects of the store in which the lake is
now, so that a copy never reads or writes the original's files. Other engines do not know the
mapping: Spark and Trino open a lake only at the path at which it was made.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ingot.errors import DamagedFileError
from ingot.storage.fs.sealed_names import differs, hash_in, hash_stream
from ingot.tables.input import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingot.storage.fs.object_store import ObjectStore
    from ingot.tables.contract import Table

WAREHOUSE: Final = "warehouse"


@dataclass(frozen=True, slots=True)
class FileAccess:
    """Reads and writes the files of a lake's tables, wherever the lake was made.

    Maps the location `<recorded>/<name>` to the object `<name>` of a store and back.
    """

    objects: ObjectStore
    recorded: str
    """The place where the lake was made: a path or a URL without final slash."""

    @classmethod
    def of_lake(cls, objects: ObjectStore, pointers: Mapping[str, str]) -> FileAccess:
        """Return access to the files of a lake; a lake that was moved keeps its names.

        Args:
            objects: Keeps the lake's files now.
            pointers: Locations of metadata files by table, as the catalog has them; maybe none.
        """
        for table, location in pointers.items():
            recorded, found, _ = plain(location).rpartition(f"/{home_of(table)}/")
            if found:
                return cls(objects, recorded)
        return cls(objects, objects.place(""))

    def name(self, location: str) -> str:
        """Return the name of the object at a location; outside the lake it is its own name."""
        found = plain(location)
        return found.removeprefix(f"{self.recorded}/")

    def location(self, name: str) -> str:
        """Return the location by which metadata refers to an object."""
        scheme = "file://" if self.recorded.startswith("/") else ""
        return f"{scheme}{self.recorded}/{name}"

    def url(self, location: str) -> str:
        """Return what an engine opens to read a file: a path or a URL."""
        return self.objects.place(self.name(location))

    def size(self, location: str) -> int | None:
        """Return the size of a file in bytes; None if there is none."""
        return self.objects.size(self.name(location))

    def read(self, location: str) -> bytes:
        """Return the bytes of a metadata file or manifest, checked against its name.

        Raises:
            DamagedFileError: They are not the bytes that were written.
            FileNotFoundError: It is missing: whoever read an outdated pointer reads again.
        """
        name = self.name(location)
        try:
            data = self.objects.get(name)
        except DamagedFileError:
            if self.objects.size(name) is None:
                missing = os.strerror(errno.ENOENT)
                raise FileNotFoundError(errno.ENOENT, missing, self.objects.place(name)) from None
            raise
        wanted = hash_in(name)
        if wanted is not None and sha256(data).hexdigest() != wanted:
            place = self.objects.place(name)
            raise DamagedFileError(place, found=differs(wanted), table=table_of(place))
        return data

    def damage(self, location: str) -> str:
        """Return what is wrong with the bytes of a file; "" where its name carries no hash.

        A file is read once in a process, and again when it was changed.
        """
        name, objects = self.name(location), self.objects
        return _damage(objects, name, objects.size(name), objects.written_ns(name))  # type: ignore[arg-type]  # a store is hashable

    def write(self, location: str, data: bytes) -> None:
        """Write a new metadata file or manifest durably; its location is used once."""
        self.objects.put_if_absent(self.name(location), data, step="metadata")


@lru_cache(maxsize=65_536)
def _damage(objects: ObjectStore, name: str, size: int | None, written_ns: int | None) -> str:
    del size, written_ns  # they tell whether the bytes are those that were read before
    wanted = hash_in(name)
    if wanted is None:
        return ""
    with objects.open(name) as stream:
        return "" if hash_stream(stream) == wanted else differs(wanted)


def home_of(table: Table | str) -> str:
    """Return the folder of a table's files.

    >>> home_of("silver.day_bars")
    'warehouse/silver/day_bars'
    """
    namespace, _, name = (table if isinstance(table, str) else table.name).partition(".")
    return f"{WAREHOUSE}/{namespace}/{name}"


def plain(location: str) -> str:
    """Return the path of a location on a local disk; a URL of another store stays as it is.

    `file:/x` is how Hadoop writes `file:///x`.

    >>> plain("file:///lake/a"), plain("file:/lake/a"), plain("s3://lake/a")
    ('/lake/a', '/lake/a', 's3://lake/a')
    """
    return "/" + location[5:].lstrip("/") if location.startswith("file:") else location
