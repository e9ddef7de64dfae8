"""Binds tables to a moment: what each name in a query shows when asked as known at T."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.errors import QueryError
from ingot.tables.contract import Binding, Table
from ingot.tables.registry import table as contract
from ingot.tables.view import HISTORY, Condition, View

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ingot.model.time import AsOf
    from ingot.tables.input import Relation


def table_of(name: str, find: Callable[[str], Table] = contract) -> tuple[Table, bool]:
    """Return the contract that a query's name means, and whether it is the history.

    `find` gives the contract of a name; by default, of tables that every lake has.

    >>> table_of("silver.minute_bars_history")[1]
    True

    Raises:
        QueryError: No table has that name, or it keeps no history.
    """
    base = name.removesuffix(HISTORY)
    found = find(base)
    if base != name and found.binding not in {Binding.INTERVAL, Binding.LANDING}:
        raise QueryError(f"{base} keeps no history of its rows; ask for {base} itself.")
    return found, base != name


def bind(
    name: str,
    as_of: AsOf,
    relation: Relation,
    *,
    landing_ids: Collection[int] | None = None,
    find: Callable[[str], Table] = contract,
) -> View:
    """Return what `name` shows as known at a moment.

    A table with intervals shows the versions in force then, without `known_to`. Its history shows
    every version known by then; an end that came later is shown as 9999-12-31, because it was not
    known at that moment. Bronze shows the rows of the landings named by `landing_ids`.

    Args:
        name: A table, or a table and `_history`.
        as_of: The moment; for now, the present one.
        relation: The table's rows, all columns.
        landing_ids: For bronze: the landings in force at the moment; for its history: those
            known by then, or None for every one.
        find: Gives the contract of a name.

    Raises:
        QueryError: The table is not bound to known time, yet a moment was named.
    """
    table, history = table_of(name, find)
    if table.binding is Binding.NONE and not as_of.is_now:
        raise QueryError(
            f"{name} tells what this lake did, and is not bound to known time. "
            "Ask for it without known_at."
        )
    if table.binding is Binding.INTERVAL:
        return _interval(name, table, as_of, relation, history=history)
    if table.binding is Binding.LANDING and not (history and landing_ids is None):
        ids = tuple(sorted(landing_ids or ()))
        return View(name, relation, table.column_names, (Condition("landing_id", "in", ids),))
    return View(name, relation, table.column_names)


def _interval(name: str, table: Table, as_of: AsOf, relation: Relation, *, history: bool) -> View:
    moment = as_of.known_at
    known = Condition(Table.KNOWN_FROM, "<=", moment)
    if history:
        return View(name, relation, table.column_names, (known,), cut=moment)
    still = Condition(Table.KNOWN_TO, ">", moment)
    return View(name, relation, table.visible_columns, (known, still))
