"""Commands for those who run a lake: status, runs, landings, quarantine, profile, repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ingot.cli.choices import (
    AsFormat,
    From,
    HowStrategy,
    Limit,
    Out,
    Status,
    Strategy,
    To,
    Workers,
)
from ingot.cli.destination import Destination, notice
from ingot.cli.state import State, trade_dates

if TYPE_CHECKING:
    from ingot.query.answer import Answer

LandingId = Annotated[str, typer.Argument(metavar="ID", help="Its landing_id.")]

landings_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
# Half of all ids are negative: -123 is a value here, not a heap of options.
_SIGNED = {"ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (status, runs, quarantine, profile, repair):
        app.command()(command)
    landings_app.callback()(landings)
    landings_app.command(context_settings=_SIGNED)(accept)
    landings_app.command(context_settings=_SIGNED)(reject)
    app.add_typer(landings_app, name="landings")


def status(context: typer.Context, form: AsFormat = None, out: Out = None) -> None:
    """Show each table's size, freshness, stale and missing days."""
    from ingot.app.status import status as look

    to = Destination.of(form, out)
    state: State = context.obj
    to.take(look(state.open()))


def runs(
    context: typer.Context,
    limit: Limit = 50,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """List what was done, latest first."""
    from ingot.app.records import runs as listed

    to = Destination.of(form, out)
    state: State = context.obj
    _take(to, listed(state.open(), limit=limit), limit)


def landings(
    context: typer.Context,
    first: From = None,
    last: To = None,
    status: Annotated[
        Status | None, typer.Option("--status", help="Only versions in this state.")
    ] = None,
    limit: Limit = 1000,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """List the versions that landed; accept or reject one that is held or refused."""
    if context.invoked_subcommand is not None:
        return
    from ingot.app.records import landings as listed

    to = Destination.of(form, out)
    state: State = context.obj
    parts = state.open()
    start, end = trade_dates(first, last, parts.clock.now().date())
    _take(to, listed(parts, start=start, end=end, status=status, limit=limit), limit)


def accept(context: typer.Context, landing_id: LandingId) -> None:
    """Put a held version, or the good rows of a refused one, in force from now on."""
    _decide(context.obj, "accept", landing_id)


def reject(context: typer.Context, landing_id: LandingId) -> None:
    """Set a held or refused version aside for good."""
    _decide(context.obj, "reject", landing_id)


def quarantine(
    context: typer.Context,
    first: From = None,
    last: To = None,
    limit: Limit = 100,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """List refused rows with their line, rule and raw text."""
    from ingot.app.records import quarantine as listed

    to = Destination.of(form, out)
    state: State = context.obj
    parts = state.open()
    start, end = trade_dates(first, last, parts.clock.now().date())
    _take(to, listed(parts, start=start, end=end, limit=limit), limit)


def profile(
    context: typer.Context,
    strategy: HowStrategy = Strategy.AUTO,
    workers: Workers = None,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """Show what the machine has and how a backfill would use it."""
    from ingot.app.status import profile as look

    to = Destination.of(form, out)
    state: State = context.obj
    to.take(look(state.open(), strategy=strategy.value, workers=workers))


def repair(
    context: typer.Context,
    delete_orphans: Annotated[
        bool, typer.Option("--delete-orphans", help="Delete files that no snapshot refers to.")
    ] = False,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """Verify the landing store, and rebuild from it what can be rebuilt."""
    from ingot.app.repair import found_damage
    from ingot.app.repair import repair as mend
    from ingot.errors import DamagedFileError

    to = Destination.of(form, out)
    state: State = context.obj
    answer = mend(state.open(), delete_orphans=delete_orphans)
    to.take(answer)
    if found_damage(answer):
        raise typer.Exit(DamagedFileError.exit_code)


def _decide(state: State, verdict: str, landing_id: str) -> None:
    from ingot.app import records

    notice(records.decide(state.open(), verdict, landing_id))


def _take(to: Destination, answer: Answer, limit: int) -> None:
    to.take(answer)
    if len(answer) == limit:
        notice(f"these are the first {limit:,}; --limit N shows more")
