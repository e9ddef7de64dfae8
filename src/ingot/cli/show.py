"""How answers, reports and progress look on a terminal; rows to stdout, all else to stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ingot.app.report import Result
from ingot.cli.choices import Format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.app.parts import Parts
    from ingot.app.report import DayResult, LoadReport
    from ingot.query.answer import Answer

_BINARY = {Format.PARQUET, Format.ARROW}


def rows(answer: Answer, *, form: Format, out: Path | None) -> None:
    """Write an answer's rows to `out` or stdout, and its notices to stderr."""
    for text in answer.notices:
        notice(text)
    if out is not None:
        answer.write(out, form.value)
        notice(f"{len(answer):,} rows written to {out}")
    elif form in _BINARY:
        if sys.stdout.isatty():
            notice(f"{form.value} is binary: name a file with --out, or pipe it on")
            return
        answer.write(sys.stdout.buffer, form.value)
    else:
        answer.write(sys.stdout.buffer, form.value)
        sys.stdout.flush()


def notice(text: str) -> None:
    """Tell a person something that is no part of the answer."""
    sys.stderr.write(f"note: {text}\n")


def report(parts: Parts, found: LoadReport) -> None:
    """Print the closing table of a run: what was loaded, and what failed and what to do."""
    if found.days:
        from ingot.app.summary import summary

        summary(parts, found).write(sys.stderr.buffer)
    else:
        sys.stderr.write(f"nothing new, changed or stale ({found.seconds:.1f} s)\n")
    for text in found.notices:
        notice(text)
    for error in found.errors:
        sys.stderr.write(f"error: {error}\n")
    for line in _troubles(found.days):
        sys.stderr.write(f"{line}\n")
    sys.stderr.write(f"run {found.run}: {found.rows:,} rows in {found.seconds:.1f} s\n")


def _troubles(days: tuple[DayResult, ...]) -> Iterator[str]:
    """Yield a line per day that is not loaded; equal troubles of a dataset are one line."""
    alike: dict[tuple[str, str, Result], list[DayResult]] = {}
    for day in days:
        if day.error is not None:
            told = "" if day.result is Result.MISSING else day.advice
            alike.setdefault((day.dataset, told, day.result), []).append(day)
    for (dataset, _, result), troubled in alike.items():
        first, last = troubled[0], troubled[-1]
        when = str(first.date)
        if len(troubled) > 1:
            when = f"{len(troubled)} days from {first.date} to {last.date}"
        yield f"{result.value}: {dataset} {when}: {last.advice}"
