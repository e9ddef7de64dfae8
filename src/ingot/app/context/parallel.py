"""Work done by threads, handed out in the order of its items, never far ahead of its consumer."""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from threading import Condition
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

Item = TypeVar("Item")
Value = TypeVar("Value")


def map_ahead(
    work: Callable[[Item], Value], items: Iterable[Item], *, workers: int
) -> closing[Generator[tuple[Item, Value]]]:
    """Return a context whose value yields each item with `work(item)`, in order.

    At most `workers` + 1 results wait. With one worker everything runs in the caller's thread.
    When the context ends early (an error, Ctrl-C), what has not begun is canceled and what runs is
    waited for: no thread outlives the context.
    """
    return closing(_results(work, items, workers))


def _results(
    work: Callable[[Item], Value], items: Iterable[Item], workers: int
) -> Generator[tuple[Item, Value]]:
    if workers <= 1:
        for item in items:
            yield item, work(item)
        return
    rest = iter(items)
    gate = _Gate()

    def guarded(item: Item) -> Value:
        with gate:
            return work(item)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="ingot")
    try:
        queue: deque[tuple[Item, Future[Value]]] = deque(
            (item, pool.submit(guarded, item)) for item in islice(rest, workers + 1)
        )
        while queue:
            item, future = queue.popleft()
            value = future.result()
            queue.extend(
                (following, pool.submit(guarded, following)) for following in islice(rest, 1)
            )
            yield item, value
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        gate.close()


class _Gate:
    """Counts the threads at work, and lets none begin after it is closed.

    A pool does not wait for a thread during whose start Ctrl-C came: it does not know of it yet.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0
        self._is_closed = False

    def __enter__(self) -> None:
        with self._changed:
            if self._is_closed:
                raise CancelledError
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Wait until no thread is at work."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._inside)
