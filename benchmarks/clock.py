"""Time and memory of one step, printed as one JSON line that the runner reads."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def peak_mb() -> float:
    """Return this process's peak memory in MB."""
    scale = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def cpu_s() -> float:
    """Return the processor seconds that this process has used, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def tell(step: str, **figures: float) -> None:
    """Print one step's figures for the runner."""
    line = {"step": step, "peak_mb": round(peak_mb()), **figures}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


@contextmanager
def timed(step: str, *, rows: int = 0) -> Iterator[dict[str, float]]:
    """Time a block; it may put more figures (`rows`, `bytes`) into what is yielded.

    `cpu` is of this process alone; a step that works in another one sets it to 0, unknown.
    """
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
    for i in range(times):
        began = time.perf_counter()
        work(i)
        seconds.append(time.perf_counter() - began)
    tell(
        step,
        seconds=round(statistics.median(seconds), 5),
        best=round(min(seconds), 5),
        worst=round(max(seconds), 5),
    )
