"""The command that lists what vendors changed: revisions."""

from __future__ import annotations

from typing import Annotated

import typer

from ingot.cli.context import lake_of
from ingot.cli.groups import with_groups
from ingot.cli.options import KnownAt
from ingot.cli.output import Destination
from ingot.cli.span import SpanOrDate
from ingot.errors import QueryError


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(with_groups(revisions))


def revisions(
    context: typer.Context,
    *,
    symbol: Annotated[
        str | None, typer.Argument(metavar="SYMBOL", help="Symbol, case-sensitive; all by default.")
    ] = None,
    span: SpanOrDate,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="MOMENT", help="Only what was revised then or later."),
    ] = None,
    interval: Annotated[
        str | None, typer.Option("--interval", metavar="WIDTH", help="1m or 1d; both by default.")
    ] = None,
    known_at: KnownAt = None,
    retroactive: Annotated[
        bool,
        typer.Option(
            "--retroactive", help="List what may change answers about the past, and since when."
        ),
    ] = False,
    to: Destination,
) -> None:
    """List what vendors changed: old and new value, and what used the old one."""
    lake = lake_of(context)
    if not retroactive:
        start, end = span.dates(lake.today()).values()
        to.take(
            lake.revisions(
                symbol, start=start, end=end, since=since, interval=interval, known_at=known_at
            )
        )
    elif symbol or span != SpanOrDate() or since or interval or known_at:
        raise QueryError("--retroactive lists every exception. Leave the other options out.")
    else:
        to.take(lake.retroactive())
