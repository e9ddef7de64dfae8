"""Commands for those who run a lake: status, runs, landings, quarantine, profile, repair."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ingot.cli.choices import AsFormat, Format, From, HowStrategy, Limit, Out, Strategy, To, Workers
from ingot.cli.state import State, trade_dates

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.query.answer import Answer


class Verdict(StrEnum):
    """What can be said of a held version."""

    ACCEPT = "accept"
    REJECT = "reject"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (status, runs, landings, quarantine, profile, repair):
        app.command()(command)


def _show(answer: Answer, form: Format, out: Path | None = None) -> None:
    from ingot.cli import show

    show.rows(answer, form=form, out=out)


def status(context: typer.Context, form: AsFormat = Format.TABLE, out: Out = None) -> None:
    """Show per table: freshness, watermark, settled-until, size, stale and missing days."""
    from ingot.app.status import status as look

    state: State = context.obj
    _show(look(state.open()), form, out)


def runs(
    context: typer.Context,
    limit: Limit = 50,
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """List what was done, latest first."""
    from ingot.app.records import runs as listed

    state: State = context.obj
    _show(listed(state.open(), limit=limit), form, out)


def landings(
    context: typer.Context,
    verdict: Annotated[Verdict | None, typer.Argument(help="Decide a held version.")] = None,
    landing_id: Annotated[str | None, typer.Argument(metavar="ID", help="Its landing_id.")] = None,
    first: From = None,
    last: To = None,
    limit: Limit = 1000,
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """List the versions that landed; accept or reject one that is held."""
    from ingot.app import records
    from ingot.errors import ConfigError

    state: State = context.obj
    parts = state.open()
    if verdict is not None:
        if landing_id is None:
            raise ConfigError(f"Name the version: ingot landings {verdict.value} ID")
        typer.echo(records.decide(parts, verdict.value, landing_id), err=True)
        return
    start, end = trade_dates(first, last, parts.clock.now().date())
    _show(records.landings(parts, start=start, end=end, limit=limit), form, out)


def quarantine(
    context: typer.Context,
    first: From = None,
    last: To = None,
    limit: Limit = 100,
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """List refused rows with their line, rule and raw text."""
    from ingot.app.records import quarantine as listed

    state: State = context.obj
    parts = state.open()
    start, end = trade_dates(first, last, parts.clock.now().date())
    _show(listed(parts, start=start, end=end, limit=limit), form, out)


def profile(
    context: typer.Context,
    strategy: HowStrategy = Strategy.AUTO,
    workers: Workers = None,
    form: AsFormat = Format.TABLE,
    out: Out = None,
) -> None:
    """Show what the machine has and how a backfill would use it."""
    from ingot.app.status import profile as look

    state: State = context.obj
    _show(look(state.open(), strategy=strategy.value, workers=workers), form, out)


def repair(
    context: typer.Context,
    delete_orphans: Annotated[
        bool, typer.Option("--delete-orphans", help="Delete files that no snapshot refers to.")
    ] = False,
    form: AsFormat = Format.TABLE,
) -> None:
    """Rebuild state.db and ops.* from the landing store; verify bytes; void rolled-back units."""
    from ingot.app.repair import repair as mend

    state: State = context.obj
    _show(mend(state.open(), delete_orphans=delete_orphans), form)
