"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final

from ingot.cli.terminal import tell
from ingot.escaping import escaped, escaped_lines
from ingot.model.progress import Notice, StepAdvanced, StepEnded, StepStarted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.model.progress import Progress, ProgressEvent

_SECONDS_BETWEEN_LINES: Final = 5.0
_MB: Final = 1_000_000


@contextmanager
def shown() -> Iterator[Progress]:
    """Yield a receiver of progress that shows it as the terminal allows."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[done]}"),
        TextColumn("{task.fields[label]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, tuple[TaskID, _Step]] = {}

        def receive(event: ProgressEvent) -> None:
            match event:
                case StepStarted(name, total, unit):
                    step = _Step(total, unit)
                    task = bars.add_task(escaped(name), total=total, label="", done=step.text)
                    tasks[name] = task, step
                case StepAdvanced(name, count, label):
                    task, step = tasks[name]
                    step.done += count
                    bars.update(task, advance=count, label=escaped(label), done=step.text)
                case StepEnded(name):
                    bars.update(tasks[name][0], label="")
                case Notice(text):
                    note = escaped_lines(f"note: {text}")
                    bars.console.print(note, markup=False, highlight=False)

        yield receive


@dataclass
class _Step:
    """How far a step is."""

    total: int | None
    unit: str
    done: int = 0
    began: float = 0.0

    @property
    def text(self) -> str:
        """`3 of 10 days`, `1.2 of 30.5 MB`."""
        total = "?" if self.total is None else self._number(self.total)
        return f"{self._number(self.done)} of {total} {self._noun(self.total)}"

    @property
    def whole(self) -> str:
        """`10 days`, `30.5 MB`."""
        count = self.done if self.total is None else self.total
        return f"{self._number(count)} {self._noun(count)}"

    def _number(self, count: int) -> str:
        return f"{count / _MB:,.1f}" if self.unit == "bytes" else f"{count:,}"

    def _noun(self, count: int | None) -> str:
        if self.unit == "bytes":
            return "MB"
        return self.unit.removesuffix("s") if count == 1 else self.unit


class _Lines:
    """One line when a step starts, now and then while it runs, and at the end of a long one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._steps: dict[str, _Step] = {}
        self._written = monotonic()
        self._read = True

    def __call__(self, event: ProgressEvent) -> None:
        with self._lock:
            match event:
                case StepStarted(name, total, unit):
                    step = self._steps[name] = _Step(total, unit, began=monotonic())
                    self._tell(f"{name}: {step.whole}" if total is not None else name)
                case StepAdvanced(name, count, label):
                    self._advance(name, self._steps[name], count, label)
                case StepEnded(name):
                    self._end(name, self._steps.pop(name))
                case Notice(text):
                    self._tell(f"note: {text}")

    def _advance(self, name: str, step: _Step, count: int, label: str) -> None:
        step.done += count
        if monotonic() - self._written >= _SECONDS_BETWEEN_LINES:
            self._tell(f"{name}: {step.text} {label}".rstrip())

    def _end(self, name: str, step: _Step) -> None:
        seconds = monotonic() - step.began
        if seconds >= _SECONDS_BETWEEN_LINES:
            self._tell(f"{name}: {step.whole} done in {seconds:.0f} s")

    def _tell(self, text: str) -> None:
        self._written = monotonic()
        if not self._read:
            return
        try:
            tell(text)
        except BrokenPipeError:
            self._read = False  # the work goes on without a reader
