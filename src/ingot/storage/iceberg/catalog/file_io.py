"""PyIceberg's file access on a lake's store, where a closed file is a durable file."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, cast

from pyiceberg.io import FileIO, InputFile, OutputFile

from ingot.storage.fs.sealed_names import sealed

if TYPE_CHECKING:
    from pyiceberg.io import InputStream, OutputStream

    from ingot.storage.iceberg.layout.file_access import FileAccess


class StoreFileIO(FileIO):
    """Reads and writes metadata files and manifests of one lake by their locations."""

    def __init__(self, files: FileAccess) -> None:
        super().__init__()
        self._files = files

    def new_input(self, location: str) -> InputFile:
        """Return the file to read."""
        return _Input(location, self._files)

    def new_output(self, location: str) -> OutputFile:
        """Return a file whose `location`, once it is closed, carries the hash of its bytes."""
        return _Output(location, self._files)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Remove the file."""
        found = location if isinstance(location, str) else location.location
        self._files.objects.delete(self._files.name(found))


class _Input(InputFile):
    def __init__(self, location: str, files: FileAccess) -> None:
        super().__init__(location)
        self._files = files

    def __len__(self) -> int:
        return self._files.size(self.location) or 0

    def exists(self) -> bool:
        return self._files.size(self.location) is not None

    def open(self, seekable: bool = True) -> InputStream:
        del seekable
        return cast("InputStream", BytesIO(self._files.read(self.location)))


class _Output(OutputFile):
    """A file that is collected in memory and written when it is closed."""

    def __init__(self, location: str, files: FileAccess) -> None:
        super().__init__(location)
        self._files = files
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def exists(self) -> bool:
        return self.to_input_file().exists()

    def to_input_file(self) -> InputFile:
        return _Input(self.location, self._files)

    def create(self, overwrite: bool = False) -> OutputStream:
        del overwrite  # a location is used once
        return cast("OutputStream", _Stream(self))

    def write(self, data: bytes) -> None:
        """Write the whole file."""
        self._location = sealed(self._location, sha256(data).hexdigest())
        self._files.write(self._location, data)
        self._size = len(data)


class _Stream(BytesIO):
    def __init__(self, file: _Output) -> None:
        super().__init__()
        self._file = file

    def close(self) -> None:
        if not self.closed:
            data = self.getvalue()
            super().close()
            self._file.write(data)
