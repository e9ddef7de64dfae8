"""Messages between the sandbox and its process: frames of a tag, a length and bytes.

Views travel to the process as JSON with Arrow streams beside it, answers come back as Arrow
streams of one batch. Nothing is unpickled on either side.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import IO, TYPE_CHECKING, Any, Final

import pyarrow as pa

from ingot.tables.input import ArrowRelation, FileRelation, QueryRelation
from ingot.tables.view import Condition, View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingot.tables.input import Relation

_HEAD: Final = struct.Struct(">BQ")


class Tag(IntEnum):
    """What a frame holds."""

    OPEN = 1
    """To the process: its limits and the warehouse, as JSON."""
    TABLES = 2
    """To the process: a text to validate, and the lake's own names. Back: the names. As JSON."""
    ASK = 3
    """To the process: a text and its views, as JSON."""
    ROWS = 4
    """Rows as one Arrow stream: a view's on the way there, an answer's batch back."""
    DONE = 5
    """Back: the answer is complete."""
    REFUSED = 6
    """Back: the message of a QueryError."""
    DAMAGED = 7
    """Back: path, finding and table of a DamagedFileError, as JSON."""
    FAILED = 8
    """Back: what the engine says of a file that cannot be read."""


@dataclass(frozen=True, slots=True)
class Query:
    """The text of a query, and what it depends on beside its tables."""

    sql: str
    params: str | None = None
    """Values of its parameters (`ingot.engines.params`)."""
    today: str | None = None
    """What `current_date` is, ISO 8601."""


def send(stream: IO[bytes], tag: Tag, payload: bytes) -> None:
    """Write one frame and flush."""
    stream.write(_HEAD.pack(tag, len(payload)))
    stream.write(payload)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Tag, bytes]:
    """Read one frame.

    Raises:
        EOFError: The other side is gone.
    """
    tag, size = _HEAD.unpack(_exactly(stream, _HEAD.size))
    return Tag(tag), _exactly(stream, size)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data


def pack_query(query: Query, views: Mapping[str, View]) -> tuple[bytes, list[bytes]]:
    """Return a query as JSON, and the rows of its views in memory, in the order named there."""
    in_memory = [r for v in views.values() for r in (v.relation, v.factors)]
    rows = [pack_rows(r.data) for r in in_memory if isinstance(r, ArrowRelation)]
    described = [_described(view) for view in views.values()]
    return json.dumps({"query": asdict(query), "views": described}).encode(), rows


def unpack_query(payload: bytes, stream: IO[bytes]) -> tuple[Query, dict[str, View]]:
    """Read a query and the frames of rows that follow it."""
    message = json.loads(payload)
    views = [_view(described, stream) for described in message["views"]]
    return Query(**message["query"]), {view.name: view for view in views}


def pack_rows(rows: pa.Table | pa.RecordBatch | pa.Schema) -> bytes:
    """Return rows, or an empty answer's schema, as an Arrow stream."""
    sink = pa.BufferOutputStream()
    schema = rows if isinstance(rows, pa.Schema) else rows.schema
    with pa.ipc.new_stream(sink, schema) as writer:
        if not isinstance(rows, pa.Schema):
            writer.write(rows)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def unpack_rows(payload: bytes) -> pa.Table:
    """Return the rows of an Arrow stream."""
    with pa.ipc.open_stream(payload) as reader:
        return reader.read_all()


def _described(view: View) -> dict[str, Any]:
    relation = view.relation
    files = None
    if isinstance(relation, FileRelation):
        columns = [[i, *column] for i, column in relation.columns.items()]
        files = {"paths": relation.paths, "columns": columns, "where": relation.where}
    query = None
    if isinstance(relation, QueryRelation):
        query = {"sql": relation.sql, "inputs": [_described(v) for v in relation.inputs]}
    return {
        "name": view.name,
        "files": files,
        "query": query,
        "columns": view.columns,
        "conditions": [[c.column, c.operator, _plain(c.value)] for c in view.conditions],
        "cut": None if view.cut is None else _plain(view.cut),
        "factors": view.factors is not None,
    }


def _view(described: dict[str, Any], stream: IO[bytes]) -> View:
    files, query = described["files"], described["query"]
    relation: Relation | QueryRelation
    if query is not None:
        inputs = tuple(_view(v, stream) for v in query["inputs"])
        relation = QueryRelation(query["sql"], inputs)
    elif files is None:
        relation = ArrowRelation(unpack_rows(receive(stream)[1]))
    else:
        columns = {i: (name, sql) for i, name, sql in files["columns"]}
        relation = FileRelation(tuple(files["paths"]), columns, files["where"])
    conditions = tuple(Condition(c, op, _value(v)) for c, op, v in described["conditions"])
    cut = described["cut"]
    factors = ArrowRelation(unpack_rows(receive(stream)[1])) if described["factors"] else None
    return View(
        described["name"],
        relation,
        tuple(described["columns"]),
        conditions,
        None if cut is None else _value(cut),
        factors,
    )


def _plain(value: object) -> Any:  # noqa: ANN401  # a value of JSON
    if isinstance(value, tuple):
        return {"all": [_plain(v) for v in value]}
    if isinstance(value, datetime):
        return {"instant": value.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return value


def _value(plain: Any) -> Any:  # noqa: ANN401  # a value of JSON
    if not isinstance(plain, dict):
        return plain
    if "all" in plain:
        return tuple(_value(v) for v in plain["all"])
    if "instant" in plain:
        return datetime.fromisoformat(plain["instant"])
    return date.fromisoformat(plain["date"])
