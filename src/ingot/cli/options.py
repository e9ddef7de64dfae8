"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    ARROW = "arrow"


class Strategy(StrEnum):
    """How days are worked on."""

    AUTO = "auto"
    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"


class Status(StrEnum):
    """What became of a version."""

    LANDED = "landed"
    LOADED = "loaded"
    HELD = "held"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REFUSED = "refused"


From = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First trade date, included.")
]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last trade date, included.")]
KnownAt = Annotated[
    str | None,
    typer.Option(
        "--known-at",
        metavar="MOMENT",
        help="Answer with what was known then: an instant with offset, or a date (00:00 New York).",
    ),
]
AsFormat = Annotated[
    Format | None,
    typer.Option(
        "--format", help="How rows are written; by default as --out is named, else as a table."
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write to a file instead of stdout.")
]
HowStrategy = Annotated[
    Strategy, typer.Option("--strategy", help="auto looks at cores, memory and disk.")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, max=256, help="Files worked on at once."),
]
