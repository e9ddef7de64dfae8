"""What a check of a table found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date, datetime


SCRUB: Final = "scrub"
"""Rule under which the result of reading a lake's files whole is kept."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One rule run over one span of one table."""

    rule: str
    dimension: str
    """completeness, accuracy, consistency or timeliness."""
    severity: str
    """error or warning."""
    table: str
    start: date
    """First date of the span."""
    end: date
    """The day after its last."""
    checked: int
    """Rows looked at."""
    violations: int
    """Rows, or dates, that break the rule."""
    examples: str
    """Up to five of them as a JSON array of objects."""
    started: datetime
    ended: datetime

    @property
    def is_error(self) -> bool:
        """Whether a rule of severity error was broken."""
        return self.violations > 0 and self.severity == "error"
