from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingot.model.known_time import change_points, ever_in_force, in_force
from ingot.model.landing import Decision, KnownBasis, Landing, LandingState, Outcome

START = datetime(2025, 6, 3, tzinfo=UTC)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def version(ordinal: int, known: int, key: str = "a") -> Landing:
    return Landing(
        source="massive",
        dataset="d",
        file_date=date(2025, 6, 2),
        key=key,
        ordinal=ordinal,
        sha256=f"{ordinal:064x}",
        size_bytes=1,
        etag="e",
        last_modified=None,
        first_seen=at(known),
        known_from=at(known),
        known_basis=KnownBasis.OBSERVED,
        rule="r",
    )


def done(ordinal: int, known: int, key: str = "a") -> LandingState:
    return LandingState(version(ordinal, known, key), Outcome.DONE)


def held(ordinal: int, known: int, accepted: int | None = None) -> LandingState:
    decision = Decision.ACCEPTED if accepted is not None else None
    moment = at(accepted) if accepted is not None else None
    return LandingState(version(ordinal, known), Outcome.HELD, decision, moment)


def ordinals(states: list[LandingState]) -> list[tuple[int, list[int]]]:
    hour = timedelta(hours=1)
    points = change_points(states)
    return [((moment - START) // hour, [v.ordinal for v in found]) for moment, found in points]


def test_each_version_is_in_force_from_its_known_time_until_the_next() -> None:
    states = [done(1, 0), done(2, 10)]
    assert [v.ordinal for v in in_force(states, at(9))] == [1]
    assert [v.ordinal for v in in_force(states, at(10))] == [2]
    assert in_force(states, at(-1)) == ()


def test_a_held_version_is_in_force_from_its_acceptance() -> None:
    states = [done(1, 0), held(2, 10, accepted=20)]
    assert ordinals(states) == [(0, [1]), (20, [2])]
    assert [v.ordinal for v in in_force(states, at(19))] == [1]


def test_an_older_version_accepted_behind_a_newer_one_changes_nothing() -> None:
    states = [done(1, 0), held(2, 5, accepted=20), done(3, 10)]
    assert ordinals(states) == [(0, [1]), (10, [3])]
    assert ever_in_force(states) == {s.landing.landing_id for s in (states[0], states[2])}


def test_held_refused_rejected_and_unloaded_versions_are_never_in_force() -> None:
    states = [
        held(1, 0),
        LandingState(version(2, 1), Outcome.REFUSED),
        LandingState(version(3, 2), Outcome.HELD, Decision.REJECTED, at(3)),
        LandingState(version(4, 4), None),
    ]
    assert change_points(states) == ()
    assert in_force(states, at(1000)) == ()
    assert ever_in_force(states) == frozenset()


def test_files_that_come_into_force_together_are_one_change() -> None:
    points = change_points([done(1, 3, "b"), done(1, 3, "a"), done(1, 1, "c")])
    assert [[v.key for v in found] for _, found in points] == [["c"], ["a", "b", "c"]]


@st.composite
def histories(draw: st.DrawFn) -> list[LandingState]:
    states = []
    for key in "ab":
        for ordinal in range(1, draw(st.integers(1, 5))):
            landing = version(ordinal, draw(st.integers(0, 9)), key)
            outcome = draw(st.sampled_from([None, *Outcome]))
            decision = draw(st.sampled_from([None, *Decision])) if outcome is Outcome.HELD else None
            moment = at(draw(st.integers(0, 9))) if decision else None
            states.append(LandingState(landing, outcome, decision, moment))
    return draw(st.permutations(states))


@given(histories())
def test_change_points_are_the_steps_of_what_is_in_force_hour_by_hour(
    states: list[LandingState],
) -> None:
    steps: list[tuple[datetime, tuple[Landing, ...]]] = []
    for hour in range(-1, 12):
        # A second formula: of each key, the greatest ordinal that may be used by then.
        usable = [
            s.landing for s in states if s.in_force_from is not None and s.in_force_from <= at(hour)
        ]
        found = tuple(
            max((v for v in usable if v.key == key), key=lambda v: v.ordinal)
            for key in sorted({v.key for v in usable})
        )
        assert in_force(states, at(hour)) == found
        if found != (steps[-1][1] if steps else ()):
            steps.append((at(hour), found))
    assert list(change_points(states)) == steps
    assert ever_in_force(states) == {v.landing_id for _, found in steps for v in found}
