"""Commands for those who run a lake: status, runs, landings, quarantine, profile, scrub, repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ingot.cli.context import lake_of, state_of
from ingot.cli.groups import with_groups
from ingot.cli.options import HowStrategy, Status, Strategy, Workers
from ingot.cli.output import Destination, notice
from ingot.cli.span import Span
from ingot.errors import LookAtDataError, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingot.app.context.lake_context import Parts
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
    to.take(lake_of(context).status())


def runs(context: typer.Context, *, to: Destination) -> None:
    """List the units of work that were done, latest first."""
    lake = lake_of(context)
    _take(to, lambda limit: lake.runs(limit=limit), 50)


def landings(
    context: typer.Context,
    *,
    span: Span,
    status: Annotated[
        Status | None, typer.Option("--status", help="Only versions in this state.")
    ] = None,
    to: Destination,
) -> None:
    """List the versions that landed; accept or reject one that is held or refused."""
    if context.invoked_subcommand is not None:
        return
    lake = lake_of(context)
    dates = span.dates(lake.today())
    _take(to, lambda limit: lake.landings(**dates, status=status, limit=limit), 1000)


def accept(context: typer.Context, landing_id: LandingId) -> None:
    """Put a held version, or the valid rows of a refused one, in force."""
    _decide(context, "accept", landing_id)


def reject(context: typer.Context, landing_id: LandingId) -> None:
    """Set a held or refused version aside for good."""
    _decide(context, "reject", landing_id)


def quarantine(
    context: typer.Context,
    *,
    span: Span,
    to: Destination,
) -> None:
    """List refused rows with their line, rule and raw text."""
    from ingot.app.operate.records import quarantine as listed

    parts = state_of(context).open()
    dates = span.dates(parts.clock.now().date())
    _take(to, lambda limit: listed(parts, **dates, limit=limit), 100)


def profile(
    context: typer.Context,
    *,
    strategy: HowStrategy = Strategy.AUTO,
    workers: Workers = None,
    to: Destination,
) -> None:
    """Show the resources of the machine, and how a backfill would use them."""
    from ingot.app.operate.status import profile as look

    to.take(look(state_of(context).open(), strategy=strategy.value, workers=workers))


def repair(
    context: typer.Context,
    *,
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="T",
            help="Rebuild this table from the layer that it is made of: the dates given, or by "
            "default what is damaged.",
        ),
    ] = None,
    span: Span,
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

    The exit code is 3 where something is lost that only a backup has.
    """
    state = state_of(context)
    if table is not None:
        _rebuild(state.open(), table, span, to if to.is_given else None)
        return
    if span != Span():
        raise QueryError("--from and --to were given without a table. Add --table T.")
    from ingot.app.operate.repair import repair as mend

    found = mend(state.open(), delete_orphans=delete_orphans)
    to.take(found.answer)
    if not found.is_whole:
        raise typer.Exit(LookAtDataError.exit_code)


def _rebuild(parts: Parts, table: str, span: Span, to: Destination | None) -> None:
    from ingot.app.operate.rebuild import RebuildRequest, rebuild
    from ingot.cli import load_summary, progress

    request = RebuildRequest(table, **span.open_dates(parts.clock.now().date()))
    with progress.shown() as shown:
        report = rebuild(parts, request, progress=shown)
    load_summary.report(parts, report, to)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def scrub(
    context: typer.Context,
    *,
    table: Annotated[
        str | None, typer.Option("--table", metavar="T", help="Read only this table's files.")
    ] = None,
    span: Span,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="MB_S", min=0.001, help="Most megabytes read a second."),
    ] = None,
    to: Destination,
) -> None:
    """Read every file of the lake, and name those that are damaged or missing.

    Each row names the command that repairs it. The exit code is 3 if there is a row.
    """
    from ingot.app.operate.scrub import ScrubRequest, scrub_lake
    from ingot.cli import progress

    parts = state_of(context).open()
    dates = span.open_dates(parts.clock.now().date())
    request = ScrubRequest(table, **dates, rate_mb_s=rate)
    with progress.shown() as shown:
        found = scrub_lake(parts, request, progress=shown)
    to.take(found.answer(parts))
    if found.findings:
        raise typer.Exit(LookAtDataError.exit_code)


def _decide(context: typer.Context, verdict: str, landing_id: str) -> None:
    from ingot.app.operate import records

    notice(records.decide(state_of(context).open(), verdict, landing_id))


def _take(to: Destination, listed: Callable[[int], Answer], usual: int) -> None:
    """Write the first rows of a listing, by default so many, and say that there may be more."""
    limit = to.limit or usual
    answer = listed(limit)
    to.take(answer)
    if len(answer) == limit:
        notice(f"these are the first {limit:,}; --limit N shows more")
