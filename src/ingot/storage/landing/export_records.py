"""Which exports a lake has made: kept in the landing store, so that they outlive state.db.

landing/exports/<id>/<n>.json     exported (with the manifest) or released; the last n counts
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import DamagedFileError, QueryError
from ingot.storage.fs.os_errors import bordered

if TYPE_CHECKING:
    from ingot.storage.landing.store import LandingStore

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
        self._store, self._objects = store, store.objects

    def add(self, export_id: str, manifest: str, *, at: datetime, folder: str) -> None:
        """Record an export; one that was released is in use again."""
        body = {"manifest": manifest, "exported_at": at.astimezone(UTC), "folder": folder}
        last = self._last(export_id)
        if last is None or "released_at" in last:
            self._write(export_id, body)

    def release(self, export_id: str, *, at: datetime) -> None:
        """Record that an export no longer needs its snapshots; again is nothing new."""
        last = self._last(export_id)
        if last is not None and "released_at" not in last:
            self._write(export_id, {"released_at": at.astimezone(UTC)})

    def all(self) -> tuple[ExportRecord, ...]:
        """Return every export, oldest first.

        Raises:
            DamagedFileError: A record is not what was written.
        """
        ids = (i for i in self._objects.names(_FOLDER)[1] if self._numbers(i))
        found = [self._record(export_id) for export_id in ids]
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

    def _record(self, export_id: str) -> ExportRecord:
        bodies = [self._read(export_id, number) for number in self._numbers(export_id)]
        made = [body for body in bodies if "manifest" in body]
        if not made:
            where = self._objects.place(f"{_FOLDER}/{export_id}")
            raise DamagedFileError(where, found="it has no record of an export")
        released = bodies[-1].get("released_at")
        return ExportRecord(
            export_id=export_id,
            manifest=made[-1]["manifest"],
            exported_at=datetime.fromisoformat(made[-1]["exported_at"]),
            folder=made[-1]["folder"],
            released_at=None if released is None else datetime.fromisoformat(released),
        )

    def _last(self, export_id: str) -> dict[str, Any] | None:
        numbers = self._numbers(export_id)
        return self._read(export_id, numbers[-1]) if numbers else None

    def _write(self, export_id: str, body: dict[str, Any]) -> None:
        text = json.dumps(body, default=datetime.isoformat, indent=1, sort_keys=True) + "\n"
        written = False
        while not written:
            name = _name(export_id, 1 + max(self._numbers(export_id), default=0))
            written = self._objects.put_if_absent(name, text.encode(), step=_FOLDER)

    def _read(self, export_id: str, number: int) -> dict[str, Any]:
        name = _name(export_id, number)
        where = self._objects.place(name)
        try:
            body = json.loads(self._objects.get(name))
        except ValueError as exc:
            raise DamagedFileError(where, found=f"it is not JSON ({exc})") from exc
        if not isinstance(body, dict):
            raise DamagedFileError(where, found="it is not the record of an export")
        return body

    def _numbers(self, export_id: str) -> list[int]:
        return sorted(self._store.numbers(f"{_FOLDER}/{export_id}"))


def _name(export_id: str, number: int) -> str:
    return f"{_FOLDER}/{export_id}/{number}.json"
