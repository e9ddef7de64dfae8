"""Damage done to the files of a lake, and the commands that a scrub names run as a person would."""

from __future__ import annotations

import shlex
import shutil
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ingot.app.operate.rebuild import RebuildRequest, rebuild
from ingot.app.operate.repair import repair
from ingot.app.operate.scrub import ScrubRequest, scrub_lake
from ingot.storage.integrity.scrub import Kind, landed_objects, quarantine_files, table_files
from ingot.tables.registry import ALL_TABLES
from tests.support.world import World, at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from ingot.app.operate.scrub import Finding

NOW = at(9)
ONE_DAY = timedelta(days=1)


def copied(world: World, folder: Path) -> World:
    """Return the world with a copy of its lake, which may be damaged."""
    shutil.copytree(world.root, folder / "lake")
    return replace(world, folder=folder, vendor=world.tree)


def files_of(world: World) -> dict[Kind, list[Path]]:
    """Return the files that a lake is made of, by kind, in a fixed order."""
    found: dict[Kind, list[Path]] = defaultdict(list)
    parts = world.parts(NOW)
    try:
        store = parts.ledger.store
        targets = [t for table in ALL_TABLES for t in table_files(parts.tables.workplace(table))]
        targets += [*landed_objects(store), *quarantine_files(store, parts.ledger.done_all(None))]
        for target in targets:
            found[target.kind].append(Path(target.place))
        found[Kind.RECORD] = [store.root / path for path in store.walk()]
    finally:
        parts.close()
    return {kind: sorted(paths) for kind, paths in found.items()}


def flip(path: Path, random: Random) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)


def delete(path: Path, _: Random) -> None:
    """Remove a file."""
    path.unlink()


def empty(path: Path, _: Random) -> None:
    """Leave a file without a byte."""
    path.write_bytes(b"")


def cut(path: Path, random: Random) -> None:
    """Cut a file short."""
    data = path.read_bytes()
    path.write_bytes(data[: random.randrange(len(data))])


def scrubbed(world: World) -> tuple[Finding, ...]:
    """Return what a scrub of the whole lake finds."""
    parts = world.parts(NOW)
    try:
        return scrub_lake(parts, ScrubRequest()).findings
    finally:
        parts.close()


def heal(world: World, findings: Iterable[Finding]) -> None:
    """Run each command that the findings name once, in their order, and load what is to load."""
    for command in dict.fromkeys(f.heal for f in findings):
        _run(world, command)


def _run(world: World, command: str) -> None:
    words = shlex.split(command.partition(";")[0])
    assert words[:2] == ["ingot", "repair"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    parts = world.parts(NOW)
    try:
        if "--table" in options:
            start, end = (_date(options.get(name)) for name in ("--from", "--to"))
            request = RebuildRequest(options["--table"], start, end and end + ONE_DAY)
            rebuild(parts, request)
        else:
            repair(parts, delete_orphans=False)
    finally:
        parts.close()
    if "ingest" in command:
        world.backfill(NOW)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
