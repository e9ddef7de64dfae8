"""The options of a SQL query, as a reader takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingot.errors import QueryError
from ingot.query.requests.adjustment import FORMULAS, RAW
from ingot.query.requests.request import Adjustment

if TYPE_CHECKING:
    from ingot.query.requests.request import Basis, Params


def sql_words(
    params: Params = None, basis: Basis | Adjustment = RAW, known_basis: str | None = None
) -> dict[str, Any]:
    """Return what a reader takes beside a query; parameters only where there are some."""
    how = Adjustment.of(basis)
    if how.formula != FORMULAS[0]:
        raise QueryError("SQL adjusts by the standard formula only. Leave the formula out.")
    from ingot.engines.params import packed  # a query without parameters needs no packing

    bound = packed(params)
    words = {"basis": how.basis, "strict": how.strict, "known_basis": known_basis}
    return words if bound is None else {**words, "params": bound}
