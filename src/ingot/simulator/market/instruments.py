"""Instruments and who holds which ticker when: listings, delistings, renames, reuse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Final

from ingot.simulator.market import symbols
from ingot.simulator.market.hashing import key
from ingot.simulator.market.roster import CAST, Role, role_of
from ingot.simulator.market.sessions import month_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.simulator.market.sessions import Exchange

EPOCH: Final = date(1995, 1, 1).toordinal()
"""Day zero of the price paths and of the companies' lives."""
_EARLIEST_LISTING: Final = date(1980, 1, 2).toordinal()
_OLD_LISTINGS_DAYS: Final = 8_000
_LIFE_DAYS: Final = (1_500, 3_000)
_GAP_DAYS: Final = (20, 100)
_LISTED_ON: Final = (0, 5)
_DELISTED_ON: Final = (7, 4)
_RENAMED_ON: Final = (13, 4)
_EXCHANGES: Final = {"ETF": ("ARCX", "BATS"), "PFD": ("XNYS",), "CS": ("XNAS", "XNYS", "XASE")}
_ETF_OF_HUNDRED: Final = 30


@dataclass(frozen=True, slots=True)
class Instrument:
    """One security for as long as it lives; `list_date` and `delist_date` are `[first, after)`."""

    slot: int
    generation: int
    name: str
    kind: str
    """The vendor's type: CS common stock, ETF, PFD preferred, WARRANT."""
    primary_exchange: str
    composite_figi: str
    share_class_figi: str
    cik: str | None
    list_date: date
    delist_date: date | None


@dataclass(frozen=True, slots=True)
class Holding:
    """A ticker in the hands of one instrument over trade dates `[start, end)`."""

    instrument: Instrument
    ticker: str
    start: date
    end: date | None

    def covers(self, day: date) -> bool:
        """Return True if the ticker is held on `day`."""
        return self.start <= day and (self.end is None or day < self.end)


@dataclass(frozen=True)
class Registry:
    """Who holds which ticker in `[start, end)`; a function of seed and dates alone."""

    seed: int
    symbols: int
    exchange: Exchange
    start: date
    end: date

    @cached_property
    def holdings(self) -> tuple[Holding, ...]:
        """Return every holding that touches the span, sorted by ticker, then start."""
        found = (h for slot in range(self.symbols) for h in self._of_slot(slot))
        touching = (h for h in found if h.start < self.end and (not h.end or h.end > self.start))
        return tuple(sorted(touching, key=lambda h: (h.ticker, h.start)))

    def role(self, slot: int) -> Role:
        """Return the role of a slot."""
        return role_of(slot, key(self.seed, "role", slot) % 10)

    def _of_slot(self, slot: int) -> Iterator[Holding]:
        role = self.role(slot)
        if role is Role.CHURN:
            yield from self._churn(slot)
        elif role is Role.RENAMER:
            yield from self._renamer(slot)
        elif role is Role.NEWCOMER:
            yield from self._newcomer(slot)
        else:
            listed = date.fromordinal(
                _EARLIEST_LISTING + key(self.seed, "listed", slot) % _OLD_LISTINGS_DAYS
            )
            instrument = self._instrument(slot, 0, listed, None)
            yield Holding(instrument, symbols.ticker(self.seed, slot), listed, None)

    def _churn(self, slot: int) -> Iterator[Holding]:
        life = _LIFE_DAYS[0] + key(self.seed, "life", slot) % _LIFE_DAYS[1]
        offset = key(self.seed, "life offset", slot) % life
        first = (self.start.toordinal() - EPOCH + offset) // life
        last = (self.end.toordinal() - EPOCH + offset) // life
        for generation in range(first, last + 1):
            begin = EPOCH + generation * life - offset
            gap = _GAP_DAYS[0] + key(self.seed, "gap", slot, generation) % _GAP_DAYS[1]
            listed = self.exchange.on_or_after(date.fromordinal(begin + gap))
            gone = date.fromordinal(begin + life)
            delisted = self.exchange.on_or_after(gone) if gone < self.end else gone
            instrument = self._instrument(slot, generation, listed, delisted)
            name = symbols.ticker(self.seed, slot, generation)
            yield Holding(instrument, name, listed, delisted)

    def _renamer(self, slot: int) -> Iterator[Holding]:
        listed = date.fromordinal(_EARLIEST_LISTING)
        instrument = self._instrument(slot, 0, listed, None)
        for month in self._months():
            start = self._day_of(month, slot, _RENAMED_ON)
            end = self._day_of(month + 1, slot, _RENAMED_ON)
            yield Holding(instrument, self._pair_ticker(slot, month), start, end)

    def _newcomer(self, slot: int) -> Iterator[Holding]:
        for month in self._months():
            start = self._day_of(month, slot, _LISTED_ON)
            end = self._day_of(month, slot, _DELISTED_ON)
            instrument = self._instrument(slot, month, start, end)
            yield Holding(instrument, self._pair_ticker(slot - 1, month), start, end)

    def _pair_ticker(self, renamer_slot: int, month: int) -> str:
        """Return the ticker that the newcomer holds early in the month and the renamer from late.

        The two swap every month, so each ticker passes from one company to another.
        """
        return symbols.ticker(self.seed, renamer_slot + month % 2)

    def _months(self) -> range:
        return range(month_of(self.start) - 1, month_of(self.end) + 1)

    def _day_of(self, month: int, slot: int, window: tuple[int, int]) -> date:
        first, width = window
        return self.exchange.of_month(month)[first + key(self.seed, window, slot, month) % width]

    def _instrument(
        self, slot: int, generation: int, listed: date, delisted: date | None
    ) -> Instrument:
        named = (self.seed, slot, generation)
        kind = self._kind(slot, generation)
        venues = _EXCHANGES.get(kind, _EXCHANGES["CS"])
        return Instrument(
            slot=slot,
            generation=generation,
            name=f"Simulated {'Fund' if kind == 'ETF' else 'Company'} {slot}-{generation}",
            kind=kind,
            primary_exchange=venues[key("venue", *named) % len(venues)],
            composite_figi=symbols.figi("composite", *named),
            share_class_figi=symbols.figi("share class", *named),
            cik=None if kind == "ETF" else symbols.cik(*named),
            list_date=listed,
            delist_date=delisted,
        )

    def _kind(self, slot: int, generation: int) -> str:
        if slot < len(CAST):
            return CAST[slot].kind
        name = symbols.ticker(self.seed, slot, generation)
        if name.endswith(".WS"):
            return "WARRANT"
        if not name.isupper():
            return "PFD"
        fund = key(self.seed, "kind", slot, generation) % 100 < _ETF_OF_HUNDRED
        return "ETF" if fund and name.isalpha() else "CS"


def instrument_key(seed: int, slot: int, generation: int) -> int:
    """Return the 64 bits under which everything about an instrument's trading is looked up."""
    return key(seed, "instrument", slot, generation)
