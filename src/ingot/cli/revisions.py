"""The command that tells what vendors changed: revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ingot.cli.context import State, trade_date, trade_dates
from ingot.cli.groups import with_groups
from ingot.cli.options import From, KnownAt, To
from ingot.cli.output import Destination
from ingot.errors import QueryError

if TYPE_CHECKING:
    from ingot.app.lake import Lake


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(with_groups(revisions))


def _lake(context: typer.Context) -> Lake:
    from ingot.app.lake import Lake

    state: State = context.obj
    return Lake(state.open())


def revisions(
    context: typer.Context,
    *,
    symbol: Annotated[
        str | None, typer.Argument(metavar="SYMBOL", help="Symbol, case-sensitive; all by default.")
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="Only this trade date.")
    ] = None,
    first: From = None,
    last: To = None,
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
            "--retroactive", help="List what may change answers to past moments, and since when."
        ),
    ] = False,
    to: Destination,
) -> None:
    """List what vendors changed: old and new value, and what used the old one."""
    lake = _lake(context)
    if retroactive:
        if symbol or date or first or last or since or interval or known_at:
            raise QueryError("--retroactive lists every exception; leave the other options out.")
        to.take(lake.retroactive())
        return
    if date and (first or last):
        raise QueryError("Name --date, or --from and --to, not both.")
    if date:
        trade_date("--date", date)
    start, end = trade_dates(date or first, date or last, lake.today())
    to.take(
        lake.revisions(
            symbol, start=start, end=end, since=since, interval=interval, known_at=known_at
        )
    )
