"""The portable subset of DuckDB's dialect, in which every engine understands a text alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp, parse_one

from ingot.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLOATING: Final = (exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT)
_TIMES: Final = frozenset({exp.DataType.Type.TIME, exp.DataType.Type.TIMETZ})
_SUMS: Final = (exp.Sum, exp.Avg)
_GIVE_FLOATING: Final = (exp.Div, exp.Ln, exp.Exp, exp.Sqrt, exp.Pow)
_STATISTICS: Final = (
    *(exp.Stddev, exp.StddevSamp, exp.StddevPop, exp.Variance, exp.VariancePop, exp.Corr),
)
_ENDS_IN_INTEGER: Final = (exp.Hour, exp.Minute, exp.Second, exp.Extract, exp.Year, exp.Month)


def check_portable(sql: str) -> None:
    """Refuse a text that engines would understand differently, or not at all.

    Raises:
        QueryError: It has TIME, time_bucket, ASOF, an ordered list(), a sum or avg of floating
            points, a sum or a part of a date that is not cast, a star beside QUALIFY, or two
            CTEs of one name.
    """
    if problems := sorted(set(_problems(parse_one(sql, read="duckdb")))):
        raise QueryError(
            f"The text is outside the portable subset: {'; '.join(problems)}. "
            "Write it so that every engine gives the same rows."
        )


def _problems(tree: exp.Expr) -> Iterator[str]:
    names = [cte.alias for cte in tree.find_all(exp.CTE)]
    if len(names) != len(set(names)):
        yield "two CTEs of one name (Spark has them all at the top)"
    for node in tree.walk():
        yield from _construct_problems(node)
        yield from _value_problems(node)


def _construct_problems(node: exp.Expr) -> Iterator[str]:
    if isinstance(node, exp.DateBin) or _called(node) in {"TIME_BUCKET", "DATE_BIN"}:
        yield "time_bucket (divide integers)"
    elif isinstance(node, exp.Join) and str(node.args.get("method", "")).upper() == "ASOF":
        yield "ASOF (use a window over a union)"
    elif isinstance(node, exp.ArrayAgg) and node.find(exp.Order):
        yield "an ordered list() (the order is lost)"
    elif isinstance(node, exp.Select) and node.args.get("qualify") and _has_star(node):
        yield "a star beside QUALIFY (name the columns)"


def _value_problems(node: exp.Expr) -> Iterator[str]:
    if isinstance(node, exp.DataType) and node.this in _TIMES:
        yield "the type TIME (count minutes as integers)"
    elif isinstance(node, _STATISTICS):
        yield "stddev, variance or corr (take roots of sums of integers)"
    elif isinstance(node, _SUMS):
        yield from _sum_problems(node)
    elif isinstance(node, _ENDS_IN_INTEGER) and not _is_cast(node):
        yield "a part of a date that is not cast (engines differ in its width)"


def _sum_problems(node: exp.Expr) -> Iterator[str]:
    if isinstance(node, exp.Avg):
        yield "avg (divide sums of integers, with a stated rounding)"
    elif _is_floating(node.this):
        yield "a sum of floating points (the order of rows would change it)"
    elif not _is_cast(node):
        yield "a sum that is not cast (engines differ in its type)"


def _is_floating(node: exp.Expr) -> bool:
    """Say whether a value shows that it is a floating point; a cast hides what is inside it."""
    if isinstance(node, exp.Cast):
        return node.to.this in _FLOATING
    if isinstance(node, exp.Literal):
        return not node.is_string and "e" in node.this.lower()
    if isinstance(node, _GIVE_FLOATING):
        return True
    return any(_is_floating(child) for child in node.iter_expressions())


def _is_cast(node: exp.Expr) -> bool:
    """Return True if a cast is around the value, or around the window or filter that it has."""
    parent = node.parent
    while isinstance(parent, (exp.Window, exp.Filter, exp.Paren, exp.Coalesce)):
        parent = parent.parent
    return isinstance(parent, exp.Cast)


def _called(node: exp.Expr) -> str:
    return str(node.this).upper() if isinstance(node, exp.Anonymous) else ""


def _has_star(select: exp.Select) -> bool:
    return any(isinstance(e, exp.Star) or e.find(exp.Star) for e in select.expressions)
