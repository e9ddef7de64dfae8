"""Requests as JSON and back, whatever their fields: a field that a request gains comes along."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from ingot.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

_RENAMED = {"form": "layout"}
"""Fields of BarsRequest that manifests of earlier versions name otherwise."""


def encoded(value: Any) -> Any:  # noqa: ANN401  # any value of a request
    """Return a request as JSON: dataclasses by their name, dates and instants as marked text.

    >>> encoded((date(2025, 6, 2), "AAPL", None))
    [{'date': '2025-06-02'}, 'AAPL', None]

    Raises:
        QueryError: A value has no form in JSON.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return {"instant": value.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, tuple | list):
        return [encoded(element) for element in value]
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: encoded(getattr(value, field.name)) for field in fields(value)}
        return {"kind": type(value).__name__, **named}
    raise QueryError(f"An export cannot write down {value!r}, a {type(value).__name__}.")


def decoded(value: Any, kinds: Mapping[str, type]) -> Any:  # noqa: ANN401  # the same
    """Return what `encoded` was given; lists become tuples, and fields have their types.

    Args:
        value: JSON.
        kinds: The dataclasses that may occur, by name.

    Raises:
        QueryError: It names a dataclass or a field that there is none of, or a value is not of
            its field's type.
    """
    try:
        return _decoded(value, kinds)
    except (ValueError, TypeError, OverflowError, RecursionError) as exc:
        raise QueryError(f"The query of the manifest cannot be read: {exc}.") from exc


def typed(value: Any, kind: Any, what: str) -> Any:  # noqa: ANN401  # any value, any annotation
    """Return a value that is of the type `kind`.

    Raises:
        QueryError: It is of another.
    """
    if not _is_of(value, kind):
        raise QueryError(f"The manifest's {what} was {value!r}. It should be of {kind}.")
    return value


def _is_of(value: object, kind: Any) -> bool:  # noqa: ANN401  # an annotation
    if get_origin(kind) in {UnionType, Union}:
        return any(_is_of(value, one) for one in get_args(kind))
    if get_origin(kind) is tuple:  # of any length, as every tuple of a request
        return isinstance(value, tuple) and all(_is_of(v, get_args(kind)[0]) for v in value)
    return type(value) is (type(None) if kind is None else kind)


def _decoded(value: Any, kinds: Mapping[str, type]) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, list):
        return tuple(_decoded(element, kinds) for element in value)
    if not isinstance(value, dict):
        return value
    if value.keys() == {"date"}:
        return date.fromisoformat(value["date"])
    if value.keys() == {"instant"}:
        return datetime.fromisoformat(value["instant"])
    kind = kinds.get(str(value.get("kind", "")))
    if kind is None or not is_dataclass(kind):
        raise QueryError(f"The manifest asks with {value.get('kind')!r}, which is unknown here.")
    named = {
        str(_RENAMED.get(key, key)): _decoded(v, kinds) for key, v in value.items() if key != "kind"
    }
    if unknown := named.keys() - {field.name for field in fields(kind)}:
        raise QueryError(
            f"The manifest asks with {', '.join(sorted(unknown))}, which this Ingot does not "
            "know. Replay it with the Ingot that wrote it, or with a later one."
        )
    hints = get_type_hints(kind, localns={"date": date, "datetime": datetime, **kinds})
    return kind(**{key: typed(v, hints[key], key) for key, v in named.items()})
