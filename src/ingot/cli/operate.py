"""Commands for those who run a lake: status, runs, landings, quarantine, profile, scrub, repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ingot.cli.context import State, trade_dates
from ingot.cli.groups import with_groups
from ingot.cli.options import From, HowStrategy, Status, Strategy, To, Workers
from ingot.cli.output import Destination, notice
from ingot.errors import LookAtDataError, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from ingot.query.result.answer import Answer

LandingId = Annotated[str, typer.Argument(metavar="ID", help="Its landing_id.")]

landings_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
# Half of all ids are negative: -123 is a value here, not a heap of options.
_SIGNED = {"ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (status, runs, quarantine, profile, scrub, repair):
        app.command()(with_groups(command))
    landings_app.callback()(with_groups(landings))
    landings_app.command(context_settings=_SIGNED)(accept)
    landings_app.command(context_settings=_SIGNED)(reject)
    app.add_typer(landings_app, name="landings")


def status(context: typer.Context, *, to: Destination) -> None:
    """Show each table's size, freshness, stale and missing days."""
    from ingot.app.operate.status import status as look

    state: State = context.obj
    to.take(look(state.open()))


def runs(
    context: typer.Context,
    *,
    to: Destination,
) -> None:
    """List what was done, latest first."""
    from ingot.app.operate.records import runs as listed

    state: State = context.obj
    _take(to, lambda limit: listed(state.open(), limit=limit), 50)


def landings(
    context: typer.Context,
    *,
    first: From = None,
    last: To = None,
    status: Annotated[
        Status | None, typer.Option("--status", help="Only versions in this state.")
    ] = None,
    to: Destination,
) -> None:
    """List the versions that landed; accept or reject one that is held or refused."""
    if context.invoked_subcommand is not None:
        return
    from ingot.app.operate.records import landings as listed

    state: State = context.obj
    parts = state.open()
    start, end = trade_dates(first, last, parts.clock.now().date())
    _take(to, lambda n: listed(parts, start=start, end=end, status=status, limit=n), 1000)


def accept(context: typer.Context, landing_id: LandingId) -> None:
    """Put a held version, or the good rows of a refused one, in force from now on."""
    _decide(context.obj, "accept", landing_id)


def reject(context: typer.Context, landing_id: LandingId) -> None:
    """Set a held or refused version aside for good."""
    _decide(context.obj, "reject", landing_id)


def quarantine(
    context: typer.Context,
    *,
    first: From = None,
    last: To = None,
    to: Destination,
) -> None:
    """List refused rows with their line, rule and raw text."""
    from ingot.app.operate.records import quarantine as listed

    state: State = context.obj
    parts = state.open()
    start, end = trade_dates(first, last, parts.clock.now().date())
    _take(to, lambda n: listed(parts, start=start, end=end, limit=n), 100)


def profile(
    context: typer.Context,
    *,
    strategy: HowStrategy = Strategy.AUTO,
    workers: Workers = None,
    to: Destination,
) -> None:
    """Show what the machine has and how a backfill would use it."""
    from ingot.app.operate.status import profile as look

    state: State = context.obj
    to.take(look(state.open(), strategy=strategy.value, workers=workers))


def repair(
    context: typer.Context,
    *,
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="T",
            help="Make units of this table again from the step above it: those of the dates, or "
            "without dates those whose files are damaged.",
        ),
    ] = None,
    first: From = None,
    last: To = None,
    delete_orphans: Annotated[
        bool,
        typer.Option(
            "--delete-orphans",
            help="Set files aside that no snapshot names; delete those set aside a day ago.",
        ),
    ] = False,
    to: Destination,
) -> None:
    """Verify the landing store, and rebuild from it what can be rebuilt.

    The exit code is 3 where something is lost that only a person can bring back.
    """
    state: State = context.obj
    if table is not None:
        _rebuild(state, table, _span(state, first, last), to if to.is_given else None)
        return
    if first or last:
        raise QueryError("--from and --to say which days of a table to make again. Add --table T.")
    from ingot.app.operate.repair import repair as mend

    found = mend(state.open(), delete_orphans=delete_orphans)
    to.take(found.answer)
    if not found.is_whole:
        raise typer.Exit(LookAtDataError.exit_code)


def _rebuild(
    state: State, table: str, span: tuple[date | None, date | None], to: Destination | None
) -> None:
    from ingot.app.operate.rebuild import RebuildRequest, rebuild
    from ingot.cli import load_summary, progress

    parts = state.open()
    with progress.shown() as shown:
        report = rebuild(parts, RebuildRequest(table, *span), progress=shown)
    load_summary.report(parts, report, to)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def scrub(
    context: typer.Context,
    *,
    table: Annotated[
        str | None, typer.Option("--table", metavar="T", help="Read only this table's files.")
    ] = None,
    first: From = None,
    last: To = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="MB_S", min=0.001, help="Most megabytes read a second."),
    ] = None,
    to: Destination,
) -> None:
    """Read every file of the lake, and name those that are damaged or missing.

    Each row says which command heals it. The exit code is 3 where there is one.
    """
    from ingot.app.operate.scrub import ScrubRequest, scrub_lake
    from ingot.cli import progress

    state: State = context.obj
    parts = state.open()
    request = ScrubRequest(table, *_span(state, first, last), rate_mb_s=rate)
    with progress.shown() as shown:
        found = scrub_lake(parts, request, progress=shown)
    to.take(found.answer(parts))
    if found.findings:
        raise typer.Exit(LookAtDataError.exit_code)


def _span(state: State, first: str | None, last: str | None) -> tuple[date | None, date | None]:
    """Return the half-open span of `--from` and `--to`; an end that is left out stays open."""
    from ingot.model.time import SystemClock

    start, end = trade_dates(first, last, (state.clock() or SystemClock()).now().date())
    return (start if first else None, end if last else None)


def _decide(state: State, verdict: str, landing_id: str) -> None:
    from ingot.app.operate import records

    notice(records.decide(state.open(), verdict, landing_id))


def _take(to: Destination, listed: Callable[[int], Answer], usual: int) -> None:
    """Write the first rows of a listing, by default so many, and say that there may be more."""
    limit = to.limit or usual
    answer = listed(limit)
    to.take(answer)
    if len(answer) == limit:
        notice(f"these are the first {limit:,}; --limit N shows more")
