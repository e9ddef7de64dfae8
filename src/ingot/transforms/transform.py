"""A transform: one SQL text in the portable subset, with all that gives its rows their meaning."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingot.tables.contract import Table


@dataclass(frozen=True)
class Transform:
    """How the rows of `output` are derived from `inputs`.

    `sql` is a text with `$name` parts that are filled per unit of work. Where the output is
    refined from files it is written for one state of its inputs, and
    `ingot.transforms.version_history` makes a history of the states. Two transforms with one digest
    give the same rows.
    """

    name: str
    output: Table
    inputs: tuple[str, ...]
    """Names of the relations that the filled text reads."""
    sql: str
    version: int = 1
    """Counts changes of meaning that neither text nor contract shows."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Rule parameters that change the rows, e.g. the risk-free rate."""

    @cached_property
    def digest(self) -> str:
        """16 hex digits over name, text, the output's contract and the rule parameters."""
        named = {
            "name": self.name,
            "version": self.version,
            "sql": self.sql,
            "columns": [[c.name, c.type.sql, c.nullable] for c in self.output.columns],
            "checks": [[check.rule, check.sql] for check in self.output.checks],
            "parameters": dict(self.parameters),
        }
        return sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]

    def fill(self, **parts: str | int) -> str:
        """Return the text with its `$name` parts replaced.

        Raises:
            KeyError: The text names a part that is not given.
        """
        return Template(self.sql).substitute(parts)

    @property
    def checked(self) -> str:
        """The predicate that is true for a row that keeps every check of the output."""
        return " AND ".join(f"({check.sql})" for check in self.output.checks) or "TRUE"


def sql_text(name: str) -> str:
    """Return the text of the file `name` beside this module."""
    return files("ingot.transforms").joinpath(name).read_text(encoding="utf-8")
