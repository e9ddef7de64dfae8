"""The landing store: immutable bytes and records, the truth from which all else is rebuilt.

    objects/<first 2 of sha256>/<sha256>      the bytes of an object
    versions/<source>/<key>/<n>.json          one version of a vendor's object
    decisions/<source>/<key>/<n>.json         the decision of a person on the held version n
    units/<table>/<unit name>/<n>.json        a unit of work was done
    quarantine/<table>/<unit name>/<n>.parquet  the rows that a unit refused; the last n counts
    expired/<table>/<n>.json                  ancestor snapshots that expiry removed
    voided/<table>/<n>.json                   done records that a repair made void
    datasets/<source>/<dataset>/<n>.json      what a dataset is; the last n counts
    clocks/<n>.json                           a person vouched for a clock that was behind
    tmp/                                      files that are not finished, by process

Every name is written once, by `put_if_absent` of an object store, and never written over.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from ingot.errors import CorruptFileError, DamagedFileError
from ingot.failures import reading, translated
from ingot.model.landing import Landing
from ingot.storage.fs.durable import Scratch
from ingot.storage.fs.fault_points import undisturbed
from ingot.storage.fs.object_store import LocalObjects
from ingot.storage.fs.os_errors import bordered
from ingot.storage.fs.sealed_names import differs, hash_stream
from ingot.storage.landing.records import (
    RECORD_FOLDERS,
    RECORD_NAME,
    NumberedDone,
    folder_of,
    from_text,
    is_canonical,
    path_of,
    safe_part,
    safe_path,
    to_text,
)
from ingot.storage.landing.verified_content import LandedBytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.model.unit import Unit
    from ingot.storage.fs.fault_points import Boundary
    from ingot.storage.fs.object_store import ObjectStore
    from ingot.storage.landing.records import Record


@dataclass(frozen=True, slots=True)
class Damage:
    """An object that versions name and whose bytes do not have the hash in its name."""

    sha256: str
    path: Path
    reason: str


@bordered
class LandingStore:
    """The landing folder of one lake; safe for any number of threads and processes."""

    def __init__(
        self, root: Path, *, boundary: Boundary = undisturbed, objects: ObjectStore | None = None
    ) -> None:
        """Name the folder; nothing is read or made before first use.

        Args:
            root: A folder of this machine, for files that are not finished.
            boundary: Called at each durable step.
            objects: What keeps bytes and records; by default the folder.
        """
        self.root = root
        self.scratch = Scratch(root / "tmp")
        self.objects = objects or LocalObjects(root, scratch=self.scratch, boundary=boundary)

    def close(self) -> None:
        """Remove this process's unfinished files."""
        self.scratch.close()

    def temporary(self, name: str) -> Path:
        """Return a fresh path for a download, on the store's file system."""
        return self.scratch.path(name)

    def object_path(self, sha256: str) -> Path:
        """Return the path of the bytes with this SHA-256 in a store on a local disk."""
        return self.root / object_name(sha256)

    def landed(self, sha256: str) -> LandedBytes:
        """Return the object with this SHA-256, which is verified as it is read."""
        return LandedBytes(self.objects, object_name(sha256), sha256)

    def add_object(self, temporary: Path, sha256: str, size_bytes: int) -> None:
        """Move finished bytes into the store.

        Bytes that are there already are left as they are; damaged ones are set aside.

        Raises:
            CorruptFileError: The file has another size.
            StorageFullError, ConfigError, StorageUnavailableError: See `failures.translated`.
        """
        name = object_name(sha256)
        _check_size(temporary, size_bytes)
        if self.objects.size(name) is not None and self._damage(sha256, size_bytes):
            self.move_aside(name)
        self.objects.put_if_absent(name, temporary, step="object")
        temporary.unlink(missing_ok=True)

    def write(self, record: Record) -> bool:
        """Write a record once; False when its name is taken, whatever it holds.

        Raises:
            LookAtDataError: A name in it is not safe as a path.
            StorageFullError, ConfigError, StorageUnavailableError: See `failures.translated`.
        """
        path = path_of(record)
        kind = path.partition("/")[0]
        return self.objects.put_if_absent(path, to_text(record).encode(), step=kind)

    def read(self, path: str, *, strict: bool = False) -> Record:
        """Return the record at `path`, which is relative to the store.

        Args:
            path: Below the store.
            strict: Also refuse bytes that are not exactly what was written, though their values
                are.

        Raises:
            DamagedFileError: It is missing, or does not hold what was written there.
        """
        text = self.objects.get(path).decode("utf-8", "replace")
        record = from_text(path, text)
        if strict and not is_canonical(text):
            where = self.objects.place(path)
            raise DamagedFileError(where, found="its text is not the one that was written")
        return record

    def has(self, path: str) -> bool:
        """Return True if there is a record at `path`, which is relative to the store."""
        return self.objects.size(path) is not None

    def walk(self) -> Iterator[str]:
        """Yield the path of every record, relative to the store, versions first."""
        for folder in RECORD_FOLDERS:
            yield from self.walk_folder(folder)

    def all_versions(self) -> Iterator[Landing]:
        """Yield every version of every key."""
        for path in self.walk_folder("versions"):
            record = self.read(path)
            if isinstance(record, Landing):
                yield record

    def next_number(self, record: Record) -> int:
        """Return the number after the greatest one in the record's folder.

        Done records are numbered over all units of a scope's label, so that their numbers order
        the units of one scope.
        """
        folder = folder_of(record)
        folders = [folder]
        if isinstance(record, NumberedDone):
            label = folder.rpartition("/")[0]
            folders = [f"{label}/{unit}" for unit in self.objects.names(label)[1]]
        return 1 + max((number for f in folders for number in self.numbers(f)), default=0)

    def quarantine_name(self, unit: Unit) -> str | None:
        """Return the name of the file of the rows that a unit refused, if it refused any."""
        folder = _quarantine_folder(unit)
        last = max(self.numbers(folder, ".parquet"), default=0)
        return f"{folder}/{last}.parquet" if last else None

    def add_quarantine(self, unit: Unit, data: bytes) -> None:
        """Write the file of a unit's refused rows.

        The same bytes as the last time are not written again; others become the ones that count.
        """
        while True:
            last = self.quarantine_name(unit)
            if last is not None and self.objects.get(last) == data:
                return
            number = int(Path(last).stem) + 1 if last else 1
            name = f"{_quarantine_folder(unit)}/{number}.parquet"
            if self.objects.put_if_absent(name, data, step="quarantine"):
                return

    def damaged(self, landings: Iterator[Landing] | None = None) -> Iterator[Damage]:
        """Yield the objects of these versions (of all) that are gone or not what they were.

        Reads every byte of them once.
        """
        checked: set[str] = set()
        for landing in self.all_versions() if landings is None else landings:
            if landing.sha256 not in checked:
                checked.add(landing.sha256)
                if reason := self._damage(landing.sha256, landing.size_bytes):
                    path = Path(self.objects.place(object_name(landing.sha256)))
                    yield Damage(landing.sha256, path, reason)

    def set_aside(self, damage: Damage) -> Path | None:
        """Move a damaged object away, so that the same bytes can land again.

        Returns:
            Where it is now, or None when it was gone.
        """
        name = object_name(damage.sha256)
        return None if self.objects.size(name) is None else self.move_aside(name)

    def move_aside(self, name: str) -> Path:
        """Move a damaged object of the store to `damaged`, and return where it is now."""
        aside = f"damaged/{Path(name).name}-{uuid4().hex[:8]}"
        self.objects.move(name, aside)
        return Path(self.objects.place(aside))

    def walk_folder(self, folder: str) -> Iterator[str]:
        """Yield the paths of the records below one folder of the store, in order."""
        for name in self.objects.list(folder):
            if RECORD_NAME.fullmatch(name.rpartition("/")[2]):
                yield name

    def numbers(self, folder: str, suffix: str = ".json") -> list[int]:
        """Return the numbers of the files in a folder, in no order."""
        names = self.objects.names(folder)[0]
        stems = (name.removesuffix(suffix) for name in names if name.endswith(suffix))
        return [int(stem) for stem in stems if stem.isascii() and stem.isdigit()]

    def _damage(self, sha256: str, size_bytes: int) -> str:
        name = object_name(sha256)
        found = self.objects.size(name)
        if found is None:
            return "it is missing"
        if found != size_bytes:
            return f"it has {found} bytes, not {size_bytes}"
        with translated(self.objects.place(name), "read"), self.objects.open(name) as stream:
            return "" if hash_stream(stream) == sha256 else differs(sha256)


def object_name(sha256: str) -> str:
    """Return the name of the bytes with this SHA-256 in the store."""
    return f"objects/{sha256[:2]}/{sha256}"


def _quarantine_folder(unit: Unit) -> str:
    return f"quarantine/{safe_part(unit.table, 'table')}/{safe_path(unit.name, 'unit')}"


def _check_size(path: Path, size_bytes: int) -> None:
    with reading(path):
        found = path.stat().st_size
    if found != size_bytes:
        raise CorruptFileError(
            f"{path} has {found} bytes where {size_bytes} were fetched. Run the command again."
        )
