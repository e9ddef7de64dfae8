"""What we write into a snapshot's summary beside Iceberg's own counts."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from ingot.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN: Final = "ingot.run"
UNITS: Final = "ingot.units"
CODE_VERSION: Final = "ingot.code-version"
_LONGEST_UNITS: Final = 2_000


def summary_properties(run: str, units: Sequence[str]) -> dict[str, str]:
    """Return what a snapshot's summary says of the work that made it.

    Unit names are listed while they are short together; else their number and a hash stand there.
    """
    listed = json.dumps(list(units), separators=(",", ":"))
    if len(listed) > _LONGEST_UNITS:
        digest = hashlib.sha256("\n".join(sorted(units)).encode()).hexdigest()
        listed = json.dumps({"count": len(units), "sha256": digest}, separators=(",", ":"))
    return {RUN: run, UNITS: listed, CODE_VERSION: __version__}
