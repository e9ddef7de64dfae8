"""Names of files inside Iceberg metadata, and where they lie on this machine.

Iceberg writes absolute locations. A lake that was moved or copied still names its files by the
folder in which it was made; `Locations` maps those names to the folder in which it lies now, so
that a copy never reads or writes the original's files. Other engines do not know the mapping:
Spark and Trino open a lake only at the path at which it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ingot.errors import ConfigError
from ingot.storage.fs.sealed_names import read_sealed

WAREHOUSE: Final = "warehouse"
_SCHEME: Final = "file://"


class FileAccess(Protocol):
    """How the files that metadata names by their locations are read."""

    def read(self, location: str) -> bytes:
        """Return the bytes of a metadata file or manifest, checked against its name.

        Raises:
            DamagedFileError: They are not the bytes that were written.
            FileNotFoundError: It is missing: whoever read an outdated pointer reads again.
        """
        ...

    def url(self, location: str) -> str:
        """Return what an engine opens to read a data file: a path or a URL."""
        ...


@dataclass(frozen=True, slots=True)
class Locations:
    """Reads the files of a lake on a local disk, wherever it was made.

    Maps the location `file://<recorded>/...` to the path `<root>/...` and back.
    """

    recorded: str
    """The folder in which the lake was made, absolute, without scheme or final slash."""
    root: Path
    """The folder in which it lies now."""

    @classmethod
    def of_new_lake(cls, root: Path) -> Locations:
        """Return the mapping of a lake made in `root` now: every name is its own path."""
        resolved = root.resolve()
        return cls(str(resolved), resolved)

    @classmethod
    def of_lake(cls, root: Path, metadata_location: str, table: str) -> Locations:
        """Return the mapping of a lake in `root` one of whose tables has this metadata file."""
        namespace, _, name = table.partition(".")
        recorded, found, _ = plain(metadata_location).rpartition(
            f"/{WAREHOUSE}/{namespace}/{name}/"
        )
        resolved = root.resolve()
        return cls(recorded if found else str(resolved), resolved)

    def path(self, location: str) -> Path:
        """Return where the file named `location` lies on this machine."""
        name = plain(location)
        if name.startswith(f"{self.recorded}/"):
            return self.root / name[len(self.recorded) + 1 :]
        return Path(name)

    def url(self, location: str) -> str:
        """Return the path of a file."""
        return str(self.path(location))

    def read(self, location: str) -> bytes:
        """Return the bytes of a metadata file or manifest; see `FileAccess.read`."""
        return read_sealed(self.path(location))

    def location(self, path: Path) -> str:
        """Return the name under which metadata refers to the file at `path`.

        Raises:
            ConfigError: The file does not lie inside the lake.
        """
        if not path.is_relative_to(self.root):
            raise ConfigError(f"{path} does not lie inside the lake {self.root}.")
        return f"{_SCHEME}{self.recorded}/{path.relative_to(self.root).as_posix()}"

    @property
    def warehouse(self) -> str:
        """The location below which all tables lie."""
        return f"{_SCHEME}{self.recorded}/{WAREHOUSE}"


def plain(location: str) -> str:
    """Return a local location without its scheme; `file:/x` is how Hadoop writes `file:///x`.

    Raises:
        ConfigError: The location is not on a local disk.

    >>> plain("file:///lake/a"), plain("file:/lake/a"), plain("/lake/a")
    ('/lake/a', '/lake/a', '/lake/a')
    """
    if location.startswith("/"):
        return location
    if location.startswith("file:"):
        return "/" + location.removeprefix("file:").lstrip("/")
    raise ConfigError(f"{location} is no file of this machine; the lake must be on a local disk.")
