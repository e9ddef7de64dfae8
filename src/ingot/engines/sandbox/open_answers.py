"""The long answers of a sandbox whose processes run, and how many of them may."""

from __future__ import annotations

from contextlib import closing
from itertools import chain, count
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

from ingot.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import pyarrow as pa


class Process(Protocol):
    """What makes the rows of a run."""

    def stop(self, reason: QueryError) -> None:
        """End at once; whoever waits for rows, or asks for more, gets the reason."""
        ...


class Run:
    """One run of the query of a long answer."""

    def __init__(self, closings: int) -> None:
        """Remember how often the sandbox was closed before the answer was opened."""
        self.closings = closings
        self.number = 0
        self.unread: list[tuple[list[pa.RecordBatch], Generator[pa.Table]]] = []
        """Rows read ahead and the others, until a reader or `drop` takes them."""
        self.lent: list[Process] = []
        """The process, while it runs."""
        self._is_ended = False

    def rows(
        self, ahead: list[pa.RecordBatch], others: Generator[pa.Table]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows; the process ends with this iterator.

        Raises:
            QueryError: The run was ended.
        """
        with closing(others):
            for part in chain([ahead], (part.to_batches() for part in others)):
                for batch in part:
                    if self._is_ended:
                        raise closed()
                    yield batch

    def drop(self) -> bool:
        """End the process if no reader has begun; return True if that is so."""
        try:
            _, others = self.unread.pop()
        except IndexError:
            return False
        others.close()
        return True

    def end(self) -> None:
        """End the process; its reader gets an error."""
        if not self.drop():
            self._is_ended = True
            for process in tuple(self.lent):
                process.stop(closed())


class OpenAnswers:
    """The runs whose processes may be alive, oldest first; safe to use from several threads.

    A run that is dropped by whoever has it ends by itself. A garbage collection may do that at
    any point of these methods, so they take no lock: each step is atomic.
    """

    def __init__(self, most: int) -> None:
        """Let at most so many run at once."""
        self.closings = 0
        self._most = most
        self._numbers = count(1)
        self._runs: WeakValueDictionary[int, Run] = WeakValueDictionary()

    def admit(self, run: Run) -> None:
        """Count a run; where there are too many, end the oldest that is not read yet.

        Raises:
            QueryError: All are being read, or the sandbox was closed since the answer was opened.
        """
        run.number = next(self._numbers)
        self._runs[run.number] = run
        while len(runs := self._alive()) > self._most:
            unread = next((other for other in runs if other.unread), None)
            if unread is None:
                self.discard(run)
                raise QueryError(
                    f"{self._most} long answers are being read, and no more can be. "
                    "Read one to its end, or drop it."
                )
            if unread.drop():
                self.discard(unread)
        if run.closings != self.closings:
            self.discard(run)
            run.drop()
            raise closed()

    def discard(self, run: Run) -> None:
        """Count a run no longer."""
        self._runs.pop(run.number, None)

    def end_all(self) -> None:
        """End every run; an answer that was opened before cannot be read again."""
        self.closings += 1
        for run in self._alive():
            run.end()

    def _alive(self) -> list[Run]:
        return [run for found in self._runs.valuerefs() if (run := found()) is not None]


def closed() -> QueryError:
    """Return the error of an answer that is read after its sandbox was closed."""
    return QueryError(
        "The lake was closed before this answer was read to its end. Open it and query again."
    )
