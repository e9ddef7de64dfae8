"""How answers, reports and progress look on a terminal; rows to stdout, all else to stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ingot.app.report import Result
from ingot.cli.choices import Format

if TYPE_CHECKING:
    from pathlib import Path

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


def report(found: LoadReport) -> None:
    """Print the closing table of a run: what was loaded, and what failed and what to do."""
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True, soft_wrap=False)
    table = Table(title=f"run {found.run}", title_justify="left", box=None, pad_edge=False)
    table.add_column("table")
    table.add_column("dataset")
    for name in ("days", "rows", "refused rows", "held", "refused", "failed", "missing"):
        table.add_column(name, justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("rows/s", justify="right")
    for (name, dataset), days in _grouped(found.days).items():
        table.add_row(name, dataset, *_figures(days))
    if found.days:
        console.print(table)
    else:
        console.print(f"run {found.run}: nothing new, changed or stale ({found.seconds:.1f} s)")
    for text in found.notices:
        notice(text)
    for error in found.errors:
        sys.stderr.write(f"error: {error}\n")
    for day in found.days:
        if day.error is not None:
            sys.stderr.write(f"{day.result.value}: {day.dataset} {day.date} -> {day.advice}\n")


def _grouped(days: tuple[DayResult, ...]) -> dict[tuple[str, str], list[DayResult]]:
    grouped: dict[tuple[str, str], list[DayResult]] = {}
    for day in days:
        grouped.setdefault((day.table, day.dataset), []).append(day)
    return grouped


def _figures(days: list[DayResult]) -> tuple[str, ...]:
    def count(result: Result) -> str:
        return str(sum(d.result is result for d in days) or "")

    loaded = [d for d in days if d.result in {Result.LOADED, Result.HELD}]
    seconds = sum(d.seconds for d in days)
    total = sum(d.rows for d in loaded)
    return (
        count(Result.LOADED),
        f"{total:,}",
        f"{sum(d.rows_refused for d in days):,}",
        count(Result.HELD),
        count(Result.REFUSED),
        count(Result.FAILED),
        count(Result.MISSING),
        f"{seconds:.1f}",
        f"{total / seconds:,.0f}" if seconds > 0 and total else "",
    )
