"""Bars of one's own out of memory: a frame is landed as Parquet, then loaded like any file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from ingot.app.context.load_request import LoadRequest
from ingot.app.pipeline.backfill import backfill
from ingot.errors import ConfigError
from ingot.model.progress import silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import LoadReport
    from ingot.model.progress import Progress

_FILE: Final = "frame.parquet"


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
    rows = _polars(frame)
    with TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        rows.write_parquet(path)
        request = LoadRequest("bars", f"parquet:{path}", (), options=tuple(options.items()))
        report = backfill(parts, request, progress=progress)
    if report.errors:
        raise report.errors[0]
    return report


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
