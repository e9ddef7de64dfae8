"""Which instrument a corporate action belongs to: the one that holds its symbol on the ex-date.

A symbol may pass from one company to another on the very session of an ex-date, and a vendor may
then write the action under the symbol of either. Such an action is the new holder's if its scale
fits the new holder's bars, the old holder's if it fits only theirs, and otherwise undecided. No
action ever belongs to two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from ingot.query.requests.adjustment import CASH, CURRENCY, SCALING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from decimal import Decimal

    from ingot.query.requests.adjustment import Action
    from ingot.query.requests.symbology import Chain, Segment

Owned = tuple["Action", "Chain"]
_ONE_DAY: Final = timedelta(days=1)
_SMALLEST: Final = Fraction(5, 4)
"""A ratio nearer to 1 is within what a price may move in a session, so that bars prove nothing."""


def belonging(
    actions: Iterable[Action],
    chains: Iterable[Chain],
    *,
    fits: Callable[[Action, Chain], bool],
    trade_dates: Sequence[date],
) -> tuple[tuple[Owned, ...], tuple[Owned, ...]]:
    """Return each action with the chain that it belongs to, and those that are undecided.

    Args:
        actions: As known at a moment; one whose symbol no chain has is left out.
        chains: Instruments and symbols without one; every date of a symbol is in exactly one
            (see `identity.chains`).
        fits: Whether an action's scale fits the bars of an instrument (see `fits`); called only
            for the two holders of a symbol that changes hands on the session of the ex-date.
        trade_dates: Sessions of the market, ascending.

    Returns:
        Pairs of action and chain. An undecided action occurs once for each of its two candidates.
    """
    spans: dict[str, list[tuple[Segment, Chain]]] = defaultdict(list)
    for chain in chains:
        for segment in chain:
            spans[segment.symbol].append((segment, chain))
    for found in spans.values():
        found.sort(key=lambda pair: pair[0].start)
    owned: list[Owned] = []
    undecided: list[Owned] = []
    for action in actions:
        if held := spans.get(action.symbol):
            eve, session = around_ex_date(action.ex_date, trade_dates)
            new, old = _holder(held, session), _holder(held, eve)
            if owner := _owner(action, new, old, fits):
                owned.append((action, owner))
            else:
                undecided += [(action, new), (action, old)]
    return tuple(owned), tuple(undecided)


def around_ex_date(ex_date: date, trade_dates: Sequence[date]) -> tuple[date, date]:
    """Return the last session before an ex-date, and the first on or after it.

    >>> from datetime import date
    >>> week = [date(2024, 6, 14), date(2024, 6, 17)]
    >>> around_ex_date(date(2024, 6, 16), week)
    (datetime.date(2024, 6, 14), datetime.date(2024, 6, 17))
    """
    index = bisect_right(trade_dates, ex_date - _ONE_DAY)
    eve = trade_dates[index - 1] if index else ex_date - _ONE_DAY
    return eve, trade_dates[index] if index < len(trade_dates) else ex_date


def fits(action: Action, before: Decimal | None, on: Decimal | None) -> bool:
    """Return True if an action is of a size that an instrument's closes show or allow.

    Args:
        action: A split fits where the closes move by its ratio rather than not at all; cash in
            dollars where it is less than the close before. Nothing else has a scale.
        before: Close as traded of the last session before the ex-date; None where there is none.
        on: Close as traded of the ex-date's session.
    """
    if not before:
        return False
    if action.kind == CASH:
        dollars = (action.currency or CURRENCY) == CURRENCY
        return dollars and action.cash is not None and action.cash < before
    if action.kind not in SCALING or not on:
        return False
    scale = _times(action.ratio)
    off = _times(Fraction(on) * action.ratio / Fraction(before))
    return scale >= _SMALLEST and off * off < scale


def _times(ratio: Fraction) -> Fraction:
    return max(ratio, 1 / ratio)


def _owner(
    action: Action, new: Chain, old: Chain, fits: Callable[[Action, Chain], bool]
) -> Chain | None:
    """Return the chain of an action; only two companies need a proof."""
    if old[0].instrument_id in {None, new[0].instrument_id}:
        return new
    if new[0].instrument_id is None:
        return old
    return next((chain for chain in (new, old) if fits(action, chain)), None)


def _holder(held: Sequence[tuple[Segment, Chain]], day: date) -> Chain:
    index = bisect_right(held, day, key=lambda pair: pair[0].start)
    return held[max(index - 1, 0)][1]
