"""PyIceberg's file access on a local disk, where a closed file is a durable file."""

from __future__ import annotations

import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyiceberg.io import FileIO, InputFile, OutputFile
from pyiceberg.typedef import EMPTY_DICT

from ingot.errors import DamagedFileError
from ingot.storage.fs.durable import fsync_folder, make_folders
from ingot.storage.fs.fault_points import calm
from ingot.storage.fs.sealed_names import hash_in, read_sealed, sealed
from ingot.storage.iceberg.layout.locations import Locations

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedWriter
    from types import TracebackType
    from typing import Self

    from pyiceberg.io import InputStream, OutputStream
    from pyiceberg.typedef import Properties

    from ingot.storage.fs.fault_points import Boundary

RECORDED: Final = "ingot.recorded"
ROOT: Final = "ingot.root"
"""Catalog properties that carry a `Locations` to wherever PyIceberg makes file access."""
_STATE_SUFFIX: Final = ".metadata.json"
_DATA_SUFFIX: Final = ".parquet"


class LocalFileIO(FileIO):
    """Reads and writes the files of one lake by their locations."""

    def __init__(self, properties: Properties = EMPTY_DICT, *, boundary: Boundary = calm) -> None:
        super().__init__(properties)
        self._locations = Locations(properties[RECORDED], Path(properties[ROOT]))
        self._boundary = boundary

    def new_input(self, location: str) -> InputFile:
        """Return the file to read."""
        return _LocalInput(location, self._locations.path(location))

    def new_output(self, location: str) -> OutputFile:
        """Return the file to write; closing it makes it durable."""
        return _LocalOutput(location, self._locations.path(location), self._boundary)

    def new_sealed_output(self, location: str) -> OutputFile:
        """Return a file whose `location`, once it is closed, carries the hash of what was written.

        PyIceberg's own writers name a file before they write it, and get `new_output`.
        """
        path = self._locations.path(location)
        return _LocalOutput(location, path, self._boundary, seals=True)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Remove the file."""
        name = location if isinstance(location, str) else location.location
        self._locations.path(name).unlink()


class _LocalInput(InputFile):
    def __init__(self, location: str, path: Path) -> None:
        super().__init__(location)
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        return self._path.exists()

    def open(self, seekable: bool = True) -> InputStream:
        del seekable
        if self._path.suffix == _DATA_SUFFIX:
            return self._path.open("rb")
        return BytesIO(read_sealed(self._path))


class _LocalOutput(OutputFile):
    def __init__(
        self, location: str, path: Path, boundary: Boundary, *, seals: bool = False
    ) -> None:
        self._location = location
        self._path = path
        self._boundary = boundary
        self._seals = seals

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        return self._path.exists()

    def to_input_file(self) -> InputFile:
        return _LocalInput(self.location, self._path)

    @property
    def location(self) -> str:
        """Where the file is; a sealed one changes its name when it is closed."""
        return self._location

    def create(self, overwrite: bool = False) -> OutputStream:
        make_folders(self._path.parent)
        self._boundary("metadata.before_write")
        mode = "wb" if overwrite else "xb"
        return _DurableStream(self._path, mode, self._boundary, self._closed)

    def _closed(self, sha256: str) -> Path:
        """Return the name to take; a metadata file was named by its hash before it was written."""
        found = hash_in(self._path.name)
        if found is None and self._seals:
            self._location = sealed(self._location, sha256)
            self._path = self._path.with_name(sealed(self._path.name, sha256))
        elif found not in {None, sha256}:
            raise DamagedFileError(
                self._path, found="other bytes were written than its name says", table=None
            )
        return self._path


class _DurableStream:
    """A file that is on the disk when it is closed.

    A table's metadata file is the last one written before its pointer moves, so closing it also
    syncs the folder that it shares with the manifests.
    """

    def __init__(
        self, path: Path, mode: str, boundary: Boundary, closed: Callable[[str], Path]
    ) -> None:
        """Open the file; `closed` takes the SHA-256 of what was written and returns its name."""
        self._path = path
        self._boundary = boundary
        self._closed = closed
        self._digest = sha256()
        self._stream: BufferedWriter = path.open(mode)  # type: ignore[assignment]  # wb or xb

    def write(self, b: bytes) -> int:
        self._digest.update(b)
        return self._stream.write(b)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        if self._stream.closed:
            return
        try:
            self._stream.flush()
            self._boundary("metadata.before_fsync")
            os.fsync(self._stream.fileno())
        finally:
            self._stream.close()
        named = self._closed(self._digest.hexdigest())
        if named != self._path:
            self._path = self._path.rename(named)
        if self._path.name.endswith(_STATE_SUFFIX):
            fsync_folder(self._path.parent)
            self._boundary("metadata.after_fsync")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
