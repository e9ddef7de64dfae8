"""Adjustment as a function: from the actions known at a moment to factors over spans of dates.

A split of `ratio_from` old to `ratio_to` new shares acts on trade dates before its ex-date: prices
times from / to, volumes times to / from. A dividend multiplies earlier prices by 1 - cash / C,
C the close as traded of the last session with a bar before the ex-date; on a split's own ex-date
cash is per new share, so that C is divided by the ratio. Formula wiki: c / (c + cash), c the close
of the ex-date.

Splits are kept as two whole numbers where they are ones, so that a price is multiplied by one and
divided by the other, and 400.00 before 4:1 is 100.00 and not a neighbour of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.model.currency import DOLLAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal

    from ingot.query.requests.symbology import Segment

RAW: Final = "raw"
SPLIT: Final = "split"
TOTAL_RETURN: Final = "total_return"
SCALED_RAW: Final = "scaled_raw"
BASES: Final = (RAW, SPLIT, TOTAL_RETURN, SCALED_RAW)
_NAMED: Final = 5
"""Actions that a refusal names."""
WIKI: Final = "wiki"
FORMULAS: Final = ("standard", WIKI)
SCALING: Final = frozenset({"split", "stock_dividend"})
CASH: Final = "cash_dividend"
CURRENCY: Final = DOLLAR


@dataclass(frozen=True, slots=True)
class Action:
    """A corporate action as known at the moment of a read."""

    source: str
    symbol: str
    ex_date: date
    kind: str
    ratio_from: Decimal | None = None
    ratio_to: Decimal | None = None
    cash: Decimal | None = None
    currency: str | None = None
    action_id: str = ""
    """The source's id: two equal dividends of one date are two."""

    @property
    def ratio(self) -> Fraction:
        """New shares for one old one."""
        if not self.ratio_from or not self.ratio_to:
            return Fraction(1)
        return Fraction(self.ratio_to) / Fraction(self.ratio_from)

    @property
    def title(self) -> str:
        """The action in one line, for people."""
        if self.kind in SCALING:
            what = f"{self.ratio_to}:{self.ratio_from}"
        else:
            what = f"{self.cash.normalize():f} {self.currency}" if self.cash is not None else ""
        named = f"{self.kind} {what}".rstrip()
        return f"{named} of {self.symbol} on {self.ex_date} ({self.source})"


@dataclass(frozen=True, slots=True)
class Factor:
    """What prices and volumes of trade dates `[start, end)` of a source symbol are multiplied by.

    price x up / down x paid; volume x down / up.
    """

    asked: str
    symbol: str
    start: date
    end: date
    up: float = 1.0
    down: float = 1.0
    paid: float = 1.0

    @property
    def is_one(self) -> bool:
        """Say whether nothing changes."""
        return self.up == self.down and self.paid == 1.0


@dataclass(frozen=True, slots=True)
class Closes:
    """The closes as traded that dividends are measured by."""

    before: Callable[[Sequence[Segment], date], Decimal | None]
    """Close of the last session with a bar before a date, over the segments of an instrument."""
    on: Callable[[Sequence[Segment], date], Decimal | None]
    """Close of the date itself."""
    currency: Callable[[Sequence[Segment], date], str] = lambda *_: CURRENCY
    """Currency of the closes before a date, in which cash must be to be applied."""
    old: Callable[[Sequence[Segment], date], date | None] = lambda *_: None
    """Trade date of the close before a date, if it is more than 5 sessions back."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The factors of one asked symbol, and the actions that could not be applied."""

    factors: tuple[Factor, ...]
    unapplied: tuple[Action, ...] = ()
    old_closes: tuple[tuple[Action, date], ...] = ()
    """Cash that was applied to a close of more than 5 sessions before, and its trade date."""


def applying(actions: Iterable[Action], sources: Sequence[str]) -> tuple[Action, ...]:
    """Return the actions of one instrument that count, by ex-date.

    Per ex-date one source counts for what scales, and one for each other kind. Equal splits of
    one source and date are one (see `adjust`); its dividends of one date are as many as it says.

    Args:
        actions: Those that belong to the instrument (see `belonging`).
        sources: Precedence; sources that are not listed come after, by name.
    """
    groups: dict[tuple[date, str], list[Action]] = defaultdict(list)
    for action in set(actions):
        kind = SPLIT if action.kind in SCALING else action.kind
        groups[action.ex_date, kind].append(action)
    chosen: list[Action] = []
    for group in groups.values():
        best = min(_rank(a.source, sources) for a in group)
        chosen += [a for a in group if _rank(a.source, sources) == best]
    return tuple(
        sorted(chosen, key=lambda a: (a.ex_date, a.kind, a.cash or 0, a.ratio, a.action_id))
    )


def adjust(
    segments: Sequence[Segment],
    actions: Sequence[Action],
    *,
    basis: str,
    formula: str,
    closes: Closes,
) -> Adjusted:
    """Return the factors of the segments of one instrument on a basis.

    Args:
        segments: Of one asked symbol, ascending; cover the range that is read.
        actions: Those that apply (see `applying`), by ex-date.
        basis: split, total_return or scaled_raw.
        formula: standard or wiki.
        closes: As known at the moment of the read.
    """
    by_date: dict[date, list[Action]] = defaultdict(list)
    for action in actions:
        by_date[action.ex_date].append(action)
    steps: list[tuple[date, Fraction, float]] = []
    unapplied: list[Action] = []
    old: list[tuple[Action, date]] = []
    for ex_date in sorted(by_date):
        found = by_date[ex_date]
        ratio = ratio_of(found)
        paid, left = 1.0, tuple[Action, ...]()
        if basis != SPLIT:
            paid, left = _paid(found, segments, closes, formula)
        unapplied += left
        if paid != 1.0 and formula != WIKI and (day := closes.old(segments, ex_date)):
            old += [(a, day) for a in found if a.kind == CASH and a not in left]
        steps.append((ex_date, ratio, paid))
    cut = [f for segment in segments for f in _cut(segment, _intervals(steps))]
    return Adjusted(tuple(cut), tuple(unapplied), tuple(old))


def counted(actions: Sequence[object]) -> str:
    """Return how many actions there are, in words."""
    return "1 action" if len(actions) == 1 else f"{len(actions):,} actions"


def refuse_unapplied(unapplied: Sequence[Action], basis: str) -> None:
    """Refuse to answer where an action cannot be applied.

    Raises:
        QueryError: There is one.
    """
    if unapplied:
        named = "; ".join(a.title for a in unapplied[:_NAMED])
        more = f" and {len(unapplied) - _NAMED:,} more" if len(unapplied) > _NAMED else ""
        raise QueryError(
            f"{counted(unapplied)} cannot be applied on basis {basis}: {named}{more}. Ask without "
            "strict to leave them out, or on basis raw."
        )


def _rank(source: str, sources: Sequence[str]) -> tuple[int, str]:
    return (sources.index(source) if source in sources else len(sources), source)


def ratio_of(actions: Iterable[Action]) -> Fraction:
    """Return new shares for one old one, over all that scales on one ex-date."""
    ratio = Fraction(1)
    for _, one in sorted({(a.kind, a.ratio) for a in actions if a.kind in SCALING}):
        ratio *= one
    return ratio


def paying(
    actions: Sequence[Action], before: Decimal | None, currency: str = CURRENCY
) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """Return the cash dividends of one ex-date that can be applied, and what cannot be.

    Not applied are spin-offs, rights and mergers, cash in another currency, and all cash where it
    is not less than the close before, or there is none.

    Args:
        actions: Those of one instrument that count (see `applying`).
        before: Close as traded of the last session with a bar before the ex-date.
        currency: Of that close.
    """
    cash = tuple(a for a in actions if a.kind == CASH and (a.currency or CURRENCY) == currency)
    others = tuple(a for a in actions if a.kind not in SCALING and a not in cash)
    if not before or total_of(cash) * ratio_of(actions) >= Fraction(before):
        return (), (*others, *cash)
    return cash, others


def total_of(cash: Iterable[Action]) -> Fraction:
    """Return the cash of dividends of one ex-date, per share after a split of that date."""
    return sum((Fraction(a.cash or 0) for a in cash), Fraction(0))


def _paid(
    actions: Sequence[Action], segments: Sequence[Segment], closes: Closes, formula: str
) -> tuple[float, tuple[Action, ...]]:
    """Return what cash of one ex-date multiplies earlier prices by, and what is not applied."""
    if all(a.kind in SCALING for a in actions):
        return 1.0, ()
    day = actions[0].ex_date
    before = closes.before(segments, day)
    cash, left = paying(actions, before, closes.currency(segments, day))
    close = before if formula != WIKI else closes.on(segments, day)
    if not cash or not close:
        return 1.0, (*left, *cash)
    if formula == WIKI:
        return float(Fraction(close) / (Fraction(close) + total_of(cash))), left
    return float(1 - total_of(cash) * ratio_of(actions) / Fraction(close)), left


def _intervals(
    steps: Sequence[tuple[date, Fraction, float]],
) -> list[tuple[date, date, Fraction, float]]:
    """Return (start, end, price ratio, paid) from the first day to the last, ascending."""
    bounds = [date.min, *(day for day, _, _ in steps), date.max]
    ratio, paid = Fraction(1), 1.0
    found: list[tuple[date, date, Fraction, float]] = []
    for (start, end), step in zip(
        reversed(list(pairwise(bounds))), [None, *reversed(steps)], strict=True
    ):
        if step is not None:
            ratio /= step[1]
            paid *= step[2]
        found.append((start, end, ratio, paid))
    return found[::-1]


def _cut(segment: Segment, intervals: Iterable[tuple[date, date, Fraction, float]]) -> list[Factor]:
    return [
        Factor(
            segment.asked,
            segment.symbol,
            max(segment.start, start),
            min(segment.end, end),
            float(ratio.numerator),
            float(ratio.denominator),
            paid,
        )
        for start, end, ratio, paid in intervals
        if segment.start < end and start < segment.end
    ]
