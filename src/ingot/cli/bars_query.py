"""The options that say which bars are read, shared by `bars` and `export bars`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingot.cli.context import trade_dates
from ingot.cli.options import From, KnownAt, To
from ingot.errors import QueryError

if TYPE_CHECKING:
    from ingot.app.lake import Lake

Basis = Annotated[
    str,
    typer.Option(
        "--basis", metavar="NAME", help="raw (as traded), split, total_return or scaled_raw."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse when a corporate action cannot be applied.")
]
KnownBasis = Annotated[
    str | None,
    typer.Option(
        "--known-basis",
        metavar="LIST",
        help="Only what landed with such a known time: observed, assumed, stated.",
    ),
]


@dataclass(frozen=True, slots=True)
class BarsQuery:
    """Which bars."""

    symbols: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SYMBOL",
            help="Symbols, case-sensitive, with spaces or commas between; all of the market, if "
            "a span is given alone.",
        ),
    ] = None
    first: From = None
    last: To = None
    interval: Annotated[
        str,
        typer.Option(
            "--interval",
            metavar="WIDTH",
            help="Minutes or hours, such as 1m, 90m or 4h, that divide a day or the session; 1d, "
            "1w or 1mo.",
        ),
    ] = "1d"
    session: Annotated[
        str | None,
        typer.Option(
            "--session",
            metavar="NAME",
            help="pre, regular, post or overnight; all by default (1d: the vendor's own day).",
        ),
    ] = None
    basis: Basis = "raw"
    known_at: KnownAt = None
    fill: Annotated[
        str,
        typer.Option(
            "--fill", metavar="HOW", help="none, or previous: absent bars get the close before."
        ),
    ] = "none"
    layout: Annotated[
        str,
        typer.Option(
            "--layout", metavar="NAME", help="long (a row per bar) or wide (a column per symbol)."
        ),
    ] = "long"
    value: Annotated[
        str,
        typer.Option(
            "--value",
            metavar="COLUMN",
            help="What the wide layout shows: open, high, low, close, volume or transactions.",
        ),
    ] = "close"
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            metavar="START/END",
            help="Only bars that start in it: instants with offset, START inside, END outside.",
        ),
    ] = None
    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="NAME", help="Connector to read; the precedence list by default."
        ),
    ] = None
    follow: Annotated[
        bool,
        typer.Option(
            "--follow/--literal",
            help="Follow a symbol's instrument through its other symbols, or take it literally.",
        ),
    ] = True
    symbol_date: Annotated[
        str | None,
        typer.Option(
            "--symbol-date",
            metavar="DATE",
            help="Date on which the symbol's holder is looked up; the last of the span by default.",
        ),
    ] = None
    formula: Annotated[
        str,
        typer.Option(
            "--formula",
            metavar="NAME",
            help="How dividends adjust: standard or wiki (c / (c + d)).",
        ),
    ] = "standard"
    strict: Strict = False
    known_basis: KnownBasis = None

    def __post_init__(self) -> None:
        """Refuse to read everything by mistake."""
        if not (self.symbols or self.first or self.window):
            raise QueryError(
                "Name symbols, or a span with --from or --window for all of the market."
            )

    @property
    def names(self) -> list[str]:
        """The symbols, split at commas."""
        return [name for text in self.symbols or () for name in text.split(",") if name]

    def options(self, lake: Lake) -> dict[str, Any]:
        """Return what `Lake.bars` and `Lake.export` take beside the symbols."""
        from ingot.query.requests.request import Adjustment

        start, end = trade_dates(self.first, self.last, lake.today())
        named = ("interval", "session", "known_at", "fill", "layout", "value", "window", "source")
        others = ("follow", "symbol_date", "known_basis")
        adjustment = Adjustment(self.basis, self.formula, self.strict)  # type: ignore[arg-type]  # checked later
        given = {name: getattr(self, name) for name in (*named, *others)}
        return {"start": start, "end": end, "basis": adjustment, **given}
