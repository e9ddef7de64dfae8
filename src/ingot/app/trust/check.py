"""Checks tables by rules, and the columns of what sources published by their registered schema."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.context.answer_table import listed
from ingot.app.context.run_lifecycle import project
from ingot.app.inventory.datasets import landed_datasets
from ingot.app.inventory.undecided import named, waiting
from ingot.app.read.reader import reader_of
from ingot.app.trust.rule_runner import answer_of, run_rules
from ingot.errors import QueryError
from ingot.model.landing import Outcome
from ingot.quality.checks.rules import chosen
from ingot.quality.checks.source_schemas import (
    Change,
    Field,
    Schema,
    Verdict,
    changes,
    type_name,
    verdict,
)
from ingot.quality.reconcile.compare import of_file
from ingot.quality.reconcile.file_inputs import observed_columns, read
from ingot.quality.reconcile.findings import SCHEMA
from ingot.quality.reconcile.inputs import described, parse
from ingot.quality.reconcile.refusals import refused_findings
from ingot.quality.reconcile.self_check import alone
from ingot.query.result.answer import Answer
from ingot.tables.bronze import LINEAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from ingot.app.context.lake_context import Parts
    from ingot.model.landing import Landing
    from ingot.storage.landing.verified_content import LandedBytes

_HEAD_BYTES: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_LINEAGE: Final = {column.name for column in LINEAGE}


@dataclass(frozen=True)
class Checked:
    """Rows to show, and whether anything is wrong."""

    answer: Answer
    is_clean: bool


def check(
    parts: Parts,
    *,
    table: str | None = None,
    start: date,
    end: date,
    rules: Sequence[str] = (),
) -> Checked:
    """Run the rules of a table (of all) over the trade dates in `[start, end)`.

    The results are kept in ops.checks. It is clean where no rule of severity error is broken and
    no version of the span is held.

    Raises:
        QueryError: There is no such table or rule.
    """
    if table is not None:
        parts.table(table)
    results = run_rules(parts, chosen(table, rules), start, end)
    project(parts)
    held = tuple(_held(parts, start, end))
    answer = replace(answer_of(parts, results), notices=held)
    return Checked(answer, not held and not any(r.is_error for r in results))


def _held(parts: Parts, start: date, end: date) -> Iterator[str]:
    """Yield a sentence for each held version, which the rows that were checked leave out."""
    for source, dataset in parts.ledger.datasets():
        for state in waiting(parts.ledger.states(source, dataset, start, end)):
            if state.outcome is Outcome.HELD:
                yield f"{named(state)} is held and was not checked; see: ingot landings"


def check_file(parts: Parts, text: str) -> Checked:
    """Check a file of adjusted day bars against itself: leaps of prices, stated actions.

    Raises:
        QueryError: There is no such file, it lacks a column, or its bars are narrower than a day.
        CorruptFileError: It cannot be read.
    """
    named = parse(text)
    file = read(named, described(named), parts.settings.inflate_limits)
    if missing := [c.column for c in changes(file.registered, file.observed) if _is_lost(c)]:
        raise QueryError(f"{named.path} has no column {', '.join(missing)}.")
    given = of_file(named, file)
    reader = reader_of(parts)
    found = reader.run(alone(given), {given.rows.name: given.view})
    rows = pa.concat_tables([refused_findings(given.refused, given.side, None), found.cast(SCHEMA)])
    return Checked(Answer(data=rows, known_at=parts.clock.now()), not rows.num_rows)


def _is_lost(change: Change) -> bool:
    return change.what == "removed" and change.verdict is not Verdict.FULL


def check_schemas(parts: Parts, *, start: date, end: date) -> Checked:
    """Return how the columns of landed files changed, dataset by dataset, oldest first.

    The first schema is the contract; each different header is registered when it is first seen,
    and compared with the one before. It is clean where every dataset's last schema is readable
    with the contract's, and the other way round. Reference data is left out.
    """
    rows: list[tuple[str, str, date, int, str, str, str]] = []
    clean = True
    for source, dataset in landed_datasets(parts):
        name = dataset.name
        if not dataset.per_day:
            continue  # reference data has no header in common
        fields = [c for c in dataset.bronze.columns if c.name not in _LINEAGE]
        first = Schema(source, tuple(Field(c.name, type_name(c.type), c.nullable) for c in fields))
        landings = [s.landing for s in parts.ledger.states(source, name, start, end)]
        last = first
        for number, (day, observed) in enumerate(_versions(parts, first, landings), start=2):
            found = changes(last, observed)
            what = ", ".join(f"{c.column} {c.what}" for c in found)
            columns = ", ".join(f"{f.name} {f.type}" for f in observed.fields)
            rows.append((source, name, day, number, verdict(found).value, what, columns))
            last = observed
        clean &= not changes(first, last)
    schema = (
        ("source", pa.string()),
        ("dataset", pa.string()),
        ("first_seen_in", pa.date32()),
        ("version", pa.int32()),
        ("compatibility", pa.string()),
        ("changes", pa.string()),
        ("columns", pa.string()),
    )
    notices = [] if rows else ["every header is the contract's"]
    return Checked(listed(parts, schema, rows, notices=notices), clean)


def _versions(
    parts: Parts, registered: Schema, landings: Sequence[Landing]
) -> Iterator[tuple[date, Schema]]:
    """Yield each header that differs from the one before it, with the file's date."""
    last = registered
    for landing in landings:
        head = _head(parts.ledger.landed(landing.sha256))
        fields = observed_columns(head) if head else ()
        observed = Schema(registered.source, fields)
        if fields and changes(last, observed):
            yield landing.file_date, observed
            last = observed


def _head(landed: LandedBytes) -> bytes:
    """Return whole lines from the beginning of a landed text; b"" if it is not text."""
    data = landed.head(_HEAD_BYTES)
    if data.startswith(_GZIP):
        try:
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, _HEAD_BYTES)
        except zlib.error:
            return b""
    lines, newline, _ = data.rpartition(b"\n")
    return lines + newline
