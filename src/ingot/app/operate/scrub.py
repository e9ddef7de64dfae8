"""Reads a lake whole and compares each file with what is recorded about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.context import parallel
from ingot.app.context.answer_table import listed
from ingot.errors import IngotError
from ingot.model.check_record import SCRUB, CheckResult
from ingot.model.progress import StepAdvanced, StepEnded, StepStarted, silent
from ingot.storage.iceberg.catalog.sqlite import CATALOG_FILE
from ingot.storage.integrity import heal as mending
from ingot.storage.integrity import scrub
from ingot.storage.integrity.scrub import Kind, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from ingot.app.context.lake_context import Parts
    from ingot.model.progress import Progress
    from ingot.query.result.answer import Answer
    from ingot.tables.contract import Table

_READERS: Final = 2
_MB: Final = 1_000_000
_MOST_EXAMPLES: Final = 20
_ONE_DAY: Final = timedelta(days=1)
_COLUMNS: Final = (
    ("kind", pa.string()),
    ("table", pa.string()),
    ("first", pa.date32()),
    ("last", pa.date32()),
    ("path", pa.string()),
    ("found", pa.string()),
    ("heal", pa.string()),
)


@dataclass(frozen=True, slots=True)
class ScrubRequest:
    """What to read; half-open dates."""

    table: str | None = None
    """None reads the landing store, catalog.db and state.db too."""
    start: date | None = None
    end: date | None = None
    rate_mb_s: float | None = None
    """Most megabytes a second; None reads as fast as the disk gives."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One damaged or missing file."""

    target: Target
    found: str

    @property
    def heal(self) -> str:
        """The command that heals it."""
        target = self.target
        if target.kind is Kind.OBJECT:
            return "ingot repair; then ingest from its source again, or restore it from a backup"
        if target.table is None:
            return "ingot repair"
        command = f"ingot repair --table {target.table}"
        if target.kind in {Kind.DATA, Kind.QUARANTINE} and _is_day(target.first, target.last):
            return f"{command} --from {target.first} --to {target.last}"
        return command


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What a scrub found."""

    findings: tuple[Finding, ...]
    files: int
    size_bytes: int
    not_hashed: int
    """Files of older lakes and other writers: decoded to their end instead."""
    seconds: float

    def answer(self, parts: Parts) -> Answer:
        """Return a row per damaged file, and how fast the reading was."""
        rows = [
            (f.target.kind, f.target.table, *_dates(f.target), _shown(parts, f), f.found, f.heal)
            for f in self.findings
        ]
        rate = self.size_bytes / _MB / max(self.seconds, 1e-9)
        read = f"{self.size_bytes / _MB:,.1f} MB read in {self.seconds:.1f} s ({rate:,.0f} MB/s)"
        notices = [f"{self.files:,} files, {read}; {len(self.findings)} damaged or missing"]
        if self.not_hashed:
            notices.append(f"{self.not_hashed:,} files are not hashed; they were decoded instead")
        return listed(parts, _COLUMNS, rows, notices=notices)


def scrub_lake(parts: Parts, request: ScrubRequest, *, progress: Progress = silent) -> Scrubbed:
    """Read every file of the request and return those that are not what was written.

    The result is kept in ops.checks under the rule `scrub`; `ingot status` shows it. Memory
    stays below some 10 MB beside one entry per file.

    Raises:
        QueryError: There is no such table.
    """
    started, began = parts.clock.now(), monotonic()
    findings = [] if request.table else list(_databases_and_records(parts))
    broken_catalog = any(f.target.kind is Kind.CATALOG for f in findings)
    targets = [] if broken_catalog else _targets(parts, request)
    pace = _Pace(request.rate_mb_s)
    step = "scrub"
    progress(StepStarted(step, sum(_size(t) for t in targets), "bytes"))

    def advance(count: int) -> None:
        pace.wait(count)
        progress(StepAdvanced(step, count))

    def look(target: Target) -> str:
        return scrub.damage(target, advance)

    with parallel.map_ahead(look, targets, workers=_READERS) as looked_at:
        findings += [Finding(target, found) for target, found in looked_at if found]
    progress(StepEnded(step))
    scrubbed = Scrubbed(
        findings=tuple(sorted(findings, key=partial(_order, [t.name for t in parts.all_tables]))),
        files=len(targets),
        size_bytes=pace.total,
        not_hashed=sum(t.sha256 is None and t.kind is not Kind.QUARANTINE for t in targets),
        seconds=monotonic() - began,
    )
    _keep(parts, request, scrubbed, started)
    return scrubbed


def table_findings(
    parts: Parts, table: Table, start: date | None, end: date | None
) -> tuple[Finding, ...]:
    """Return what is damaged of one table: what `ingot repair --table` has to make again."""
    request = ScrubRequest(table.name, start, end)
    found = ((t, scrub.damage(t, lambda _: None)) for t in _targets(parts, request))
    return tuple(Finding(target, text) for target, text in found if text)


class _Pace:
    """Counts bytes, and holds readers back to a rate."""

    def __init__(self, rate_mb_s: float | None) -> None:
        self._bytes_per_s = rate_mb_s * _MB if rate_mb_s else None
        self._lock = Lock()
        self._began = monotonic()
        self.total = 0

    def wait(self, count: int) -> None:
        with self._lock:
            self.total += count
            due = self._began + self.total / self._bytes_per_s if self._bytes_per_s else 0.0
        if (ahead_s := due - monotonic()) > 0:
            sleep(ahead_s)


def _databases_and_records(parts: Parts) -> Iterator[Finding]:
    from ingot.storage.iceberg.maintenance.metadata_recovery import catalog_damage

    if text := catalog_damage(parts.root / CATALOG_FILE, parts.objects):
        yield Finding(Target(Kind.CATALOG, parts.objects, CATALOG_FILE), text)
    for name, text in mending.damaged_records(parts.ledger):
        yield Finding(Target(Kind.RECORD, parts.ledger.store.objects, name), text)
    if text := mending.state_damage(parts.ledger):
        yield Finding(Target(Kind.STATE, parts.objects, parts.ledger.state.path.name), text)


def _targets(parts: Parts, request: ScrubRequest) -> list[Target]:
    tables = [parts.table(request.table)] if request.table else parts.all_tables
    found = [t for table in tables for t in scrub.table_files(parts.tables.workplace(table))]
    if request.table is None:
        found += scrub.landed_objects(parts.ledger.store)
    try:
        dones = [d for t in tables for d in parts.ledger.done_all(t.name)]
        found += scrub.quarantine_files(parts.ledger.store, dones)
    except IngotError:
        pass  # state.db cannot be built while a record is damaged, which is a finding of its own
    return [target for target in found if _touches(target, request)]


def _touches(target: Target, request: ScrubRequest) -> bool:
    if target.first is None or target.last is None:
        return True
    return not (
        (request.start is not None and target.last < request.start)
        or (request.end is not None and target.first >= request.end)
    )


def _order(names: Sequence[str], finding: Finding) -> tuple[int, str]:
    """Return what puts findings in the order in which they are healed: as data flow."""
    table = finding.target.table
    return (names.index(table) if table in names else -1, finding.target.place)


def _size(target: Target) -> int:
    if target.size_bytes is not None:
        return target.size_bytes
    return target.objects.size(target.name) or 0


def _dates(target: Target) -> tuple[date | None, date | None]:
    """Return the span of a target where it says anything."""
    known = _is_day(target.first, target.last)
    return (target.first, target.last) if known else (None, None)


def _is_day(first: date | None, last: date | None) -> bool:
    return first is not None and last is not None and first > date.min and last < date(9999, 1, 1)


def _shown(parts: Parts, finding: Finding) -> str:
    return finding.target.place.removeprefix(f"{parts.root}/")


def _keep(parts: Parts, request: ScrubRequest, scrubbed: Scrubbed, started: datetime) -> None:
    """Keep the result, unless what keeps it is damaged itself."""
    examples = [
        {"kind": f.target.kind, "path": _shown(parts, f), "found": f.found}
        for f in scrubbed.findings[:_MOST_EXAMPLES]
    ]
    result = CheckResult(
        rule=SCRUB,
        dimension="accuracy",
        severity="error",
        table=request.table or "",
        start=request.start or date.min,
        end=request.end or date.max,
        checked=scrubbed.files,
        violations=len(scrubbed.findings),
        examples=json.dumps(examples),
        started=started,
        ended=parts.clock.now(),
    )
    try:
        parts.ledger.record_checked(parts.run, [result])
    except IngotError:
        return
