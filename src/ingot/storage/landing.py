"""The landing store: immutable bytes and records, the truth from which all else is rebuilt.

    objects/<first 2 of sha256>/<sha256>      the bytes of an object
    versions/<source>/<key>/<n>.json          one version of a vendor's object
    decisions/<source>/<key>/<n>.json         what a person said of the held version n
    units/<table>/<unit name>/<n>.json        a unit of work was done
    quarantine/<table>/<unit name>/<n>.parquet  the rows that a unit refused; the last n counts
    expired/<table>/<n>.json                  ancestor snapshots that expiry removed
    voided/<table>/<n>.json                   done records that a repair made void
    datasets/<source>/<dataset>/<n>.json      what a dataset is; the last n counts
    clocks/<n>.json                           a person vouched for a clock that was behind
    tmp/                                      files that are not finished, by process

Every name is made once by a link and never written over.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingot.errors import CorruptFileError, DamagedFileError
from ingot.failures import reading, translated
from ingot.folders import entries, files_below, names
from ingot.model.landing import Landing
from ingot.storage import files
from ingot.storage.border import bordered
from ingot.storage.boundary import calm
from ingot.storage.records import (
    RECORD_FOLDERS,
    RECORD_NAME,
    checks_folder,
    datasets_folder,
    from_text,
    is_canonical,
    path_of,
    to_text,
    unit_path,
    versions_folder,
)
from ingot.storage.seal import differs, hash_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.model.work import Scope, Unit
    from ingot.storage.boundary import Boundary
    from ingot.storage.records import Record


@dataclass(frozen=True, slots=True)
class Damage:
    """An object that versions name and that is not what its name says."""

    sha256: str
    path: Path
    reason: str


@bordered
class LandingStore:
    """The landing folder of one lake; safe for any number of threads and processes."""

    def __init__(self, root: Path, *, boundary: Boundary = calm) -> None:
        """Name the folder; nothing is read or made before first use."""
        self.root = root
        self.scratch = files.Scratch(root / "tmp")
        self._boundary = boundary

    def close(self) -> None:
        """Remove this process's unfinished files."""
        self.scratch.close()

    def temporary(self, name: str) -> Path:
        """Return a fresh path for a download, on the store's file system."""
        return self.scratch.path(name)

    def object_path(self, sha256: str) -> Path:
        """Return where the bytes with this SHA-256 lie."""
        return self.root / "objects" / sha256[:2] / sha256

    def add_object(self, temporary: Path, sha256: str, size_bytes: int) -> Path:
        """Move finished bytes into the store and return their path.

        Bytes that are there already are left as they are; damaged ones are set aside.

        Raises:
            CorruptFileError: The file has another size.
            StorageFullError, ConfigError, StorageUnavailableError: See `failures.translated`.
        """
        path = self.object_path(sha256)
        _check_size(temporary, size_bytes)
        if path.exists() and (reason := _damage(path, sha256, size_bytes)):
            self.set_aside(Damage(sha256, path, reason))
        files.write_once(path, temporary, boundary=self._boundary, step="object")
        temporary.unlink(missing_ok=True)
        return path

    def write(self, record: Record) -> bool:
        """Write a record once; False when its name is taken, whatever it holds.

        Raises:
            LookAtDataError: A name in it is not safe as a path.
            StorageFullError, ConfigError, StorageUnavailableError: See `failures.translated`.
        """
        path = path_of(record)
        return files.write_once(
            self.root / path,
            to_text(record).encode(),
            boundary=self._boundary,
            step=path.partition("/")[0],
            temporary_folder=self.scratch.folder,
        )

    def read(self, path: str, *, strict: bool = False) -> Record:
        """Return the record at `path`, which is relative to the store.

        Args:
            path: Below the store.
            strict: Also refuse bytes that are not exactly what was written, though their values
                are.

        Raises:
            DamagedFileError: It is missing, or does not hold what was written there.
        """
        full = self.root / path
        with reading(full):
            text = full.read_bytes().decode("utf-8", "replace")
        record = from_text(path, text)
        if strict and not is_canonical(text):
            raise DamagedFileError(full, found="its text is not the one that was written")
        return record

    def has(self, path: str) -> bool:
        """Say whether there is a record at `path`, which is relative to the store."""
        return (self.root / path).is_file()

    def walk(self) -> Iterator[str]:
        """Yield the path of every record, relative to the store, versions first."""
        for folder in RECORD_FOLDERS:
            yield from self.walk_folder(folder)

    def add_version(self, landing: Landing) -> bool:
        """Write a version once; False when its ordinal is taken."""
        return self.write(landing)

    def versions(self, source: str, key: str) -> tuple[Landing, ...]:
        """Return the versions of one key, by ordinal."""
        folder = versions_folder(source, key)
        numbers = _numbers(self.root / folder)
        read = (self.read(f"{folder}/{number}.json") for number in sorted(numbers))
        return tuple(record for record in read if isinstance(record, Landing))

    def all_versions(self) -> Iterator[Landing]:
        """Yield every version of every key."""
        for path in self.walk_folder("versions"):
            record = self.read(path)
            if isinstance(record, Landing):
                yield record

    def last_number(self, table: str, scope: Scope) -> int:
        """Return the greatest number among the done records below a scope's label; 0 for none.

        Numbers rise over all units of a label, so that they order the units of one scope.
        """
        folder = self.root / "units" / table / scope.label
        return max((max(_numbers(unit), default=0) for unit in _folders(folder)), default=0)

    def last_expired(self, table: str) -> int:
        """Return the greatest number among a table's records of expiry; 0 for none."""
        return max(_numbers(self.root / "expired" / table), default=0)

    def last_voided(self, table: str) -> int:
        """Return the greatest number among a table's records of repairs; 0 for none."""
        return max(_numbers(self.root / "voided" / table), default=0)

    def last_check(self, run: str) -> int:
        """Return the greatest number among a run's records of checks; 0 for none."""
        return max(_numbers(self.root / checks_folder(run)), default=0)

    def last_dataset(self, source: str, dataset: str) -> int:
        """Return the greatest number among the records of a dataset's facts; 0 for none."""
        return max(_numbers(self.root / datasets_folder(source, dataset)), default=0)

    def quarantine_path(self, unit: Unit) -> Path | None:
        """Return the file of the rows that a unit refused, if it refused any."""
        folder = self.root / "quarantine" / unit_path(unit)
        last = max(_numbers(folder, ".parquet"), default=0)
        return folder / f"{last}.parquet" if last else None

    def add_quarantine(self, unit: Unit, data: bytes) -> Path:
        """Write the file of a unit's refused rows, and return where it lies.

        The same bytes as the last time are not written again; others become the ones that count.
        """
        folder = self.root / "quarantine" / unit_path(unit)
        while True:
            path = self.quarantine_path(unit)
            if path is not None and _holds(path, data):
                return path
            number = int(path.stem) + 1 if path else 1
            path = folder / f"{number}.parquet"
            if files.write_once(
                path,
                data,
                boundary=self._boundary,
                step="quarantine",
                temporary_folder=self.scratch.folder,
            ):
                return path

    def damaged(self, landings: Iterator[Landing] | None = None) -> Iterator[Damage]:
        """Yield the objects of these versions (of all) that are gone or not what they were.

        Reads every byte of them once.
        """
        checked: set[str] = set()
        for landing in self.all_versions() if landings is None else landings:
            if landing.sha256 not in checked:
                checked.add(landing.sha256)
                path = self.object_path(landing.sha256)
                if reason := _damage(path, landing.sha256, landing.size_bytes):
                    yield Damage(landing.sha256, path, reason)

    def set_aside(self, damage: Damage) -> Path | None:
        """Move a damaged object away, so that the same bytes can land again.

        Returns:
            Where it lies now, or None when it was gone.
        """
        return self.move_aside(damage.path) if damage.path.exists() else None

    def move_aside(self, path: Path) -> Path:
        """Move a damaged file of the store to its folder `damaged`, and return where it is now."""
        folder = self.root / "damaged"
        files.make_folders(folder)
        aside = folder / f"{path.name}-{self.scratch.path('x').name[:8]}"
        with translated(path, "set aside"):
            path.rename(aside)
        files.fsync_folder(path.parent)
        return aside

    def walk_folder(self, folder: str) -> Iterator[str]:
        """Yield the paths of the records below one folder of the store, in order."""
        above = len(str(self.root)) + 1
        for path in files_below(self.root / folder):
            if RECORD_NAME.fullmatch(path.name):
                yield str(path)[above:]


def _numbers(folder: Path, suffix: str = ".json") -> list[int]:
    stems = (name.removesuffix(suffix) for name in names(folder) if name.endswith(suffix))
    return [int(stem) for stem in stems if stem.isascii() and stem.isdigit()]


def _folders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in entries(folder) if entry.is_dir()]


def _check_size(path: Path, size_bytes: int) -> None:
    with reading(path):
        found = path.stat().st_size
    if found != size_bytes:
        raise CorruptFileError(
            f"{path} has {found} bytes where {size_bytes} were fetched. Run the command again."
        )


def _holds(path: Path, data: bytes) -> bool:
    with reading(path):
        return path.stat().st_size == len(data) and path.read_bytes() == data


def _damage(path: Path, sha256: str, size_bytes: int) -> str:
    if not path.exists():
        return "it is missing"
    with reading(path):
        found = path.stat().st_size
        if found != size_bytes:
            return f"it has {found} bytes, not {size_bytes}"
        if hash_file(path) != sha256:
            return differs(sha256)
    return ""
