"""Opening a source: the connector by its name, with its settings, at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.app.inventory.datasets import connector_of
from ingot.connectors.base import AS_OPTION, FileConnector, ReferenceConnector
from ingot.connectors.registry import connector
from ingot.errors import ConfigError

if TYPE_CHECKING:
    from ingot.app.context.lake_context import Parts
    from ingot.app.context.load_request import LoadRequest
    from ingot.connectors.base import Connector, FileSource, Parser
    from ingot.tables.dataset import Dataset


def open_source(
    parts: Parts,
    name: str,
    location: str,
    *,
    reference: bool = False,
    options: tuple[tuple[str, str], ...] = (),
) -> FileSource:
    """Return the source `name` at `location`: its market files, or its reference data.

    Raises:
        ConfigError: There is no such connector, it has nothing of the kind, or its settings are
            wrong.
    """
    found = connector(name)
    settings = parts.settings.vendor(name, found.settings, dict(options))
    if reference and isinstance(found, ReferenceConnector):
        return found.open_reference(location, settings, clock=parts.clock)
    if not reference and isinstance(found, FileConnector):
        return found.open(location, settings)
    raise ConfigError(_lacks(found, location, reference=reference))


def open_requested(parts: Parts, request: LoadRequest) -> FileSource:
    """Return the source that a request names.

    Raises:
        ConfigError: As `open_source`.
    """
    return open_source(
        parts,
        request.source,
        request.location,
        reference=request.reference,
        options=request.options,
    )


def dataset_options(request: LoadRequest) -> tuple[tuple[str, str], ...]:
    """Return the options of a request by which all objects of its datasets are parsed."""
    fields = connector(request.source).settings.model_fields
    return tuple(o for o in request.options if fields[o[0]].json_schema_extra == AS_OPTION)


def parser_of(parts: Parts, source: str, dataset: Dataset) -> Parser:
    """Return what parses the landed objects of a source's dataset.

    Raises:
        ConfigError: The connector that landed them is not installed.
    """
    found = connector(connector_of(parts, source, dataset.name))
    settings = parts.settings.vendor(found.name, found.settings, dict(dataset.options))
    return found.parser(dataset, settings)


def _lacks(found: Connector, location: str, *, reference: bool) -> str:
    name = found.name
    if reference:
        return f"{name} has no reference data to load from {location!r}. Name another source."
    has = ", ".join(found.datasets)
    return (
        f"{name} has no market files to load from {location!r}. Load what it has ({has}) with "
        "ingot ingest actions, ingot ingest instruments or its own command; see: ingot ingest "
        "--help"
    )
