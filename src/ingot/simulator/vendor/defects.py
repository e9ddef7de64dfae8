"""What a vendor gets wrong, each by name, and what a perfect loader makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ingot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection


class Defect(StrEnum):
    """The name of each vendor defect that the simulator can inject."""

    DUPLICATE_ROWS_EQUAL = "duplicate_rows_equal"
    DUPLICATE_ROWS_CONFLICTING = "duplicate_rows_conflicting"
    MISSING_CLOSING_MINUTES = "missing_closing_minutes"
    MALFORMED_NUMBER = "malformed_number"
    INF_VALUE = "inf_value"
    BLANK_LINE = "blank_line"
    SHORT_LINE = "short_line"
    TIMESTAMP_17_DIGITS = "timestamp_17_digits"
    WRONG_HEADER = "wrong_header"
    REORDERED_HEADER = "reordered_header"
    EXTRA_COLUMN = "extra_column"
    TRUNCATED_GZIP = "truncated_gzip"
    EMPTY_FILE = "empty_file"
    TENTH_OF_MARKET = "tenth_of_market"
    LATE_DAY = "late_day"


class Effect(StrEnum):
    """What a perfect loader does about a defect."""

    ROW_REFUSED = "row_refused"
    """The line goes to quarantine under the rule; every other line loads."""
    DUPLICATE_DROPPED = "duplicate_dropped"
    """The line is equal to another one; one of them is kept."""
    ROW_ABSENT = "row_absent"
    """The bar is not in the file; nothing says so but the day file."""
    LEGAL = "legal"
    """The file loads whole."""
    FILE_REFUSED = "file_refused"
    """Nothing of the file is loaded."""
    FILE_HELD = "file_held"
    """The version waits for a decision, where there is something to compare it with."""
    FILE_ABSENT = "file_absent"
    """The vendor has not published this version yet."""


@dataclass(frozen=True, slots=True)
class Injected:
    """One defect in one file: where it is and what a loader must do about it.

    `line` is 1 for the first line after the header, None for a defect of the whole file. `raw` is
    the line's text. `ticker` and `window_start` name the bar that the defect was made from.
    """

    defect: Defect
    effect: Effect
    rule: str
    line: int | None = None
    raw: str = ""
    ticker: str | None = None
    window_start: int | None = None


def named(defects: Collection[str]) -> tuple[Defect, ...]:
    """Return the defects of these names, once each, in the order of `Defect`.

    Raises:
        ConfigError: A name is unknown, or no other defect can go with one of them.
    """
    unknown = sorted(set(defects) - {d.value for d in Defect})
    if unknown:
        raise ConfigError(f"There is no defect {unknown[0]!r}. There are: {', '.join(Defect)}.")
    found = tuple(d for d in Defect if d.value in set(defects))
    for lonely in (Defect.EMPTY_FILE, Defect.LATE_DAY):
        if lonely in found and len(found) > 1:
            raise ConfigError(
                f"The defect {lonely} leaves no file for another one: name it alone for its day."
            )
    if {Defect.WRONG_HEADER, Defect.EXTRA_COLUMN} <= set(found):
        raise ConfigError("wrong_header and extra_column both change the header: name one a day.")
    return found
