"""How the end of a load looks: a table, what failed and what to do; all of it on stderr."""

from __future__ import annotations

import sys
from contextlib import suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from ingot.app.context.report import Result
from ingot.cli.output import counted, notice
from ingot.cli.terminal import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import DayResult, LoadReport
    from ingot.cli.output import Destination


def report(parts: Parts, found: LoadReport, to: Destination | None = None) -> None:
    """Print the closing table of a run: what was loaded, and what failed and what to do.

    Args:
        parts: The lake's parts.
        found: What was done.
        to: Where the table goes, for programs; stderr with the rest by default.
    """
    with suppress(BrokenPipeError):  # the reader has gone, and the work is done
        _report(parts, found, to)


def _report(parts: Parts, found: LoadReport, to: Destination | None) -> None:
    if to is not None:
        from ingot.app.load.run_summary import summary

        to.take(summary(parts, found))
    elif found.days:
        from ingot.app.load.run_summary import summary

        table = summary(parts, found)
        if sys.stderr.isatty():
            table, _ = table.fitting(get_terminal_size().columns)
        table.write(sys.stderr.buffer)
    elif not found.errors:
        tell("nothing new, changed or stale")
    for text in found.notices:
        notice(text)
    for text in dict.fromkeys(str(error) for error in found.errors):
        tell(f"error: {text}")
    for line in _troubles(found.days):
        tell(line)
    written = f"{counted(found.rows)} written in " if found.rows else ""
    tell(f"run {found.run}: {written}{found.seconds:.1f} s")


def _troubles(days: tuple[DayResult, ...]) -> Iterator[str]:
    """Yield a line per day that is not loaded; equal troubles of a dataset are one line."""
    alike: dict[tuple[str, str, Result], list[DayResult]] = {}
    for day in days:
        if day.error is not None:
            advice = "" if day.result is Result.MISSING else day.advice
            alike.setdefault((day.dataset, advice, day.result), []).append(day)
    for (dataset, _, result), troubled in alike.items():
        first, last = troubled[0], troubled[-1]
        when = str(first.date)
        if len(troubled) > 1:
            when = f"{len(troubled)} days from {first.date} to {last.date}"
        yield f"{result.value}: {dataset} {when}: {last.advice}"
