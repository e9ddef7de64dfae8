"""What an export was made of, as one JSON file from which it is written again.

    {"id": ..., "question": ..., "known_at": ..., "tables": [...], "files": [...], ...}

Nothing in it says when or where it was written, so that the same export has the same manifest.

A manifest may come from anywhere: each field's type and form is checked, unknown ones are refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003 (pydantic reads it at run time)
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from ingot.errors import CorruptFileError, QueryError

FILE: Final = "manifest.json"
VERSION: Final = 1
_ID_DIGITS: Final = 16
_SHOWN: Final = 3
_EXACT: Final = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _inside(name: str) -> str:
    """Return a name that stays in the folder it is put into."""
    parts = PurePosixPath(name).parts
    if not parts or name != "/".join(parts) or not name.isprintable():
        raise ValueError("it should be the path of a file, relative to the manifest")
    if "\\" in name or any(part in {"..", "/"} for part in parts):
        raise ValueError("it should stay in the manifest's folder")
    return name


def _query(question: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a query that is one: bars by an object, or a SELECT by its text."""
    if question.keys() != {"kind", "asked", "others"}:
        raise ValueError("it should have kind, asked and others")
    kind = dict if question["kind"] == "bars" else str
    if str(question["kind"]) not in {"bars", "sql"} or not isinstance(question["asked"], kind):
        raise ValueError("it should be bars or sql, as asked says")
    return question


_Form = Annotated[str, StringConstraints(pattern=r"^(parquet|csv|arrow|lean)\z")]
_Bound = Annotated[str, StringConstraints(pattern=r"^(in_force|history)\z")]
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}\z")]
_Sha256OrNone = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?\z")]
_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,200}\z")]
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Id = Annotated[int, Field(ge=-(2**63), lt=2**63)]


@dataclass(frozen=True, slots=True)
class TableRead:
    """One table that the query read, at the state that it read."""

    __pydantic_config__: ClassVar[ConfigDict] = _EXACT

    name: _Word
    snapshot_id: _Id | None
    """None where the table was empty."""
    manifest_list: str
    """Location of the snapshot's own metadata file, which lives as long as the snapshot."""
    columns: _Count
    """How many columns the table had then."""


@dataclass(frozen=True, slots=True)
class LandingRead:
    """One version of a vendor's object that was in force and that the result was made from."""

    __pydantic_config__: ClassVar[ConfigDict] = _EXACT

    landing_id: _Id
    source: _Word
    dataset: str
    file_date: date
    key: str
    ordinal: _Count
    sha256: _Sha256


@dataclass(frozen=True, slots=True)
class SessionsRead:
    """The calendar that named the sessions."""

    __pydantic_config__: ClassVar[ConfigDict] = _EXACT

    calendar: str
    digest: str
    sha256: _Sha256OrNone
    """Of the landed object; empty while none has landed."""


@dataclass(frozen=True, slots=True)
class FileWritten:
    """One file of the export."""

    __pydantic_config__: ClassVar[ConfigDict] = _EXACT

    name: Annotated[str, AfterValidator(_inside)]
    """Relative to the manifest's folder, with forward slashes."""
    sha256: _Sha256
    size_bytes: _Count


@dataclass(frozen=True, slots=True)
class Manifest:
    """One export: the query, all that its result depends on, and what was written."""

    __pydantic_config__: ClassVar[ConfigDict] = _EXACT

    question: Annotated[Mapping[str, Any], AfterValidator(_query)]
    """The query with every parameter, as JSON."""
    form: _Form
    known_at: AwareDatetime
    """The moment as known at which the query was answered, UTC."""
    is_now: bool
    """True when no moment was named and `known_at` is that of the query."""
    basis: str
    settled: bool
    tables: tuple[TableRead, ...]
    landings: tuple[LandingRead, ...]
    bound: Mapping[_Bound, tuple[_Id, ...]]
    """Landings whose bronze rows were shown: `in_force`, and `history` where it was read."""
    sessions: SessionsRead
    known_rules: tuple[str, ...]
    """Ids of the rules that fixed the known times of the landings."""
    sources: tuple[_Word, ...]
    """Connectors that had rows."""
    settings: Mapping[str, Any]
    """Settings that shape answers."""
    transforms: Mapping[str, str]
    """Digest of the transform that makes each derived table."""
    code_version: str
    writers: Mapping[str, str]
    """Versions of the libraries that decide the bytes."""
    rows: _Count
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
        CorruptFileError: It is not a manifest, or its values do not give its id.
        QueryError: A later Ingot wrote it.
    """
    try:
        body = json.loads(text)
        named, version = body.pop("id"), body.pop("manifest_version")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise CorruptFileError(f"{what} is not a manifest ({type(exc).__name__}: {exc}).") from exc
    if version != VERSION:
        raise QueryError(
            f"{what} is a manifest of version {version}; this Ingot reads version {VERSION}. "
            "Replay it with the Ingot that wrote it, or with a later one."
        )
    try:
        manifest = _adapter().validate_json(json.dumps(body))
        found = manifest.export_id
    except ValidationError as exc:
        raise CorruptFileError(f"{what} is not a manifest: {_faults(exc)}. {_COPY}") from exc
    except (ValueError, OverflowError, RecursionError) as exc:
        raise CorruptFileError(f"{what} is not a manifest ({exc}). {_COPY}") from exc
    if found != named:
        raise CorruptFileError(
            f"{what} was changed after it was written: its values give the id {found}, not "
            f"{named}. {_COPY}"
        )
    return manifest


_COPY: Final = "Take the copy that the lake keeps: ingot exports list"


@cache
def _adapter() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)


def _faults(error: ValidationError) -> str:
    """Return where the first fields that are wrong are, and what is wrong with each."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['msg']}"
        for fault in faults[:_SHOWN]
    )


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
