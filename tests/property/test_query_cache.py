"""What a cache may never do: answer from another state, moment or question, or grow."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingot.model.time import AsOf
from ingot.query.plan_cache import CURRENT, Cache, Key

T = datetime(2025, 6, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def key(question: str = "q", *, pointer: str = "v1", as_of: AsOf | None = None) -> Key:
    return Key.of({"silver.minute_bars": pointer}, as_of or AsOf(T, is_now=True), question)


def test_a_key_holds_state_moment_and_question() -> None:
    keys = {
        key(),
        key(pointer="v2"),
        key("r"),
        key(as_of=AsOf(T)),
        key(as_of=AsOf(T + HOUR)),
        key(as_of=AsOf(T + HOUR, is_now=True)),  # now is `current`, whenever it is
    }
    assert len(keys) == 5
    assert key().moment == CURRENT


def test_an_answer_to_now_ends_when_a_version_becomes_known() -> None:
    cache = Cache(1000)
    cache.put(key(), "old", size_bytes=1, now=T, until=T + HOUR)
    assert cache.get(key(), T) == "old"
    assert cache.get(key(), T + HOUR - timedelta(microseconds=1)) == "old"
    assert cache.get(key(), T + HOUR) is None
    assert cache.get(key(), T - HOUR) is None  # a clock that was set back


def test_an_answer_to_a_past_moment_never_ends() -> None:
    cache = Cache(1000)
    past = key(as_of=AsOf(T))
    cache.put(past, "then", size_bytes=1, now=T, until=T + HOUR)
    assert cache.get(past, T + 1000 * HOUR) == "then"


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = Cache(4)
    for name in "abcd":
        cache.put(key(name), name, size_bytes=1, now=T)
    assert cache.get(key("a"), T) == "a"
    cache.put(key("e"), "e", size_bytes=1, now=T)
    assert cache.get(key("b"), T) is None
    assert [cache.get(key(n), T) for n in "acde"] == list("acde")


def test_a_large_answer_is_not_kept() -> None:
    cache = Cache(100)
    cache.put(key("small"), "s", size_bytes=25, now=T)
    cache.put(key("large"), "l", size_bytes=26, now=T)
    assert cache.get(key("large"), T) is None
    assert cache.get(key("small"), T) == "s"


def test_a_limit_of_nothing_keeps_nothing() -> None:
    cache = Cache(0)
    cache.put(key(), "x", size_bytes=1, now=T)
    assert len(cache) == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["get", "put"]),
        st.sampled_from("abcdef"),
        st.sampled_from(["v1", "v2"]),
        st.integers(0, 30),
        st.integers(0, 5),
    )
)


@given(steps=STEPS)
def test_the_cache_gives_only_the_latest_value_of_exactly_that_key(
    steps: list[tuple[str, str, str, int, int]],
) -> None:
    cache, latest = Cache(100), {}
    for i, (what, question, pointer, size, hours) in enumerate(steps):
        at, asked = T + hours * HOUR, key(question, pointer=pointer)
        if what == "put":
            cache.put(asked, i, size_bytes=size, now=at, until=at + 2 * HOUR)
            latest[asked] = (i, at)
        else:
            found = cache.get(asked, at)
            assert found is None or found == latest[asked][0]
            if found is not None:
                assert latest[asked][1] <= at < latest[asked][1] + 2 * HOUR
        assert cache.size_bytes <= 100


def test_threads_may_share_it() -> None:
    cache = Cache(50)

    def work(name: str) -> None:
        for i in range(500):
            cache.put(key(f"{name}{i % 20}"), i, size_bytes=3, now=T)
            cache.get(key(f"{name}{i % 7}"), T)

    threads = [threading.Thread(target=work, args=[n]) for n in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.size_bytes == 3 * len(cache) <= 50
