"""Commands that answer: bars, sql, symbols, sessions, history, tables, describe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingot.cli.choices import AsFormat, Format, From, KnownAt, Out, To
from ingot.cli.state import State, trade_dates

if TYPE_CHECKING:
    from ingot.app.lake import Lake
    from ingot.query.answer import Answer

Symbols = Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="Symbols, case-sensitive.")]
SourceName = Annotated[
    str | None, typer.Option("--source", help="Connector to read; the precedence list by default.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (bars, sql, symbols, sessions, history, tables, describe):
        app.command()(command)


def _lake(context: typer.Context) -> Lake:
    from ingot.app.lake import Lake

    state: State = context.obj
    return Lake(state.open())


def _show(answer: Answer, form: Format, out: Path | None = None) -> None:
    from ingot.cli import show

    show.rows(answer, form=form, out=out)


def bars(
    context: typer.Context,
    symbols: Symbols,
    first: From = None,
    last: To = None,
    interval: Annotated[str, typer.Option("--interval", help="1m, 5m, 15m, 30m, 1h or 1d.")] = "1d",
    session: Annotated[
        str | None,
        typer.Option("--session", help="pre, regular, post or overnight; all by default."),
    ] = None,
    basis: Annotated[
        str, typer.Option("--basis", help="raw, split, total_return or scaled_raw.")
    ] = "raw",
    known_at: KnownAt = None,
    fill: Annotated[str, typer.Option("--fill", help="none or previous: absent bars.")] = "none",
    wide: Annotated[
        bool, typer.Option("--wide/--long", help="One column of closes per symbol.")
    ] = False,
    source: SourceName = None,
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """Print bars of symbols, as known at any past moment."""
    lake = _lake(context)
    start, end = trade_dates(first, last, lake.today())
    answer = lake.bars(
        *symbols,
        start=start,
        end=end,
        interval=interval,
        session=session,
        basis=basis,
        known_at=known_at,
        fill=fill,
        form="wide" if wide else "long",
        source=source,
    )
    _show(answer, form, out)


def sql(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="One SELECT; - reads it from standard input.")],
    known_at: KnownAt = None,
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """Answer one SELECT over bronze, silver, gold and ops, as known at any past moment."""
    text = sys.stdin.read() if question == "-" else question
    _show(_lake(context).sql(text, known_at=known_at), form, out)


def symbols(
    context: typer.Context,
    first: From = None,
    last: To = None,
    known_at: KnownAt = None,
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """List the symbols that have day or minute bars, with their first and last date."""
    lake = _lake(context)
    start, end = trade_dates(first, last, lake.today())
    _show(lake.symbols(start=start, end=end, known_at=known_at), form, out)


def sessions(
    context: typer.Context,
    first: From = None,
    last: To = None,
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """List the sessions of the calendar."""
    lake = _lake(context)
    start, end = trade_dates(first, last, lake.today())
    _show(lake.sessions(start=start, end=end), form, out)


def history(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="Symbol, case-sensitive.")],
    date: Annotated[str, typer.Option("--date", metavar="DATE", help="Trade date.")],
    interval: Annotated[str, typer.Option("--interval", help="1m or 1d.")] = "1m",
    known_at: KnownAt = None,
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """List every version of a symbol's bars of one trade date."""
    start, end = trade_dates(date, date, _lake(context).today())
    del end
    _show(
        _lake(context).history(symbol, date=start, interval=interval, known_at=known_at), form, out
    )


def tables(context: typer.Context, form: AsFormat = Format.TABLE, out: Out = None) -> None:
    """List the lake's tables with rows, size and what they hold."""
    _show(_lake(context).tables(), form, out)


def describe(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="Table such as silver.minute_bars.")],
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """List a table's columns with type, unit and meaning."""
    _show(_lake(context).describe(table), form, out)
