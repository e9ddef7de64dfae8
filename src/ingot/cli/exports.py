"""Commands of exports: export, replay, exports."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingot.cli.bars_query import BarsQuery, Basis, KnownBasis, Strict
from ingot.cli.context import lake_of
from ingot.cli.groups import with_groups
from ingot.cli.options import KnownAt
from ingot.cli.output import Destination, counted, notice
from ingot.cli.read import Params, Query, query_text, sql_options
from ingot.cli.terminal import show

if TYPE_CHECKING:
    from ingot.app.lake import Lake


class ExportFormat(StrEnum):
    """What an export is written as."""

    PARQUET = "parquet"
    CSV = "csv"
    ARROW = "arrow"
    LEAN = "lean"


AsExport = Annotated[
    ExportFormat,
    typer.Option("--format", help="What is written; lean takes bars of 1m, 1h or 1d."),
]
Folder = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="An empty or new folder for data and manifest.")
]
Unsettled = Annotated[
    bool,
    typer.Option(
        "--allow-unsettled",
        help="Export what the next build may change, and bars without a row.",
    ),
]

export_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
exports_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    export_app.command("bars")(with_groups(export_bars))
    export_app.command("sql")(export_sql)
    exports_app.command("list")(with_groups(list_exports))
    exports_app.command("release")(release)
    app.add_typer(
        export_app, name="export", help="Write bars or a SELECT with a manifest to replay it by."
    )
    app.add_typer(exports_app, name="exports", help="List exports, or release their snapshots.")
    app.command()(replay)


def export_bars(
    context: typer.Context,
    *,
    out: Folder,
    query: BarsQuery,
    form: AsExport = ExportFormat.PARQUET,
    allow_unsettled: Unsettled = False,
) -> None:
    """Write bars to a folder, with a manifest."""
    lake = lake_of(context)
    how = {"format": form.value, "allow_unsettled": allow_unsettled}
    _export(lake, out, *query.names, **how, **query.options(lake))


def export_sql(
    context: typer.Context,
    query: Query,
    out: Folder,
    params: Params = None,
    known_at: KnownAt = None,
    basis: Basis = "raw",
    strict: Strict = False,
    known_basis: KnownBasis = None,
    form: AsExport = ExportFormat.PARQUET,
    allow_unsettled: Unsettled = False,
) -> None:
    """Write the rows of one SELECT to a folder, with a manifest."""
    how = {"format": form.value, "allow_unsettled": allow_unsettled}
    options = sql_options(known_at, basis, known_basis, params, strict=strict)
    _export(lake_of(context), out, query=query_text(query), **how, **options)


def replay(
    context: typer.Context,
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="A manifest.json, or its folder.")
    ],
    out: Folder,
) -> None:
    """Write an export again from its manifest, or name what is missing."""
    found = lake_of(context).replay(manifest, out)
    for text in found.notices:
        notice(text)
    kept = {
        "bytes": "the same bytes",
        "content": "the same rows; the files differ, as another library version wrote them",
    }
    notice(f"{counted(found.manifest.rows)} written to {out}: {kept[found.kept]}")
    show(f"{found.kept}\n")


def list_exports(context: typer.Context, *, to: Destination) -> None:
    """List the exports of this lake and their pinned snapshots."""
    to.take(lake_of(context).exports())


def release(
    context: typer.Context,
    export_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how it begins.")],
) -> None:
    """Release an export's snapshots, so that they may expire."""
    notice(lake_of(context).release(export_id))


def _export(lake: Lake, out: Path, *symbols: str, **asked: Any) -> None:  # noqa: ANN401  # to `export`
    made = lake.export(out, *symbols, **asked)
    for text in made.notices:
        notice(text)
    written = made.manifest
    notice(f"{counted(written.rows)} known at {written.known_at.isoformat()} written to {out}")
    show(f"{written.export_id}\n")
