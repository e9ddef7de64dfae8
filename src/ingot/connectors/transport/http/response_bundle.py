"""Responses as the bytes that are landed: one canonical text without keys.

Each query has a line `{"query":NAME,"rows":N}` and below it its N rows, one line each, with
sorted keys and numbers as the vendor wrote them. The same responses give the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from ingot.connectors.transport.http.client import read_json
from ingot.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingot.connectors.transport.http.redaction import Redactor


@dataclass(frozen=True, slots=True)
class Query:
    """One query and the rows of all its pages."""

    name: str
    """The path of the request, without host, key and cursor: stocks/v1/splits."""
    rows: tuple[Mapping[str, Any], ...]


def canonical(value: Any) -> str:  # noqa: ANN401 (JSON)
    """Return JSON text with sorted keys, no blanks, and numbers as they were written.

    >>> canonical({"b": [Decimal("0.50"), None], "a": "x"})
    '{"a":"x","b":[0.50,null]}'
    """
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        inner = (f"{encode_basestring(k)}:{canonical(value[k])}" for k in sorted(value))
        return f"{{{','.join(inner)}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(canonical, value))}]"
    return json.dumps(value)


def write(queries: Iterable[Query], redactor: Redactor) -> bytes:
    """Return the landed bytes of queries, in the order given."""
    lines: list[str] = []
    for query in queries:
        lines.append(canonical({"query": query.name, "rows": len(query.rows)}))
        lines += map(canonical, query.rows)
    return (redactor.text("\n".join(lines)) + "\n").encode()


def read(content: bytes, name: str) -> list[Query]:
    """Return the queries of landed bytes.

    Raises:
        CorruptFileError: The bytes are not what `write` gives.
    """
    try:
        lines = iter([read_json(line) for line in content.splitlines()])
        found: list[Query] = []
        for head in lines:
            rows = tuple(next(lines) for _ in range(head["rows"]))
            found.append(Query(head["query"], rows))
    except (ValueError, KeyError, TypeError, RuntimeError, RecursionError) as exc:
        raise CorruptFileError(
            f"{name} is not a bundle of responses ({type(exc).__name__}: {exc}). Nothing of it was "
            "loaded; fetch it again."
        ) from exc
    return found
