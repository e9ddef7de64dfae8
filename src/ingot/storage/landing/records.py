"""The landing store's records as values, as JSON text and as paths."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ingot.errors import DamagedFileError, LookAtDataError
from ingot.model.check_record import CheckResult
from ingot.model.dataset import DatasetFacts
from ingot.model.landing import Decision, Landing
from ingot.model.unit import Done
from ingot.storage.landing.codec import dump, from_body, to_body

if TYPE_CHECKING:
    from datetime import datetime

T = TypeVar("T")

RECORD_NAME: Final = re.compile(r"[1-9][0-9]*\.json")
"""File name of a record: its number."""
_LONGEST_PART_BYTES: Final = 255


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision of a person on one held or refused version."""

    source: str
    key: str
    ordinal: int
    landing_id: int
    decision: Decision
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class NumberedDone:
    """A done record with its number, by which records of one scope are ordered."""

    number: int
    done: Done


@dataclass(frozen=True, slots=True)
class Expired:
    """Snapshots that expiry removed, though they were ancestors of the table's head."""

    table: str
    number: int
    snapshot_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Voided:
    """Done records that no longer count, because `ingot repair` makes their units again."""

    table: str
    number: int
    units: tuple[tuple[str, int], ...]
    """(unit name, number of its done record)."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks of one run found; a run may check more than once."""

    run: str
    number: int
    results: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class ClockAccepted:
    """A person vouched for a clock that was behind what the lake had recorded."""

    number: int
    at: datetime
    """What the clock showed."""
    first: datetime
    """The least and greatest recorded moments after it, which a wrong clock had made."""
    last: datetime


@dataclass(frozen=True, slots=True)
class NumberedDataset:
    """The facts of a dataset with their number; the last ones count."""

    number: int
    facts: DatasetFacts


Record = (
    Landing | Decided | NumberedDone | Expired | Voided | Checked | ClockAccepted | NumberedDataset
)


def safe_path(name: str, what: str) -> str:
    """Return `name` if it may be used as a relative path of the landing store.

    Raises:
        LookAtDataError: A part of it is empty, `.` or `..`, holds control characters, is too
            long, or reads like a record's own file name.
    """
    for part in name.split("/"):
        if reason := _unsafe(part):
            raise LookAtDataError(
                f"The {what} {name!r} cannot be stored: its part {part!r} {reason}. Have the "
                "source list it under another name, or leave it out; nothing of it was landed."
            )
    return name


def _unsafe(part: str) -> str:
    if part in {"", ".", ".."}:
        return "is not a name: the path is absolute, or leads out of the store"
    if not part.isprintable():
        return "has characters that cannot be printed"
    if RECORD_NAME.fullmatch(part):
        return "looks like the file name of a version"
    if len(part.encode()) > _LONGEST_PART_BYTES:
        return f"is longer than {_LONGEST_PART_BYTES} bytes"
    return ""


def safe_part(name: str, what: str) -> str:
    """Return `name` if it is one safe part of a path.

    Raises:
        LookAtDataError: It is not.
    """
    if "/" in name:
        raise LookAtDataError(f"The {what} was {name!r}. It must not contain a slash.")
    return safe_path(name, what)


class _Folder:
    """A folder of the store: the records in it, and the names of the folders below it."""

    def __init__(self, kind: type, **names: str) -> None:
        self.kind = kind
        self.labels = tuple(names)
        self._names = tuple(attrgetter(attribute) for attribute in names.values())

    def names_of(self, record: Record) -> tuple[str, ...]:
        """Return the names below the folder under which a record is kept."""
        return tuple(name(record) for name in self._names)


_FOLDERS: Final = {
    "versions": _Folder(Landing, source="source", key="key"),
    "decisions": _Folder(Decided, source="source", key="key"),
    "units": _Folder(NumberedDone, table="done.unit.table", unit="done.unit.name"),
    "expired": _Folder(Expired, table="table"),
    "voided": _Folder(Voided, table="table"),
    "checks": _Folder(Checked, run="run"),
    "clocks": _Folder(ClockAccepted),
    "datasets": _Folder(NumberedDataset, source="facts.source", dataset="facts.name"),
}
"""By name. The first name below a folder is one part of a path, a second may have several."""
RECORD_FOLDERS: Final = tuple(_FOLDERS)
_FOLDER_OF: Final = {folder.kind: name for name, folder in _FOLDERS.items()}


def path_of(record: Record) -> str:
    """Return the record's path below the landing store.

    Raises:
        LookAtDataError: A name in it is not safe as a path.
    """
    number = record.ordinal if isinstance(record, Landing | Decided) else record.number
    return f"{folder_of(record)}/{number}.json"


def folder_of(record: Record) -> str:
    """Return the folder of a record, below the landing store.

    Raises:
        LookAtDataError: A name in it is not safe as a path.
    """
    name = _FOLDER_OF[type(record)]
    return folder_path(name, *_FOLDERS[name].names_of(record))


def folder_path(folder: str, *names: str) -> str:
    """Return the path of a folder of records, such as `versions`, source and key.

    Raises:
        LookAtDataError: A name is not safe as a path.
    """
    checks = (safe_part, safe_path)
    labels = _FOLDERS[folder].labels
    safe = (check(name, label) for check, name, label in zip(checks, names, labels, strict=False))
    return "/".join((folder, *safe))


def to_text(record: Record) -> str:
    """Return the record as JSON with sorted keys, times in UTC, and a checksum of the rest."""
    body = to_body(record)
    if isinstance(record, Landing):
        body["landing_id"] = record.landing_id
    body["checksum"] = _checksum(body)
    return dump(body, indent=1) + "\n"


def _checksum(body: dict[str, Any]) -> str:
    """Return the SHA-256 of a record's values as JSON with sorted keys and no white space."""
    return sha256(dump(body, separators=(",", ":")).encode()).hexdigest()


def from_text(path: str, text: str) -> Record:
    """Return the record that a file of the landing store holds.

    Args:
        path: The file's path below the landing store; its first part is the kind of the record.
        text: The file's text.

    Raises:
        DamagedFileError: The text is not what was written there.
    """
    try:
        body = json.loads(text)
        checksum = body.pop("checksum")
        record: Record = from_body(_FOLDERS[path.partition("/")[0]].kind, body)
        belongs = path_of(record)
    except (ValueError, KeyError, TypeError, AttributeError, LookAtDataError) as exc:
        raise DamagedFileError(f"landing/{path}", found=f"{type(exc).__name__}: {exc}") from exc
    if isinstance(record, Landing) and record.landing_id != body.get("landing_id"):
        raise DamagedFileError(f"landing/{path}", found="its landing_id does not fit its values")
    if belongs != path:
        raise DamagedFileError(f"landing/{path}", found=f"it holds the record of {belongs}")
    if checksum != _checksum(body):
        raise DamagedFileError(f"landing/{path}", found="its values do not give its checksum")
    return record


def is_canonical(text: str) -> bool:
    """Return True if the text of a record is the one that was written, white space included."""
    return dump(json.loads(text), indent=1) + "\n" == text


def to_line(value: Done | DatasetFacts | CheckResult) -> str:
    """Return a part of a record on one line; `from_line` gives it back exactly."""
    return dump(to_body(value))


def from_line(kind: type[T], text: str) -> T:
    """Return the part of a record whose line this is."""
    return from_body(kind, json.loads(text))


done_of: Final = partial(from_line, Done)
facts_of: Final = partial(from_line, DatasetFacts)
result_of: Final = partial(from_line, CheckResult)
