"""Values bound to the parameters of a query; they travel as JSON and never become SQL text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable


def packed(params: Mapping[str, object] | Sequence[object] | None) -> str | None:
    """Return parameters as JSON, equal for equal values; None where there is none.

    >>> packed({"symbol": "AAPL", "since": date(2025, 6, 2)})
    '{"since": {"date": "2025-06-02"}, "symbol": "AAPL"}'

    Raises:
        QueryError: A value is of a type that a query cannot take.
    """
    if not params:
        return None
    if isinstance(params, str | bytes):
        raise QueryError(f"params was {params!r}. Write a mapping of names or a list of values.")
    if isinstance(params, Mapping):
        named = {str(name).removeprefix("$"): _plain(v) for name, v in params.items()}
        return json.dumps(named, sort_keys=True)
    return json.dumps([_plain(value) for value in params])


def unpacked(text: str | None) -> dict[str, Any] | list[Any] | None:
    """Return what `packed` was given.

    Raises:
        QueryError: The text is not of that form.
    """
    if text is None:
        return None
    try:
        found = json.loads(text)
        if isinstance(found, list):
            return [_value(value) for value in found]
        return {name: _value(value) for name, value in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as exc:
        raise QueryError(f"The parameters {text[:100]!r} cannot be read. Bind them again.") from exc


def _plain(value: object) -> Any:  # noqa: ANN401  # a value of JSON
    if hasattr(value, "item") and not isinstance(value, datetime):
        value = value.item()  # a scalar of NumPy
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, datetime):
        instant = value if value.tzinfo is None else value.astimezone(UTC)
        return {"instant": datetime.combine(instant.date(), instant.timetz()).isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    raise QueryError(
        f"A parameter was {value!r}, a {type(value).__name__}. Bind text, a number, a date, an "
        "instant, or a list of them."
    )


_KINDS: Final[dict[str, Callable[[str], Any]]] = {
    "decimal": Decimal,
    "instant": datetime.fromisoformat,
    "date": date.fromisoformat,
}


def _value(plain: Any) -> Any:  # noqa: ANN401  # a value of JSON
    if isinstance(plain, list):
        return [_value(element) for element in plain]
    if isinstance(plain, dict):
        ((kind, text),) = plain.items()
        return _KINDS[kind](text)
    return plain
