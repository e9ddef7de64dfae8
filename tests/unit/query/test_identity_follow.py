"""Who holds a symbol: precedence of sources, reuse, renames, weekends, delisting."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.query.requests.symbology import (
    Followed,
    Holding,
    chained,
    chains,
    disjoint,
    follow,
    snapped,
    timeline,
)

ONE_DAY = timedelta(days=1)
OPEN = date.max
SATURDAY = date(2022, 6, 11)
RENAMED = date(2022, 6, 9)
ETF_END = date(2022, 1, 28)
SOURCES = ("csv", "massive")
FB = Holding("csv", "BBG000MM2P62", "FB", date(2012, 5, 18), SATURDAY, "Meta Platforms")
META = replace(FB, symbol="META", start=SATURDAY, end=OPEN)
ETF = Holding("csv", "ETF", "META", date(2021, 6, 30), ETF_END, "Roundhill Ball Metaverse")
REST = replace(ETF, symbol="METV", start=ETF_END, end=OPEN)
ALL = (FB, META, ETF, REST)


def followed(
    symbol: str, on: date, start: date = date(2020, 1, 1), end: date = date(2023, 1, 1)
) -> Followed:
    return follow(symbol, on=on, start=start, end=end, holdings=ALL, sources=SOURCES)


def spans(found: Followed) -> list[tuple[str, date, date]]:
    return [(s.symbol, s.start, s.end) for s in found.segments]


def test_meta_is_facebook_under_both_of_its_symbols() -> None:
    found = followed("META", date(2022, 12, 30))
    assert spans(found) == [
        ("FB", date(2020, 1, 1), SATURDAY),
        ("META", SATURDAY, date(2023, 1, 1)),
    ]
    assert {s.asked for s in found.segments} == {"META"}


def test_the_fund_that_was_meta_before_is_named_and_not_mixed_in() -> None:
    found = followed("META", date(2022, 12, 30))
    assert [o.title for o in found.others] == ["Roundhill Ball Metaverse (ETF)"]
    assert all(s.instrument_id == FB.instrument_id for s in found.segments)


def test_on_an_earlier_date_the_symbol_is_the_funds() -> None:
    found = followed("META", date(2021, 12, 1))
    assert [s[0] for s in spans(found)] == ["META", "METV"]
    assert [o.instrument_id for o in found.others] == [FB.instrument_id]


def test_the_old_symbol_leads_to_the_new_one() -> None:
    assert spans(followed("FB", date(2021, 1, 4))) == spans(followed("META", date(2022, 12, 30)))


def test_a_symbol_that_nobody_holds_is_read_literally() -> None:
    between = followed("META", date(2022, 3, 1))
    assert spans(between) == [("META", date(2020, 1, 1), date(2023, 1, 1))]
    assert between.holder is None
    assert len(between.others) == 2, "those who hold it within the range are named"
    assert spans(followed("ZZZZ", date(2022, 3, 1)))[0][0] == "ZZZZ"


def test_a_delisted_instrument_ends_with_its_last_date() -> None:
    gone = Holding("csv", "1", "X", date(2019, 1, 2), date(2021, 5, 3))
    found = follow(
        "X", on=date(2020, 1, 2), start=date.min, end=OPEN, holdings=[gone], sources=SOURCES
    )
    assert spans(found) == [("X", date(2019, 1, 2), date(2021, 5, 3))]


def test_a_symbol_reused_after_a_delisting_is_two_instruments() -> None:
    old = Holding("csv", "1", "X", date(2019, 1, 2), date(2021, 5, 3))
    new = Holding("csv", "2", "X", date(2021, 9, 1), OPEN)
    for on, own, other in [(date(2020, 1, 2), old, new), (date(2022, 1, 3), new, old)]:
        found = follow("X", on=on, start=date.min, end=OPEN, holdings=[old, new], sources=SOURCES)
        assert spans(found) == [("X", own.start, own.end)]
        assert found.others == (other,)


def test_an_open_holding_ends_where_the_next_symbol_begins() -> None:
    """Before a rename is known to be one, the old symbol's end is not: the next row tells it."""
    chain = chained([replace(FB, end=OPEN), META])
    assert [(h.symbol, h.end) for h in chain] == [("FB", SATURDAY), ("META", OPEN)]


def test_the_first_source_of_the_precedence_holds_the_dates_that_it_knows() -> None:
    mine = Holding("csv", "mine", "X", date(2020, 3, 1), date(2020, 6, 1))
    theirs = Holding("massive", "theirs", "X", date(2020, 1, 1), OPEN)
    held = timeline("X", [theirs, mine], SOURCES)
    assert [(h.instrument_id, h.start, h.end) for h in held] == [
        ("theirs", date(2020, 1, 1), date(2020, 3, 1)),
        ("mine", date(2020, 3, 1), date(2020, 6, 1)),
        ("theirs", date(2020, 6, 1), OPEN),
    ]
    assert timeline("X", [theirs, mine], ("massive", "csv")) == (theirs,)


def sessions() -> list[date]:
    days = [date(2022, 5, 2) + n * ONE_DAY for n in range(80)]
    return [d for d in days if d.weekday() < 5]


def test_a_rename_on_a_saturday_is_moved_to_where_the_bars_changed() -> None:
    """The vendor's event is of 2022-06-11; FB's last bar is of 06-08, META's first of 06-09."""
    bars = {"FB": [d for d in sessions() if d < RENAMED], "META": [RENAMED, date(2022, 6, 10)]}
    moved = snapped([FB, META], bars, 5, sessions())
    assert [(h.symbol, h.start, h.end) for h in moved] == [
        ("FB", FB.start, RENAMED),
        ("META", RENAMED, OPEN),
    ]


@pytest.mark.parametrize(
    "bars",
    [
        {},
        {"FB": [RENAMED]},
        {"META": [RENAMED]},
        {"FB": [date(2022, 6, 10)], "META": [RENAMED]},
        {"FB": [date(2022, 5, 20)], "META": [date(2022, 6, 30)]},
    ],
    ids=["none", "old only", "new only", "both trade", "too far"],
)
def test_without_a_clear_change_the_sources_date_stays(bars: dict[str, list[date]]) -> None:
    assert snapped([FB, META], bars, 5, sessions()) == (FB, META)


HANDOVER = date(2022, 6, 9)


@pytest.mark.parametrize("stated", [date(2022, 6, 7), HANDOVER, date(2022, 6, 13)])
def test_a_handover_is_on_the_session_of_the_bars_for_both_of_its_companies(stated: date) -> None:
    """The bars of X go on; those of A's new symbol start and those of B's old one stop."""
    first = [
        Holding("csv", "A", "X", date(2012, 1, 3), stated),
        Holding("csv", "A", "XN", stated, OPEN),
    ]
    second = [
        Holding("csv", "B", "Y", date(2012, 1, 3), stated),
        Holding("csv", "B", "X", stated, OPEN),
    ]
    bars = {
        "X": sessions(),
        "XN": [d for d in sessions() if d >= HANDOVER],
        "Y": [d for d in sessions() if d < HANDOVER],
    }
    for chain in (first, second):
        old, new = snapped(chain, bars, 5, sessions(), {"X"})
        assert (old.end, new.start) == (HANDOVER, HANDOVER)
        assert snapped(chain, bars, 5, sessions()) == tuple(chain), "X is not known to be shared"


def test_a_new_listing_waits_for_the_end_of_the_symbols_old_holder() -> None:
    """The source dates both on 06-07; the bars show the old holder until 06-08."""
    early = date(2022, 6, 7)
    old = Holding("csv", "A", "X", date(2012, 1, 3), HANDOVER)
    new = Holding("csv", "C", "X", early, OPEN)
    held = disjoint([new, old], SOURCES, {old})
    assert [(h.instrument_id, h.start, h.end) for h in held] == [
        ("A", date(2012, 1, 3), HANDOVER),
        ("C", HANDOVER, OPEN),
    ]


def in_chains(symbol: str, day: date, holdings: list[Holding], stated: list[Holding]) -> list[str]:
    found = chains({symbol}, disjoint(holdings, SOURCES), disjoint(stated, SOURCES))
    return [
        s.instrument_id or ""
        for c in found
        for s in c
        if s.symbol == symbol and s.start <= day < s.end
    ]


def test_between_the_bars_rename_and_the_sources_both_symbols_are_the_instruments() -> None:
    moved = [replace(FB, end=RENAMED), replace(META, start=RENAMED)]
    for symbol, day in [("FB", RENAMED), ("META", RENAMED), ("FB", SATURDAY - ONE_DAY)]:
        assert in_chains(symbol, day, moved, [FB, META]) == [FB.instrument_id]
    assert in_chains("FB", SATURDAY, moved, [FB, META]) == [""], "without a holder by either date"
    taken = Holding("csv", "other", "FB", RENAMED, OPEN)
    assert in_chains("FB", RENAMED, [*moved, taken], [FB, META, taken]) == ["other"]


HOLDINGS = st.builds(
    lambda source, who, symbol, start, length: Holding(
        source,
        who,
        symbol,
        date(2020, 1, 1) + start * ONE_DAY,
        date(2020, 1, 1) + (start + length) * ONE_DAY,
    ),
    st.sampled_from(["csv", "massive", "lean"]),
    st.sampled_from("123"),
    st.sampled_from(["A", "B"]),
    st.integers(0, 60),
    st.integers(1, 60),
)


@given(st.lists(HOLDINGS, max_size=8), st.integers(0, 130))
def test_a_date_has_the_holder_of_the_best_source_that_has_one(
    holdings: list[Holding], offset: int
) -> None:
    day = date(2020, 1, 1) + offset * ONE_DAY
    held = [h for h in timeline("A", holdings, SOURCES) if h.start <= day < h.end]
    there = [h for h in holdings if h.symbol == "A" and h.start <= day < h.end]
    assert len(held) == bool(there)
    if there:
        order = {"csv": 0, "massive": 1, "lean": 2}
        assert order[held[0].source] == min(order[h.source] for h in there)
        assert held[0].instrument in {h.instrument for h in there}


@given(st.lists(HOLDINGS, max_size=8), st.lists(HOLDINGS, max_size=8), st.integers(-5, 130))
def test_every_date_of_a_symbol_is_in_exactly_one_chain(
    holdings: list[Holding], stated: list[Holding], offset: int
) -> None:
    day = date(2020, 1, 1) + offset * ONE_DAY
    found = in_chains("A", day, holdings, stated)
    assert len(found) == 1
    held = [h for h in timeline("A", holdings, SOURCES) if h.start <= day < h.end]
    assert [h.instrument_id for h in held] in ([], found)


@given(st.lists(HOLDINGS, max_size=8), st.integers(0, 60), st.integers(1, 60), st.integers(0, 130))
def test_a_followed_symbol_never_mixes_two_instruments(
    holdings: list[Holding], start: int, length: int, on: int
) -> None:
    first, last = (date(2020, 1, 1) + n * ONE_DAY for n in (start, start + length))
    day = date(2020, 1, 1) + on * ONE_DAY
    found = follow("A", on=day, start=first, end=last, holdings=holdings, sources=SOURCES)
    assert len({s.instrument_id for s in found.segments}) <= 1
    assert all(first <= s.start < s.end <= last for s in found.segments)
    ordered = [(s.start, s.end) for s in found.segments]
    assert all(a[1] <= b[0] for a, b in pairwise(ordered))
    if found.holder:
        assert found.holder not in found.others
