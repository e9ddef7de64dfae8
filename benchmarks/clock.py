"""Time and memory of one step, printed as one JSON line that the runner reads."""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def peak_mb() -> float:
    """Return this process's peak memory in MB."""
    scale = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def cpu_s() -> float:
    """Return the processor seconds of this process, all threads, and of its children.

    Children that live (a sandbox, Spark's JVM) are seen on Linux only.
    """
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))
    return used + sum(_cpu_of(child) for child in _children(os.getpid()))


def _cpu_of(pid: int) -> float:
    """Return the processor seconds of a live process and its descendants."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    used = sum(int(field) for field in fields[11:15])  # its own, and its ended children's
    return used / os.sysconf("SC_CLK_TCK") + sum(_cpu_of(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def tell(step: str, **figures: float) -> None:
    """Print one step's figures for the runner."""
    line = {"step": step, "peak_mb": round(peak_mb()), **figures}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


@contextmanager
def timed(step: str, *, rows: int = 0) -> Iterator[dict[str, float]]:
    """Time a block; it may put more figures (`rows`, `bytes`) into what is yielded."""
    figures: dict[str, float] = {"rows": rows}
    used, began = cpu_s(), time.perf_counter()
    yield figures
    seconds = time.perf_counter() - began
    tell(step, **{"seconds": round(seconds, 4), "cpu": round(cpu_s() - used, 3), **figures})


def repeated(step: str, work: Callable[[int], object], *, times: int = 15, warm: int = 2) -> None:
    """Time `work(i)` for i below `times`, after a warm-up on others; tell median and worst.

    No i comes twice, so that an answer kept from before is never what is timed.
    """
    for i in range(times, times + warm):
        work(i)
    seconds = []
    used = cpu_s()
    for i in range(times):
        began = time.perf_counter()
        work(i)
        seconds.append(time.perf_counter() - began)
    tell(
        step,
        seconds=round(statistics.median(seconds), 5),
        cpu=round((cpu_s() - used) / times, 5),
        best=round(min(seconds), 5),
        worst=round(max(seconds), 5),
    )
