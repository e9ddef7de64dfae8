"""What a person asks to be loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

_BEGINNING: Final = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What to load: a connector, where its files are, which datasets and file dates."""

    source: str
    location: str
    datasets: tuple[str, ...]
    """Empty for all that the connector has."""
    start: date | None = None
    """First file date; None for the first that the source lists."""
    end: date | None = None
    """The day after the last; None for the last that the source lists."""
    strategy: str = "auto"
    workers: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    """Settings of the connector for this load, by name; recorded with its datasets."""
    reference: bool = False
    """True for what the connector has besides market files: actions, instruments, answers."""

    def span(self, today: date) -> tuple[date, date]:
        """Return the half-open span to list."""
        return self.start or _BEGINNING, self.end or today + timedelta(days=1)
