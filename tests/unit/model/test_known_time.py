"""Each sentence of SEMANTICS 2 on the known time of files, with instants worked out by hand.

The day is Monday 2025-06-02; its file is due at 11:00 New York on Tuesday, 15:00Z (EDT), and
counts as observed until 36 h later, Thursday 03:00Z.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from ingot.model.known_time import AssumedKnown, Known, Publication, known_time
from ingot.model.landing import KnownBasis

DAY = date(2025, 6, 2)
DUE = datetime(2025, 6, 3, 15, tzinfo=UTC)
OBSERVED, ASSUMED, STATED = KnownBasis.OBSERVED, KnownBasis.ASSUMED, KnownBasis.STATED


def june(day: int, hour: int = 0, minute: int = 0, us: int = 0) -> datetime:
    return datetime(2025, 6, day, hour, minute, 0, us, tzinfo=UTC)


def first(
    seen: datetime,
    assumed: AssumedKnown = AssumedKnown.RULE,
    *,
    modified: datetime | None = None,
    stated: bool = False,
) -> Known:
    publication = Publication("massive-flat-11", DUE, assumed=assumed)
    return known_time(
        publication, DAY, first_seen=seen, last_modified=modified, previous=None, stated=stated
    )


@pytest.mark.parametrize(
    ("seen", "known"),
    [
        (june(3, 15, 0), Known(june(3, 15, 0), OBSERVED)),  # on the minute
        (june(3, 12, 30), Known(june(3, 12, 30), OBSERVED)),  # out before the rule says
        (june(3, 23, 15), Known(june(3, 23, 15), OBSERVED)),  # the same evening
        (june(5, 3, 0), Known(june(5, 3, 0), OBSERVED)),  # the last instant of 36 h
        (june(5, 3, 0, 1), Known(june(3, 15, 0), ASSUMED)),  # a microsecond later
        (june(30, 9), Known(june(3, 15, 0), ASSUMED)),  # a backfill
    ],
)
def test_a_first_version_is_observed_for_36_hours_and_assumed_by_the_rule_after(
    seen: datetime, known: Known
) -> None:
    assert first(seen) == known


@pytest.mark.parametrize(
    ("assumed", "modified", "known_from"),
    [
        (AssumedKnown.RULE, june(4, 7), june(3, 15)),
        (AssumedKnown.LAST_MODIFIED, june(4, 7), june(4, 7)),
        (AssumedKnown.LAST_MODIFIED, june(3, 6), june(3, 6)),  # out before the rule says
        (AssumedKnown.LAST_MODIFIED, None, june(3, 15)),  # nothing said: the rule
        (AssumedKnown.LAST_MODIFIED, datetime(2026, 1, 1, tzinfo=UTC), june(30, 9)),  # capped
        (AssumedKnown.LAST_MODIFIED, june(2, 3, 59), june(3, 15)),  # before the day: no publication
        (AssumedKnown.LAST_MODIFIED, june(2, 4, 0), june(2, 4, 0)),  # 00:00 New York is 04:00Z
        (AssumedKnown.FIRST_SEEN, june(4, 7), june(30, 9)),
    ],
)
def test_the_setting_chooses_what_an_old_file_is_assumed_by(
    assumed: AssumedKnown, modified: datetime | None, known_from: datetime
) -> None:
    assert first(june(30, 9), assumed, modified=modified) == Known(known_from, ASSUMED)


def test_last_modified_does_not_matter_while_a_version_is_observed() -> None:
    known = first(june(3, 18), AssumedKnown.LAST_MODIFIED, modified=june(3, 10))
    assert known == Known(june(3, 18), OBSERVED)


def test_a_file_seen_before_it_is_due_is_observed_not_placed_in_the_future() -> None:
    assert first(june(2, 21)) == Known(june(2, 21), OBSERVED)


def test_how_long_a_version_counts_as_observed_is_a_setting() -> None:
    publication = Publication("r", DUE, observed_within=timedelta(hours=1))
    known = known_time(publication, DAY, first_seen=june(3, 16, 1))
    assert known == Known(DUE, ASSUMED)


@pytest.mark.parametrize(
    ("seen", "previous", "known_from"),
    [
        (june(9, 8), june(3, 15), june(9, 8)),
        (june(30, 9), june(3, 15), june(30, 9)),  # never assumed, however late
        (june(3, 15), june(3, 15), june(3, 15, 0, 1)),  # the same instant
        (june(3, 14), june(3, 15), june(3, 15, 0, 1)),  # a clock that ran backwards
    ],
)
def test_a_later_version_is_observed_and_after_the_one_before(
    seen: datetime, previous: datetime, known_from: datetime
) -> None:
    publication = Publication("r", DUE, assumed=AssumedKnown.LAST_MODIFIED)
    known = known_time(
        publication, DAY, first_seen=seen, last_modified=june(3, 10), previous=previous
    )
    assert known == Known(known_from, OBSERVED)


@pytest.mark.parametrize("seen", [june(3, 18), june(30, 9)])
def test_a_stated_clock_is_believed_and_says_so(seen: datetime) -> None:
    assert first(seen, stated=True) == Known(seen, STATED)


def test_a_later_version_under_a_stated_clock_is_stated_and_after_the_one_before() -> None:
    publication = Publication("r", DUE)
    at = june(3, 18)
    known = known_time(publication, DAY, first_seen=at, previous=at, stated=True)
    assert known == Known(june(3, 18, 0, 1), STATED)
