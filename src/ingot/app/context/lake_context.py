"""The opened parts of one lake: what every use case needs, each opened at its first use."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from ingot.config import load_settings
from ingot.errors import ConfigError, DamagedFileError, LakeNotFoundError
from ingot.failures import translated
from ingot.folders import names
from ingot.model.time import FixedClock, SystemClock
from ingot.storage.fs.fault_points import undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ingot.config import Settings
    from ingot.model.calendar import Calendar
    from ingot.model.time import Clock
    from ingot.storage.fs.fault_points import Boundary
    from ingot.storage.fs.object_store import ObjectStore
    from ingot.storage.iceberg.read.scan_planner import SnapshotResolver
    from ingot.storage.iceberg.table_store import TableStore
    from ingot.storage.ledger.ledger import Ledger
    from ingot.tables.contract import Table

OpenReader = TypeVar("OpenReader")
MARKER = "ingot.toml"
"""The file that makes a folder a lake: its settings."""


class Parts:
    """One lake, opened lazily: a command that needs no table opens none."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        *,
        clock: Clock,
        boundary: Boundary = undisturbed,
        accept_clock: bool = False,
    ) -> None:
        self.root = root
        self.settings = settings
        self.clock = clock
        self.boundary = boundary
        self._accept_clock = accept_clock

    @cached_property
    def run(self) -> str:
        """Id of this run: its start in UTC and four random bytes."""
        return f"{self.clock.now():%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"

    @cached_property
    def ledger(self) -> Ledger:
        """What landed, what is done, what was decided."""
        from ingot.storage.ledger.ledger import Ledger

        return Ledger(self.root, boundary=self.boundary, accept_clock=self._accept_clock)

    @cached_property
    def objects(self) -> ObjectStore:
        """The files of the lake by name."""
        from ingot.storage.fs.object_store import LocalObjects

        scratch = self.ledger.store.scratch
        return LocalObjects(self.root, scratch=scratch, boundary=self.boundary)

    @cached_property
    def tables(self) -> TableStore:
        """The Iceberg tables."""
        from ingot.storage.iceberg.table_store import TableStore

        return TableStore.open(
            self.root,
            boundary=self.boundary,
            objects=self.objects,
            attempts=self.settings.commit_attempts,
            scratch=self.ledger.store.scratch,
            own=tuple(self._own_tables()),
        )

    @property
    def all_tables(self) -> tuple[Table, ...]:
        """Ingot's tables, those of installed packages, and those that this lake declares."""
        from ingot.tables.registry import all_tables

        return (*all_tables(), *self._own_tables())

    def table(self, name: str) -> Table:
        """Return the contract of the table called `name`.

        Raises:
            QueryError: There is none; the message names the nearest.
        """
        from ingot.tables.registry import table

        return table(name, self._own_tables())

    def own_names(self, suffix: str) -> tuple[str, ...]:
        """Return the names of the tables that this lake declares, without and with a suffix."""
        return tuple(t.name + end for t in self._own_tables() for end in ("", suffix))

    def _own_tables(self) -> Iterator[Table]:
        """Yield the tables that the records of this lake's datasets declare."""
        from ingot.storage.ledger import queries
        from ingot.tables.own import CONNECTOR, own_tables

        try:
            recorded = self.ledger.state.read(queries.dataset_facts).values()
        except DamagedFileError:
            return  # what needs the ledger raises it, and a scrub goes on without these tables
        for facts in recorded:
            if facts.connector == CONNECTOR:
                yield from own_tables(dict(facts.options))

    @cached_property
    def calendar(self) -> Calendar:
        """The sessions that this lake has landed, of the calendar in the settings; maybe none."""
        from ingot.model.calendar import Calendar
        from ingot.model.session_text import landed_calendar

        name = self.settings.calendar
        states = self.ledger.states("sessions", name)
        latest = max((s.landing for s in states), key=lambda v: v.ordinal, default=None)
        if latest is None:
            return Calendar.of(name, (), "none")
        return landed_calendar(self.ledger.landed(latest.sha256).read_bytes())

    def close(self) -> None:
        """Release what was opened."""
        for name in ("reader", "tables", "ledger"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()

    def keep_reader(self, make: Callable[[Parts], OpenReader]) -> OpenReader:
        """Return the one reader of this lake, made at its first use."""
        if "reader" not in self.__dict__:
            self.__dict__["reader"] = make(self)
        found: OpenReader = self.__dict__["reader"]
        return found

    def held_still(
        self,
        *,
        now: datetime,
        settings: Settings,
        resolver: SnapshotResolver,
        calendar: Calendar | None = None,
    ) -> Parts:
        """Return this lake with a fixed clock, settings, sessions and snapshots.

        It shares what this one has opened: only this one is to be closed.
        """
        still = Parts(self.root, settings, clock=FixedClock(now), boundary=self.boundary)
        still.__dict__ |= {
            "ledger": self.ledger,
            "tables": self.tables.at(resolver),
            "calendar": calendar or self.calendar,
        }
        return still

    def begin_run(self) -> None:
        """Begin a new run: later records get another run id."""
        self.__dict__.pop("run", None)

    def forget_calendar(self) -> None:
        """Read the sessions again at the next use."""
        self.__dict__.pop("calendar", None)


def open_parts(
    path: str | Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] | None = None,
    settings: Settings | None = None,
    clock: Clock | None = None,
    boundary: Boundary = undisturbed,
    accept_clock: bool = False,
) -> Parts:
    """Return the lake at `path`; `accept_clock` vouches for the clock (see `Ledger.moment`).

    Raises:
        LakeNotFoundError: There is no lake at `path`.
        ConfigError: Its settings are wrong.
    """
    root = Path(path).expanduser().resolve()
    if not (root / MARKER).is_file():
        raise LakeNotFoundError(path)
    read = settings or load_settings(root, environ, overrides or {})
    return Parts(
        root,
        read,
        clock=clock or SystemClock(),
        boundary=boundary,
        accept_clock=accept_clock,
    )


def init(path: str | Path, *, boundary: Boundary = undisturbed) -> bool:
    """Make a lake at `path`, private to its user; return False when it was one already.

    Raises:
        ConfigError: The folder holds something that is not a lake.
    """
    from ingot.config import render_default
    from ingot.storage.fs.durable import write_once
    from ingot.storage.iceberg.table_store import TableStore
    from ingot.storage.landing.store import LandingStore

    root = Path(path).expanduser().resolve()
    if root.is_file() or (root.is_dir() and not _may_become_lake(root)):
        raise ConfigError(
            f"{path} is not empty and is not a lake. Name an empty or new folder: "
            "ingot --lake FOLDER init"
        )
    with translated(root, "make"):
        root.mkdir(parents=True, exist_ok=True)
    TableStore.create(root, boundary=boundary).close()
    if (root / MARKER).is_file():
        return False
    with suppress(PermissionError):  # the folder belongs to another user, who decides
        root.chmod(0o700)
    store = LandingStore(root / "landing", boundary=boundary)
    try:
        return write_once(
            root / MARKER,
            render_default().encode(),
            boundary=boundary,
            temporary_folder=store.scratch.folder,
        )
    finally:
        store.close()


def _may_become_lake(root: Path) -> bool:
    """Return True if the folder is empty, a lake, or a lake whose `init` was cut off."""
    ours = {MARKER, "catalog.db", "state.db", "warehouse", "landing"}
    with translated(root, "list"):
        there = [name for name in names(root) if not name.startswith(".")]
    return all(name in ours or name.split(".db")[0] in {"catalog", "state"} for name in there)
