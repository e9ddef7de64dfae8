"""Puts right what can be rebuilt from the landing store, and says what cannot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from ingot.app.listed import listed
from ingot.app.run import project
from ingot.storage import maintenance
from ingot.tables.catalog import ALL_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.app.parts import Parts
    from ingot.query.answer import Answer


def repair(parts: Parts, *, delete_orphans: bool) -> Answer:
    """Rebuild state.db, verify landed bytes, undo rolled-back units, rebuild ops.*, find orphans.

    Returns one row per step with what was found. Files that no snapshot names, that are a day old
    and that no running process can still commit are set aside only when asked; they are deleted by
    a run that is asked for it a day later.
    """
    columns = (("step", pa.string()), ("found", pa.int64()), ("note", pa.string()))
    return listed(parts, columns, list(_steps(parts, delete_orphans=delete_orphans)))


def _steps(parts: Parts, *, delete_orphans: bool) -> Iterator[tuple[str, int, str]]:
    records = parts.ledger.rebuild()
    yield "state.db rebuilt", records, "records in the landing store"
    damaged = parts.ledger.mend()
    names = ", ".join(d.sha256[:12] for d in damaged[:5])
    yield "landed bytes verified", len(damaged), f"damaged, set aside: {names}" if damaged else ""
    undone = 0
    for table in ALL_TABLES:
        head = parts.tables.pointer(table)
        undone += len(
            parts.ledger.void(table.name, partial(parts.tables.ancestors, table), head=head)
        )
    yield "units undone by a rollback", undone, "run: ingot build" if undone else ""
    yield "months of ops tables written", project(parts), ""
    yield from _orphans(parts, delete=delete_orphans)


def _orphans(parts: Parts, *, delete: bool) -> Iterator[tuple[str, int, str]]:
    """Set files aside that no snapshot names, and delete what a run a day ago set aside."""
    places = [parts.tables.upkeep(table) for table in ALL_TABLES]
    back = sum(len(maintenance.put_back(place)) for place in places)
    yield "files put back", back, "a snapshot names what was set aside" if back else ""
    if not delete:
        found = sum(len(parts.tables.orphans(table)) for table in ALL_TABLES)
        note = "set them aside with --delete-orphans" if found else ""
        yield "orphan files older than a day", found, note
        return
    deleted = sum(len(maintenance.delete_set_aside(place)) for place in places)
    yield "orphan files deleted", deleted, "set aside a day ago or earlier" if deleted else ""
    aside = sum(len(maintenance.set_aside(place)) for place in places)
    note = "in warehouse/*/*/orphans; repair --delete-orphans deletes them after a day"
    yield "orphan files set aside", aside, note if aside else ""
