"""The command that shows what is present and what is missing: coverage."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ingot.cli.context import lake_of
from ingot.cli.groups import with_groups
from ingot.cli.options import Format, KnownAt
from ingot.cli.output import Destination, notice
from ingot.cli.span import Span
from ingot.errors import QueryError
from ingot.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console
    from rich.table import Table

    from ingot.app.trust.coverage import Coverage

_MARKS: Final = {
    "present": ("#", "green"),
    "no_trade": ("-", "dim"),
    "halted": ("h", "cyan"),
    "closed": (".", "dim"),
    "not_listed": ("~", "dim"),
    "late": ("L", "yellow"),
    "hole": ("O", "bold red"),
    "refused": ("X", "bold red"),
    "unknown": ("?", "magenta"),
}
_GRAVEST: Final = ("hole", "refused", "late", "unknown", "halted", "no_trade", "not_listed")
_MOST: Final = 20
"""Rows of alerts that a terminal is shown."""


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(with_groups(coverage))


def coverage(
    context: typer.Context,
    *,
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYMBOL", help="Symbols, case-sensitive; the market by default."),
    ] = None,
    span: Span,
    known_at: KnownAt = None,
    save: Annotated[
        bool, typer.Option("--save", help="Keep every symbol and day in ops.coverage.")
    ] = False,
    to: Destination,
) -> None:
    """Show which days and symbols are present, why others are missing, and what to do.

    The exit code is 3 where something is wrong, and 4 where something is late.
    """
    if save and (symbols or known_at):
        raise QueryError(
            "--save keeps the whole market as known now. Leave SYMBOL and --known-at out."
        )
    lake = lake_of(context)
    start = span.open_dates(lake.today())["start"]
    end = span.dates(lake.today() - timedelta(days=1))["end"]
    found = lake.coverage(*(symbols or ()), start=start, end=end, known_at=known_at)
    if save:
        notice(f"{lake.save_coverage(start=start, end=end):,} rows are kept in ops.coverage")
    known = set(found.rows.to_arrow()["symbol"].to_pylist())
    for symbol in sorted(set(symbols or ()) - known):
        notice(f"there is no coverage of {symbol}; symbols are case-sensitive, see: ingot symbols")
    if to.format is Format.TABLE and to.out is None:
        _show(found, symbols or [])
    else:
        to.take(found.joined())
    raise typer.Exit(found.exit_code)


def _show(found: Coverage, symbols: list[str]) -> None:
    """Print the calendars, the alerts and the repair plan."""
    console = _console()
    rows = found.rows.to_arrow().to_pylist()
    for title, states in _calendars(found.days.to_arrow().to_pylist(), rows, symbols):
        console.print(_calendar(escaped(title), states))
    console.print(
        "  ".join(f"[{style}]{mark}[/] {name}" for name, (mark, style) in _MARKS.items()),
        soft_wrap=True,
    )
    alerts = [r for r in rows if r["state"] in {"hole", "refused", "unknown"}]
    for row in alerts[:_MOST]:
        console.print(
            escaped(
                f"{row['state']}: {row['symbol']} {row['trade_date']}{_minutes(row)} "
                f"({row['dataset']}): {row['evidence']}"
            ),
            markup=False,
            soft_wrap=True,
        )
    if len(alerts) > _MOST:
        console.print(f"... and {len(alerts) - _MOST} more; see them with --format csv")
    for row in found.plan.to_arrow().to_pylist():
        console.print(escaped(_todo(row)), markup=False, soft_wrap=True)


def _todo(row: dict[str, Any]) -> str:
    """Return a step of the plan as the command to type, how much it is and why."""
    dataset, span = row["dataset"], f"--from {row['first_date']} --to {row['last_date']}"
    command = {
        "ingot ingest": f"ingot ingest {row['source']} --source ... --dataset {dataset} {span}",
        "ingot build": f"ingot build {span}",
    }.get(row["todo"], row["todo"])
    days = "1 day" if row["days"] == 1 else f"{row['days']:,} days"
    size = f", about {row['size_bytes']:,} bytes" if row["size_bytes"] else ""
    return f"todo: {command} ({days} of {dataset}{size}): {row['why']}"


def _console() -> Console:
    """Return stdout, which raises as in every command when its reader has gone."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with 1

    return Piped(file=sys.stdout, highlight=False)


def _minutes(row: dict[str, Any]) -> str:
    if row["range_start"] is None:
        return ""
    return f" {row['range_start']:%H:%M}-{row['range_end']:%H:%M} UTC"


def _calendars(
    days: Iterable[dict[str, Any]], rows: Iterable[dict[str, Any]], symbols: list[str]
) -> Iterator[tuple[str, dict[date, str]]]:
    """Yield a title and the state of each day: of datasets, then of the symbols named."""
    grouped: dict[str, dict[date, str]] = {}
    for day in days:
        grouped.setdefault(day["dataset"], {})[day["trade_date"]] = day["state"]
    closed = {d for states in grouped.values() for d, state in states.items() if state == "closed"}
    for row in rows:
        title = f"{row['symbol']} in {row['dataset']}"
        if symbols:
            states = grouped.setdefault(title, dict.fromkeys(sorted(closed), "closed"))
        else:
            states = grouped[row["dataset"]]
        states[row["trade_date"]] = _graver(states.get(row["trade_date"]), row["state"])
    yield from grouped.items()


def _graver(a: str | None, b: str) -> str:
    return next((state for state in _GRAVEST if state in {a, b}), b)


def _calendar(title: str, states: dict[date, str]) -> Table:
    """Return one line for each month, one mark for each day."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title), title_justify="left", box=None, padding=(0, 1), show_header=False
    )
    table.add_row("", "1...5....10...15...20...25...30")
    for month in sorted({day.replace(day=1) for day in states}):
        line = Text()
        for number in range(1, 32):
            day = _day(month, number)
            state = states.get(day) if day else None
            line.append(*(_MARKS[state] if state else (" ", "")))
        table.add_row(f"{month:%Y-%m}", line)
    return table


def _day(month: date, number: int) -> date | None:
    try:
        return month.replace(day=number)
    except ValueError:
        return None
