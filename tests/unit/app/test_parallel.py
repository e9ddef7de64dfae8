"""No thread outlives the context of the work that is handed out to it."""

from __future__ import annotations

import threading
from time import sleep

import pytest

from ingot.app.context.parallel import map_ahead


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_their_items(workers: int) -> None:
    with map_ahead(lambda n: n * n, range(7), workers=workers) as results:
        assert list(results) == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16), (5, 25), (6, 36)]


def test_what_runs_is_waited_for_when_the_consumer_stops() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(number: int) -> int:
        if number:
            begun.set()
            sleep(0.05)
            ended.set()
        return number

    with map_ahead(work, range(2), workers=2) as results:
        next(results)
        begun.wait()
    assert ended.is_set()


def test_a_thread_during_whose_start_ctrl_c_comes_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, ended = threading.Event(), threading.Event()
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        real(thread)
        begun.wait()
        raise KeyboardInterrupt("the user pressed Ctrl-C")

    def work(_: int) -> None:
        begun.set()
        sleep(0.05)
        ended.set()

    monkeypatch.setattr(threading.Thread, "start", start)
    with (
        pytest.raises(KeyboardInterrupt, match="the user pressed"),
        map_ahead(work, range(3), workers=2) as results,
    ):
        next(results)
    assert ended.is_set()
