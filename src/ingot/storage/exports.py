"""Which exports a lake has made: kept in the landing store, so that they outlive state.db.

landing/exports/<id>/<n>.json     exported (with the manifest) or released; the last n counts
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import DamagedFileError, QueryError
from ingot.failures import reading
from ingot.folders import entries, names
from ingot.storage import files
from ingot.storage.border import bordered
from ingot.storage.records import RECORD_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.storage.landing import LandingStore

_FOLDER: Final = "exports"


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """One export that this lake made."""

    export_id: str
    manifest: str
    """The manifest's text, as it was written beside the data."""
    exported_at: datetime
    folder: str
    """Where the data were written, as the command named it."""
    released_at: datetime | None
    """When its snapshots were given free; None while they are pinned."""


@bordered
class ExportStore:
    """The exports of one lake; safe for any number of threads and processes."""

    def __init__(self, store: LandingStore) -> None:
        """Name the folder; nothing is read or made before first use."""
        self._store = store
        self._root = store.root / _FOLDER

    def add(self, export_id: str, manifest: str, *, at: datetime, folder: str) -> None:
        """Record an export; one that was released is in use again."""
        body = {"manifest": manifest, "exported_at": at.astimezone(UTC), "folder": folder}
        last = self._last(export_id)
        if last is None or "released_at" in last[1]:
            self._write(export_id, body)

    def release(self, export_id: str, *, at: datetime) -> None:
        """Record that an export no longer needs its snapshots; again is nothing new."""
        last = self._last(export_id)
        if last is not None and "released_at" not in last[1]:
            self._write(export_id, {"released_at": at.astimezone(UTC)})

    def all(self) -> tuple[ExportRecord, ...]:
        """Return every export, oldest first.

        Raises:
            DamagedFileError: A record is not what was written.
        """
        found = [self._record(folder) for folder in self._folders()]
        return tuple(sorted(found, key=lambda r: (r.exported_at, r.export_id)))

    def find(self, export_id: str) -> ExportRecord:
        """Return the export with this id, or whose id begins with it.

        Raises:
            QueryError: There is none, or there are several.
        """
        found = [r for r in self.all() if export_id and r.export_id.startswith(export_id)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(r.export_id for r in found[:5])
            raise QueryError(f"The id {export_id!r} begins several: {ids}. Write more of it.")
        raise QueryError(f"There is no export {export_id!r}. See them with: ingot exports list")

    def _record(self, folder: Path) -> ExportRecord:
        bodies = [self._read(path) for path in _numbered(folder)]
        made = [body for body in bodies if "manifest" in body]
        if not made:
            raise DamagedFileError(folder, found="it has no record of an export")
        released = bodies[-1].get("released_at")
        return ExportRecord(
            export_id=folder.name,
            manifest=made[-1]["manifest"],
            exported_at=datetime.fromisoformat(made[-1]["exported_at"]),
            folder=made[-1]["folder"],
            released_at=None if released is None else datetime.fromisoformat(released),
        )

    def _last(self, export_id: str) -> tuple[int, dict[str, Any]] | None:
        paths = _numbered(self._root / export_id)
        return (int(paths[-1].stem), self._read(paths[-1])) if paths else None

    def _write(self, export_id: str, body: dict[str, Any]) -> None:
        text = json.dumps(body, default=datetime.isoformat, indent=1, sort_keys=True) + "\n"
        written = False
        while not written:
            last = self._last(export_id)
            number = 1 if last is None else last[0] + 1
            written = files.write_once(
                self._root / export_id / f"{number}.json",
                text.encode(),
                step=_FOLDER,
                temporary_folder=self._store.scratch.folder,
            )

    def _read(self, path: Path) -> dict[str, Any]:
        with reading(path):
            text = path.read_bytes()
        try:
            body = json.loads(text)
        except ValueError as exc:
            raise DamagedFileError(path, found=f"it is not JSON ({exc})") from exc
        if not isinstance(body, dict):
            raise DamagedFileError(path, found="it is not the record of an export")
        return body

    def _folders(self) -> Iterator[Path]:
        folders = (Path(entry.path) for entry in entries(self._root) if entry.is_dir())
        yield from (folder for folder in folders if _numbered(folder))


def _numbered(folder: Path) -> list[Path]:
    """Return the records of an export in the order of their numbers."""
    found = [folder / name for name in names(folder) if RECORD_NAME.fullmatch(name)]
    return sorted(found, key=lambda path: int(path.stem))
