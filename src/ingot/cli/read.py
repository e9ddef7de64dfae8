"""Commands that query: bars, sql, symbols, resolve, universe, sessions, history, tables."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from ingot.cli.bars_query import BarsQuery, Basis, KnownBasis, Strict
from ingot.cli.context import lake_of, trade_date
from ingot.cli.groups import with_groups
from ingot.cli.options import KnownAt
from ingot.cli.output import Destination
from ingot.cli.span import Span
from ingot.errors import QueryError

Query = Annotated[
    str, typer.Argument(metavar="QUERY", help="One SELECT; - reads it from standard input.")
]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="Symbol, case-sensitive.")]
OfDate = Annotated[str, typer.Option("--date", metavar="DATE", help="Trade date.")]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="Bind text to $NAME in the query; may be repeated. Cast it: $day::date.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (bars, sql, symbols, resolve, universe, sessions, history, tables, describe):
        app.command()(with_groups(command))


def query_text(query: str) -> str:
    """Return the text of a query, from standard input for `-`."""
    return sys.stdin.read() if query == "-" else query


def sql_options(
    known_at: str | None,
    basis: str,
    known_basis: str | None,
    params: list[str] | None,
    *,
    strict: bool,
) -> dict[str, Any]:
    """Return what `Lake.sql` takes beside the query.

    Raises:
        QueryError: A parameter is not NAME=VALUE.
    """
    from ingot.query.requests.request import Adjustment

    bound = {}
    for text in params or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise QueryError(f"--param was {text!r}. Write NAME=VALUE.")
        bound[name] = value
    adjustment = Adjustment(basis, strict=strict)  # type: ignore[arg-type]  # checked later
    return {
        "params": bound,
        "known_at": known_at,
        "basis": adjustment,
        "known_basis": known_basis,
    }


def bars(context: typer.Context, *, query: BarsQuery, to: Destination) -> None:
    """Print bars of symbols, as known at any past moment."""
    lake = lake_of(context)
    to.take(lake.bars(query.names, **query.options(lake)))


def sql(
    context: typer.Context,
    *,
    query: Query,
    to: Destination,
    params: Params = None,
    known_at: KnownAt = None,
    basis: Basis = "raw",
    strict: Strict = False,
    known_basis: KnownBasis = None,
) -> None:
    """Print the rows of one SELECT over the lake's tables, as known at any past moment.

    DESCRIBE, SUMMARIZE and SHOW TABLES work as well.
    """
    options = sql_options(known_at, basis, known_basis, params, strict=strict)
    to.take(lake_of(context).sql(query_text(query), **options))


def resolve(
    context: typer.Context,
    *,
    symbol: Symbol,
    date: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="Trade date; today by default.")
    ] = None,
    known_at: KnownAt = None,
    to: Destination,
) -> None:
    """Name the instrument that holds a symbol on a date, and all of its symbols."""
    day = trade_date("--date", date) if date else None
    to.take(lake_of(context).resolve(symbol, day, known_at=known_at))


def universe(
    context: typer.Context,
    *,
    date: OfDate,
    rule: Annotated[
        str | None,
        typer.Option(
            "--rule",
            metavar="CONDITION",
            help="Such as: type = 'CS' and close >= 5 and dollar_volume >= 1e6",
        ),
    ] = None,
    known_at: KnownAt = None,
    to: Destination,
) -> None:
    """List the symbols that traded on a date, delisted ones included."""
    day = trade_date("--date", date)
    to.take(lake_of(context).universe(day, known_at=known_at, rule=rule))


def symbols(
    context: typer.Context,
    *,
    span: Span,
    known_at: KnownAt = None,
    to: Destination,
) -> None:
    """List the symbols that have bars, with their first and last date."""
    lake = lake_of(context)
    to.take(lake.symbols(**span.dates(lake.today()), known_at=known_at))


def sessions(context: typer.Context, *, span: Span, to: Destination) -> None:
    """List the sessions of the calendar."""
    lake = lake_of(context)
    to.take(lake.sessions(**span.dates(lake.today())))


def history(
    context: typer.Context,
    *,
    symbol: Symbol,
    date: OfDate,
    interval: Annotated[str, typer.Option("--interval", metavar="WIDTH", help="1m or 1d.")] = "1m",
    known_at: KnownAt = None,
    to: Destination,
) -> None:
    """List every version of a symbol's bars of one trade date."""
    day = trade_date("--date", date)
    to.take(lake_of(context).history(symbol, date=day, interval=interval, known_at=known_at))


def tables(context: typer.Context, *, to: Destination) -> None:
    """List the lake's tables with rows, size and what they hold."""
    to.take(lake_of(context).tables())


def describe(
    context: typer.Context,
    *,
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="Table such as silver.minute_bars.")
    ],
    to: Destination,
) -> None:
    """List a table's columns with type, unit and meaning."""
    to.take(lake_of(context).describe(table))
