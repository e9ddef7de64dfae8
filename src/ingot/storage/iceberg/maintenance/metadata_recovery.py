"""Makes a catalog or a table anew whose own description is damaged, and forgets lost snapshots."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote
from uuid import uuid4

from ingot.errors import IngotError
from ingot.storage.iceberg.catalog.new_tables import create_tables
from ingot.storage.iceberg.catalog.sqlite import CATALOG_NAME, SqliteCatalog
from ingot.storage.iceberg.layout.file_access import FileAccess, home_of
from ingot.storage.iceberg.read.metadata import TableState, parse_state
from ingot.tables.registry import ALL_TABLES, all_tables

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from ingot.storage.fs.object_store import ObjectStore
    from ingot.tables.contract import Table

_VERSION: Final = re.compile(r"(\d+)-.*\.metadata\.json")
_POINTERS: Final = (
    "SELECT catalog_name, table_namespace || '.' || table_name, metadata_location, "
    "previous_metadata_location, iceberg_type FROM iceberg_tables"
)
_NAMESPACES: Final = (
    "SELECT catalog_name, namespace, property_key, property_value FROM iceberg_namespace_properties"
)


def catalog_damage(path: Path, objects: ObjectStore) -> str:
    """Return what is wrong with a lake's catalog.db; empty where nothing is.

    Each value in it is compared with the tables that a lake has and with their metadata files, so
    that one changed byte of its content does not pass.

    Args:
        path: The file.
        objects: Keeps the files of the lake's tables.
    """
    if not path.is_file() or not path.stat().st_size:
        return "it is missing or empty"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
            if (found := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                return str(found)
            return _rows_damage(objects, db.execute(_POINTERS).fetchall()) or _namespaces_damage(
                db.execute(_NAMESPACES).fetchall()
            )
    except (sqlite3.Error, UnicodeDecodeError) as exc:
        return str(exc)


def _rows_damage(objects: ObjectStore, rows: Collection[tuple[str | None, ...]]) -> str:
    ours = {table.name for table in ALL_TABLES}
    found = {name: row for name, *row in ((r[1], r[0], *r[2:]) for r in rows)}
    if missing := sorted(ours - found.keys()):
        return f"it does not have the table {missing[0]}"
    damage = (_row_damage(objects, name, found[name]) for name in sorted(ours))
    return next((text for text in damage if text), "")


def _row_damage(objects: ObjectStore, name: str, row: Sequence[str | None]) -> str:
    catalog, location, previous, kind = row
    folder, file = f"{home_of(name)}/metadata", str(location).rpartition("/")[2]
    if catalog != CATALOG_NAME or kind not in {None, "TABLE"}:
        return f"its row of {name} is of {catalog}, {kind}"
    if objects.size(f"{folder}/{file}") is None:
        # The latest metadata file may be lost; a name that fits no file of the folder never was.
        there = objects.names(folder)[0]
        return "" if _was_latest(there, file) else f"its row of {name} names {file}"
    state = _state(objects, f"{folder}/{file}", name)
    if state is None:
        return ""  # the metadata file is damaged itself, which is another finding
    log = [entry["metadata-file"] for entry in state.document.get("metadata-log", ())]
    if location != f"{state.document['location']}/metadata/{file}":
        return f"its row of {name} names {location}"
    if previous is not None and previous not in log[-1:]:
        return f"its row of {name} names another former state: {previous}"
    return ""


def _was_latest(names: Collection[str], name: str) -> bool:
    """Return True if a missing metadata file can have been the one after the latest there."""
    wanted = _VERSION.fullmatch(name)
    found = [version for there in names if (version := _VERSION.fullmatch(there))]
    latest = max((int(m[1]) for m in found), default=-1)
    return wanted is not None and int(wanted[1]) == latest + 1


def _namespaces_damage(rows: Collection[tuple[str, ...]]) -> str:
    wanted = {(CATALOG_NAME, t.namespace, "exists", "true") for t in all_tables()}
    missing = sorted(wanted - set(rows))
    return f"it does not have the namespace {missing[0][1]}" if missing else ""


def _state(objects: ObjectStore, file: str, table: str) -> TableState | None:
    with suppress(IngotError, OSError):
        return parse_state(table, FileAccess.of_lake(objects, {}).read(file))
    return None


def remake_catalog(
    path: Path, objects: ObjectStore, recorded: Collection[int], tables: Sequence[Table]
) -> int:
    """Make catalog.db anew from each table's latest readable metadata file.

    The old file is kept beside it. Tables without readable metadata are made anew and empty.

    Args:
        path: The file.
        objects: Keeps the files of the lake's tables.
        recorded: Ids of the snapshots that done records name: of two states of one version, the
            one whose snapshot is among them is the one that was committed.
        tables: The tables that the lake has.

    Returns:
        How many tables kept their state.
    """
    latest = {table.name: _latest(objects, table, recorded) for table in tables}
    kept = {name: location for name, location in latest.items() if location is not None}
    if path.exists():
        path.rename(path.with_name(f"{path.name}.damaged-{uuid4().hex[:8]}"))
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    catalog = SqliteCatalog.create(path)
    try:
        create_tables(catalog, FileAccess.of_lake(objects, kept), tables, known=kept)
    finally:
        catalog.close()
    return len(kept)


def _latest(objects: ObjectStore, table: Table, recorded: Collection[int]) -> str | None:
    """Return the location of a table's latest readable metadata file."""
    folder = f"{home_of(table)}/metadata"
    found: list[tuple[int, bool, int, str]] = []
    for name in objects.names(folder)[0]:
        version = _VERSION.fullmatch(name)
        if version and (state := _state(objects, f"{folder}/{name}", table.name)):
            location = f"{state.document['location']}/metadata/{name}"
            when = objects.written_ns(f"{folder}/{name}") or 0
            found.append((int(version[1]), state.head in recorded, when, location))
    return max(found)[-1] if found else None
