"""One process of the benchmark: started alone, its figures read line by line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parents[1]
Figures = dict[str, float]


@dataclass
class Ran:
    """What a process told, step by step, and how it ended."""

    steps: dict[str, Figures] = field(default_factory=dict)
    failure: str = ""


def run(module: str, arguments: Sequence[str], *, log: Path, timeout_s: float = 3600) -> Ran:
    """Run `python -m module` to its end and return what it told; its chatter goes to `log`."""
    command = [sys.executable, "-m", module, *arguments]
    # Compiled modules are kept, as those of an installed package are.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    ran = Ran()
    with log.open("a") as errors:
        process = subprocess.Popen(
            command,
            cwd=HERE,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout is not None  # noqa: S101 - opened as a pipe
            for line in process.stdout:
                _take(ran, line, process.pid, errors)
            code = process.wait(timeout_s)
        finally:
            process.kill()
    if code:
        ran.failure = f"{module} ended with {code}; its last words are in {log}"
    return ran


def _take(ran: Ran, line: str, pid: int, log: IO[str]) -> None:
    if not line.startswith("{"):
        log.write(line)
        return
    told = json.loads(line)
    told["peak_mb"] = max(told.get("peak_mb", 0), round(sum(_peaks_mb(pid))))
    ran.steps[told.pop("step")] = told


def _peaks_mb(pid: int) -> Iterator[float]:
    """Yield the peak memory of a process and of its live descendants (Spark's JVM is one)."""
    status = Path(f"/proc/{pid}/status")
    try:
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                yield int(line.split()[1]) / 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _peaks_mb(int(child))
    except OSError:
        return
