"""Times the steps of a run by the progress that it reports."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.clock import cpu_s, tell
from ingot.model.progress import StepEnded, StepStarted

if TYPE_CHECKING:
    from ingot.app.context.report import LoadReport
    from ingot.model.progress import ProgressEvent


class Steps:
    """Takes a run's progress; tells each step's seconds under a name."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._began: dict[str, tuple[float, float]] = {}
        self.seconds: dict[str, tuple[float, float]] = {}

    def __call__(self, event: ProgressEvent) -> None:
        """Take one event."""
        if isinstance(event, StepStarted):
            self._began[event.step] = time.perf_counter(), cpu_s()
        elif isinstance(event, StepEnded):
            wall, cpu = self._began[event.step]
            self.seconds[event.step] = time.perf_counter() - wall, cpu_s() - cpu

    def tell(self, report: LoadReport) -> None:
        """Print every step's seconds, and the rows of the table that it ended in."""
        rows: dict[str, int] = {}
        for day in report.days:
            if day.error is not None:
                raise day.error
            rows[f"{day.dataset} to {day.table}"] = (
                rows.get(f"{day.dataset} to {day.table}", 0) + day.rows
            )
        for step, (wall, cpu) in self.seconds.items():
            tell(
                f"{self._prefix}{step}",
                seconds=round(wall, 4),
                cpu=round(cpu, 3),
                rows=rows.get(step, 0),
            )
