"""What an engine is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    import pyarrow as pa

    from ingot.tables.input import Relation
    from ingot.tables.trailing import TrailingBars


class Engine(Protocol):
    """Runs one SQL text of the portable subset over named relations."""

    name: str

    def run(self, sql: str, inputs: Mapping[str, Relation]) -> pa.RecordBatchReader:
        """Return the result of `sql`, in the order that it asks for, as Arrow batches.

        `sql` names the inputs by the mapping's keys and nothing else. The reader must be drained
        or closed before the next call.
        """
        ...

    def close(self) -> None:
        """Release everything; the engine cannot be used afterwards."""
        ...

    def __enter__(self) -> Self:
        """Return the engine itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        ...


@runtime_checkable
class CanTrail(Protocol):
    """An engine with a faster way to the trailing values of bars than a window in SQL."""

    def run_trailing(
        self, bars: TrailingBars, inputs: Mapping[str, Relation]
    ) -> pa.RecordBatchReader:
        """Return the rows that the whole transform gives, in the same order, as Arrow batches.

        `bars.sql` names the inputs as in `Engine.run`, and the reader is used alike.
        """
        ...
