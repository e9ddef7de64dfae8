"""Units of work: what is done once, by name, and recorded when it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from ingot.model.landing import Outcome

BLANK_LINE: Final = "blank_line"
"""Rule of a refused line that holds nothing: unlike the others it cannot have been a bar."""


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """The rows of a table that a unit replaces: every row it names, and nothing else.

    `start` and `end` bound the table's date column, half-open. `landing_id` narrows a bronze
    scope to one version; silver and gold scopes leave it None.
    """

    source: str
    dataset: str
    start: date
    end: date
    landing_id: int | None = None

    @property
    def label(self) -> str:
        """A short name and safe path: `massive/us_stocks_sip.minute_aggs_v1/2025-06-02`."""
        dataset = self.dataset.replace("/", ".") or "all"
        return f"{self.source or 'all'}/{dataset}/{self.start.isoformat()}"


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of work with a deterministic name: same inputs, same rules, same name."""

    table: str
    scope: Scope
    digest: str
    """16 hex digits over the landing ids read, the transform and its digest-bound inputs."""

    @property
    def name(self) -> str:
        """The unit's name below its table, a relative path: `<scope label>/<digest>`."""
        return f"{self.scope.label}/{self.digest}"


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A data file that a unit wrote, by which anyone can tell whether it is still that file."""

    name: str
    """File name within the table's data folder, without folders; used once."""
    sha256: str
    """Of its bytes, 64 hex digits."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Done:
    """The record that a unit was finished; the last one of a unit counts."""

    unit: Unit
    outcome: Outcome
    run: str
    """Id of the run that did it."""
    started: datetime
    ended: datetime
    snapshot_id: int | None
    """The table's snapshot that holds the rows; None when nothing was committed."""
    rows_in: int = 0
    rows_out: int = 0
    rows_refused: int = 0
    symbols: int = 0
    landing_ids: tuple[int, ...] = ()
    reason: str = ""
    """For a held or refused unit: what happened, in one sentence."""
    details: Mapping[str, str] = field(default_factory=dict)
    code_version: str = ""
    files: tuple[WrittenFile, ...] = ()
    """The data files of the rows; empty in records of before files were hashed."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row that a rule refused; it goes to quarantine with its raw text."""

    source: str
    dataset: str
    file_date: date
    landing_id: int
    row_number: int
    """1 for the first line after the header."""
    rule: str
    raw: str
    symbol: str | None = None
    """The key's parts where they could be read: such a key keeps its row of the version before."""
    bar_start_ns: int | None = None
