"""Tables that a lake holds and no installed package declares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingot.app.inventory.units import PACKAGE
from ingot.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.app.context.lake_context import Parts


def undeclared(parts: Parts) -> Iterator[str]:
    """Yield a sentence for each table of the lake whose package is not installed."""
    declared = {table.name for table in parts.all_tables}
    for name in sorted(parts.tables.names() - declared):
        made_by = {d.details[PACKAGE] for d in parts.ledger.done_all(name) if PACKAGE in d.details}
        package = max(made_by, default="the package that made it")
        yield (
            f"{name} is in this lake, but no installed package declares it. Install {package} to "
            "read it."
        )


def refuse_undeclared(parts: Parts, text: str) -> None:
    """Raise where a text that names no known table names one whose package is not installed.

    Raises:
        QueryError: It does; the message names the package to install.
    """
    words = set(re.findall(r"\w+\.\w+", text.lower()))
    for sentence in undeclared(parts):
        name = sentence.split(" ", 1)[0]
        if {name, f"{name}_history"} & words:
            raise QueryError(sentence)
