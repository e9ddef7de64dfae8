from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ingot.model.known_time import Publication
from ingot.model.landing import Decision, Landing, Outcome, RemoteObject
from ingot.model.unit import Done, Scope, Unit
from ingot.storage.ledger.ledger import Ledger
from ingot.storage.ledger.refinement import Refinement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SILVER = "silver.minute_bars"
DATASET = "us_stocks_sip/minute_aggs_v1"
DAY = date(2025, 6, 2)
ONE_DAY = timedelta(days=1)


def at(day: int, hour: int = 15) -> datetime:
    return datetime(2025, 6, day, hour, tzinfo=UTC)


def unit(digest: str, day: date = DAY, table: str = SILVER) -> Unit:
    return Unit(table, Scope("massive", DATASET, day, day + ONE_DAY), digest)


def done(of: Unit, snapshot: int | None = 1, landing_ids: Sequence[int] = ()) -> Done:
    # One instant for all: the order of records must not come from a clock.
    return Done(of, Outcome.DONE, "run", at(9), at(9), snapshot, landing_ids=tuple(landing_ids))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path) as ledger:
        yield ledger


def landed(ledger: Ledger, day: date, seen: datetime, data: bytes | None = None) -> Landing:
    text = data or f"{day}".encode()
    temporary = ledger.temporary("file")
    temporary.write_bytes(text)
    landing = ledger.land(
        RemoteObject("massive", DATASET, day, f"{day}.csv.gz", "e", len(text), None),
        temporary,
        sha256=sha256(text).hexdigest(),
        size_bytes=len(text),
        at=seen,
        publication=Publication("r", seen),
    )
    assert landing is not None
    return landing


def load(ledger: Ledger, landing: Landing, outcome: Outcome = Outcome.DONE) -> None:
    day = landing.file_date
    scope = Scope("massive", DATASET, day, day + ONE_DAY, landing.landing_id)
    of = Unit("bronze.minute_bars", scope, f"{landing.landing_id & (2**64 - 1):016x}")
    ledger.record_done(Done(of, outcome, "run", at(9), at(9), 1))


def test_a_unit_is_done_once_it_is_recorded(ledger: Ledger) -> None:
    assert ledger.is_done(unit("a")) is None
    ledger.record_done(done(unit("a")))
    assert ledger.is_done(unit("a")) == done(unit("a"))
    assert ledger.last_done(SILVER, unit("a").scope) == done(unit("a"))
    assert ledger.is_done(unit("a", table="silver.day_bars")) is None
    assert ledger.is_done(unit("a", DAY + ONE_DAY)) is None


def test_the_last_record_of_a_unit_counts(ledger: Ledger) -> None:
    ledger.record_done(done(unit("a"), snapshot=1))
    ledger.record_done(done(unit("a"), snapshot=2))
    assert ledger.is_done(unit("a")) == done(unit("a"), snapshot=2)


def test_a_unit_whose_scope_another_has_replaced_is_not_done(ledger: Ledger) -> None:
    for digest in "ab":
        ledger.record_done(done(unit(digest)))
    assert ledger.is_done(unit("a")) is None
    ledger.record_done(done(unit("a"), snapshot=9))
    assert ledger.is_done(unit("a")) == done(unit("a"), snapshot=9)
    assert ledger.done_all(SILVER) == (done(unit("a"), snapshot=9),)


def test_scopes_with_one_label_do_not_replace_each_other(ledger: Ledger) -> None:
    month = Unit(SILVER, Scope("massive", DATASET, DAY, date(2025, 7, 2)), "a")
    version = Unit(SILVER, Scope("massive", DATASET, DAY, DAY + ONE_DAY, -4), "a")
    units = (unit("b"), month, version)
    for each in units:
        ledger.record_done(done(each))
    assert [ledger.is_done(each) for each in units] == [done(each) for each in units]


def test_all_that_is_done_can_be_asked_by_dataset(ledger: Ledger) -> None:
    other = Unit(SILVER, Scope("massive", "other", DAY, DAY + ONE_DAY), "c")
    for each in (unit("a"), unit("b", DAY + ONE_DAY), other):
        ledger.record_done(done(each))
    assert [d.unit.digest for d in ledger.done_all(SILVER)] == ["c", "a", "b"]
    assert [d.unit.digest for d in ledger.done_all(SILVER, dataset=DATASET)] == ["a", "b"]
    assert ledger.done_all(SILVER, source="other") == ()
    assert ledger.done_all("gold.daily_bars") == ()


def test_a_rollback_undoes_what_was_committed_after(ledger: Ledger) -> None:
    ledger.record_done(done(unit("a"), snapshot=1))
    ledger.record_done(done(unit("b", DAY + ONE_DAY), snapshot=2))
    assert ledger.void(SILVER, lambda: [2, 1]) == ()
    undone = ledger.void(SILVER, lambda: [1])
    assert undone == (done(unit("b", DAY + ONE_DAY), snapshot=2),)
    assert ledger.is_done(unit("b", DAY + ONE_DAY)) is None
    assert ledger.is_done(unit("a")) is not None
    assert ledger.void(SILVER, lambda: [1]) == ()


def test_after_a_rollback_the_unit_before_holds_its_scope_again(ledger: Ledger) -> None:
    ledger.record_done(done(unit("a"), snapshot=1))
    ledger.record_done(done(unit("b"), snapshot=2))
    ledger.void(SILVER, lambda: [1])
    assert ledger.is_done(unit("a")) == done(unit("a"), snapshot=1)
    ledger.void(SILVER, lambda: [1, 2])  # rolled forward again
    assert ledger.is_done(unit("a")) is None
    assert ledger.is_done(unit("b")) is not None


def test_what_was_done_again_after_a_rollback_is_not_missed_by_a_new_cache(ledger: Ledger) -> None:
    ledger.record_done(done(unit("a"), snapshot=2))
    ledger.void(SILVER, lambda: [1])
    ledger.record_done(done(unit("a"), snapshot=3))
    ledger.rebuild()
    assert ledger.void(SILVER, lambda: [1, 3]) == ()
    assert ledger.is_done(unit("a")) == done(unit("a"), snapshot=3)


def test_a_unit_that_was_undone_twice_is_missed_once(ledger: Ledger) -> None:
    for snapshot in (2, 3):
        ledger.record_done(done(unit("a"), snapshot=snapshot))
        ledger.void(SILVER, lambda: [1])
    ledger.rebuild()
    assert ledger.void(SILVER, lambda: [1]) == (done(unit("a"), snapshot=3),)


def test_a_record_without_a_commit_stands_and_falls_with_the_one_before(ledger: Ledger) -> None:
    ledger.record_done(done(unit("a"), snapshot=2))
    ledger.record_done(done(unit("b"), snapshot=None))  # found the scope as it had to be
    ledger.record_done(done(unit("c", DAY + ONE_DAY), snapshot=None))  # found it empty
    assert ledger.void(SILVER, lambda: [1]) == (
        done(unit("a"), snapshot=2),
        done(unit("b"), snapshot=None),
    )
    assert ledger.last_done(SILVER, unit("a").scope) is None
    assert ledger.is_done(unit("c", DAY + ONE_DAY)) is not None


def test_an_expired_ancestor_undoes_nothing(ledger: Ledger) -> None:
    ledger.record_done(done(unit("a"), snapshot=1))
    ledger.record_expired(SILVER, [1])
    ledger.record_expired(SILVER, [])
    ledger.record_expired("gold.daily_bars", [7])
    assert ledger.void(SILVER, lambda: [7, 8]) == ()
    assert [p.name for p in (ledger.store.root / "expired" / SILVER).iterdir()] == ["1.json"]


def test_a_commit_made_while_the_table_is_read_is_not_taken_for_undone(ledger: Ledger) -> None:
    def ancestors() -> list[int]:
        ledger.record_done(done(unit("a"), snapshot=5))  # by another process, on a newer head
        return [1]

    assert ledger.void(SILVER, ancestors) == ()
    assert ledger.is_done(unit("a")) is not None


def test_the_head_that_was_looked_at_is_remembered(ledger: Ledger) -> None:
    assert ledger.checked_head(SILVER) is None
    ledger.void(SILVER, lambda: [1], head="00001.metadata.json")
    assert ledger.checked_head(SILVER) == "00001.metadata.json"
    ledger.rebuild()
    assert ledger.checked_head(SILVER) is None


def settled(ledger: Ledger, table: str | None = SILVER) -> datetime | None:
    return ledger.settled_until([Refinement("massive", DATASET, table)])


def test_what_has_landed_is_settled_once_it_is_refined(ledger: Ledger) -> None:
    assert settled(ledger) is None
    first = landed(ledger, DAY, at(3))
    assert settled(ledger) == at(3)
    load(ledger, first)
    assert settled(ledger) == at(3)
    assert settled(ledger, table=None) is None
    ledger.record_done(done(unit("a"), landing_ids=[first.landing_id]))
    assert settled(ledger) is None


def test_a_correction_unsettles_from_its_known_time_on(ledger: Ledger) -> None:
    first = landed(ledger, DAY, at(3))
    load(ledger, first)
    ledger.record_done(done(unit("a"), landing_ids=[first.landing_id]))
    second = landed(ledger, DAY, at(7), b"corrected")
    load(ledger, second)
    assert settled(ledger) == at(7)
    ids = [first.landing_id, second.landing_id]
    ledger.record_done(done(unit("b"), landing_ids=ids))
    assert settled(ledger) is None


@pytest.mark.parametrize("outcome", [Outcome.HELD, Outcome.REFUSED])
def test_versions_held_or_refused_do_not_unsettle(ledger: Ledger, outcome: Outcome) -> None:
    load(ledger, landed(ledger, DAY, at(3)), outcome)
    assert settled(ledger) is None


def test_an_accepted_version_unsettles_from_its_acceptance_on(ledger: Ledger) -> None:
    held = landed(ledger, DAY, at(3))
    load(ledger, held, Outcome.HELD)
    ledger.decide(held.landing_id, Decision.ACCEPTED, at=at(20), by="ann")
    assert settled(ledger) == at(20)


def test_a_version_accepted_behind_a_newer_one_does_not_unsettle(ledger: Ledger) -> None:
    held = landed(ledger, DAY, at(3), b"small")
    load(ledger, held, Outcome.HELD)
    good = landed(ledger, DAY, at(4), b"good")
    load(ledger, good)
    ledger.record_done(done(unit("a"), landing_ids=[good.landing_id]))
    ledger.decide(held.landing_id, Decision.ACCEPTED, at=at(20), by="ann")
    assert settled(ledger) is None


def test_a_file_that_feeds_two_trade_dates_is_settled_when_both_have_read_it(
    ledger: Ledger,
) -> None:
    landing = landed(ledger, DAY, at(3))
    load(ledger, landing)
    needs = [Refinement("massive", DATASET, SILVER, lambda day: (day, day + ONE_DAY))]
    ledger.record_done(done(unit("a"), landing_ids=[landing.landing_id]))
    assert ledger.settled_until(needs) == at(3)
    ledger.record_done(done(unit("b", DAY + ONE_DAY), landing_ids=[landing.landing_id]))
    assert ledger.settled_until(needs) is None


def test_a_rollback_of_silver_unsettles_what_it_undid(ledger: Ledger) -> None:
    landing = landed(ledger, DAY, at(3))
    load(ledger, landing)
    ledger.record_done(done(unit("a"), snapshot=4, landing_ids=[landing.landing_id]))
    ledger.void(SILVER, lambda: [3])
    assert settled(ledger) == at(3)


def test_a_unit_refused_in_silver_leaves_its_versions_unsettled(ledger: Ledger) -> None:
    landing = landed(ledger, DAY, at(3))
    load(ledger, landing)
    ids = (landing.landing_id,)
    refused = Done(unit("a"), Outcome.REFUSED, "run", at(9), at(9), None, landing_ids=ids)
    ledger.record_done(refused)
    assert settled(ledger) == at(3)
