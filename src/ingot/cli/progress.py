"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from ingot.model.progress import Notice, StepAdvanced, StepEnded, StepStarted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.model.progress import Progress, ProgressEvent

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def shown() -> Iterator[Progress]:
    """Yield a receiver of progress that shows it as the terminal allows."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[label]}"),
        TimeElapsedColumn(),
    )
    from rich.console import Console

    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def receive(event: ProgressEvent) -> None:
            match event:
                case StepStarted(step, total, unit):
                    tasks[step] = bars.add_task(f"{step} ({unit})", total=total, label="")
                case StepAdvanced(step, count, label):
                    bars.update(tasks[step], advance=count, label=label)
                case StepEnded(step):
                    bars.update(tasks[step], label="")
                case Notice(text):
                    bars.console.print(f"note: {text}")

        yield receive


class _Lines:
    """One line when a step starts, now and then while it runs, and when it ends."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._steps: dict[str, tuple[int, int | None, str]] = {}
        self._told = monotonic()

    def __call__(self, event: ProgressEvent) -> None:
        with self._lock:
            match event:
                case StepStarted(step, total, unit):
                    self._steps[step] = (0, total, unit)
                    self._tell(f"{step}: {_of(total)} {unit}")
                case StepAdvanced(step, count, label):
                    self._advance(step, count, label)
                case StepEnded(step):
                    done, _, unit = self._steps.pop(step)
                    self._tell(f"{step}: {done:,} {unit} done")
                case Notice(text):
                    self._tell(f"note: {text}")

    def _advance(self, step: str, count: int, label: str) -> None:
        done, total, unit = self._steps[step]
        self._steps[step] = (done + count, total, unit)
        if monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._tell(f"{step}: {done + count:,} of {_of(total)} {unit} {label}".rstrip())

    def _tell(self, text: str) -> None:
        self._told = monotonic()
        sys.stderr.write(text + "\n")


def _of(total: int | None) -> str:
    return "?" if total is None else f"{total:,}"
