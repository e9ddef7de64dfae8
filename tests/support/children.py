"""Loads of a small market in processes of their own, which a test may kill on the way.

Children come from a server process that has imported all that is heavy and has started no thread,
so that each begins in milliseconds and with locks that nobody holds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ingot.storage.fs.fault_points import undisturbed
from tests.support.world import MONDAY, World, at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from ingot.app.context.report import LoadReport
    from ingot.storage.fs.fault_points import Boundary

PRELOADED = [
    "duckdb",
    "exchange_calendars",
    "polars",
    "pyarrow.parquet",
    "ingot.app.lake",
    "ingot.app.pipeline.backfill",
    "ingot.connectors.massive.flatfiles.folder",
    "ingot.connectors.massive.flatfiles.parse",
    "ingot.connectors.sessions.build",
    "ingot.connectors.sessions.source",
    "tests.support.fingerprint",
    "ingot.simulator.simulate",
    "ingot.storage.iceberg.write.changes",
    "ingot.storage.ledger.ops_projection",
    "ingot.storage.landing.quarantine",
    "ingot.storage.iceberg.catalog.lake_catalog",
    "ingot.storage.iceberg.write.staged_file",
]
LONGEST_S = 120.0
TUESDAY = MONDAY + timedelta(days=1)
DEFECTS: Mapping[int, Mapping[date, Collection[str]]] = {
    1: {MONDAY: {"inf_value"}},
    2: {TUESDAY: {"malformed_number", "duplicate_rows_conflicting"}},
}
"""By stage, so that loads keep refused rows of both layers, too."""
KILLED = -signal.SIGKILL


def small_world(folder: Path, vendor: Path | None = None) -> World:
    """Return the smallest market that has all: two days of minutes and of days."""
    return World(folder, symbols=20, end=MONDAY + timedelta(days=2), vendor=vendor)


def publish(world: World, stage: int) -> None:
    """Have the vendor publish a stage with a few bad rows."""
    world.publish(stage, defects=DEFECTS[stage])


@dataclass
class Counting:
    """A boundary that only remembers the points it was told."""

    seen: list[str] = field(default_factory=list)

    def __call__(self, point: str) -> None:
        self.seen.append(point)


@dataclass
class Killing:
    """A boundary at whose n-th point (from 1) the process is gone, as by kill -9."""

    at: int
    _left: int = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._left = self.at

    def __call__(self, point: str) -> None:
        del point
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Overtaken:
    """A boundary at whose n-th point (from 1) others do their work, while the process waits."""

    at: int
    others: Callable[[], object]
    _seen: int = field(init=False, default=0)

    def __call__(self, point: str) -> None:
        del point
        self._seen += 1
        if self._seen == self.at:
            self.others()


def load(world: World, stage: int, *, kill_at: int | None = None, **changes: Any) -> LoadReport:
    """Load what stage `stage` has published, at its hour."""
    boundary: Boundary = undisturbed if kill_at is None else Killing(kill_at)
    return world.backfill(at(stage), boundary=boundary, **changes)


def build(world: World, stage: int) -> LoadReport:
    """Refine what is loaded, at the hour of a stage."""
    return world.build(at(stage))


def start(work: Callable[..., LoadReport], *args: Any, **kwargs: Any) -> BaseProcess:
    """Begin `work` in a child whose exit code is that of the work's report."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    child = context.Process(target=_exit_with, args=(work, args, kwargs), daemon=True)
    child.start()
    return child


def _exit_with(
    work: Callable[..., LoadReport], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    sys.exit(work(*args, **kwargs).exit_code)


def end_of(child: BaseProcess, *, kill_after_s: float | None = None) -> int:
    """Wait for a child, or kill it after some seconds; return its exit code."""
    if kill_after_s is not None:
        child.join(kill_after_s)
        child.kill()
    child.join(LONGEST_S)
    assert child.exitcode is not None, "the child still runs"
    return child.exitcode
