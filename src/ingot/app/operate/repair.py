"""Puts right what can be rebuilt from the landing store, and says what cannot."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.context.answer_table import listed
from ingot.app.context.run_lifecycle import project
from ingot.errors import DamagedFileError
from ingot.storage.iceberg.catalog.sqlite import CATALOG_FILE
from ingot.storage.iceberg.maintenance import orphans
from ingot.storage.integrity import heal
from ingot.storage.integrity.scrub import is_readable
from ingot.tables import ops

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.app.context.lake_context import Parts
    from ingot.query.result.answer import Answer
    from ingot.tables.contract import Table


_NAMED: Final = 5


def repair(parts: Parts, *, delete_orphans: bool) -> Repaired:
    """Mend catalog.db, records and state.db, verify landed bytes, rebuild ops.*, find orphans.

    Returns one row per step with what was found. Files that no snapshot names, that are a day old
    and that no running process can still commit are set aside only with `delete_orphans`; such a
    run a day later deletes them.
    """
    steps = list(_steps(parts, delete_orphans=delete_orphans))
    columns = (("step", pa.string()), ("found", pa.int64()), ("note", pa.string()))
    rows = [(step.name, step.found, step.note) for step in steps]
    return Repaired(listed(parts, columns, rows), is_whole=not any(s.lost for s in steps))


@dataclass(frozen=True, slots=True)
class Repaired:
    """What each step found."""

    answer: Answer
    is_whole: bool
    """False where something is lost that only a person can bring back."""


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    found: int
    note: str = ""
    lost: int = 0


def _steps(parts: Parts, *, delete_orphans: bool) -> Iterator[_Step]:
    yield from _landing_steps(parts)
    undone = 0
    for table in parts.all_tables:
        with suppress(DamagedFileError):  # a scrub names the table, and the command that heals it
            head = parts.tables.pointer(table)
            ancestors = partial(parts.tables.ancestors, table)
            undone += len(parts.ledger.void(table.name, ancestors, head=head))
    yield _Step("units undone by a rollback", undone, "run: ingot build" if undone else "")
    damaged = tuple(_damaged_tables(parts))
    written = 0 if set(damaged) & {t.name for t in ops.TABLES} else project(parts)
    yield _Step("months of ops tables written", written)
    note = "; ".join(f"run: ingot repair --table {name}" for name in damaged)
    yield _Step("tables whose description is damaged", len(damaged), note, lost=len(damaged))
    whole = [table for table in parts.all_tables if table.name not in damaged]
    yield from _orphans(parts, whole, delete=delete_orphans)


def _orphans(parts: Parts, tables: Sequence[Table], *, delete: bool) -> Iterator[_Step]:
    """Set files aside that no snapshot names, and delete what a run a day ago set aside."""
    places = [parts.tables.workplace(table) for table in tables]
    back = sum(len(orphans.put_back(place)) for place in places)
    yield _Step("files put back", back, "a snapshot names what was set aside" if back else "")
    if not delete:
        found = sum(len(orphans.orphans(place)) for place in places)
        note = "set them aside with --delete-orphans" if found else ""
        yield _Step("orphan files older than a day", found, note)
        return
    deleted = sum(len(orphans.delete_set_aside(place)) for place in places)
    yield _Step(
        "orphan files deleted", deleted, "set aside a day ago or earlier" if deleted else ""
    )
    aside = sum(len(orphans.set_aside(place)) for place in places)
    note = "in warehouse/*/*/orphans; repair --delete-orphans deletes them after a day"
    yield _Step("orphan files set aside", aside, note if aside else "")


def _landing_steps(parts: Parts) -> Iterator[_Step]:
    """Mend what all else is rebuilt from, and the two databases that say where it is."""
    from ingot.storage.iceberg.maintenance.metadata_recovery import catalog_damage, remake_catalog

    found, lost = heal.mend_records(parts.ledger)
    note = f"lost: {', '.join(lost[:_NAMED])}" if lost else "written again from state.db"
    yield _Step("damaged records", len(found), note if found else "", lost=len(lost))
    records = parts.ledger.rebuild()
    yield _Step("state.db rebuilt", records, "records in the landing store")
    catalog = parts.root / CATALOG_FILE
    if text := catalog_damage(catalog, parts.objects):
        recorded = {d.snapshot_id for d in parts.ledger.done_all(None) if d.snapshot_id}
        kept = remake_catalog(catalog, parts.objects, recorded, parts.all_tables)
        yield _Step("catalog.db made anew", kept, f"tables kept; {text}")
    damaged = [d for d in heal.mend_objects(parts.ledger) if not _made_here(parts, d.sha256)]
    names = ", ".join(d.sha256[:12] for d in damaged[:_NAMED])
    note = f"damaged, set aside: {names}" if damaged else ""
    yield _Step("landed bytes verified", len(damaged), note, lost=len(damaged))


def _damaged_tables(parts: Parts) -> Iterator[str]:
    for table in parts.all_tables:
        if not is_readable(parts.tables.workplace(table)):
            yield table.name


def _made_here(parts: Parts, sha256: str) -> bool:
    """Make an object again that no vendor sent: the sessions of a calendar."""
    from ingot.app.refine.ensure_sessions import land_again

    found = (v for v in parts.ledger.store.all_versions() if v.sha256 == sha256)
    return any(v.source == "sessions" and land_again(parts, v) for v in found)
