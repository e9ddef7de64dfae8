from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ingot.errors import LookAtDataError, QueryError
from ingot.model.known_time import Publication, in_force
from ingot.model.landing import Decision, KnownBasis, Landing, Outcome, RemoteObject
from ingot.model.time import new_york
from ingot.model.unit import Done, Scope, Unit
from ingot.storage.integrity import heal
from ingot.storage.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINUTES = "us_stocks_sip/minute_aggs_v1"
DAY = date(2025, 6, 2)
NEXT = date(2025, 6, 3)
HERE = "/vendor"


def at(day: int, hour: int = 15) -> datetime:
    return datetime(2025, 6, day, hour, tzinfo=UTC)


def remote(day: date = DAY, etag: str = "e1", key: str | None = None) -> RemoteObject:
    named = f"{MINUTES}/{day:%Y/%m}/{day}.csv.gz" if key is None else key
    return RemoteObject("massive", MINUTES, day, named, etag, 3, at(3, 14))


class Lake(Ledger):
    """A ledger with the little that an ingest does around it."""

    def fetch(
        self, data: bytes, seen: datetime, day: date = DAY, key: str | None = None
    ) -> Landing | None:
        temporary = self.temporary("file.csv.gz")
        temporary.write_bytes(data)
        return self.land(
            remote(day, key=key),
            temporary,
            sha256=sha256(data).hexdigest(),
            size_bytes=len(data),
            at=seen,
            publication=Publication("massive-flat-11", new_york(day + timedelta(days=1), 11)),
        )

    def in_force(self, moment: datetime) -> list[Landing]:
        return list(in_force(self.states("massive", MINUTES), moment))

    def load(self, landing: Landing, outcome: Outcome = Outcome.DONE) -> Landing:
        scope = Scope(
            landing.source,
            landing.dataset,
            landing.file_date,
            landing.file_date + timedelta(days=1),
            landing.landing_id,
        )
        unit = Unit("bronze.minute_bars", scope, f"{landing.landing_id & (2**64 - 1):016x}")
        self.record_done(Done(unit, outcome, "run", at(9), at(9), 1))
        return landing

    def fetched(self, data: bytes, seen: datetime, day: date = DAY) -> Landing:
        landing = self.fetch(data, seen, day)
        assert landing is not None
        return landing


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake(tmp_path) as lake:
        yield lake


def test_bytes_equal_to_the_latest_version_are_nothing_new(lake: Lake) -> None:
    first = lake.fetched(b"v1", at(3))
    assert lake.fetch(b"v1", at(4)) is None
    assert [s.landing for s in lake.states("massive", MINUTES)] == [first]
    assert list(lake.store.scratch.folder.iterdir()) == []


def test_bytes_equal_to_an_older_version_are_a_new_one(lake: Lake) -> None:
    landings = [lake.fetched(data, at(day)) for data, day in ((b"v1", 3), (b"v2", 4), (b"v1", 5))]
    assert [v.ordinal for v in landings] == [1, 2, 3]
    assert len({v.landing_id for v in landings}) == 3
    assert len({lake.object_path(v.sha256) for v in landings}) == 2
    assert lake.object_path(landings[2].sha256).read_bytes() == b"v1"


def test_known_time_is_fixed_at_landing(lake: Lake) -> None:
    late = lake.fetched(b"v1", at(30))  # due 2025-06-03 11:00 New York
    again = lake.fetched(b"v2", at(30))
    assert (late.known_from, late.known_basis) == (at(3, 15), KnownBasis.ASSUMED)
    assert (again.known_from, again.known_basis) == (at(30), KnownBasis.OBSERVED)
    assert late.rule == "massive-flat-11"


def test_two_versions_in_one_instant_are_a_microsecond_apart(lake: Lake) -> None:
    lake.fetched(b"v1", at(3))
    assert lake.fetched(b"v2", at(3)).known_from == at(3) + timedelta(microseconds=1)


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.HELD])
def test_a_first_good_version_after_a_bad_one_keeps_the_first_version_rule(
    lake: Lake, outcome: Outcome
) -> None:
    lake.load(lake.fetched(b"torn", at(29)), outcome)
    good = lake.fetched(b"good", at(30))
    assert (good.ordinal, good.known_from) == (2, at(3, 15))
    assert good.known_basis is KnownBasis.ASSUMED


def test_a_version_after_an_accepted_one_is_a_later_version(lake: Lake) -> None:
    held = lake.load(lake.fetched(b"small", at(29)), Outcome.HELD)
    lake.decide(held.landing_id, Decision.ACCEPTED, at=at(30), by="ann")
    assert lake.fetched(b"good", at(30, 20)).known_from == at(30, 20)


def test_a_key_that_climbs_out_lands_nothing_at_all(lake: Lake) -> None:
    with pytest.raises(LookAtDataError, match=r"The key '\.\./up' cannot be stored"):
        lake.fetch(b"v1", at(3), key="../up")
    assert not (lake.store.root / "objects").exists()


def test_what_is_new_or_changed_in_a_listing_is_what_was_not_remembered(lake: Lake) -> None:
    lake.remember_listing("massive", HERE, [remote(DAY), remote(NEXT)])
    listed = [remote(DAY), remote(NEXT, etag="e2"), remote(date(2025, 6, 4))]
    changed = lake.new_or_changed("massive", HERE, listed)
    assert [r.file_date.day for r in changed] == [3, 4]


def test_a_listing_of_one_place_is_not_that_of_another(lake: Lake) -> None:
    lake.remember_listing("massive", HERE, [remote()])
    assert lake.new_or_changed("massive", "s3://bucket", [remote()]) == (remote(),)
    assert lake.new_or_changed("other", HERE, [remote()]) == (remote(),)


def test_an_object_remembered_twice_is_remembered_as_listed_last(lake: Lake) -> None:
    old, new = remote(etag="old"), remote(etag="new")
    lake.remember_listing("massive", HERE, [old])
    lake.remember_listing("massive", HERE, [new])
    assert lake.new_or_changed("massive", HERE, [old, new]) == (old,)
    lake.forget_listing("massive", [new.key])
    assert lake.new_or_changed("massive", HERE, [new]) == (new,)


def test_states_are_those_of_the_dates_asked_for_in_order(lake: Lake) -> None:
    first = lake.fetched(b"v1", at(3))
    later, second = lake.fetched(b"n1", at(4), NEXT), lake.fetched(b"v2", at(4))
    assert [s.landing for s in lake.states("massive", MINUTES)] == [first, second, later]
    assert [s.landing for s in lake.states("massive", MINUTES, NEXT)] == [later]
    assert [s.landing for s in lake.states("massive", MINUTES, None, NEXT)] == [first, second]
    assert lake.states("massive", MINUTES, NEXT, NEXT) == ()
    assert lake.states("massive", "another") == ()
    assert lake.datasets() == (("massive", MINUTES),)


def test_what_is_in_force_follows_known_time(lake: Lake) -> None:
    first, second = (lake.load(lake.fetched(d, at(day))) for d, day in ((b"v1", 3), (b"v2", 5)))
    assert lake.in_force(at(4)) == [first]
    assert lake.in_force(at(5)) == [second]


def test_a_version_that_is_not_loaded_yet_is_not_in_force(lake: Lake) -> None:
    lake.fetched(b"v1", at(3))
    assert lake.states("massive", MINUTES)[0].outcome is None
    assert lake.in_force(at(9)) == []


def test_the_stamp_changes_with_what_the_ledger_says_and_only_then(lake: Lake) -> None:
    stamps = [lake.stamp()]
    held = lake.fetched(b"v1", at(3))
    stamps.append(lake.stamp())
    lake.load(held, Outcome.HELD)
    stamps.append(lake.stamp())
    lake.decide(held.landing_id, Decision.ACCEPTED, at=at(10), by="ann")
    stamps.append(lake.stamp())
    lake.void("bronze.minute_bars", list)
    stamps.append(lake.stamp())
    assert len(set(stamps)) == 5
    lake.fetch(b"v1", at(10))
    lake.remember_listing("massive", HERE, [remote()])
    lake.void("bronze.minute_bars", list, head="pointer")
    assert lake.stamp() == stamps[-1]


def test_the_next_moment_that_changes_what_is_in_force_is_known(lake: Lake) -> None:
    assert lake.next_known_from(at(1)) is None
    held = lake.load(lake.fetched(b"v1", at(3)), Outcome.HELD)
    lake.decide(held.landing_id, Decision.ACCEPTED, at=at(10), by="ann")
    assert lake.next_known_from(at(1)) == at(3)
    assert lake.next_known_from(at(3)) == at(10)
    assert lake.next_known_from(at(10)) is None


def test_an_accepted_version_is_in_force_from_its_acceptance(lake: Lake) -> None:
    first = lake.load(lake.fetched(b"v1", at(3)))
    held = lake.load(lake.fetched(b"v2", at(5)), Outcome.HELD)
    assert lake.in_force(at(20)) == [first]
    state = lake.decide(held.landing_id, Decision.ACCEPTED, at=at(10), by="ann")
    assert state.in_force_from == at(10)
    assert lake.in_force(at(9)) == [first]
    assert lake.in_force(at(10)) == [held]


def test_loading_an_accepted_version_again_does_not_date_it_back(lake: Lake) -> None:
    held = lake.load(lake.fetched(b"v1", at(3)), Outcome.HELD)
    lake.decide(held.landing_id, Decision.ACCEPTED, at=at(10), by="ann")
    lake.load(held, Outcome.DONE)
    assert lake.find(held.landing_id).in_force_from == at(10)


def test_a_rejected_version_is_never_in_force(lake: Lake) -> None:
    held = lake.load(lake.fetched(b"v1", at(3)), Outcome.HELD)
    lake.decide(held.landing_id, Decision.REJECTED, at=at(10), by="ann")
    lake.load(held, Outcome.DONE)
    assert lake.in_force(at(30)) == []


def test_a_decision_is_not_dated_before_its_version_was_known(lake: Lake) -> None:
    held = lake.load(lake.fetched(b"v1", at(3)), Outcome.HELD)
    decided = lake.decide(held.landing_id, Decision.ACCEPTED, at=at(1), by="a", stated=True)
    assert decided.decided_at == at(3)


def test_a_decision_is_made_once(lake: Lake) -> None:
    held = lake.load(lake.fetched(b"v1", at(3)), Outcome.HELD)
    lake.decide(held.landing_id, Decision.REJECTED, at=at(10), by="ann")
    with pytest.raises(QueryError, match=r"was rejected at 2025-06-10 .* made once"):
        lake.decide(held.landing_id, Decision.ACCEPTED, at=at(11), by="bob")
    assert lake.find(held.landing_id).decision is Decision.REJECTED


@pytest.mark.parametrize(
    ("outcome", "words"),
    [(Outcome.DONE, "it is done"), (None, "not loaded yet")],
)
def test_only_a_held_version_can_be_decided(
    lake: Lake, outcome: Outcome | None, words: str
) -> None:
    landing = lake.fetched(b"v1", at(3))
    if outcome is not None:
        lake.load(landing, outcome)
    with pytest.raises(QueryError, match=rf"is not held: {words}|is not held: .*{words}"):
        lake.decide(landing.landing_id, Decision.ACCEPTED, at=at(10), by="ann")


def test_a_version_is_found_by_its_id_or_the_beginning_of_it(lake: Lake) -> None:
    landings = [lake.fetched(b"%d" % n, at(3 + n)) for n in range(3)]
    for landing in landings:
        text = str(landing.landing_id)
        for name in (landing.landing_id, text, text.lstrip("-"), text[:12], text.lstrip("-")[:12]):
            assert lake.find(name).landing == landing


def test_an_unknown_id_is_answered_with_the_nearest(lake: Lake) -> None:
    known = str(lake.fetched(b"v1", at(3)).landing_id)
    wrong = known[:-1] + ("0" if known[-1] != "0" else "1")
    with pytest.raises(QueryError, match=f"no landing '{wrong}'. Did you mean {known}"):
        lake.find(wrong)
    with pytest.raises(QueryError, match=r"no landing ''\. See them with: ingot landings"):
        lake.find("")


def test_an_id_that_begins_several_is_not_guessed(lake: Lake) -> None:
    for n in range(12):  # 12 ids cannot begin with 10 different digits
        lake.fetched(b"%d" % n, at(3 + n))
    digits = [str(abs(s.landing.landing_id))[0] for s in lake.states("massive", MINUTES)]
    digit = max(set(digits), key=digits.count)
    with pytest.raises(QueryError, match=rf"begins {digits.count(digit)} ids: .* Write more"):
        lake.find(digit)


def test_a_damaged_object_comes_back_with_the_next_ingest(lake: Lake) -> None:
    landing = lake.fetched(b"v1", at(3))
    lake.remember_listing("massive", HERE, [remote()])
    lake.object_path(landing.sha256).write_bytes(b"xx")
    assert [damage.sha256 for damage in heal.mend_objects(lake)] == [landing.sha256]
    assert lake.new_or_changed("massive", HERE, [remote()]) == (remote(),)
    assert lake.fetch(b"v1", at(4)) is None
    assert lake.object_path(landing.sha256).read_bytes() == b"v1"
    assert heal.mend_objects(lake) == ()
