"""Commands that answer: bars, sql, symbols, sessions, history, tables, describe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ingot.cli.choices import AsFormat, From, KnownAt, Out, To
from ingot.cli.destination import Destination
from ingot.cli.state import State, trade_date, trade_dates
from ingot.errors import QueryError

if TYPE_CHECKING:
    from ingot.app.lake import Lake

Symbols = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SYMBOL", help="Symbols, case-sensitive; every one, if a span is given alone."
    ),
]
SourceName = Annotated[
    str | None,
    typer.Option(
        "--source", metavar="NAME", help="Connector to read; the precedence list by default."
    ),
]

Interval = Annotated[
    str, typer.Option("--interval", metavar="WIDTH", help="1m, 5m, 15m, 30m, 1h or 1d.")
]
SessionName = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="NAME",
        help="pre, regular, post or overnight; all by default (1d: the vendor's own day).",
    ),
]
Shown = Annotated[
    str,
    typer.Option(
        "--value",
        metavar="COLUMN",
        help="What --wide shows: open, high, low, close, volume or transactions.",
    ),
]
Window = Annotated[
    str | None,
    typer.Option(
        "--window",
        metavar="START/END",
        help="Only bars that start in it: instants with offset, START inside, END outside.",
    ),
]

Basis = Annotated[
    str,
    typer.Option(
        "--basis", metavar="NAME", help="raw (as traded), split, total_return or scaled_raw."
    ),
]
Follow = Annotated[
    bool,
    typer.Option(
        "--follow/--literal",
        help="Follow a symbol's instrument through its other symbols, or take it literally.",
    ),
]
SymbolDate = Annotated[
    str | None,
    typer.Option(
        "--symbol-date",
        metavar="DATE",
        help="Date on which the symbol's holder is looked up; the last of the span by default.",
    ),
]
Formula = Annotated[
    str,
    typer.Option(
        "--formula", metavar="NAME", help="How dividends adjust: standard or wiki (c / (c + d))."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse when a corporate action cannot be applied.")
]

KnownBasis = Annotated[
    str | None,
    typer.Option(
        "--known-basis",
        metavar="LIST",
        help="Only what landed with such a known time: observed, assumed, stated.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (bars, sql, symbols, resolve, universe, sessions, history, tables, describe):
        app.command()(command)


def _lake(context: typer.Context) -> Lake:
    from ingot.app.lake import Lake

    state: State = context.obj
    lake = Lake(state.open())
    context.call_on_close(lake.close)
    return lake


def bars(
    context: typer.Context,
    symbols: Symbols = None,
    first: From = None,
    last: To = None,
    interval: Interval = "1d",
    session: SessionName = None,
    basis: Basis = "raw",
    known_at: KnownAt = None,
    fill: Annotated[
        str,
        typer.Option(
            "--fill", metavar="HOW", help="none, or previous: absent bars get the close before."
        ),
    ] = "none",
    wide: Annotated[
        bool, typer.Option("--wide/--long", help="A column per symbol, or a row per bar.")
    ] = False,
    value: Shown = "close",
    window: Window = None,
    source: SourceName = None,
    follow: Follow = True,
    symbol_date: SymbolDate = None,
    formula: Formula = "standard",
    strict: Strict = False,
    known_basis: KnownBasis = None,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """Print bars of symbols, as known at any past moment."""
    if not (symbols or first or window):
        raise QueryError("Name symbols, or a span with --from or --window for all of the market.")
    to = Destination.of(form, out)
    lake = _lake(context)
    start, end = trade_dates(first, last, lake.today())
    answer = lake.bars(
        *(symbols or ()),
        start=start,
        end=end,
        interval=interval,
        session=session,
        basis=basis,
        known_at=known_at,
        fill=fill,
        form="wide" if wide else "long",
        value=value,
        source=source,
        window=window,
        follow=follow,
        symbol_date=symbol_date,
        formula=formula,
        strict=strict,
        known_basis=known_basis,
    )
    to.take(answer)


def sql(
    context: typer.Context,
    question: Annotated[
        str, typer.Argument(metavar="SELECT", help="One SELECT; - reads it from standard input.")
    ],
    known_at: KnownAt = None,
    basis: Basis = "raw",
    strict: Strict = False,
    known_basis: KnownBasis = None,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """Answer one SELECT over the lake's tables, as known at any past moment."""
    to = Destination.of(form, out)
    lake = _lake(context)
    text = sys.stdin.read() if question == "-" else question
    answer = lake.sql(text, known_at=known_at, basis=basis, strict=strict, known_basis=known_basis)
    to.take(answer)


def resolve(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Symbol, case-sensitive.")],
    date: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="Trade date; today by default.")
    ] = None,
    known_at: KnownAt = None,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """Name the instrument that holds a symbol on a date, and all of its symbols."""
    to = Destination.of(form, out)
    day = trade_date("--date", date) if date else None
    to.take(_lake(context).resolve(symbol, day, known_at=known_at))


def universe(
    context: typer.Context,
    date: Annotated[str, typer.Option("--date", metavar="DATE", help="Trade date.")],
    rule: Annotated[
        str | None,
        typer.Option(
            "--rule",
            metavar="CONDITION",
            help="Such as: type = 'CS' and close >= 5 and dollar_volume >= 1e6",
        ),
    ] = None,
    known_at: KnownAt = None,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """List the symbols that traded on a date, delisted ones included."""
    to = Destination.of(form, out)
    day = trade_date("--date", date)
    to.take(_lake(context).universe(day, known_at=known_at, rule=rule))


def symbols(
    context: typer.Context,
    first: From = None,
    last: To = None,
    known_at: KnownAt = None,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """List the symbols that have bars, with their first and last date."""
    to = Destination.of(form, out)
    lake = _lake(context)
    start, end = trade_dates(first, last, lake.today())
    to.take(lake.symbols(start=start, end=end, known_at=known_at))


def sessions(
    context: typer.Context,
    first: From = None,
    last: To = None,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """List the sessions of the calendar."""
    to = Destination.of(form, out)
    lake = _lake(context)
    start, end = trade_dates(first, last, lake.today())
    to.take(lake.sessions(start=start, end=end))


def history(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Symbol, case-sensitive.")],
    date: Annotated[str, typer.Option("--date", metavar="DATE", help="Trade date.")],
    interval: Annotated[str, typer.Option("--interval", metavar="WIDTH", help="1m or 1d.")] = "1m",
    known_at: KnownAt = None,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """List every version of a symbol's bars of one trade date."""
    to = Destination.of(form, out)
    day = trade_date("--date", date)
    to.take(_lake(context).history(symbol, date=day, interval=interval, known_at=known_at))


def tables(context: typer.Context, form: AsFormat = None, out: Out = None) -> None:
    """List the lake's tables with rows, size and what they hold."""
    to = Destination.of(form, out)
    to.take(_lake(context).tables())


def describe(
    context: typer.Context,
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="Table such as silver.minute_bars.")
    ],
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """List a table's columns with type, unit and meaning."""
    to = Destination.of(form, out)
    to.take(_lake(context).describe(table))
