"""What an export was made of, as one JSON file from which it is written again.

    {"id": ..., "question": ..., "known_at": ..., "tables": [...], "files": [...], ...}

Nothing in it tells when or where it was written, so that the same export has the same manifest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import CorruptFileError, QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE: Final = "manifest.json"
VERSION: Final = 1
_ID_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class TableRead:
    """One table that the answer read, at the state that it read."""

    name: str
    snapshot_id: int | None
    """None where the table was empty."""
    manifest_list: str
    """Location of the snapshot's own metadata file, which lives as long as the snapshot."""
    columns: int
    """How many columns the table had then."""


@dataclass(frozen=True, slots=True)
class LandingRead:
    """One version of a vendor's object that was in force and that the answer rests on."""

    landing_id: int
    source: str
    dataset: str
    file_date: date
    key: str
    ordinal: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SessionsRead:
    """The calendar that named the sessions."""

    calendar: str
    digest: str
    sha256: str
    """Of the landed object; empty while none has landed."""


@dataclass(frozen=True, slots=True)
class FileWritten:
    """One file of the export."""

    name: str
    """Relative to the manifest's folder, with forward slashes."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """One export: the question, all that its answer depends on, and what was written."""

    question: Mapping[str, Any]
    """What was asked, with every parameter, as JSON."""
    form: str
    known_at: datetime
    """The moment whose knowledge was used, UTC."""
    is_now: bool
    """True when no moment was named and `known_at` is when it was asked."""
    basis: str
    settled: bool
    tables: tuple[TableRead, ...]
    landings: tuple[LandingRead, ...]
    bound: Mapping[str, tuple[int, ...]]
    """Landings whose bronze rows were shown: `in_force`, and `history` where it was read."""
    sessions: SessionsRead
    known_rules: tuple[str, ...]
    """Ids of the rules that fixed the known times of the landings."""
    sources: tuple[str, ...]
    """Connectors that had rows."""
    settings: Mapping[str, Any]
    """Settings that shape answers."""
    transforms: Mapping[str, str]
    """Digest of the transform that makes each derived table."""
    code_version: str
    writers: Mapping[str, str]
    """Versions of the libraries that decide the bytes."""
    rows: int
    columns: tuple[tuple[str, str], ...]
    """Name and Arrow type of each column."""
    content_hash: str
    """Of the rows, whatever their format, files and order."""
    files: tuple[FileWritten, ...]

    @property
    def export_id(self) -> str:
        """16 hex digits that name the whole manifest."""
        text = json.dumps(_body(self), sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()[:_ID_DIGITS]

    @property
    def tag(self) -> str:
        """The tag that keeps its snapshots from expiry."""
        return f"export-{self.export_id}"


def to_text(manifest: Manifest) -> str:
    """Return the manifest as JSON, the same text for the same export."""
    body = {"id": manifest.export_id, **_body(manifest)}
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def from_text(text: str | bytes, what: object) -> Manifest:
    """Return the manifest that `to_text` wrote.

    Args:
        text: The file's content.
        what: How messages name it.

    Raises:
        CorruptFileError: It is no manifest, or its values do not give its id.
        QueryError: A later Ingot wrote it.
    """
    try:
        body = json.loads(text)
        named = body.pop("id")
        version = body.pop("manifest_version")
        if version != VERSION:
            raise QueryError(
                f"{what} is a manifest of version {version}; this Ingot reads version {VERSION}. "
                "Replay it with the Ingot that wrote it, or with a later one."
            )
        manifest = _manifest(body)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise CorruptFileError(f"{what} is no manifest ({type(exc).__name__}: {exc}).") from exc
    if manifest.export_id != named:
        raise CorruptFileError(
            f"{what} was changed after it was written: its values give the id "
            f"{manifest.export_id}, not {named}. Take the copy that the lake keeps: "
            f"ingot exports list"
        )
    return manifest


def _body(manifest: Manifest) -> dict[str, Any]:
    plain: dict[str, Any] = {"manifest_version": VERSION}
    return plain | {f.name: _plain(getattr(manifest, f.name)) for f in fields(manifest)}


def _plain(value: Any) -> Any:  # noqa: ANN401  # a tree of JSON
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(element) for element in value]
    if hasattr(value, "items"):
        return {key: _plain(value[key]) for key in sorted(value)}
    return value


def _manifest(body: dict[str, Any]) -> Manifest:
    body["known_at"] = datetime.fromisoformat(body["known_at"])
    body["tables"] = tuple(TableRead(**row) for row in body["tables"])
    body["landings"] = tuple(
        LandingRead(**{**row, "file_date": date.fromisoformat(row["file_date"])})
        for row in body["landings"]
    )
    body["bound"] = {name: tuple(ids) for name, ids in body["bound"].items()}
    body["sessions"] = SessionsRead(**body["sessions"])
    body["columns"] = tuple((name, kind) for name, kind in body["columns"])
    body["files"] = tuple(FileWritten(**row) for row in body["files"])
    for name in ("known_rules", "sources"):
        body[name] = tuple(body[name])
    return Manifest(**body)
