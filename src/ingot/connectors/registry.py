"""Connectors by name, found through the entry point group `ingot.connectors`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, cast

from ingot.errors import ConfigError

if TYPE_CHECKING:
    from ingot.connectors.base import Connector

GROUP: Final = "ingot.connectors"


def connector_names() -> tuple[str, ...]:
    """Return the names of all installed connectors, sorted; loads none of them."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


@cache
def connector(name: str) -> Connector:
    """Return the connector called `name`.

    Raises:
        ConfigError: There is none; the message names the nearest. Or it cannot be loaded.
    """
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        from ingot.config.messages import unknown  # noqa: PLC0415 (loads pydantic)

        raise ConfigError(unknown("connector", name, connector_names()))
    try:
        return cast("Connector", found[0].load())
    except (ImportError, AttributeError) as exc:
        raise ConfigError(
            f"The connector {name} ({found[0].value}) cannot be loaded: {exc}. "
            "Install what it needs, or remove the package that declares it."
        ) from exc
