"""Frozen dataclasses as JSON and back, by the types of their fields.

The text of a value never depends on this code's version: keys are sorted, instants are UTC with
microseconds, and what a field may hold is what `_decoder` lists.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache, partial
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from ingot.model.landing import Outcome

T = TypeVar("T")
_Decoder = Callable[[Any], Any]
_ATOMS = (str, int, date, type(None))
_NAMES = {"Mapping": Mapping, "Outcome": Outcome, "date": date, "datetime": datetime}
"""Types that the modules of the model import for the type checker only."""
_INLINE = frozenset({"done", "facts"})
"""Fields whose own fields stand beside the others, in place of an object within the object."""
_ABSENT_IF_EMPTY = "files"
"""This list is left out where it is empty: it is younger than the first records."""


def to_body(value: Any) -> dict[str, Any]:  # noqa: ANN401  (a dataclass)
    """Return the fields of a dataclass as `json` takes them with `dump`'s settings."""
    body: dict[str, Any] = {}
    for name in value.__dataclass_fields__:
        item = getattr(value, name)
        if name in _INLINE:
            body |= to_body(item)
        elif item or name != _ABSENT_IF_EMPTY:
            body[name] = item if isinstance(item, _ATOMS) else _plain(item)
    return body


def _plain(item: object) -> object:
    if isinstance(item, _ATOMS):
        return item
    if isinstance(item, tuple):
        return [_plain(part) for part in item]
    return dict(item) if isinstance(item, Mapping) else to_body(item)


def dump(
    body: object, *, indent: int | None = None, separators: tuple[str, str] | None = None
) -> str:
    """Return the JSON text of a body, with sorted keys."""
    return json.dumps(
        body, default=_instant_or_date, sort_keys=True, indent=indent, separators=separators
    )


def _instant_or_date(value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no zone; records hold instants")
        text = value.astimezone(UTC).isoformat(timespec="microseconds")
        return text.removesuffix("+00:00") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a record cannot hold {type(value).__name__}")


def from_body(kind: type[T], body: Mapping[str, Any]) -> T:
    """Return the dataclass of a body that `to_body` made and JSON carried.

    Raises:
        KeyError, TypeError, ValueError: It is not such a body.
    """
    same, decoded = _decoders(cast("Any", kind))
    values = {name: body[name] for name in same}
    for name, decode in decoded:
        if name in _INLINE:
            values[name] = decode(body)
        else:
            values[name] = decode(body.get(name, ()) if name == _ABSENT_IF_EMPTY else body[name])
    return kind(**values)


@cache
def _decoders(kind: Any) -> tuple[tuple[str, ...], tuple[tuple[str, _Decoder], ...]]:  # noqa: ANN401
    """Return the fields that are in JSON as they are, and the others with what decodes them."""
    types = get_type_hints(kind, localns=_NAMES)
    found = [(field.name, _decoder(types[field.name])) for field in fields(kind)]
    return (
        tuple(name for name, decode in found if decode is None),
        tuple((name, decode) for name, decode in found if decode is not None),
    )


def _decoder(kind: Any) -> _Decoder | None:  # noqa: ANN401  (a type, or what typing makes of some)
    """Return what makes a field's value of its JSON value; None where they are the same."""
    options = [option for option in get_args(kind) if option not in {type(None), ...}]
    inner = _decoder(options[0]) if options else None
    if get_origin(kind) is tuple:
        if len(options) > 1:
            return _pair
        return tuple if inner is None else partial(_items, inner)
    if type(None) in get_args(kind):
        return None if inner is None else partial(_if_any, inner)
    if is_dataclass(kind):
        return partial(from_body, cast("Any", kind))
    if kind in {date, datetime}:
        return cast("_Decoder", kind.fromisoformat)
    return kind if isinstance(kind, type) and issubclass(kind, Enum) else None


def _pair(items: Any) -> tuple[Any, Any]:  # noqa: ANN401  (JSON)
    first, second = items
    return first, second


def _items(decode: _Decoder, items: Any) -> tuple[Any, ...]:  # noqa: ANN401  (JSON)
    return tuple(map(decode, items))


def _if_any(decode: _Decoder, item: Any) -> Any:  # noqa: ANN401  (JSON)
    return None if item is None else decode(item)
