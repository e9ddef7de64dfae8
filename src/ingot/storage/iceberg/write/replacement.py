"""What a commit is made of: new rows for whole scopes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingot.model.unit import Scope
    from ingot.storage.iceberg.write.staged_file import StagedFile


class Unplanned(Enum):
    """Says that a replacement does not depend on the state that its maker saw."""

    UNPLANNED = "unplanned"


@dataclass(frozen=True, slots=True)
class Replacement:
    """The new rows of one scope: all that it holds from now on."""

    scope: Scope
    files: tuple[StagedFile, ...]
    """Empty when the scope has no row."""
    unit: str
    """Name of the unit of work; written into the snapshot."""
