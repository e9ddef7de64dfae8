"""Bars and tables of one's own: landed, versioned and refined like any vendor's files."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from ingot.app.context.load_request import LoadRequest
from ingot.app.inventory.datasets import options_of
from ingot.app.pipeline.backfill import backfill
from ingot.app.pipeline.ingest import ingest
from ingot.errors import ConfigError
from ingot.model.progress import silent
from ingot.tables.own import CONNECTOR, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import LoadReport
    from ingot.model.progress import Progress

_FILE: Final = "frame.parquet"


@dataclass(frozen=True, slots=True)
class TableRequest:
    """Which file to load to which table; what is empty is as at the first load."""

    name: str
    location: str
    """csv:FILE or parquet:FILE."""
    key: str = ""
    """Columns between commas."""
    time: str = ""
    zone: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    """Column -> type, for the first load."""


def write_bars(
    parts: Parts, frame: object, options: Mapping[str, str], *, progress: Progress = silent
) -> LoadReport:
    """Load a frame of bars, refine it, and return what was loaded.

    Args:
        parts: The lake.
        frame: A frame of Polars, pandas or Arrow with the columns that `ingot ingest bars` reads.
        options: Options of `ingot ingest bars`, by name.
        progress: Receives events.

    Raises:
        ConfigError: It is not a frame, or an option is wrong.
        SchemaDriftError: A column is missing.
    """
    with _as_file(frame) as location:
        request = LoadRequest("bars", location, (), options=tuple(options.items()))
        return _without_errors(backfill(parts, request, progress=progress))


def write_table(parts: Parts, frame: object, request: TableRequest) -> LoadReport:
    """Load a frame to a table, refine it, and return what was loaded.

    Raises:
        ConfigError: It is not a frame, or a name, a column or a type is wrong.
        SchemaDriftError: The columns are not those of the table.
    """
    with _as_file(frame) as location:
        found = _load_request(parts, replace(request, location=location))
        return _without_errors(backfill(parts, found))


def ingest_table(parts: Parts, request: TableRequest, *, progress: Progress = silent) -> LoadReport:
    """Load a file to a table of bronze; the first one declares the table's columns.

    Raises:
        ConfigError: The location, a name, a column or a type is wrong.
        LookAtDataError: The file cannot be read.
    """
    return ingest(parts, _load_request(parts, request), progress=progress)


def _load_request(parts: Parts, request: TableRequest) -> LoadRequest:
    from ingot.connectors.table.connector import first_options

    chosen = {"key": request.key, "time": request.time, "zone": request.zone}
    given = {"name": request.name, **{name: value for name, value in chosen.items() if value}}
    known = options_of(parts, SOURCE, f"{CONNECTOR}/{request.name}")
    options = {**known, **given} if known else first_options(request.location, given, request.types)
    return LoadRequest(CONNECTOR, request.location, (), options=tuple(sorted(options.items())))


def _without_errors(report: LoadReport) -> LoadReport:
    if report.errors:
        raise report.errors[0]
    return report


@contextmanager
def _as_file(frame: object) -> Iterator[str]:
    """Write a frame to a Parquet file for as long as it is loaded; yield its location."""
    rows = _polars(frame)
    with TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        rows.write_parquet(path)
        yield f"parquet:{path}"


def _polars(frame: Any) -> pl.DataFrame:  # noqa: ANN401 (a frame of any library)
    import polars as pl

    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if getattr(getattr(frame, "index", None), "name", None):
        frame = frame.reset_index()  # pandas: a named index is a column, such as time
    if not hasattr(frame, "__arrow_c_stream__"):
        raise ConfigError(
            f"`frame` is {type(frame).__name__}. Pass a frame of Polars, pandas or Arrow."
        )
    return pl.DataFrame(frame)
