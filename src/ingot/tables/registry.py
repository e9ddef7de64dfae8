"""Every table of a lake, by name: Ingot's own, and those of installed packages."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

from ingot.errors import ConfigError, QueryError
from ingot.tables import bronze, gold, ops, revisions, silver

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import EntryPoint

    from ingot.tables.contract import Table

STEPS_GROUP: Final = "ingot.steps"
"""Entry points of packages that derive tables of their own: each a step, or a tuple of steps."""
ALL_TABLES: tuple[Table, ...] = (*bronze.TABLES, *silver.TABLES, *gold.TABLES, *ops.TABLES)
"""Ingot's own tables."""
VIEWS: tuple[Table, ...] = revisions.VIEWS
"""Names that a question may use beside the tables: made of them when they are read."""
_DERIVED: Final = frozenset({"silver", "gold"})


class DeclaresTable(Protocol):
    """What this module knows of a step."""

    @property
    def output(self) -> Table:
        """The table that it makes."""
        ...


@cache
def installed_steps() -> tuple[tuple[DeclaresTable, str], ...]:
    """Return each step that an installed package declares, with the package and its version.

    Raises:
        ConfigError: A package cannot be loaded, or its table has no name of its own.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - takes milliseconds

    found: list[tuple[DeclaresTable, str]] = []
    for entry in sorted(entry_points(group=STEPS_GROUP), key=lambda e: e.name):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        for step in _loaded(entry, package):
            _require_own_name(step.output, package, [s.output for s, _ in found])
            found.append((step, package))
    return tuple(found)


def _loaded(entry: EntryPoint, package: str) -> Iterator[DeclaresTable]:
    try:
        declared = entry.load()
    except (ImportError, AttributeError) as exc:
        raise ConfigError(
            f"The steps of {package} ({entry.value}) cannot be loaded: {exc}. "
            "Install what the package needs, or uninstall it."
        ) from exc
    yield from declared if isinstance(declared, tuple) else (declared,)


def _require_own_name(table: Table, package: str, others: list[Table]) -> None:
    if table.namespace not in _DERIVED:
        raise ConfigError(
            f"{package} declares the table {table.name}. A derived table is named silver.NAME or "
            "gold.NAME: rename it, or uninstall the package."
        )
    if table.name in {t.name for t in (*ALL_TABLES, *VIEWS, *others)}:
        raise ConfigError(
            f"{package} declares the table {table.name}, which exists already. Rename it, or "
            "uninstall the package."
        )


@cache
def all_tables() -> tuple[Table, ...]:
    """Return Ingot's own tables, then those of installed packages."""
    return (*ALL_TABLES, *(step.output for step, _ in installed_steps()))


@cache
def _by_name() -> dict[str, Table]:
    return {table.name: table for table in (*all_tables(), *VIEWS)}


def table(name: str, own: Iterable[Table] = ()) -> Table:
    """Return the contract of the table called `name`.

    Args:
        name: Namespace and name.
        own: The tables that a lake declares itself; looked at where no other table has the name.

    Raises:
        QueryError: There is none; the message names the nearest.
    """
    known = _by_name()
    if found := known.get(name):
        return found
    known = {**known, **{table.name: table for table in own}}
    if found := known.get(name):
        return found
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    raise QueryError(f"There is no table {name}. {hint}")
