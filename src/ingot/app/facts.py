"""What the ledger says that every answer depends on, read once for each state of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingot.app.markets import refinements
from ingot.model.known import in_force
from ingot.query.bars import Sources

if TYPE_CHECKING:
    from datetime import datetime

    from ingot.app.parts import Parts
    from ingot.model.landing import LandingState


@dataclass(frozen=True)
class LedgerFacts:
    """The ledger at one stamp."""

    stamp: str
    settled_until: datetime | None
    """Answers as known before it are final; None when all that landed is refined."""
    sources: Sources
    states: tuple[tuple[LandingState, ...], ...]
    """Versions, dataset by dataset."""

    def landing_ids(self, moment: datetime, *, history: bool) -> tuple[int, ...]:
        """Return the landings in force at `moment`; for a history, all known by then."""
        if history:
            return tuple(
                state.landing.landing_id
                for states in self.states
                for state in states
                if state.landing.known_from <= moment
            )
        return tuple(
            landing.landing_id for states in self.states for landing in in_force(states, moment)
        )


def read_facts(parts: Parts, stamp: str) -> LedgerFacts:
    """Return what the ledger says now."""
    datasets = [d for d in parts.ledger.datasets() if d[0] != "sessions"]
    precedence = tuple((p.from_date, p.sources) for p in parts.settings.source_precedence)
    return LedgerFacts(
        stamp=stamp,
        settled_until=parts.ledger.settled_until(refinements(parts)),
        sources=Sources(tuple(sorted({source for source, _ in datasets})), precedence),
        states=tuple(parts.ledger.states(source, name) for source, name in datasets),
    )
