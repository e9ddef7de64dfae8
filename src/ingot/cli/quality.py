"""Commands that validate data: check and reconcile."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from ingot.cli.context import state_of
from ingot.cli.groups import with_groups
from ingot.cli.options import KnownAt
from ingot.cli.output import Destination
from ingot.cli.span import Span, SpanOrDate
from ingot.cli.terminal import show
from ingot.errors import LookAtDataError, QueryError

_LOOK: Final = LookAtDataError.exit_code


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (check, reconcile):
        app.command()(with_groups(command))


def check(
    context: typer.Context,
    *,
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help="Only this table; all by default. Or a file of day bars, such as yahoo:FILE, "
            "which is checked by itself.",
        ),
    ] = None,
    span: Span,
    rules: Annotated[
        str | None,
        typer.Option("--rules", metavar="LIST", help="Only these, separated by commas."),
    ] = None,
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Check the columns of landed files instead of rows."),
    ] = False,
    to: Destination,
) -> None:
    """Run check rules over tables, and keep the results in ops.checks.

    The exit code is 3 where a rule of severity error is broken, or a version is held.
    """
    from ingot.app.trust import check as validate

    parts = state_of(context).open()
    dates = span.dates(parts.clock.now().date())
    if schema:
        if table or rules:
            raise QueryError("--schema looks at landed files. Leave out TABLE and --rules.")
        found = validate.check_schemas(parts, **dates)
    elif table and ":" in table:
        found = validate.check_file(parts, table)
    else:
        found = validate.check(parts, table=table, **dates, rules=_listed(rules))
    to.take(found.answer)
    if not found.is_clean:
        raise typer.Exit(_LOOK)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(s.strip() for s in (text or "").split(",") if s.strip())


def reconcile(
    context: typer.Context,
    *,
    a: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A table such as silver.minute_bars, narrowed by @source or @known_at=MOMENT; or "
            "csv:FILE, yahoo:FILE, alphavantage:FILE, lean:DIR. ?label=end&zone=UTC describes it.",
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The other side.")],
    layer: Annotated[
        str,
        typer.Option(
            "--layer",
            metavar="NAME",
            help="bronze, silver or gold: A and B are then its tables, or sources of its day bars.",
        ),
    ] = "",
    span: SpanOrDate,
    symbols: Annotated[
        str | None,
        typer.Option("--symbols", metavar="LIST", help="Only these, separated by commas."),
    ] = None,
    known_at: KnownAt = None,
    to: Destination,
) -> None:
    """Compare two sources, layers or versions, and name the cause of each difference.

    Without --format or --out a short report is printed. The exit code is 3 unless every
    difference is legal.
    """
    from ingot.app.trust.reconcile import ReconcileRequest
    from ingot.app.trust.reconcile import reconcile as compare

    parts = state_of(context).open()
    dates = span.dates(parts.clock.now().date())
    request = ReconcileRequest(
        a=a, b=b, **dates, symbols=_listed(symbols), layer=layer, known_at=known_at
    )
    found = compare(parts, request)
    if not to.is_given:
        show(found.text)
    else:
        to.take(found.answer)
    if not found.is_clean:
        raise typer.Exit(_LOOK)
