"""Facts about a lake as an answer: rows of named columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ingot.query.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ingot.app.parts import Parts


def listed(
    parts: Parts,
    columns: Sequence[tuple[str, pa.DataType]],
    rows: Iterable[Sequence[Any]],
    *,
    notices: Sequence[str] = (),
) -> Answer:
    """Return rows under named, typed columns, as of now."""
    found = list(rows)
    arrays = [
        pa.array([row[position] for row in found], kind)
        for position, (_, kind) in enumerate(columns)
    ]
    data = pa.table(dict(zip((name for name, _ in columns), arrays, strict=True)))
    return Answer(data=data, known_at=parts.clock.now(), notices=tuple(notices))
