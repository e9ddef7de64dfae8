"""Commands that bring data in: init, simulate, ingest, build, backfill."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingot.cli.context import State, trade_dates
from ingot.cli.options import AsFormat, Format, From, HowStrategy, Out, Strategy, To, Workers
from ingot.cli.output import Destination, notice
from ingot.cli.sources import SourceGroup
from ingot.errors import ConfigError

if TYPE_CHECKING:
    from ingot.app.context.lake_context import Parts
    from ingot.app.context.load_request import LoadRequest
    from ingot.app.context.report import LoadReport

Source = Annotated[
    str,
    typer.Option(
        "--source",
        metavar="PLACE",
        help="Where the files are, such as a folder that mirrors the vendor's tree, or "
        "s3://bucket[/prefix].",
    ),
]
Reference = Annotated[
    str,
    typer.Option(
        "--source",
        metavar="NAME:PLACE",
        help="csv:FILE, lean:DIR, massive:DIR, massive:URL or yahoo.",
    ),
]
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        metavar="NAME",
        help="Such as us_stocks_sip/minute_aggs_v1; all by default; may be repeated.",
    ),
]


def ingest_source(
    context: typer.Context,
    source: Source,
    dataset: Datasets = None,
    first: From = None,
    last: To = None,
    strategy: HowStrategy = Strategy.AUTO,
    workers: Workers = None,
    form: AsFormat = None,
    out: Out = None,
    *,
    name: str,
    options: tuple[tuple[str, str], ...],
) -> None:
    """Load the files of a source to bronze."""
    request = _request(context.obj, name, source, dataset, first, last, strategy, workers)
    _ingest(context, replace(request, options=options), _summary_to(form, out))


def backfill_source(
    context: typer.Context,
    source: Source,
    dataset: Datasets = None,
    first: From = None,
    last: To = None,
    strategy: HowStrategy = Strategy.AUTO,
    workers: Workers = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print days, bytes and disk needed, and stop.")
    ] = False,
    form: AsFormat = None,
    out: Out = None,
    *,
    name: str,
    options: tuple[tuple[str, str], ...],
) -> None:
    """Load the files of a source all the way to gold."""
    from ingot.app.pipeline import backfill
    from ingot.cli import progress

    state: State = context.obj
    to = _summary_to(form, out)
    parts = state.open()
    request = _request(state, name, source, dataset, first, last, strategy, workers)
    request = replace(request, options=options)
    if plan:
        Destination.of(form, out).take(backfill.plan(parts, request))
        return
    with progress.shown() as shown:
        report = backfill.backfill(parts, request, progress=shown)
    _close(parts, report, to)


class _Ingest(SourceGroup):
    verb = "Load {} to bronze."
    run = staticmethod(ingest_source)


class _Backfill(SourceGroup):
    verb = "Load {} all the way to gold."
    run = staticmethod(backfill_source)


ingest_app = typer.Typer(
    cls=_Ingest,
    help="Land new and changed files and load them to bronze.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
backfill_app = typer.Typer(
    cls=_Backfill,
    help="Ingest, then build: the whole way in one command.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@backfill_app.callback()
def _backfill_options() -> None:
    """Ingest, then build: the whole way in one command."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command()(simulate)
    app.add_typer(ingest_app, name="ingest")
    app.command()(build)
    app.add_typer(backfill_app, name="backfill")


def init(context: typer.Context) -> None:
    """Make a lake in the folder that --lake names."""
    from ingot.app.context.lake_context import init as make

    state: State = context.obj
    made = make(state.lake)
    notice(f"{'made' if made else 'there already is'} a lake at {state.lake}")


def simulate(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write the vendor's tree into.")
    ],
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First date, included.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last date, included.")],
    symbols: Annotated[
        int,
        typer.Option(
            "--symbols", metavar="N", min=20, max=40_000, help="How many; a real day has 11000."
        ),
    ] = 200,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Another one, another market.")
    ] = 1,
    stage: Annotated[
        int,
        typer.Option("--stage", metavar="N", min=1, help="Which publication: 2 corrects 1."),
    ] = 1,
    dataset: Datasets = None,
    defect: Annotated[
        list[str] | None,
        typer.Option(
            "--defect", metavar="DATE=NAME", help="Inject a vendor defect; may be repeated."
        ),
    ] = None,
    truth: Annotated[
        bool, typer.Option("--truth/--no-truth", help="Write the truth beside it, as Parquet.")
    ] = True,
) -> None:
    """Write a synthetic market in the vendor's format, with known truth."""
    from ingot.app.operate import simulate as simulation
    from ingot.cli import progress

    start, end = trade_dates(first, last, date.max)
    defects = _defects(defect or [])
    with progress.shown() as shown:
        written = simulation.simulate(
            simulation.SimulationRequest(
                out=out,
                start=start,
                end=end,
                symbols=symbols,
                seed=seed,
                stage=stage,
                datasets=tuple(dataset or ()),
                defects=defects,
                truth=truth,
            ),
            progress=shown,
        )
    if not written.written and not written.unchanged:
        notice(f"the market is closed from {first} to {last}: nothing to write")
        return
    notice(
        f"stage {written.stage}: {len(written.written)} files, {written.rows:,} rows, "
        f"{written.size_bytes / 1e6:,.1f} MB written to {written.out}; "
        f"{written.unchanged} unchanged, {len(written.defects)} defects"
    )


def _defects(texts: list[str]) -> dict[date, tuple[str, ...]]:
    found: dict[date, tuple[str, ...]] = {}
    for text in texts:
        day_text, equals, name = text.partition("=")
        try:
            day = date.fromisoformat(day_text)
        except ValueError as exc:
            raise ConfigError(f"--defect was {text!r}: write DATE=NAME.") from exc
        if not equals or not name:
            raise ConfigError(f"--defect was {text!r}: write DATE=NAME.")
        found[day] = (*found.get(day, ()), name)
    return found


@ingest_app.command("actions")
def ingest_actions(
    context: typer.Context, source: Reference, form: AsFormat = None, out: Out = None
) -> None:
    """Load corporate actions to bronze; ingot build refines them."""
    _ingest_reference(context, "actions", source, _summary_to(form, out))


@ingest_app.command("instruments")
def ingest_instruments(
    context: typer.Context, source: Reference, form: AsFormat = None, out: Out = None
) -> None:
    """Load instruments and the symbols they held to bronze; ingot build refines them."""
    _ingest_reference(context, "instruments", source, _summary_to(form, out))


@ingest_app.command("yahoo")
def ingest_yahoo(
    context: typer.Context,
    symbols: Annotated[
        str | None,
        typer.Option(
            "--symbols", metavar="LIST", help="Such as AAPL,MSFT; those of the settings by default."
        ),
    ] = None,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, help="Calendar days back from today.")
    ] = 90,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """Load day bars of Yahoo's charts to bronze; ingot build refines them, un-split."""
    from ingot.app.context.load_request import LoadRequest
    from ingot.model.time import SystemClock

    state: State = context.obj
    end = (state.clock() or SystemClock()).now().date() + timedelta(days=1)
    start = end - timedelta(days=days + 1)
    request = LoadRequest("yahoo", symbols or "", ("bars_1d",), start, end, reference=True)
    _ingest(context, request, _summary_to(form, out))


@ingest_app.command("table")
def ingest_table(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Table to load to, such as quotes.")],
    source: Annotated[
        str, typer.Option("--source", metavar="PLACE", help="csv:FILE or parquet:FILE.")
    ],
    key: Annotated[
        str,
        typer.Option(
            "--key",
            metavar="COLUMN,...",
            help="Columns whose values occur once within a date; needed for a new table.",
        ),
    ] = "",
    time: Annotated[
        str,
        typer.Option(
            "--time",
            metavar="COLUMN",
            help="Column of the time: ISO dates or times, or whole nanoseconds since 1970; needed "
            "for a new table.",
        ),
    ] = "",
    zone: Annotated[
        str,
        typer.Option(
            "--zone",
            metavar="ZONE",
            help="Zone of times without a UTC offset, such as America/New_York; rows with such "
            "times are rejected without it.",
        ),
    ] = "",
    types: Annotated[
        str,
        typer.Option(
            "--types",
            metavar="COLUMN=TYPE,...",
            help="Types of a new table's columns that differ from what its values show: text, "
            "integer, decimal, double, boolean, date or time.",
        ),
    ] = "",
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """Load a file of your own to bronze.NAME; ingot build refines it to silver.NAME."""
    from ingot.app.pipeline.own_data import TableRequest
    from ingot.app.pipeline.own_data import ingest_table as ingest
    from ingot.cli import progress

    state: State = context.obj
    to = _summary_to(form, out)
    parts = state.open()
    pairs = (part.partition("=") for part in types.split(",") if part)
    chosen = {column.strip(): kind.strip() for column, _, kind in pairs}
    with progress.shown() as shown:
        request = TableRequest(name, source, key, time, zone, chosen)
        report = ingest(parts, request, progress=shown)
    _close(parts, report, to)


def _ingest_reference(
    context: typer.Context, dataset: str, source: str, to: Destination | None
) -> None:
    from ingot.app.context.load_request import LoadRequest

    connector, _, location = source.partition(":")
    _ingest(context, LoadRequest(connector, location, (dataset,), reference=True), to)


def _summary_to(form: Format | None, out: Path | None) -> Destination | None:
    """Return where the closing table goes if a program reads it; None for stderr."""
    return Destination.of(form, out) if form or out else None


def _ingest(context: typer.Context, request: LoadRequest, to: Destination | None) -> None:
    from ingot.app.pipeline.ingest import ingest
    from ingot.cli import progress

    state: State = context.obj
    parts = state.open()
    with progress.shown() as shown:
        report = ingest(parts, request, progress=shown)
    _close(parts, report, to)


def build(
    context: typer.Context,
    first: From = None,
    last: To = None,
    strategy: HowStrategy = Strategy.AUTO,
    workers: Workers = None,
    form: AsFormat = None,
    out: Out = None,
) -> None:
    """Refine bronze into silver and gold: what is new, changed or stale."""
    from ingot.app.pipeline.build import BuildRequest
    from ingot.app.pipeline.build import build as refine
    from ingot.cli import progress

    state: State = context.obj
    to = _summary_to(form, out)
    parts = state.open()
    start, end = trade_dates(first, last, parts.clock.now().date())
    with progress.shown() as shown:
        request = BuildRequest(start, end, strategy=strategy.value, workers=workers)
        report = refine(parts, request, progress=shown)
    _close(parts, report, to)


def _request(
    state: State,
    connector: str,
    source: str,
    dataset: list[str] | None,
    first: str | None,
    last: str | None,
    strategy: Strategy,
    workers: int | None,
) -> LoadRequest:
    from ingot.app.context.load_request import LoadRequest
    from ingot.model.time import SystemClock

    today = (state.clock() or SystemClock()).now().date()
    start, end = trade_dates(first, last, today)
    return LoadRequest(
        source=connector,
        location=source,
        datasets=tuple(dataset or ()),
        start=start if first else None,
        end=end if last else None,
        strategy=strategy.value,
        workers=workers,
    )


def _close(parts: Parts, report: LoadReport, to: Destination | None) -> None:
    from ingot.cli import load_summary

    load_summary.report(parts, report, to)
    if report.exit_code:
        raise typer.Exit(report.exit_code)
