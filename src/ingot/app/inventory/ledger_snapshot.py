"""The facts of the ledger that every query result depends on, read once for each state of it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ingot.app.inventory.markets import refinements
from ingot.errors import NotReplayableError
from ingot.model.known_time import gaps, in_force
from ingot.model.landing import ALL_BASES
from ingot.query.requests.bars import Sources
from ingot.tables.own import is_own

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date, datetime

    from ingot.app.context.lake_context import Parts
    from ingot.model.known_time import Gap
    from ingot.model.landing import KnownBasis, Landing, LandingState


@dataclass(frozen=True)
class LedgerFacts:
    """The ledger at one stamp."""

    stamp: str
    settled_until: datetime | None
    """Answers as known before it are final; None when all that landed is refined."""
    sources: Sources
    states: tuple[tuple[LandingState, ...], ...]
    """Versions, dataset by dataset."""
    moments: tuple[datetime, ...] = ()
    """From when each version in force is known, ascending."""
    bound: dict[str, tuple[int, ...]] | None = None
    """The landings of all bases that were read, `in_force` and `history`; None keeps none."""
    is_recorded: bool = False
    """Only the landings in `bound` can be read."""

    def known_after(self, now: datetime) -> tuple[datetime, ...]:
        """Return the moments later than `now` from which versions are known, ascending."""
        return self.moments[bisect_right(self.moments, now) :]

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Versions that could not be loaded, though a later one of their key is in force."""
        return tuple(gap for states in self.states for gap in gaps(states))

    def landing_ids(
        self, moment: datetime, *, history: bool, bases: Collection[KnownBasis]
    ) -> tuple[int, ...]:
        """Return the landings in force at `moment`; for a history, all known by then.

        Only those whose known time is of one of `bases`.

        Raises:
            NotReplayableError: The export that is replayed read none.
        """
        if self.bound is None:
            known = self._landings(moment, history=history)
            return tuple(v.landing_id for v in known if v.known_basis in bases)
        name = "history" if history else "in_force"
        if name not in self.bound:
            if self.is_recorded:
                gone = ["this Ingot shows rows of bronze for the query; the export did not"]
                raise NotReplayableError("The export", gone=gone)
            known = self._landings(moment, history=history)
            self.bound[name] = tuple(v.landing_id for v in known)
        basis = {s.landing.landing_id: s.landing.known_basis for ss in self.states for s in ss}
        return tuple(i for i in self.bound[name] if basis[i] in bases)

    def _landings(self, moment: datetime, *, history: bool) -> list[Landing]:
        if history:
            return [s.landing for ss in self.states for s in ss if s.landing.known_from <= moment]
        return [landing for states in self.states for landing in in_force(states, moment)]

    def dates(self, moment: datetime, bases: Collection[KnownBasis]) -> tuple[date, ...]:
        """Return the file dates of which all that is in force at `moment` is of these bases."""
        in_force_then = set(self.landing_ids(moment, history=False, bases=ALL_BASES))
        found: dict[date, bool] = {}
        for landing in (state.landing for states in self.states for state in states):
            own = is_own(landing.source, landing.dataset)
            if landing.landing_id in in_force_then and not own:
                good = landing.known_basis in bases
                found[landing.file_date] = good and found.get(landing.file_date, True)
        return tuple(sorted(day for day, good in found.items() if good))


def read_facts(parts: Parts, stamp: str) -> LedgerFacts:
    """Return the ledger's facts of now."""
    datasets = [d for d in parts.ledger.datasets() if d[0] != "sessions"]
    precedence = tuple((p.from_date, p.sources) for p in parts.settings.source_precedence)
    states = tuple(parts.ledger.states(source, name) for source, name in datasets)
    moments = (s.in_force_from for of_dataset in states for s in of_dataset)
    return LedgerFacts(
        stamp=stamp,
        settled_until=parts.ledger.settled_until(refinements(parts)),
        sources=Sources(tuple(sorted({d[0] for d in datasets if not is_own(*d)})), precedence),
        states=states,
        moments=tuple(sorted(moment for moment in moments if moment is not None)),
    )
