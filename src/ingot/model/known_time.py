"""Known time: from when a version could be known, and which versions are in force at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ingot.model.landing import KnownBasis
from ingot.model.time import FOREVER, new_york

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from ingot.model.landing import Landing, LandingState

OBSERVED_WITHIN: Final = timedelta(hours=36)
_ONE_US: Final = timedelta(microseconds=1)


class AssumedKnown(StrEnum):
    """Which moment a first version takes that this lake fetched long after its publication."""

    RULE = "rule"
    """The publication rule's moment, never later than first seen."""
    LAST_MODIFIED = "last_modified"
    """What the store says, never later than first seen; the rule's moment where it is unusable."""
    FIRST_SEEN = "first_seen"
    """When this lake fetched it."""


@dataclass(frozen=True, slots=True)
class Publication:
    """When a day's file is due by its vendor's rule, and how to place one fetched late."""

    rule: str
    """Id of the rule."""
    due: datetime
    """The instant by which the rule says that the file is out, UTC."""
    observed_within: timedelta = OBSERVED_WITHIN
    """A first version seen up to this long after `due` counts as observed."""
    assumed: AssumedKnown = AssumedKnown.RULE


@dataclass(frozen=True, slots=True)
class Known:
    """From when a version could be known, and where that moment comes from."""

    known_from: datetime
    basis: KnownBasis


def known_time(
    publication: Publication,
    file_date: date,
    *,
    first_seen: datetime,
    last_modified: datetime | None = None,
    previous: datetime | None = None,
    stated: bool = False,
) -> Known:
    """Return the known time of a version, fixed once when it lands.

    Args:
        publication: When the file was due.
        file_date: Day under which the vendor filed it.
        first_seen: When this lake fetched it.
        last_modified: What the vendor's store says, if it says anything.
        previous: `known_from` of the version before it, leaving out versions that are held,
            rejected or refused whole; None for a first version.
        stated: True when a person set the clock that `first_seen` comes from.
    """
    basis = KnownBasis.STATED if stated else KnownBasis.OBSERVED
    if previous is not None:
        return Known(max(first_seen, previous + _ONE_US), basis)
    if stated or first_seen <= publication.due + publication.observed_within:
        return Known(first_seen, basis)
    return Known(_assumed(publication, file_date, first_seen, last_modified), KnownBasis.ASSUMED)


def _assumed(
    publication: Publication, file_date: date, first_seen: datetime, last_modified: datetime | None
) -> datetime:
    moment = publication.due
    if publication.assumed is AssumedKnown.FIRST_SEEN:
        moment = first_seen
    # A stamp from before the day it reports was not made by its publication (a copied tree).
    elif (
        publication.assumed is AssumedKnown.LAST_MODIFIED
        and last_modified is not None
        and last_modified >= new_york(file_date)
    ):
        moment = last_modified
    return min(first_seen, moment)


def in_force(states: Iterable[LandingState], at: datetime) -> tuple[Landing, ...]:
    """Return the latest version of each key among those in force at `at`, by file date and key.

    Latest means greatest ordinal: an older version that is accepted after a newer one came into
    force does not displace it.
    """
    latest: dict[tuple[str, str], Landing] = {}
    for state in states:
        since = state.in_force_from
        if since is not None and since <= at:
            _displace(latest, state.landing)
    return _in_order(latest)


def change_points(
    states: Iterable[LandingState],
) -> tuple[tuple[datetime, tuple[Landing, ...]], ...]:
    """Return the instants at which the versions in force change, each with those in force then.

    Ascending; two neighbours always differ. Before the first instant nothing is in force.
    """
    events = sorted(
        ((since, s.landing) for s in states if (since := s.in_force_from) is not None),
        key=lambda event: event[0],
    )
    latest: dict[tuple[str, str], Landing] = {}
    points: list[tuple[datetime, tuple[Landing, ...]]] = []
    for instant, group in groupby(events, key=lambda event: event[0]):
        changed = [_displace(latest, landing) for _, landing in group]
        if any(changed):
            points.append((instant, _in_order(latest)))
    return tuple(points)


def ever_in_force(states: Iterable[LandingState]) -> frozenset[int]:
    """Return the ids of the versions that are or were the latest in force of their key.

    A version that came into force when a later one already was never counts.
    """
    until: dict[tuple[str, str], datetime] = {}
    found: set[int] = set()
    for state in sorted(states, key=lambda s: -s.landing.ordinal):
        key, since = (state.landing.source, state.landing.key), state.in_force_from
        if since is not None and since < until.get(key, FOREVER):
            until[key] = since
            found.add(state.landing.landing_id)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Gap:
    """A version that could not be loaded, though a later one of its key is in force."""

    landing: Landing
    until: datetime
    """Answers as known in `[landing.known_from, until)` would need it."""


def gaps(states: Iterable[LandingState]) -> tuple[Gap, ...]:
    """Return the versions that never came into force because their bytes were lost."""
    until: dict[tuple[str, str], datetime] = {}
    found: list[Gap] = []
    for state in sorted(states, key=lambda s: -s.landing.ordinal):
        landing, since = state.landing, state.in_force_from
        key = (landing.source, landing.key)
        if since is not None:
            until[key] = min(since, until.get(key, FOREVER))
        elif state.outcome is None and landing.known_from < until.get(key, landing.known_from):
            found.append(Gap(landing, until[key]))
    return tuple(found)


def _displace(latest: dict[tuple[str, str], Landing], landing: Landing) -> bool:
    key = (landing.source, landing.key)
    if key in latest and latest[key].ordinal >= landing.ordinal:
        return False
    latest[key] = landing
    return True


def _in_order(latest: dict[tuple[str, str], Landing]) -> tuple[Landing, ...]:
    return tuple(sorted(latest.values(), key=lambda v: (v.file_date, v.source, v.key)))
