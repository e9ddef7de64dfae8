"""Option groups: dataclasses whose fields are options that several commands share."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has the options of each group instead of the group.

    The command itself still receives one object for each group.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}

    @wraps(command)
    def run(**given: Any) -> None:  # noqa: ANN401  # whatever the options are
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    found = [p for own in signature(command).parameters.values() for p in _options(own, hints)]
    run.__signature__ = Signature(found)  # type: ignore[attr-defined]  # inspect reads it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in found}
    del run.__wrapped__
    return run


def _options(own: Parameter, hints: dict[str, Any]) -> Iterator[Parameter]:
    """Yield the options that a parameter of the command declares."""
    kind = hints[own.name]
    if not is_dataclass(kind):
        yield own.replace(kind=Parameter.KEYWORD_ONLY, annotation=kind)
        return
    of_group = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        default = Parameter.empty if field.default is MISSING else field.default
        yield Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=default, annotation=of_group[field.name]
        )
