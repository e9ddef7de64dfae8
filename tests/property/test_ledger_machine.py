"""Random work on a ledger, cut off at random points, against a model of lists and dictionaries."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ingot.model.known_time import Publication
from ingot.model.landing import Decision, KnownBasis, Landing, Outcome, RemoteObject
from ingot.model.unit import Done, Scope, Unit
from ingot.storage.landing.store import LandingStore
from ingot.storage.ledger.ledger import Ledger
from ingot.storage.ledger.state_db import StateCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

DATASET = "d/minutes"
DAY = date(2025, 6, 2)
SCOPE = Scope("massive", DATASET, DAY, DAY + timedelta(days=1))
DUE = datetime(2025, 6, 3, 15, tzinfo=UTC)
KEYS = st.sampled_from("ab")
US = timedelta(microseconds=1)


class Crash(BaseException):
    pass


@dataclass
class Version:
    """What the model knows of a version."""

    key: str
    data: bytes
    seen: datetime
    known_from: datetime
    basis: KnownBasis
    outcome: Outcome | None = None
    decided: tuple[Decision, datetime] | None = None

    @property
    def counts(self) -> bool:
        accepted = self.decided is not None and self.decided[0] is Decision.ACCEPTED
        bad = self.outcome is Outcome.REFUSED or self.outcome is Outcome.HELD
        return accepted or not bad


@dataclass
class Model:
    versions: list[Version] = field(default_factory=list)
    silver: list[tuple[str, int]] = field(default_factory=list)
    """(digest, snapshot) of each unit done over one scope, in order."""
    head: int = 0
    """Snapshots up to here are ancestors, later ones were rolled back."""
    lost: set[int] = field(default_factory=set)

    def of(self, key: str) -> list[Version]:
        return [v for v in self.versions if v.key == key]


class LedgerMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.points_left: int | None = None
        self.now = DUE
        self.model = Model()
        self.snapshots = 0
        self.ledger = Ledger(self.root, boundary=self.boundary)

    def teardown(self) -> None:
        if hasattr(self, "root"):
            self.ledger.close()
            shutil.rmtree(self.root)

    def boundary(self, point: str) -> None:
        if self.points_left is not None:
            self.points_left -= 1
            if self.points_left < 0:
                raise Crash(point)

    def attempt(self, work: Callable[[], object], *, crash: int | None) -> None:
        """Do `work`; if it is cut off, look at it again with a new process, then do it again."""
        self.points_left = crash
        try:
            work()
        except Crash:
            self.points_left = None
            self.reopen()
            work()
        self.points_left = None

    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.root, boundary=self.boundary)

    @rule(
        key=KEYS,
        data=st.sampled_from([b"1", b"2", b"3"]),
        wait=st.sampled_from([timedelta(0), timedelta(hours=5), timedelta(hours=40)]),
        crash=st.none() | st.integers(0, 12),
    )
    def land(self, key: str, data: bytes, wait: timedelta, crash: int | None) -> None:
        self.now += wait
        landed = self.model.of(key)
        if not (landed and landed[-1].data == data):
            self.model.versions.append(self.expected(key, data))
        self.attempt(lambda: self.fetch(key, data), crash=crash)

    def expected(self, key: str, data: bytes) -> Version:
        """Return what SEMANTICS 2 gives."""
        before = [v for v in self.model.of(key) if v.counts]
        now = self.moment()
        if before:
            known = max(now, before[-1].known_from + US)
            return Version(key, data, now, known, KnownBasis.OBSERVED)
        if now - DUE <= timedelta(hours=36):
            return Version(key, data, now, now, KnownBasis.OBSERVED)
        return Version(key, data, now, DUE, KnownBasis.ASSUMED)

    def moment(self) -> datetime:
        """Return the present, which is never before anything recorded."""
        decided = [v.decided[1] for v in self.model.versions if v.decided]
        return max([self.now, *(v.known_from for v in self.model.versions), *decided])

    def fetch(self, key: str, data: bytes) -> None:
        temporary = self.ledger.temporary("file")
        temporary.write_bytes(data)
        self.ledger.land(
            RemoteObject("massive", DATASET, DAY, key, "e", len(data), None),
            temporary,
            sha256=sha256(data).hexdigest(),
            size_bytes=len(data),
            at=self.now,
            publication=Publication("r", DUE),
        )

    @precondition(lambda self: self.model.versions)
    @rule(
        pick=st.integers(0, 99),
        outcome=st.sampled_from(Outcome),
        crash=st.none() | st.integers(0, 6),
    )
    def load(self, pick: int, outcome: Outcome, crash: int | None) -> None:
        version = self.model.versions[pick % len(self.model.versions)]
        if version.decided is not None:
            return
        version.outcome = outcome
        landing_id = self.landing_id(version)
        scope = Scope(SCOPE.source, SCOPE.dataset, SCOPE.start, SCOPE.end, landing_id)
        unit = Unit("bronze.minute_bars", scope, "0")
        done = Done(unit, outcome, "run", DUE, DUE, 1)
        self.attempt(lambda: self.ledger.record_done(done), crash=crash)

    @precondition(lambda self: any(v.outcome is Outcome.HELD for v in self.model.versions))
    @rule(
        pick=st.integers(0, 99),
        decision=st.sampled_from(Decision),
        crash=st.none() | st.integers(0, 3),
    )
    def decide(self, pick: int, decision: Decision, crash: int | None) -> None:
        held = [v for v in self.model.versions if v.outcome is Outcome.HELD and v.decided is None]
        if not held:
            return
        version = held[pick % len(held)]
        at = max(self.moment(), version.known_from)
        version.decided = (decision, at)
        landing_id = self.landing_id(version)

        def work() -> None:
            if self.ledger.find(landing_id).decision is None:
                self.ledger.decide(landing_id, decision, at=self.now, by="ann")

        self.attempt(work, crash=crash)

    @rule(digest=st.sampled_from("xyz"), crash=st.none() | st.integers(0, 6))
    def refine(self, digest: str, crash: int | None) -> None:
        self.snapshots += 1
        self.model.head = self.snapshots
        self.model.silver.append((digest, self.snapshots))
        done = Done(
            Unit("silver.minute_bars", SCOPE, digest), Outcome.DONE, "run", DUE, DUE, self.snapshots
        )
        self.attempt(lambda: self.ledger.record_done(done), crash=crash)

    @precondition(lambda self: self.snapshots)
    @rule(back=st.integers(1, 3))
    def roll_back(self, back: int) -> None:
        kept = [s for _, s in self.model.silver if s not in self.model.lost]
        self.model.lost |= set(kept[-back:])
        self.void()

    def void(self) -> None:
        ancestors = set(range(1, self.snapshots + 1)) - self.model.lost
        self.ledger.void("silver.minute_bars", lambda: ancestors)

    @rule(how=st.sampled_from(["close", "delete", "damage", "rebuild"]))
    def start_again(self, how: str) -> None:
        self.ledger.close()
        path = self.root / "state.db"
        if how == "delete":
            path.unlink(missing_ok=True)
        if how == "damage" and path.exists():
            path.write_bytes(b"?" * 8192)
        self.reopen()
        if how == "rebuild":
            self.ledger.rebuild()
        # A program looks at the heads of its tables when the cache does not know them.
        self.void()

    def landing_id(self, version: Version) -> int:
        ordinal = self.model.of(version.key).index(version) + 1
        text = f"massive|{version.key}|{ordinal}|{sha256(version.data).hexdigest()}"
        return int.from_bytes(sha256(text.encode()).digest()[:8], "big", signed=True)

    @invariant()
    def versions_are_those_of_the_model(self) -> None:
        found = self.ledger.states("massive", DATASET)
        expected = [
            (self.landing_id(v), v.known_from, v.basis, v.seen, v.outcome, v.decided)
            for key in "ab"
            for v in self.model.of(key)
        ]
        assert [
            (
                s.landing.landing_id,
                s.landing.known_from,
                s.landing.known_basis,
                s.landing.first_seen,
                s.outcome,
                (s.decision, s.decided_at) if s.decision else None,
            )
            for s in found
        ] == expected

    @invariant()
    def the_last_unit_that_was_not_rolled_back_holds_the_scope(self) -> None:
        kept = [(d, s) for d, s in self.model.silver if s not in self.model.lost]
        last = self.ledger.last_done("silver.minute_bars", SCOPE)
        assert (None if last is None else (last.unit.digest, last.snapshot_id)) == (
            kept[-1] if kept else None
        )
        for digest in "xyz":
            is_done = self.ledger.is_done(Unit("silver.minute_bars", SCOPE, digest)) is not None
            assert is_done == bool(kept and kept[-1][0] == digest)

    @invariant()
    def the_cache_says_what_the_store_says(self) -> None:
        store = LandingStore(self.root / "landing")
        fresh = StateCache(self.root / "fresh.db", store)
        questions = [
            f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3"
            for table, columns in (
                ("versions", "*"),
                ("decisions", "*"),
                ("units", "table_name, name, number, text"),
                ("reads", "*"),
            )
        ]
        for question in questions:
            cached, built = (
                state.read(lambda db: db.execute(question).fetchall())  # noqa: B023  (run at once)
                for state in (self.ledger.state, fresh)
            )
            assert cached == built
        fresh.close()
        for path in self.root.glob("fresh.db*"):
            path.unlink()

    @invariant()
    def every_version_has_its_bytes(self) -> None:
        for landing in self.landings():
            assert sha256(self.ledger.object_path(landing.sha256).read_bytes()).hexdigest() == (
                landing.sha256
            )

    def landings(self) -> Iterator[Landing]:
        yield from self.ledger.store.all_versions()


def test_a_ledger_cut_off_anywhere_says_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    # No power fails in this test, so nothing has to reach the disk.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=30, stateful_step_count=14, deadline=None)
    )
