"""New known times against the moments that a lake has recorded already."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ingot.errors import ClockSkewError
from ingot.model.known_time import Publication
from ingot.model.landing import KnownBasis, Landing, RemoteObject
from ingot.storage.ledger.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
YEARS = timedelta(days=6 * 365)


def fetch(
    root: Path, now: datetime, data: str, *, key: str = "a", accept: bool = False, **how: bool
) -> Landing:
    """Land bytes by a process of their own."""
    with Ledger(root, accept_clock=accept) as ledger:
        temporary = ledger.temporary("x")
        temporary.write_text(data)
        landing = ledger.land(
            RemoteObject("massive", "d", date(2025, 6, 2), key, data, len(data), None),
            temporary,
            sha256=sha256(data.encode()).hexdigest(),
            size_bytes=len(data),
            at=now,
            publication=Publication("rule", NOON - timedelta(hours=1)),
            **how,
        )
    assert landing is not None
    return landing


def test_a_clock_that_is_a_little_behind_never_stamps_before_what_is_recorded(
    tmp_path: Path,
) -> None:
    fetch(tmp_path, NOON, "one")
    other = fetch(tmp_path, NOON - 5 * MINUTE, "other", key="b")
    assert (other.first_seen, other.known_from) == (NOON, NOON)


def test_a_clock_that_is_far_behind_stamps_nothing_and_both_times_are_named(
    tmp_path: Path,
) -> None:
    fetch(tmp_path, NOON, "one")
    with pytest.raises(ClockSkewError, match=r"11:54:59\S+, but .*T12:00:00\S+ Set the") as raised:
        fetch(tmp_path, NOON - timedelta(seconds=301), "other", key="b")
    assert raised.value.exit_code == 2
    with Ledger(tmp_path) as ledger:
        assert len(ledger.states("massive", "d")) == 1


def test_a_decision_is_held_against_the_same_moments(tmp_path: Path) -> None:
    fetch(tmp_path, NOON, "one")
    with Ledger(tmp_path) as ledger:
        with pytest.raises(ClockSkewError, match="already recorded"):
            ledger.moment(NOON - 6 * MINUTE)
        assert ledger.moment(NOON - MINUTE) == NOON
        assert ledger.moment(NOON - YEARS, stated=True) == NOON - YEARS


def test_moments_that_a_person_stated_hold_up_no_load(tmp_path: Path) -> None:
    fetch(tmp_path, NOON + YEARS, "one", stated=True)
    assert fetch(tmp_path, NOON, "other", key="b").known_from == NOON


def test_a_clock_that_was_ahead_and_is_right_again_is_accepted_once(tmp_path: Path) -> None:
    fetch(tmp_path, NOON, "one")
    fetch(tmp_path, NOON + YEARS, "two")
    with pytest.raises(ClockSkewError, match="already recorded"):
        fetch(tmp_path, NOON + MINUTE, "other", key="b")

    vouched = fetch(tmp_path, NOON + MINUTE, "other", key="b", accept=True)
    assert (vouched.known_from, vouched.known_basis) == (NOON + MINUTE, KnownBasis.STATED)

    later = fetch(tmp_path, NOON + 9 * MINUTE, "third", key="c")
    assert (later.known_from, later.known_basis) == (NOON + 9 * MINUTE, KnownBasis.OBSERVED)
    with pytest.raises(ClockSkewError, match="12:09"):
        fetch(tmp_path, NOON, "fourth", key="d")


def test_an_accepted_clock_survives_the_loss_of_the_cache(tmp_path: Path) -> None:
    fetch(tmp_path, NOON + YEARS, "two")
    fetch(tmp_path, NOON, "other", key="b", accept=True)
    (tmp_path / "state.db").unlink()
    assert fetch(tmp_path, NOON + MINUTE, "third", key="c").known_from == NOON + MINUTE


def test_versions_of_one_key_keep_their_order_under_an_accepted_clock(tmp_path: Path) -> None:
    first = fetch(tmp_path, NOON, "one")
    second = fetch(tmp_path, NOON - YEARS, "two", accept=True)
    assert second.known_from == first.known_from + timedelta(microseconds=1)
    assert second.known_basis is KnownBasis.STATED
