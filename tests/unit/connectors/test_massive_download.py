from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from ingot.connectors.base import Fetched, FileSource
from ingot.connectors.massive.connector import connector
from ingot.connectors.massive.settings import MassiveSettings
from ingot.connectors.transport.downloads import Arrival, ByteBudget, fetch_all
from ingot.errors import NotPublishedError
from ingot.model.landing import RemoteObject

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS = "us_stocks_sip/day_aggs_v1"


def remotes(count: int, size_bytes: int = 10) -> list[RemoteObject]:
    return [
        RemoteObject(
            source="s",
            dataset="d",
            file_date=date(2025, 1, 1 + n),
            key=f"k{n}",
            etag="e",
            size_bytes=size_bytes,
            last_modified=None,
        )
        for n in range(count)
    ]


@dataclass
class Watched:
    """A source that says how much was under way at once."""

    seconds: float = 0.005
    broken: frozenset[str] = frozenset()
    begun: list[str] = field(default_factory=list)
    most: int = 0
    most_bytes: int = 0
    _under_way: int = 0
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, remote: RemoteObject, _: Path, advance: Callable[[int], None]) -> Fetched:
        with self._lock:
            self.begun.append(remote.key)
            self._under_way += 1
            self._bytes += remote.size_bytes
            self.most = max(self.most, self._under_way)
            self.most_bytes = max(self.most_bytes, self._bytes)
        try:
            time.sleep(self.seconds)
            if remote.key in self.broken:
                raise NotPublishedError(f"{remote.key} is not there")
            advance(remote.size_bytes)
            return Fetched(remote.key, remote.size_bytes)
        finally:
            with self._lock:
                self._under_way -= 1
                self._bytes -= remote.size_bytes


def run(source: Any, wanted: list[RemoteObject], **options: Any) -> list[Arrival]:
    told: list[int] = options.pop("told", [])
    return list(
        fetch_all(
            cast("FileSource", source),
            wanted,
            lambda remote: Path(remote.key),
            **{"workers": 4, "bytes_in_flight": 1000, "advance": told.append, **options},
        )
    )


def test_every_object_arrives_once_with_its_path() -> None:
    wanted = remotes(20)
    told: list[int] = []
    arrivals = run(Watched(), wanted, told=told)
    assert sorted(a.remote.key for a in arrivals) == sorted(r.key for r in wanted)
    assert all(a.path == Path(a.remote.key) for a in arrivals)
    assert all(a.outcome == Fetched(a.remote.key, 10) for a in arrivals)
    assert sum(told) == 200


def test_no_more_are_under_way_than_workers() -> None:
    source = Watched()
    run(source, remotes(12), workers=3)
    assert source.most == 3


def test_no_more_bytes_are_under_way_than_the_budget() -> None:
    source = Watched()
    run(source, remotes(12), workers=8, bytes_in_flight=25)
    assert source.most_bytes == 20


def test_something_larger_than_the_budget_runs_alone() -> None:
    source = Watched()
    arrivals = run(source, [*remotes(2), *remotes(2, 500)], bytes_in_flight=25)
    assert len(arrivals) == 4
    assert source.most_bytes == 500


def test_a_failure_is_handed_over_and_the_others_go_on() -> None:
    arrivals = run(Watched(broken=frozenset({"k1"})), remotes(4))
    failed = {a.remote.key: str(a.outcome) for a in arrivals if isinstance(a.outcome, Exception)}
    assert failed == {"k1": "k1 is not there"}
    assert len(arrivals) == 4


def test_nothing_wanted_is_nothing_done() -> None:
    assert run(Watched(), []) == []


def test_a_bug_in_a_thread_is_raised_where_it_is_waited_for() -> None:
    class Broken:
        def fetch(self, *_: Any) -> Fetched:
            raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(Broken(), remotes(3))


def test_leaving_early_stops_what_runs_and_begins_nothing_more() -> None:
    class Endless:
        begun = 0

        def fetch(self, remote: RemoteObject, _: Path, advance: Callable[[int], None]) -> Fetched:
            self.begun += 1
            if remote.key == "k0":
                return Fetched("k0", 1)
            while True:
                advance(1)
                time.sleep(0.001)

    source = Endless()
    arrivals = fetch_all(
        cast("FileSource", source),
        remotes(20),
        lambda remote: Path(remote.key),
        workers=2,
        bytes_in_flight=100,
        advance=lambda _: None,
    )
    assert next(iter(arrivals)).remote.key == "k0"
    arrivals.close()  # type: ignore[attr-defined] # a generator
    assert source.begun <= 3
    assert not [t for t in threading.enumerate() if t.name.startswith("ingot-fetch")]


def test_a_budget_is_given_back_after_an_error() -> None:
    budget = ByteBudget(10)
    with pytest.raises(ValueError, match="lost"), budget.hold(10):
        raise ValueError("lost")
    with budget.hold(10):
        pass
    assert budget._used == 0


def test_a_folder_is_fetched_many_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "vendor" / DAYS / "2025" / "06"
    folder.mkdir(parents=True)
    for day in range(2, 22):
        (folder / f"2025-06-{day:02}.csv.gz").write_bytes(bytes([day]) * 1000)
    source = connector.open(str(tmp_path / "vendor"), MassiveSettings())
    wanted = source.list(DAYS, date(2025, 6, 1), date(2025, 7, 1))
    arrivals = list(
        fetch_all(
            source,
            wanted,
            lambda remote: tmp_path / remote.file_date.isoformat(),
            workers=4,
            bytes_in_flight=3000,
            advance=lambda _: None,
        )
    )
    assert len(arrivals) == 20
    for arrival in arrivals:
        content = bytes([arrival.remote.file_date.day]) * 1000
        assert arrival.outcome == Fetched(sha256(content).hexdigest(), 1000)
        assert arrival.path.read_bytes() == content
