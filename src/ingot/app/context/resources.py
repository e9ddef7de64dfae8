"""What the machine has, and how much of it a run takes."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ingot.config import Settings

_MIB: Final = 1024 * 1024
_PARSE_MIB: Final = 350
"""Memory of one file being parsed beside the first, measured with full-size days."""
_BASE_MIB: Final = 300
"""The process itself with its libraries."""
_MIN_ENGINE_MIB: Final = 256
_DAYS_WORTH_PARALLEL: Final = 2


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found: cores and memory as this process may use them (container limits included)."""

    cores: int
    memory_bytes: int
    available_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What was chosen, and why."""

    machine: Machine
    strategy: str
    """sequential or parallel."""
    workers: int
    """Files parsed at once."""
    memory_budget_mb: int
    engine_memory_mb: int
    engine_threads: int
    commit_days: int
    commit_seconds: int
    why: str


def look(root: Path) -> Machine:
    """Return what this process may use now, on the disk that holds `root`."""
    total, available = _memory()
    existing = next(p for p in (root, *root.parents) if p.exists())
    return Machine(
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        memory_bytes=total,
        available_bytes=available,
        disk_free_bytes=shutil.disk_usage(existing).free,
    )


def choose(
    machine: Machine, settings: Settings, *, strategy: str, workers: int | None, days: int
) -> Profile:
    """Return how to run `days` days of work on `machine`.

    The memory budget is the setting, or half of what is available. Workers are as many as cores
    and budget allow; one day, one core or a small budget means one after the other.
    """
    budget = settings.memory_budget_mb or machine.available_bytes // 2 // _MIB
    affordable = max(1, 1 + (budget - _BASE_MIB - _PARSE_MIB) // _PARSE_MIB)
    wanted = workers or settings.workers or machine.cores
    requested = settings.strategy if strategy == "auto" else strategy
    if settings.engine == "spark":
        wanted = 1  # one session of Spark works on a unit with all that it has
    chosen, why = _strategy(requested, days=days, cores=machine.cores, affordable=affordable)
    count = 1 if chosen == "sequential" else max(1, min(wanted, affordable))
    return Profile(
        machine=machine,
        strategy=chosen,
        workers=count,
        memory_budget_mb=budget,
        engine_memory_mb=max(_MIN_ENGINE_MIB, budget - _BASE_MIB),
        engine_threads=machine.cores,
        commit_days=settings.commit_days,
        commit_seconds=settings.commit_seconds,
        why=why,
    )


def _strategy(requested: str, *, days: int, cores: int, affordable: int) -> tuple[str, str]:
    if requested != "auto":
        return requested, "as requested"
    if days < _DAYS_WORTH_PARALLEL:
        return "sequential", "one day of work"
    if cores == 1:
        return "sequential", "one core"
    if affordable == 1:
        return "sequential", "the memory budget holds one file at a time"
    return "parallel", f"{cores} cores and a memory budget for {affordable} files at once"


def _memory() -> tuple[int, int]:
    """Return total and available bytes, the smaller of machine and container limit."""
    total, available = _meminfo()
    limit = _number(Path("/sys/fs/cgroup/memory.max"))
    used = _number(Path("/sys/fs/cgroup/memory.current"))
    if limit is not None and limit < total:
        return limit, min(available, max(0, limit - (used or 0)))
    return total, available


def _meminfo() -> tuple[int, int]:
    path = Path("/proc/meminfo")
    if path.is_file():
        lines = (line.split() for line in path.read_text().splitlines())
        sizes = {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines}
        return sizes["MemTotal"], sizes.get("MemAvailable", sizes["MemFree"])
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return total, total // 2


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
