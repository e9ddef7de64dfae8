"""Who plays in the market: the fixed cast of the first slots, and the roles of all others.

A slot is a place in the market; at any date at most one instrument fills it. The first slots are
the same in every market, so that the smallest one shows everything: well-known names for a
friendly demo, tickers that look like null tokens, and one slot for each kind of event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What happens to the instrument of a slot."""

    STEADY = "steady"
    """One instrument for ever."""
    CHURN = "churn"
    """Companies come and go every few years, each under a new ticker."""
    SPLITTER = "splitter"
    """Every month a forward split or its reverse."""
    RENAMER = "renamer"
    """Every month takes the ticker that its newcomer has just left."""
    NEWCOMER = "newcomer"
    """Every month another instrument is listed late and delisted early."""
    HALTED = "halted"
    """Halted for a while on about every second day."""
    MONTHLY_PAYER = "monthly_payer"
    """Pays a dividend every month."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the cast: `trades` per regular minute, `price` in USD; zero means by chance."""

    ticker: str = ""
    role: Role = Role.STEADY
    kind: str = "CS"
    trades: float = 0.0
    price: float = 0.0


CAST: Final = (
    Member("SPY", kind="ETF", trades=2_000.0, price=450.0),
    Member("AAPL", trades=1_500.0, price=190.0),
    Member("MSFT", trades=600.0, price=380.0),
    Member("NA", trades=3.0, price=12.0),
    Member("TRUE", trades=2.0, price=3.0),
    Member("NULL", trades=1.0, price=28.0),
    Member("NAN", trades=0.8, price=44.0),
    Member("BACpA", kind="PFD", trades=0.1, price=24.0),
    Member("BRK.A", trades=0.3, price=600_000.0),
    Member(role=Role.SPLITTER, trades=8.0, price=160.0),
    Member(role=Role.RENAMER, trades=4.0, price=60.0),
    Member(role=Role.NEWCOMER, trades=2.0, price=9.0),
    Member(role=Role.HALTED, trades=30.0, price=25.0),
    Member(trades=5.0, price=0.7),
    Member("INF", trades=0.5, price=8.0),
    Member(trades=0.004, price=15.0),
    Member(role=Role.MONTHLY_PAYER, kind="ETF", trades=1.5, price=50.0),
    Member("FALSE", trades=0.4, price=5.0),
    Member("BRK.B", trades=20.0, price=400.0),
    Member("NONE", trades=0.2, price=33.0),
)
FEWEST_SYMBOLS: Final = len(CAST)
MOST_SYMBOLS: Final = 40_000
RESERVED: Final = frozenset(member.ticker for member in CAST)
_ROLE_EVERY: Final = 150
_ROLES: Final = {9: Role.SPLITTER, 10: Role.RENAMER, 11: Role.NEWCOMER}
_CHURN_OF_TEN: Final = 2


def role_of(slot: int, chance: int) -> Role:
    """Return the role of a slot; `chance` is a hash of the slot, below ten."""
    if slot < len(CAST):
        return CAST[slot].role
    if role := _ROLES.get(slot % _ROLE_EVERY):
        return role
    return Role.CHURN if chance < _CHURN_OF_TEN else Role.STEADY
