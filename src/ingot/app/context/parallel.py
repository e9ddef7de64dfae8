"""Work done by threads, handed out in the order of its items, never far ahead of its consumer."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
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
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ingot")
    try:
        queue: deque[tuple[Item, Future[Value]]] = deque(
            (item, pool.submit(work, item)) for item in islice(rest, workers + 1)
        )
        while queue:
            item, future = queue.popleft()
            value = future.result()
            queue.extend((following, pool.submit(work, following)) for following in islice(rest, 1))
            yield item, value
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
