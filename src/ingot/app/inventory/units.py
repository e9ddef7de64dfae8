"""Names of units of work, and of what their records keep."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ingot.model.unit import Scope, Unit

if TYPE_CHECKING:
    from ingot.model.landing import Landing
    from ingot.tables.contract import Table

ONE_DAY: Final = timedelta(days=1)
TRANSFORM: Final = "transform"
"""Under this name a done record keeps the digest of the transform that made its rows."""
PACKAGE: Final = "package"
"""Under this name a done record keeps the package that declares the step."""


def bronze_unit(table: Table, landing: Landing) -> Unit:
    """Return the unit that loads one version of one file."""
    scope = Scope(
        landing.source,
        landing.dataset,
        landing.file_date,
        landing.file_date + ONE_DAY,
        landing.landing_id,
    )
    return Unit(table.name, scope, f"{landing.landing_id & (2**64 - 1):016x}")


def digest(*parts: object) -> str:
    """Return 16 hex digits that name these parts."""
    return sha256("|".join(str(p) for p in parts).encode()).hexdigest()[:16]
