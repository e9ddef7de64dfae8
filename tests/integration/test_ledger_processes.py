"""Two processes on one ledger at once: nothing is lost, nothing is there twice."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ingot.errors import QueryError
from ingot.model.known_time import Publication
from ingot.model.landing import Decision, Landing, Outcome, RemoteObject
from ingot.model.unit import Done, Scope, Unit
from ingot.storage.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

DATASET = "us_stocks_sip/day_aggs_v1"
FIRST = date(2025, 6, 2)
SEEN = datetime(2025, 6, 3, 15, tzinfo=UTC)
DAYS = 6


def land(ledger: Ledger, day: date, data: bytes) -> Landing | None:
    temporary = ledger.temporary("file")
    temporary.write_bytes(data)
    return ledger.land(
        RemoteObject("massive", DATASET, day, f"{day}.csv.gz", "e", len(data), None),
        temporary,
        sha256=sha256(data).hexdigest(),
        size_bytes=len(data),
        at=SEEN,
        publication=Publication("r", SEEN),
    )


def done(landing: Landing, run: str) -> Done:
    day = landing.file_date
    scope = Scope("massive", DATASET, day, day + timedelta(days=1), landing.landing_id)
    digest = f"{landing.landing_id & (2**64 - 1):016x}"
    return Done(Unit("bronze.day_bars", scope, digest), Outcome.HELD, run, SEEN, SEEN, 1)


def days() -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(DAYS)]


def ingest_the_same(root: Path, start: Barrier, run: str) -> None:
    """Land the same bytes of each day, and record each as done."""
    start.wait()
    with Ledger(root) as ledger:
        for day in days():
            land(ledger, day, b"same")
            state = ledger.states("massive", DATASET, day, day + timedelta(days=1))[-1]
            ledger.record_done(done(state.landing, run))


def ingest_own(root: Path, start: Barrier, run: str) -> None:
    """Land bytes of one's own for each day, again and again the same."""
    start.wait()
    with Ledger(root) as ledger:
        for day in days():
            land(ledger, day, run.encode())


def decide(root: Path, start: Barrier, run: str) -> None:
    """Decide of every version that is held; a decision that came too late changes nothing."""
    decision = Decision.ACCEPTED if run == "0" else Decision.REJECTED
    start.wait()
    with Ledger(root) as ledger:
        for state in ledger.states("massive", DATASET):
            try:
                ledger.decide(state.landing.landing_id, decision, at=SEEN, by=run)
            except QueryError:
                continue


def both(work: Callable[[Path, Barrier, str], None], root: Path) -> None:
    """Run `work` in two processes that begin together."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    processes = [context.Process(target=work, args=(root, start, str(n))) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def agree(root: Path) -> Ledger:
    """Return the ledger, after a look that its cache says what the store says."""
    ledger = Ledger(root)
    cached = [(s.landing, s.outcome, s.decision) for s in ledger.states("massive", DATASET)]
    ledger.rebuild()
    built = [(s.landing, s.outcome, s.decision) for s in ledger.states("massive", DATASET)]
    assert cached == built
    return ledger


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def test_two_processes_that_land_the_same_bytes_make_one_version(root: Path) -> None:
    both(ingest_the_same, root)
    with agree(root) as ledger:
        states = ledger.states("massive", DATASET)
        assert [s.landing.file_date for s in states] == days()
        assert {s.landing.ordinal for s in states} == {1}
        folders = [p.parent for p in (ledger.store.root / "units").rglob("1.json")]
        records = [sorted(p.name for p in folder.iterdir()) for folder in folders]
        assert records == [["1.json", "2.json"]] * DAYS


def test_two_processes_that_land_different_bytes_make_two_versions_in_order(root: Path) -> None:
    both(ingest_own, root)
    with agree(root) as ledger:
        for day in days():
            states = ledger.states("massive", DATASET, day, day + timedelta(days=1))
            assert [s.landing.ordinal for s in states] == [1, 2]
            assert {s.landing.sha256 for s in states} == {
                sha256(b"0").hexdigest(),
                sha256(b"1").hexdigest(),
            }
            assert states[0].landing.known_from < states[1].landing.known_from


def test_of_two_decisions_exactly_one_is_made(root: Path) -> None:
    with Ledger(root) as ledger:
        for day in days():
            landing = land(ledger, day, b"x")
            assert landing is not None
            ledger.record_done(done(landing, "run"))
    both(decide, root)
    with agree(root) as ledger:
        assert all(s.decision is not None for s in ledger.states("massive", DATASET))
        files = list((ledger.store.root / "decisions").rglob("*.json"))
        assert len(files) == DAYS


def test_two_processes_may_set_one_damaged_cache_aside(root: Path) -> None:
    both(ingest_own, root)
    (root / "state.db").write_bytes(b"not a database" * 1000)
    both(ingest_the_same, root)
    with agree(root) as ledger:
        assert {s.landing.ordinal for s in ledger.states("massive", DATASET)} == {1, 2, 3}
    assert len(list(root.glob("state.db.damaged-????????"))) == 1
