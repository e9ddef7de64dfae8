"""Answers written out: table, csv, json, jsonl, parquet and arrow."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import secrets
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

import pyarrow as pa

from ingot.errors import QueryError
from ingot.failures import translate
from ingot.query.result.text_table import printed
from ingot.query.result.values import column_texts
from ingot.tables.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    import polars as pl
    import pyarrow.parquet as pq

    _Writer: TypeAlias = Callable[[pa.Table | Stream, IO[bytes]], int]

TABLE: Final = "table"
BINARY: Final = frozenset({"parquet", "arrow"})
_GZIP: Final = ".gz"
_ENDINGS: Final = {
    ".txt": TABLE,
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
_SPECIAL: Final = frozenset(',"\r\n')
_BATCH_ROWS: Final = 65_536


def write(
    data: pa.Table | Stream, target: str | os.PathLike[str] | IO[bytes], form: str | None = None
) -> int:
    """Write rows to a stream of bytes, or to a file that appears when it is complete.

    All formats but table are written batch by batch. Returns the number of rows.

    Args:
        data: The rows.
        target: A path, or an open binary stream, which stays open.
        form: table (aligned text), csv (header line, quoted only where needed, null is empty),
            json (one array of objects keyed by column name; decimals are numbers), jsonl (one
            object a line), parquet, or arrow (the IPC file format). By default the path's ending
            says it.

    Raises:
        QueryError: The format or the ending is unknown.
        StorageFullError, ConfigError, StorageUnavailableError: The file cannot be written.
    """
    if not isinstance(target, str | os.PathLike):
        return _writer(form or TABLE)(data, target)
    path = Path(target)
    return _write_file(data, path, _writer(form or format_of(path)))


def format_of(path: Path) -> str:
    """Return the format that a file's ending names.

    >>> format_of(Path("bars.csv.gz"))
    'csv'

    Raises:
        QueryError: It names none.
    """
    ending = path.with_suffix("").suffix if path.suffix == _GZIP else path.suffix
    found = _ENDINGS.get(ending.lower())
    if found is None or (path.suffix == _GZIP and found in BINARY):
        known = ", ".join((*_ENDINGS, ".csv.gz", ".jsonl.gz"))
        raise QueryError(
            f"The ending of {path.name} names no format. Use one of {known}, or name the format."
        )
    return found


def _writer(form: str) -> _Writer:
    writer = _WRITERS.get(form)
    if writer is None:
        near = get_close_matches(form, _WRITERS, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise QueryError(f"format was {form!r}. {hint}It is one of {', '.join(_WRITERS)}.")
    return writer


def _write_file(data: pa.Table | Stream, path: Path, writer: _Writer) -> int:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as stream:
            if path.suffix == _GZIP:
                # No name and no time in the header: equal rows are equal bytes.
                with gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed:
                    rows = writer(data, cast("IO[bytes]", packed))
            else:
                rows = writer(data, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        return rows  # noqa: TRY300  # nothing below it can fail
    except OSError as exc:
        raise translate(exc, path, "write") from exc
    finally:
        with suppress(OSError):
            temporary.unlink()


def _batches(data: pa.Table | Stream) -> Iterator[pa.Table]:
    """Yield the rows in batches of one size, so that equal rows are equal bytes."""
    pending = data.schema.empty_table()
    for batch in data if isinstance(data, Stream) else data.to_batches():
        pending = pa.concat_tables([pending, pa.Table.from_batches([batch])])
        while pending.num_rows >= _BATCH_ROWS:
            yield pending.slice(0, _BATCH_ROWS).combine_chunks()
            pending = pending.slice(_BATCH_ROWS)
    if pending.num_rows:
        yield pending.combine_chunks()


def _write_table(data: pa.Table | Stream, stream: IO[bytes]) -> int:
    rows = data.collected() if isinstance(data, Stream) else data
    stream.write(printed(rows).encode())
    return rows.num_rows


def _write_csv(data: pa.Table | Stream, stream: IO[bytes]) -> int:
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(data.schema.names)
    stream.write(header.getvalue().encode())
    rows = 0
    for batch in _batches(data):
        stream.write(_csv_lines([column_texts(column) for column in batch.columns]).encode())
        rows += batch.num_rows
    return rows


def _csv_lines(columns: Sequence[Iterable[str | None]]) -> str:
    """Return lines without Polars, where no column is long enough to need it."""
    if all(isinstance(column, list) for column in columns):
        rows = zip(*columns, strict=True)
        return "".join(f"{','.join(map(_quoted, row))}\n" for row in rows)
    import polars as pl

    frame = pl.DataFrame([pl.Series(str(i), column) for i, column in enumerate(columns)])
    return frame.write_csv(include_header=False, quote_style="necessary")


def _quoted(value: str | None) -> str:
    """Return a field as Polars writes it: null is empty, and quotes stand only where needed."""
    if value is None:
        return ""
    if value and not _SPECIAL.intersection(value):
        return value
    return '"' + value.replace('"', '""') + '"'


def _write_json(data: pa.Table | Stream, stream: IO[bytes]) -> int:
    rows = 0
    for batch in _batches(data):
        stream.write(b",\n" if rows else b"[\n")
        stream.write(",\n".join(_objects(batch)).encode())
        rows += batch.num_rows
    stream.write(b"\n]\n" if rows else b"[]\n")
    return rows


def _write_jsonl(data: pa.Table | Stream, stream: IO[bytes]) -> int:
    rows = 0
    for batch in _batches(data):
        stream.write("".join(f"{line}\n" for line in _objects(batch)).encode())
        rows += batch.num_rows
    return rows


def _objects(batch: pa.Table) -> list[str]:
    import polars as pl

    from ingot.query.result.cell_text import json_texts

    parts: list[pl.Expr | pl.Series] = []
    for i, (name, column) in enumerate(zip(batch.column_names, batch.columns, strict=True)):
        key = ("{" if i == 0 else ",") + json.dumps(name, ensure_ascii=False) + ":"
        parts += [pl.lit(key), json_texts(column).alias(str(i))]
    return pl.select(pl.concat_str([*parts, pl.lit("}")])).to_series().to_list()


def _write_parquet(data: pa.Table | Stream, stream: IO[bytes]) -> int:
    import pyarrow.parquet as pq

    sink = _Sink(stream)
    with pq.ParquetWriter(sink.file(), data.schema, compression="zstd") as writer:
        return _written(data, writer, sink)


def _write_arrow(data: pa.Table | Stream, stream: IO[bytes]) -> int:
    sink = _Sink(stream)
    with pa.ipc.new_file(sink.file(), data.schema) as writer:
        return _written(data, writer, sink)


def _written(
    data: pa.Table | Stream, writer: pq.ParquetWriter | pa.ipc.RecordBatchFileWriter, sink: _Sink
) -> int:
    rows = 0
    try:
        for batch in _batches(data):
            writer.write_table(batch)
            rows += batch.num_rows
    except BaseException:
        sink.is_cut = True
        raise
    return rows


class _Sink:
    """Takes a writer's bytes until it is cut.

    A writer ends its file when it is closed, also after a failure: what is on stdout by then would
    be a valid file with too few rows.
    """

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.is_cut = False

    def write(self, data: bytes) -> int:
        return len(data) if self.is_cut else self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()

    def file(self) -> pa.PythonFile:
        return pa.PythonFile(cast("io.IOBase", self), mode="w")


_WRITERS: Final[dict[str, _Writer]] = {
    TABLE: _write_table,
    "csv": _write_csv,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "arrow": _write_arrow,
}
FORMATS: Final = tuple(_WRITERS)
"""Names of the formats."""
