"""The datasets that landed, by the facts that the lake recorded of them.

Reading, refining and checking a lake needs no connector. A lake that was made before datasets were
recorded asks the installed connector instead, until the next load records them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from ingot.errors import ConfigError, QueryError
from ingot.model.dataset import DatasetFacts
from ingot.storage.landing.records import NumberedDataset
from ingot.storage.ledger import queries
from ingot.tables.dataset import Dataset
from ingot.tables.own import check_same_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingot.app.context.lake_context import Parts

_SAME: Final = ("name", "calendar", "history_from", "per_day", "due_hours", "options")
"""What a dataset and its facts have in common; facts have the names of the tables."""


def landed_datasets(parts: Parts) -> Iterator[tuple[str, Dataset]]:
    """Yield each (source, dataset) that landed and whose tables this Ingot has, in order."""
    facts = _recorded(parts)
    for source, name in parts.ledger.datasets():
        found = _of_facts(parts, facts.get((source, name))) or _installed(source, name)
        if found is not None:
            yield source, found


def refined_datasets(parts: Parts) -> Iterator[tuple[str, Dataset]]:
    """Yield each (source, dataset) that landed and is refined."""
    return ((source, d) for source, d in landed_datasets(parts) if d.silver is not None)


def reference_datasets(parts: Parts) -> Iterator[tuple[str, Dataset]]:
    """Yield each (source, dataset) that landed as whole answers and is refined."""
    return ((source, d) for source, d in refined_datasets(parts) if not d.per_day)


def dataset_of(parts: Parts, source: str, name: str) -> Dataset | None:
    """Return a dataset; None where neither the lake nor a connector knows its tables."""
    facts = _recorded(parts)
    return _of_facts(parts, facts.get((source, name))) or _installed(source, name)


def connector_of(parts: Parts, source: str, name: str) -> str:
    """Return the name of the connector that parses a dataset's objects."""
    facts = _recorded(parts).get((source, name))
    return facts.connector if facts else source


def options_of(parts: Parts, source: str, name: str) -> dict[str, str]:
    """Return how the objects of a dataset are parsed, as recorded; nothing before it landed."""
    facts = _recorded(parts).get((source, name))
    return dict(facts.options) if facts else {}


def record(parts: Parts, source: str, connector: str, datasets: Iterable[Dataset]) -> None:
    """Record the facts of datasets that are about to land, where they are new or have changed.

    Raises:
        SchemaDriftError: A table of one's own has other columns; another process declared it.
        ConfigError: Other options than the recorded ones were chosen. What landed would be parsed
            by them when it is loaded again, and history would change.
    """
    known = _recorded(parts)
    for dataset in datasets:
        facts, before = facts_of(source, connector, dataset), known.get((source, dataset.name))
        if before == facts:
            continue
        recorded = before or _first(parts, facts)
        _check_options(recorded, facts)
        if recorded != facts:
            parts.ledger.add(partial(NumberedDataset, facts=facts))
        parts.tables.make_missing((dataset.bronze, *([dataset.silver] if dataset.silver else ())))


def _first(parts: Parts, facts: DatasetFacts) -> DatasetFacts:
    """Record a dataset that is new; return its facts, those of another process if it was first."""
    parts.ledger.make(NumberedDataset(1, facts))
    return _recorded(parts)[facts.source, facts.name]


def _check_options(recorded: DatasetFacts, chosen: DatasetFacts) -> None:
    if recorded.options == chosen.options:
        return
    check_same_columns(chosen.name, dict(recorded.options), dict(chosen.options))
    raise ConfigError(
        f"{chosen.source} {chosen.name} was loaded with {_listed(recorded.options)}, not with "
        f"{_listed(chosen.options)}. Give the options of the first load, or load into "
        "another lake."
    )


def _listed(options: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options) or "no options"


def record_missing(parts: Parts) -> None:
    """Record what landed before datasets were recorded, as the installed connectors know it."""
    known = _recorded(parts)
    for source, name in parts.ledger.datasets():
        if (source, name) not in known and (found := _installed(source, name)) is not None:
            _first(parts, facts_of(source, source, found))


def facts_of(source: str, connector: str, dataset: Dataset) -> DatasetFacts:
    """Return what is recorded of a dataset."""
    return DatasetFacts(
        source=source,
        connector=connector,
        bronze=dataset.bronze.name,
        silver=dataset.silver.name if dataset.silver else None,
        **{name: getattr(dataset, name) for name in _SAME},
    )


def _recorded(parts: Parts) -> dict[tuple[str, str], DatasetFacts]:
    return parts.ledger.state.read(queries.dataset_facts)


def _of_facts(parts: Parts, facts: DatasetFacts | None) -> Dataset | None:
    if facts is None:
        return None
    try:
        bronze = parts.table(facts.bronze)
        silver = parts.table(facts.silver) if facts.silver else None
    except QueryError:  # of a package that is no longer installed
        return None
    return Dataset(bronze=bronze, silver=silver, **{name: getattr(facts, name) for name in _SAME})


def _installed(source: str, name: str) -> Dataset | None:
    from ingot.connectors.registry import connector

    try:
        return connector(source).datasets.get(name)
    except ConfigError:
        return None
