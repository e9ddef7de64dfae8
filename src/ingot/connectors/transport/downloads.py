"""Several objects fetched at once, within a budget of bytes; for any source of files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Event
from typing import TYPE_CHECKING

from ingot.errors import IngotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ingot.connectors.base import Fetched, FileSource
    from ingot.model.landing import RemoteObject


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of one object that was to be fetched."""

    remote: RemoteObject
    path: Path
    """Where its bytes are; incomplete or absent when `outcome` is an error."""
    outcome: Fetched | IngotError


class ByteBudget:
    """Lets work begin only while the bytes under way stay within a limit.

    Something larger than the whole limit runs alone, so that it can run at all.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = max(1, limit_bytes)
        self._used = 0
        self._changed = Condition()

    @contextmanager
    def hold(self, size_bytes: int) -> Iterator[None]:
        """Wait until `size_bytes` fit, and keep them until the block ends."""
        share = min(max(1, size_bytes), self._limit)
        with self._changed:
            self._changed.wait_for(lambda: self._used + share <= self._limit)
            self._used += share
        try:
            yield
        finally:
            with self._changed:
                self._used -= share
                self._changed.notify_all()


class _StoppedError(BaseException):
    """The bytes are not wanted any more; no retry may swallow this."""


def fetch_all(
    source: FileSource,
    remotes: Sequence[RemoteObject],
    destination: Callable[[RemoteObject], Path],
    *,
    workers: int,
    bytes_in_flight: int,
    advance: Callable[[int], None],
) -> Iterator[Arrival]:
    """Fetch each object to `destination(remote)` and yield it as it arrives, in no set order.

    An object that fails is yielded with its error; the others go on. Leaving the loop early
    (an error, Ctrl-C) stops the running transfers at their next piece and waits for them.

    Args:
        source: Where they are fetched from.
        remotes: As `source.list` returned them; begun in this order.
        destination: Where each one's bytes go; called once for each, in any thread.
        workers: At most so many at once.
        bytes_in_flight: At most so many bytes at once, by the listed sizes.
        advance: Called with the bytes that arrive, from any thread; negative when given up.
    """
    budget, stopped = ByteBudget(bytes_in_flight), Event()

    def report(count: int) -> None:
        if stopped.is_set():
            raise _StoppedError
        advance(count)

    def fetch(remote: RemoteObject) -> Arrival:
        with budget.hold(remote.size_bytes):
            if stopped.is_set():
                raise _StoppedError
            path = destination(remote)
            try:
                return Arrival(remote, path, source.fetch(remote, path, report))
            except IngotError as error:
                return Arrival(remote, path, error)

    threads = ThreadPoolExecutor(workers, thread_name_prefix="ingot-fetch")
    try:
        for future in as_completed([threads.submit(fetch, remote) for remote in remotes]):
            yield future.result()
    finally:
        stopped.set()
        threads.shutdown(cancel_futures=True)
