"""Puts right what can be rebuilt from the landing store, and says what cannot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.listed import listed
from ingot.app.run import project
from ingot.tables.catalog import ALL_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.app.parts import Parts
    from ingot.query.answer import Answer


_VERIFIED: Final = "landed bytes verified"


def repair(parts: Parts, *, delete_orphans: bool) -> Answer:
    """Rebuild state.db, verify landed bytes, undo rolled-back units, rebuild ops.*, find orphans.

    Returns one row per step with what was found. Data files are deleted only when asked, and only
    those that no snapshot refers to and that are a day old.
    """
    columns = (("step", pa.string()), ("found", pa.int64()), ("note", pa.string()))
    return listed(parts, columns, list(_steps(parts, delete_orphans=delete_orphans)))


def found_damage(repaired: Answer) -> bool:
    """Return True if landed bytes were lost or changed: a person has to see that."""
    rows = repaired.to_arrow().to_pylist()
    return any(row["step"] == _VERIFIED and row["found"] for row in rows)


def _steps(parts: Parts, *, delete_orphans: bool) -> Iterator[tuple[str, int, str]]:
    records = parts.ledger.rebuild()
    yield "state.db rebuilt", records, "records in the landing store"
    damaged = parts.ledger.mend()
    names = ", ".join(d.sha256[:12] for d in damaged[:5])
    yield _VERIFIED, len(damaged), f"damaged, set aside: {names}" if damaged else ""
    undone = 0
    for table in ALL_TABLES:
        head = parts.tables.pointer(table)
        undone += len(
            parts.ledger.void(table.name, partial(parts.tables.ancestors, table), head=head)
        )
    yield "units undone by a rollback", undone, "run: ingot build" if undone else ""
    yield "months of ops tables written", project(parts), ""
    orphans = 0
    for table in ALL_TABLES:
        found = (
            parts.tables.delete_orphans(table) if delete_orphans else parts.tables.orphans(table)
        )
        orphans += len(found)
    note = "deleted" if delete_orphans else "delete them with --delete-orphans"
    yield "orphan files older than a day", orphans, note if orphans else ""
