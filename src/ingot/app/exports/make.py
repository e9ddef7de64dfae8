"""Exports: a query result written with all that it depends on, and written again from that."""

from __future__ import annotations

import secrets
import shutil
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import file_digest
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.context.answer_table import listed
from ingot.app.exports.provenance import manifest_of
from ingot.app.read.read_log import ReadLog
from ingot.app.read.reader import Reader
from ingot.engines.transform.transpile import is_ordered
from ingot.errors import QueryError, SnapshotGoneError
from ingot.export import lean_writer, manifest, tabular
from ingot.export.manifest import FileWritten, Manifest
from ingot.failures import translated
from ingot.folders import entries, files_below
from ingot.query.requests.bars import BarsRequest
from ingot.storage.fs.durable import fsync_file
from ingot.storage.landing.export_records import ExportRecord, ExportStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingot.app.context.lake_context import Parts
    from ingot.query.result.answer import Answer

CSV: Final = "csv"
FORMS: Final = (*tabular.FORMS, CSV, lean_writer.FORM)
"""Formats of an export."""
_BAR_ORDER: Final = ("symbol", "trade_date", "bar_start")
_INSTANT: Final = pa.timestamp("us", tz="UTC")
_COLUMNS: Final = (
    ("id", pa.string()),
    ("exported_at", _INSTANT),
    ("question", pa.string()),
    ("format", pa.string()),
    ("known_at", _INSTANT),
    ("basis", pa.string()),
    ("rows", pa.int64()),
    ("settled", pa.bool_()),
    ("snapshots", pa.int64()),
    ("pinned", pa.int64()),
    ("released_at", _INSTANT),
    ("content_hash", pa.string()),
    ("folder", pa.string()),
)


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """How a query result is exported.

    Raises:
        QueryError: The format is none of those allowed.
    """

    folder: Path
    form: str = "parquet"
    allow_unsettled: bool = False

    def __post_init__(self) -> None:
        """Refuse a format that there is none of."""
        if self.form not in FORMS:
            raise QueryError(f"format was {self.form!r}. It is one of {', '.join(FORMS)}.")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    folder: Path
    manifest: Manifest
    notices: tuple[str, ...] = ()


def export(parts: Parts, order: ExportOrder, ask: Callable[[Reader], Answer]) -> Exported:
    """Run a query at one state of each table, and write its result with a manifest.

    The snapshots that were read are pinned until the export is released.

    Args:
        parts: The lake.
        order: Where to, and in which format.
        ask: Runs one query with the reader that it is given.

    Raises:
        QueryError: The result is not settled, has no bars, the folder is in use, or the query
            is wrong.
        SnapshotGoneError: A snapshot expired while it was read.
        StorageFullError, ConfigError, StorageUnavailableError: The folder cannot be written.
    """
    if not (order.folder / manifest.FILE).is_file():
        require_empty(order.folder)
    now = parts.clock.now()
    log = ReadLog()
    still = parts.held_still(now=now, settings=parts.settings, resolver=log)
    with closing(Reader(still, log)) as reader:
        answer = ask(reader)
        if not answer.settled and not order.allow_unsettled:
            raise QueryError(_unsettled(answer))
        if not len(answer) and not order.allow_unsettled and _is_bars(log):
            raise QueryError(_no_rows(answer))
        rows = ordered_rows(log, answer)
        draft = manifest_of(parts, log, answer, rows, order.form)
    with unfinished(order.folder) as folder:
        notices = write_rows(replace(answer, data=rows), draft, folder)
        made = replace(draft, files=files_in(folder))
        _require_same(order.folder, made)
        _register(parts, made, order.folder)
        place(folder, order.folder, made)
    return Exported(order.folder, made, (*answer.notices, *notices))


def exports(parts: Parts) -> Answer:
    """Return the exports of the lake, oldest first, and how many of their snapshots are pinned."""
    rows = []
    for record in ExportStore(parts.ledger.store).all():
        made = _manifest_of(record)
        read = [t for t in made.tables if t.snapshot_id is not None]
        pinned = sum(made.tag in parts.tables.pins(parts.table(t.name)) for t in read)
        rows.append(
            (
                record.export_id,
                record.exported_at,
                _one_line(made),
                made.form,
                made.known_at,
                made.basis,
                made.rows,
                made.settled,
                len(read),
                pinned,
                record.released_at,
                made.content_hash,
                record.folder,
            )
        )
    return listed(parts, _COLUMNS, rows)


def manifests(parts: Parts) -> tuple[Manifest, ...]:
    """Return the manifests of all exports, oldest first."""
    return tuple(_manifest_of(record) for record in ExportStore(parts.ledger.store).all())


def _manifest_of(record: ExportRecord) -> Manifest:
    return manifest.from_text(record.manifest, f"The manifest of export {record.export_id}")


def release(parts: Parts, export_id: str) -> str:
    """Release an export's snapshots, so that they may expire; return what was done.

    Raises:
        QueryError: There is no such export.
    """
    store = ExportStore(parts.ledger.store)
    record = store.find(export_id)
    made = _manifest_of(record)
    freed = 0
    for read in made.tables:
        table = parts.table(read.name)
        if made.tag in parts.tables.pins(table):
            parts.tables.unpin(table, made.tag)
            freed += 1
    store.release(record.export_id, at=parts.clock.now())
    return (
        f"export {record.export_id} is released: {freed} snapshots may expire now; it can be "
        "replayed for as long as they do not"
    )


def ordered_rows(log: ReadLog, answer: Answer) -> pa.Table:
    """Return the rows in an order that does not depend on how they were read."""
    query = log.query
    data = tabular.plain(answer.to_arrow())
    if query is not None and isinstance(query.what, BarsRequest):
        first = [name for name in _BAR_ORDER if name in data.column_names]
        return data if query.what.layout == "wide" else tabular.in_order(data, first)
    if query is not None and is_ordered(str(query.what)):
        return data
    return tabular.in_order(data)


def write_rows(answer: Answer, made: Manifest, folder: Path) -> tuple[str, ...]:
    """Write an answer's rows in the manifest's format; return notices.

    Raises:
        QueryError: The format cannot hold the rows.
    """
    if made.form == lean_writer.FORM:
        asked = made.question["asked"]
        if made.question["kind"] != "bars":
            raise QueryError("LEAN takes bars, not the rows of a SELECT: ingot export bars")
        rounded = lean_writer.write(answer.to_arrow(), folder, interval=asked.get("interval"))
        return (f"{rounded} prices had more than 4 decimals and were rounded",) if rounded else ()
    path = folder / f"data.{made.form}"
    if made.form == CSV:
        answer.write(path, CSV)
    else:
        tabular.write(answer.to_arrow(), path, made.form)
    return ()


def files_in(folder: Path) -> tuple[FileWritten, ...]:
    """Return the files below a folder with their hashes, by name."""
    found = []
    for path in files_below(folder):
        with path.open("rb") as stream:
            digest = file_digest(stream, "sha256").hexdigest()
        found.append(FileWritten(path.relative_to(folder).as_posix(), digest, path.stat().st_size))
    return tuple(sorted(found, key=lambda f: f.name))


def place(unfinished: Path, folder: Path, made: Manifest) -> None:
    """Move finished files to their folder, the manifest last; all of them or none."""
    new: list[Path] = []
    try:
        with translated(folder, "write"):
            last = unfinished / manifest.FILE
            last.write_text(manifest.to_text(made), encoding="utf-8")
            for name in (*(file.name for file in made.files), manifest.FILE):
                to = folder / name
                to.parent.mkdir(parents=True, exist_ok=True)
                if not to.exists():
                    new.append(to)
                fsync_file(unfinished / name)
                (unfinished / name).replace(to)
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Return a folder inside the target; it is removed afterwards.

    Raises:
        StorageFullError, ConfigError, StorageUnavailableError: It cannot be made or written to.
    """
    made = folder / f".export.{secrets.token_hex(4)}.tmp"
    try:
        with translated(folder, "write"):
            made.mkdir(parents=True)
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def require_empty(folder: Path) -> None:
    """Refuse a folder that is not empty.

    Raises:
        QueryError: It has files, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise QueryError(f"{folder} is a file; name a folder with --out.")
    with translated(folder, "list"):
        there = [e.name for e in entries(folder) if not e.name.startswith(".export.")]
    if there:
        raise QueryError(
            f"{folder} is not empty (it holds {there[0]}). Name an empty or new folder."
        )


def _require_same(folder: Path, made: Manifest) -> None:
    """Refuse to write over another export."""
    there = folder / manifest.FILE
    if not there.is_file():
        return
    held = manifest.from_text(there.read_bytes(), there)
    if held.export_id != made.export_id:
        raise QueryError(
            f"{folder} holds the export {held.export_id}, and this one is {made.export_id}. "
            "Name another folder."
        )


def _register(parts: Parts, made: Manifest, folder: Path) -> None:
    store = ExportStore(parts.ledger.store)
    text = manifest.to_text(made)
    for read in made.tables:
        table = parts.table(read.name)
        if read.snapshot_id is not None and read.snapshot_id not in parts.tables.snapshots(table):
            raise SnapshotGoneError(read.name, read.snapshot_id)
    store.add(made.export_id, text, at=parts.clock.now(), folder=str(folder))
    for read in made.tables:
        if read.snapshot_id is not None:
            parts.tables.pin(parts.table(read.name), read.snapshot_id, made.tag)


def _one_line(made: Manifest) -> str:
    """Return the query on one line."""
    asked = made.question["asked"]
    if isinstance(asked, str):
        return " ".join(asked.split())[:200]
    symbols = " ".join(asked.get("symbols", ())) or "every symbol"
    span = f"{asked['start']['date']}..{asked['end']['date']}"
    return f"bars {symbols} {asked['interval']} {span}"[:200]


def _is_bars(log: ReadLog) -> bool:
    return log.query is not None and isinstance(log.query.what, BarsRequest)


def _no_rows(answer: Answer) -> str:
    why = "; ".join(answer.notices) or "no bars in the span"
    return (
        f"The result has no rows, so it was not exported: {why}. Name symbols and dates that have "
        "bars, or insist with --allow-unsettled."
    )


def _unsettled(answer: Answer) -> str:
    why = next((n for n in answer.notices if n.startswith("not settled")), "not settled")
    return (
        f"The result is {why}. Its rows may change, so it was not exported: refine first, query as "
        "known earlier with --known-at, or insist with --allow-unsettled."
    )
