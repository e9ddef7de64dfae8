"""Writes an export again from its manifest, or says exactly what of it is gone."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from ingot.app.exports import make
from ingot.app.exports.provenance import SHAPING, writer_versions
from ingot.app.read.read_log import ReadLog, Recorded
from ingot.app.read.reader import Reader
from ingot.app.refine.steps import rules_of
from ingot.config.messages import explain
from ingot.errors import CorruptFileError, DamagedFileError, NotReplayableError, QueryError
from ingot.export import manifest, request
from ingot.model.time import Interval
from ingot.quality.content_hash import content_hash
from ingot.query.requests.bars import BarsRequest, Sources
from ingot.storage.iceberg.read.scan_planner import SnapshotPin
from ingot.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from ingot.app.context.lake_context import Parts
    from ingot.config import Settings
    from ingot.export.manifest import Manifest
    from ingot.model.calendar import Calendar
    from ingot.query.result.answer import Answer

_SHOWN = 5
_OF_SQL: Final[Mapping[str, Any]] = {
    "basis": str,
    "strict": bool,
    "known_basis": str | None,
    "params": str,
}
"""Parameters of a SELECT, with their types."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay kept."""

    folder: Path
    manifest: Manifest
    """Of what was written now."""
    kept: str
    """`bytes` where every file is the same, `content` where the rows are and the files are not."""
    notices: tuple[str, ...] = ()


def replay(parts: Parts, path: Path, folder: Path) -> Replayed:
    """Write an export again, from the snapshots that it read.

    Args:
        parts: The lake that made it, or a copy.
        path: The manifest, or the folder that holds it.
        folder: An empty or new folder.

    Raises:
        NotReplayableError: Something is gone, or the rows differ; the message says what.
        CorruptFileError: The manifest is damaged.
        QueryError: There is no manifest, a later Ingot wrote it, or the folder is in use.
    """
    made = _read(path)
    make.require_empty(folder)
    notes = tuple(_changes(parts, made))
    if gone := tuple(_gone(parts, made)):
        raise NotReplayableError(path, gone=gone, notes=notes)
    settings = _settings(parts, made)
    log = ReadLog(_recorded(parts, made))
    still = parts.held_still(
        now=made.known_at, settings=settings, resolver=log, calendar=_calendar(parts, made)
    )
    with closing(Reader(still, log)) as reader:
        try:
            answer = _run_again(reader, made)
        except NotReplayableError as error:
            raise NotReplayableError(path, gone=error.gone, notes=notes) from error
        except DamagedFileError as error:
            if Path(error.path).is_file():
                raise
            gone = (f"a data file of {error.table}: {error.path}",)
            raise NotReplayableError(path, gone=gone, notes=notes) from error
        except OverflowError as exc:
            raise CorruptFileError(
                f"{path} asks for a moment or a date that no calendar has ({exc}). Replay a "
                "manifest that Ingot wrote."
            ) from exc
        rows = make.ordered_rows(log, answer)
    if content_hash(rows) != made.content_hash:
        raise NotReplayableError(path, gone=_differences(rows, made), notes=notes)
    return _written(replace(answer, data=rows), made, folder, notes)


def _written(answer: Answer, made: Manifest, folder: Path, notes: tuple[str, ...]) -> Replayed:
    with make.unfinished(folder) as temporary:
        make.write_rows(answer, made, temporary)
        files = make.files_in(temporary)
        same = files == made.files
        present = made
        if not same:
            present = replace(
                made, files=files, writers=writer_versions(), code_version=__version__
            )
        make.place(temporary, folder, present)
    return Replayed(folder, present, "bytes" if same else "content", notes)


def _read(path: Path) -> Manifest:
    found = path / manifest.FILE if path.is_dir() else path
    try:
        return manifest.from_text(found.read_bytes(), found)
    except OSError as exc:
        raise QueryError(
            f"The manifest {found} cannot be read: {exc.strerror or exc}. Name the manifest.json "
            "of an export, or the folder that holds it."
        ) from exc


def _gone(parts: Parts, made: Manifest) -> Iterator[str]:
    """Yield what the replay needs and the lake no longer has."""
    for read in made.tables:
        table = parts.table(read.name)
        if read.snapshot_id is None:
            continue
        if read.snapshot_id not in parts.tables.snapshots(table):
            pinned = made.tag in parts.tables.pins(table)
            yield (
                f"snapshot {read.snapshot_id} of {read.name}: it has expired"
                f"{'' if pinned else ' (the export is not pinned in this lake)'}"
            )
    sessions = made.sessions
    if parts.calendar.digest != sessions.digest and _calendar(parts, made) is None:
        yield f"the sessions of {sessions.calendar} with digest {sessions.digest}"


def _changes(parts: Parts, made: Manifest) -> Iterator[str]:
    """Yield what has changed since and does not keep the pinned rows from being read."""
    digests = rules_of(parts, [parts.table(name) for name in made.transforms])
    for name, digest in made.transforms.items():
        if digests.get(name) != digest:
            yield (
                f"the transform of {name} has changed ({digest} then, {digests.get(name)} now); "
                "a rebuild would not give the old rows, the pinned snapshot has them"
            )
    lost = [v for v in made.landings if not parts.ledger.landed(v.sha256).is_there]
    for landing in lost[:_SHOWN]:
        yield (
            f"the object {landing.sha256[:16]}... of {landing.key} version {landing.ordinal} is "
            "gone from landing/objects"
        )
    if len(lost) > _SHOWN:
        yield f"{len(lost) - _SHOWN} more objects are gone from landing/objects"
    present = {"ingot": __version__, **writer_versions()}
    for name, then in {"ingot": made.code_version, **made.writers}.items():
        if present.get(name) != then:
            yield f"{name} was {then} and is {present.get(name, 'not there')}"


def _differences(rows: pa.Table, made: Manifest) -> list[str]:
    columns = tuple((field.name, str(field.type)) for field in rows.schema)
    found = [f"the rows differ: content hash {content_hash(rows)}, then {made.content_hash}"]
    if rows.num_rows != made.rows:
        found.append(f"{rows.num_rows} rows, then {made.rows}")
    if columns != made.columns:
        found.append(f"columns {columns}, then {made.columns}")
    return found


def _calendar(parts: Parts, made: Manifest) -> Calendar | None:
    """Return the sessions of then from their landed object; None where it is gone."""
    from ingot.model.session_text import parse

    if not made.sessions.sha256:
        return None
    try:
        return parse(parts.ledger.landed(made.sessions.sha256).read_bytes())
    except DamagedFileError:
        return None


def _recorded(parts: Parts, made: Manifest) -> Recorded:
    settings = _settings(parts, made)
    precedence = tuple((p.from_date, p.sources) for p in settings.source_precedence)
    return Recorded(
        pins={t.name: SnapshotPin(t.snapshot_id, t.manifest_list, t.columns) for t in made.tables},
        sources=Sources(made.sources, precedence),
        bound=made.bound,
        settled_until=None if made.settled else made.known_at,
    )


def _settings(parts: Parts, made: Manifest) -> Settings:
    """Return the lake's settings with those of then that shape answers; no others are taken.

    Raises:
        CorruptFileError: The manifest has another setting, or a wrong value.
    """
    if others := sorted(made.settings.keys() - set(SHAPING)):
        raise CorruptFileError(
            f"The manifest sets {', '.join(others)}. Only {', '.join(SHAPING)} shape an answer; "
            "replay a manifest that Ingot wrote."
        )
    try:
        then = type(parts.settings).model_validate_json(json.dumps(dict(made.settings)))
    except ValidationError as exc:
        raise CorruptFileError(
            f"A setting of the manifest is wrong: {explain(exc, {}, shown=made.settings)}"
        ) from exc
    return parts.settings.model_copy(update={n: getattr(then, n) for n in made.settings})


def _run_again(reader: Reader, made: Manifest) -> Answer:
    kinds: dict[str, type[Any]] = {"BarsRequest": BarsRequest, "Interval": Interval}
    what = request.decoded(made.question.get("asked"), kinds)
    known_at = None if made.is_now else made.known_at
    if isinstance(what, BarsRequest):
        return reader.bars(what, known_at, **_others(made, {}))
    return reader.sql(request.typed(what, str, "question"), known_at, **_others(made, _OF_SQL))


def _others(made: Manifest, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters beside the query, each of its type.

    Raises:
        CorruptFileError: There are others.
    """
    named = made.question.get("others", {})
    if not isinstance(named, dict) or (named.keys() - kinds.keys()):
        raise CorruptFileError(
            f"The manifest asks with {named!r}. Replay a manifest that Ingot wrote."
        )
    return {n: request.typed(request.decoded(v, {}), kinds[n], n) for n, v in named.items()}
