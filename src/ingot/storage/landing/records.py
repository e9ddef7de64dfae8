"""The landing store's records as values, as JSON text and as paths."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import DamagedFileError, LookAtDataError
from ingot.model.check_record import CheckResult
from ingot.model.dataset import DatasetFacts
from ingot.model.landing import Decision, KnownBasis, Landing, Outcome
from ingot.model.unit import Done, Scope, Unit, WrittenFile

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD_NAME: Final = re.compile(r"[1-9][0-9]*\.json")
"""File name of a record: its number."""
_LONGEST_PART_BYTES: Final = 255


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person said of one held version."""

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
                f"The {what} {name!r} cannot be stored: its part {part!r} {reason}. Nothing of it "
                "was landed. Have the source list it under another name, or leave it out."
            )
    return name


def _unsafe(part: str) -> str:
    if part in {"", ".", ".."}:
        return "is no name (an absolute path, or one that climbs out)"
    if not part.isprintable():
        return "holds characters that cannot be printed"
    if RECORD_NAME.fullmatch(part):
        return "reads like the file name of a version"
    if len(part.encode()) > _LONGEST_PART_BYTES:
        return f"is longer than {_LONGEST_PART_BYTES} bytes"
    return ""


def safe_part(name: str, what: str) -> str:
    """Return `name` if it is one safe part of a path.

    Raises:
        LookAtDataError: It is not.
    """
    if "/" in name:
        raise LookAtDataError(f"The {what} was {name!r}; it must not hold a slash.")
    return safe_path(name, what)


def path_of(record: Record) -> str:
    """Return the record's path below the landing store.

    Raises:
        LookAtDataError: A name in it is not safe as a path.
    """
    number = record.ordinal if isinstance(record, Landing | Decided) else record.number
    return f"{_folder_of(record)}/{number}.json"


def _folder_of(record: Record) -> str:
    match record:
        case Landing():
            folder = versions_folder(record.source, record.key)
        case Decided():
            folder = f"{safe_part(record.source, 'source')}/{safe_path(record.key, 'key')}"
            folder = f"decisions/{folder}"
        case NumberedDone():
            folder = f"units/{unit_path(record.done.unit)}"
        case Expired() | Voided():
            kind = "expired" if isinstance(record, Expired) else "voided"
            folder = f"{kind}/{safe_part(record.table, 'table')}"
        case Checked():
            folder = checks_folder(record.run)
        case NumberedDataset():
            folder = datasets_folder(record.facts.source, record.facts.name)
        case ClockAccepted():
            folder = "clocks"
    return folder


def versions_folder(source: str, key: str) -> str:
    """Return the folder of a key's versions below the landing store."""
    return f"versions/{safe_part(source, 'source')}/{safe_path(key, 'key')}"


def datasets_folder(source: str, dataset: str) -> str:
    """Return the folder of a dataset's facts below the landing store."""
    return f"datasets/{safe_part(source, 'source')}/{safe_path(dataset, 'dataset')}"


def checks_folder(run: str) -> str:
    """Return the folder of a run's checks below the landing store."""
    return f"checks/{safe_part(run, 'run')}"


def unit_path(unit: Unit) -> str:
    """Return a unit's path below `units` and `quarantine`: `<table>/<unit name>`."""
    return f"{safe_part(unit.table, 'table')}/{safe_path(unit.name, 'unit')}"


def to_text(record: Record) -> str:
    """Return the record as JSON with sorted keys, times in UTC, and a checksum of the rest."""
    body: dict[str, Any]
    match record:
        case Landing():
            body = _landing_body(record)
        case Decided():
            body = {name: getattr(record, name) for name in Decided.__slots__}
        case NumberedDone():
            body = {"number": record.number, **_done_body(record.done)}
        case Expired():
            body = {"table": record.table, "number": record.number}
            body["snapshot_ids"] = list(record.snapshot_ids)
        case Voided():
            body = {"table": record.table, "number": record.number}
            body["units"] = [list(unit) for unit in record.units]
        case Checked():
            body = {"run": record.run, "number": record.number}
            body["results"] = [_result_body(result) for result in record.results]
        case ClockAccepted():
            body = {name: getattr(record, name) for name in ClockAccepted.__slots__}
        case NumberedDataset():
            body = {"number": record.number, **_facts_body(record.facts)}
    body["checksum"] = _checksum(body)
    return json.dumps(body, default=_plain, indent=1, sort_keys=True) + "\n"


def _checksum(body: dict[str, Any]) -> str:
    """Return the SHA-256 of a record's values as JSON with sorted keys and no white space."""
    text = json.dumps(body, default=_plain, separators=(",", ":"), sort_keys=True)
    return sha256(text.encode()).hexdigest()


def done_text(done: Done) -> str:
    """Return a done record on one line; `done_of` gives it back exactly."""
    return json.dumps(_done_body(done), default=_plain, sort_keys=True)


def facts_text(facts: DatasetFacts) -> str:
    """Return the facts of a dataset on one line; `facts_of` gives them back exactly."""
    return json.dumps(_facts_body(facts), default=_plain, sort_keys=True)


def facts_of(text: str) -> DatasetFacts:
    """Return the facts of a text made by `facts_text`."""
    return _facts(json.loads(text))


def _facts_body(facts: DatasetFacts) -> dict[str, Any]:
    body = {name: getattr(facts, name) for name in DatasetFacts.__slots__}
    return {**body, "options": [list(option) for option in facts.options]}


def _facts(body: dict[str, Any]) -> DatasetFacts:
    history_from = date.fromisoformat(body["history_from"])
    options = tuple((name, value) for name, value in body["options"])
    return DatasetFacts(**{**body, "history_from": history_from, "options": options})


def result_text(result: CheckResult) -> str:
    """Return a check's result on one line; `result_of` gives it back exactly."""
    return json.dumps(_result_body(result), default=_plain, sort_keys=True)


def result_of(text: str) -> CheckResult:
    """Return the result of a text made by `result_text`."""
    return _result(json.loads(text))


def _result_body(result: CheckResult) -> dict[str, Any]:
    return {name: getattr(result, name) for name in CheckResult.__slots__}


def _result(body: dict[str, Any]) -> CheckResult:
    dates = {name: date.fromisoformat(body[name]) for name in ("start", "end")}
    instants = {name: datetime.fromisoformat(body[name]) for name in ("started", "ended")}
    return CheckResult(**{**body, **dates, **instants})


def _landing_body(landing: Landing) -> dict[str, Any]:
    body = {name: getattr(landing, name) for name in Landing.__slots__}
    return {**body, "landing_id": landing.landing_id}


def _done_body(done: Done) -> dict[str, Any]:
    body = {name: getattr(done, name) for name in Done.__slots__ if name != "unit"}
    scope = {name: getattr(done.unit.scope, name) for name in Scope.__slots__}
    unit = {"table": done.unit.table, "scope": scope, "digest": done.unit.digest}
    files = [{name: getattr(f, name) for name in WrittenFile.__slots__} for f in done.files]
    body |= {"details": dict(done.details), "unit": unit, "files": files}
    if not files:
        del body["files"]
    return body


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no zone; records hold instants")
        text = value.astimezone(UTC).isoformat(timespec="microseconds")
        return text.removesuffix("+00:00") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a record cannot hold {type(value).__name__}")


def from_text(path: str, text: str) -> Record:
    """Return the record that a file of the landing store holds.

    Args:
        path: The file's path below the landing store; its first part says what it holds.
        text: The file's text.

    Raises:
        DamagedFileError: The text is not what was written there.
    """
    try:
        body = json.loads(text)
        checksum = body.pop("checksum")
        record = _READERS[path.partition("/")[0]](body)
        belongs = path_of(record)
    except (ValueError, KeyError, TypeError, AttributeError, LookAtDataError) as exc:
        raise DamagedFileError(f"landing/{path}", found=f"{type(exc).__name__}: {exc}") from exc
    if belongs != path:
        raise DamagedFileError(f"landing/{path}", found=f"it holds the record of {belongs}")
    if checksum != _checksum(body):
        raise DamagedFileError(f"landing/{path}", found="its values do not give its checksum")
    return record


def is_canonical(text: str) -> bool:
    """Return True if the text of a record is the one that was written, white space included."""
    return json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n" == text


def done_of(text: str) -> Done:
    """Return the done record of a text made by `done_text`."""
    return _done(json.loads(text))


def _done(body: dict[str, Any]) -> Done:
    unit = body["unit"]
    scope = unit["scope"]
    return Done(
        unit=Unit(
            unit["table"],
            Scope(
                scope["source"],
                scope["dataset"],
                date.fromisoformat(scope["start"]),
                date.fromisoformat(scope["end"]),
                scope["landing_id"],
            ),
            unit["digest"],
        ),
        outcome=Outcome(body["outcome"]),
        run=body["run"],
        started=datetime.fromisoformat(body["started"]),
        ended=datetime.fromisoformat(body["ended"]),
        snapshot_id=body["snapshot_id"],
        rows_in=body["rows_in"],
        rows_out=body["rows_out"],
        rows_refused=body["rows_refused"],
        symbols=body["symbols"],
        landing_ids=tuple(body["landing_ids"]),
        reason=body["reason"],
        details=body["details"],
        code_version=body["code_version"],
        files=tuple(WrittenFile(**file) for file in body.get("files", ())),
    )


def _landing(body: dict[str, Any]) -> Landing:
    modified = body["last_modified"]
    landing = Landing(
        source=body["source"],
        dataset=body["dataset"],
        file_date=date.fromisoformat(body["file_date"]),
        key=body["key"],
        ordinal=body["ordinal"],
        sha256=body["sha256"],
        size_bytes=body["size_bytes"],
        etag=body["etag"],
        last_modified=None if modified is None else datetime.fromisoformat(modified),
        first_seen=datetime.fromisoformat(body["first_seen"]),
        known_from=datetime.fromisoformat(body["known_from"]),
        known_basis=KnownBasis(body["known_basis"]),
        rule=body["rule"],
    )
    if landing.landing_id != body["landing_id"]:
        raise ValueError(f"landing_id {body['landing_id']} does not belong to its other values")
    return landing


def _decided(body: dict[str, Any]) -> Decided:
    decision, at = Decision(body["decision"]), datetime.fromisoformat(body["at"])
    return Decided(**{**body, "decision": decision, "at": at})


def _numbered_done(body: dict[str, Any]) -> NumberedDone:
    return NumberedDone(body["number"], _done(body))


def _expired(body: dict[str, Any]) -> Expired:
    return Expired(body["table"], body["number"], tuple(body["snapshot_ids"]))


def _voided(body: dict[str, Any]) -> Voided:
    units = tuple((name, number) for name, number in body["units"])
    return Voided(body["table"], body["number"], units)


def _checked(body: dict[str, Any]) -> Checked:
    return Checked(body["run"], body["number"], tuple(map(_result, body["results"])))


def _clock_accepted(body: dict[str, Any]) -> ClockAccepted:
    instants = (datetime.fromisoformat(body[name]) for name in ("at", "first", "last"))
    return ClockAccepted(body["number"], *instants)


def _numbered_dataset(body: dict[str, Any]) -> NumberedDataset:
    return NumberedDataset(
        body["number"], _facts({name: body[name] for name in DatasetFacts.__slots__})
    )


_READERS: Final[dict[str, Callable[[dict[str, Any]], Record]]] = {
    "versions": _landing,
    "decisions": _decided,
    "units": _numbered_done,
    "expired": _expired,
    "voided": _voided,
    "checks": _checked,
    "clocks": _clock_accepted,
    "datasets": _numbered_dataset,
}
RECORD_FOLDERS: Final = tuple(_READERS)
