"""What can be the matter with a difference: kinds and causes as data, and the rows that name them.

A cause is decided on patterns over many keys. Each text of the modules `ratios`, `time_shifts`,
`session_hours`, `volume` and `versions` names keys: symbol, start_ns, measure (what is different:
bar, price, volume, adj_close, dividend or split), cause, basis (whether a known action makes it a
mismatch of bases) and evidence as JSON. Where several name a key, the first in the order of
`Cause` counts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What is different."""

    MISSING = "MISSING"
    LATE = "LATE"
    DUPLICATE = "DUPLICATE"
    VALUE_DRIFT = "VALUE_DRIFT"
    BASIS_MISMATCH = "BASIS_MISMATCH"
    IDENTITY_MISMATCH = "IDENTITY_MISMATCH"
    SCHEMA_DRIFT = "SCHEMA_DRIFT"
    REFUSED = "REFUSED"


class Cause(StrEnum):
    """Why it is likely different; where several fit a key, the first of this order is named."""

    RENAMED = "renamed"
    END_LABELLED_BARS = "end_labelled_bars"
    TIME_ZONE = "time_zone"
    REPUBLISHED = "republished"
    SPLIT_FACTOR = "split_factor"
    SCALE_X100 = "scale_x100"
    CLOSING_AUCTION = "closing_auction"
    EXTENDED_HOURS_VOLUME = "extended_hours_volume"
    PARTIAL_WEEK = "partial_week"
    SESSION_SET = "session_set"
    DIVIDEND = "dividend"
    LOTS = "lots"
    ODD_LOTS = "odd_lots"
    NOT_PUBLISHED = "not_published"
    SCHEMA_CHANGE = "schema_change"
    UNREADABLE = "unreadable"
    UNEXPLAINED = "unexplained"

    @property
    def is_legal(self) -> bool:
        """Whether sources may differ so without any being wrong."""
        return self in {Cause.CLOSING_AUCTION, Cause.EXTENDED_HOURS_VOLUME}


PAIRS: Final = "aligned.pairs"
"""Name of the relation of `pairs.joined` in the texts."""
