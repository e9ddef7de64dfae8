"""Chains and what acts on them over known time, on holdings written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from ingot.app.refine.instrument_actions import Acting, Rules
from ingot.app.refine.instrument_chains import (
    Group,
    Price,
    alone,
    groups,
    held_over_time,
    holder_rows,
    name_of,
)
from ingot.model.step_function import EVER
from ingot.model.time import FOREVER
from ingot.query.requests.adjustment import Action
from ingot.query.requests.symbology import Holding
from tests.support.small_market import weekdays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.model.step_function import Steps, Version
    from ingot.query.requests.symbology import Held

SESSIONS = weekdays(date(2024, 6, 3), 30)
FIRST, END = SESSIONS[0], SESSIONS[-1] + timedelta(days=1)
LISTED = date(2010, 1, 4)
OPEN = date(9999, 12, 31)
MONDAY, FRIDAY = date(2024, 6, 17), date(2024, 6, 14)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def held(
    who: str, symbol: str, start: date, end: date = OPEN, *, source: str = "csv"
) -> Version[Holding]:
    return Holding(source, who, symbol, start, end), EVER, FOREVER


HANDED_OVER = [
    held("A", "AAX", LISTED, MONDAY),
    held("A", "AAXN", MONDAY),
    held("B", "AAX", MONDAY),
]


def traded(symbol: str, first: date, last: date, close: str = "50") -> list[Version[Price]]:
    """Return a vendor's closes, each known from noon of the day after."""
    return [
        (Price(symbol, day, 0, Decimal(close)), noon(day + timedelta(days=1)), FOREVER)
        for day in SESSIONS
        if first <= day <= last
    ]


def over_time(
    holdings: Sequence[Version[Holding]], prices: Sequence[Version[Price]] = ()
) -> Steps[Held]:
    (group,) = groups(holdings, FIRST, END)
    return held_over_time(group, prices, sessions=SESSIONS, sources=("csv", "massive"))


def instruments(taken: Steps[Held], at: datetime) -> dict[tuple[str, date], str]:
    """Return what each symbol is on each session, as known at a moment."""
    return {
        (symbol, day): instrument
        for symbol, start, end, instrument, since, until in holder_rows(taken)
        for day in SESSIONS
        if start <= day < end and since <= at < until
    }


def test_a_market_without_changes_of_hands_or_names_has_no_groups() -> None:
    listed = [held(f"I{n}", f"S{n}", LISTED) for n in range(3)]
    renamed_long_ago = [
        held("R", "OLD", LISTED, date(2020, 1, 2)),
        held("R", "R", date(2020, 1, 2)),
    ]
    of_two_sources = [held("M", "S1", LISTED, source="massive")]
    assert groups([*listed, *renamed_long_ago, *of_two_sources], FIRST, END) == []


def test_all_that_a_handover_involves_is_one_group() -> None:
    holdings = [
        held("A", "AAX", LISTED, MONDAY),
        held("A", "AAXN", MONDAY),
        held("B", "BBB", LISTED, MONDAY),
        held("B", "AAX", MONDAY),
        held("C", "CCC", LISTED),
    ]
    (group,) = groups(holdings, FIRST, END)
    assert group == Group(frozenset({"AAX", "AAXN", "BBB"}), tuple(holdings[:4]))


def test_every_date_of_every_symbol_is_one_instrument_at_every_moment() -> None:
    taken = over_time(
        HANDED_OVER,
        [*traded("AAX", FIRST, END), *traded("AAXN", MONDAY, END)],
    )
    for at in (EVER, noon(FRIDAY), noon(END)):
        assert len(instruments(taken, at)) == 2 * len(SESSIONS)
    found = instruments(taken, noon(END))
    assert found["AAX", FRIDAY] == found["AAXN", MONDAY] != found["AAX", MONDAY]


def test_a_rename_on_a_saturday_is_moved_to_the_bars_as_they_become_known() -> None:
    saturday, moved = date(2024, 6, 15), date(2024, 6, 13)
    taken = over_time(
        [held("M", "FB", LISTED, saturday), held("M", "META", saturday)],
        [*traded("FB", FIRST, date(2024, 6, 12)), *traded("META", moved, END)],
    )
    before, after = (instruments(taken, noon(day)) for day in (moved, FRIDAY))
    assert before["META", moved] != before["FB", FIRST]
    assert after["META", moved] == after["FB", FIRST]


def test_a_symbol_that_trades_on_before_the_new_one_does_is_still_the_instrument() -> None:
    """As at the end of a month whose last sessions the source has under the new symbol already."""
    stated, moved = FRIDAY, date(2024, 6, 18)
    holdings = [held("M", "FB", LISTED, stated), held("M", "META", stated)]
    fb = traded("FB", FIRST, MONDAY)
    for prices in (fb, [*fb, *traded("META", moved, END)]):
        found = instruments(over_time(holdings, prices), noon(END))
        assert found["FB", MONDAY] == found["FB", FIRST] == found["META", moved]


def test_a_symbol_that_another_company_trades_on_is_not_kept() -> None:
    taken = over_time(
        HANDED_OVER,
        traded("AAX", FIRST, END),
    )
    found = instruments(taken, noon(END))
    assert found["AAX", FRIDAY] != found["AAX", MONDAY]


def test_of_two_sources_the_first_of_the_precedence_counts() -> None:
    holdings = [
        held("A", "AAX", LISTED),
        held("X", "AAX", LISTED, MONDAY, source="massive"),
        held("X", "XXX", MONDAY, source="massive"),
    ]
    found = instruments(over_time(holdings), noon(END))
    assert found["AAX", FRIDAY] == found["AAX", MONDAY] != found["XXX", MONDAY]


def test_no_instrument_has_two_symbols_on_one_session() -> None:
    """The bars say that AAX changed hands two sessions before its sources do."""
    stated = date(2024, 6, 20)
    taken = over_time(
        [held("A", "AAX", LISTED, stated), held("A", "AAXN", stated), held("B", "AAX", stated)],
        [*traded("AAX", FIRST, END), *traded("AAXN", date(2024, 6, 18), END)],
    )
    for at in (EVER, noon(stated), noon(END)):
        found = instruments(taken, at)
        assert len({(day, who) for (_, day), who in found.items()}) == len(found)
    assert found["AAX", date(2024, 6, 17)] == found["AAXN", date(2024, 6, 18)]
    later = action("AAX", date(2024, 6, 21), "cash_dividend", cash="1")
    (acting,) = (a for a, _, _ in rules().acting([(later, noon(END), FOREVER)], taken))
    assert acting.instrument == found["AAX", later.ex_date]


def rules(*, large: Sequence[tuple[str, date]] = ()) -> Rules:
    return Rules(("csv", "massive"), SESSIONS, frozenset(large))


def action(symbol: str, day: date, kind: str, *, source: str = "csv", **what: str) -> Action:
    numbers = {name: Decimal(value) for name, value in what.items()}
    currency = "USD" if "cash" in what else None
    return Action(source, symbol, day, kind, currency=currency, action_id=source, **numbers)


def test_the_first_source_that_knows_an_event_counts_from_when_it_knows_it() -> None:
    """One split told by two sources acts once at every moment."""
    learned = noon(MONDAY)
    split = {"ratio_from": "1", "ratio_to": "2"}
    actions = [
        (action("S", MONDAY, "split", source="massive", **split), noon(FRIDAY), FOREVER),
        (action("S", MONDAY, "split", ratio_from="1", ratio_to="3"), learned, FOREVER),
    ]
    found = rules().alone("S", actions)
    assert sorted(found, key=lambda v: v[1]) == [
        (Acting("S", MONDAY, 2.0, Decimal(0), 0, 0), noon(FRIDAY), learned),
        (Acting("S", MONDAY, 3.0, Decimal(0), 0, 0), learned, FOREVER),
    ]


def test_a_dividend_is_not_applied_while_the_close_before_is_known_to_be_less() -> None:
    corrected = noon(SESSIONS[20])
    prices: list[Version[Price]] = [
        (Price("S", FRIDAY, 0, Decimal(100)), noon(MONDAY), corrected),
        (Price("S", FRIDAY, 0, Decimal(5)), corrected, FOREVER),
        (Price("S", FRIDAY, 1, Decimal(1)), noon(MONDAY), FOREVER),
    ]
    paid = [(action("S", MONDAY, "cash_dividend", cash="5"), noon(FRIDAY), FOREVER)]
    found = rules(large=[("S", MONDAY)]).alone("S", paid, prices)
    assert sorted(found, key=lambda v: v[1])[1:] == [
        (Acting("S", MONDAY, 1.0, Decimal(5), 0, 0), noon(MONDAY), corrected),
        (Acting("S", MONDAY, 1.0, Decimal(0), 0, 2), corrected, FOREVER),
    ]


def test_a_split_on_the_session_of_a_handover_is_suspect_for_both_where_it_fits_neither() -> None:
    prices = [*traded("AAX", FIRST, END), *traded("AAXN", MONDAY, END)]
    chains = over_time(HANDED_OVER, prices)
    split = action("AAX", MONDAY, "split", ratio_from="1", ratio_to="4")
    found = rules().acting([(split, EVER, FOREVER)], chains, prices)
    last = [acting for acting, _, until in found if until == FOREVER]
    spans = instruments(chains, noon(END))
    assert sorted(last) == sorted(
        Acting(spans["AAX", day], MONDAY, 1.0, Decimal(0), 2, 2) for day in (FRIDAY, MONDAY)
    )


def test_a_split_under_a_symbol_that_changes_hands_acts_on_whom_it_fits() -> None:
    """A, now AAXN, goes from 50 to 12.5 while AAX, now of B, stays at 50."""
    prices = [*traded("AAX", FIRST, END), *traded("AAXN", MONDAY, END, "12.5")]
    chains = over_time(HANDED_OVER, prices)
    split = action("AAX", MONDAY, "split", ratio_from="1", ratio_to="4")
    found = rules().acting([(split, EVER, FOREVER)], chains, prices)
    (acting,) = (acting for acting, _, until in found if until == FOREVER)
    assert (acting.instrument, acting.ratio) == (instruments(chains, noon(END))["AAX", FRIDAY], 4.0)


def test_a_symbol_of_its_own_is_its_own_name() -> None:
    assert name_of(alone("S")) == "S"
