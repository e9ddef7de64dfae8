"""A step: how one derived table is made of the tables above it, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    import pyarrow as pa

    from ingot.app.context.lake_context import Parts
    from ingot.config import Settings
    from ingot.model.unit import Scope, Unit
    from ingot.tables.contract import Table
    from ingot.tables.input import Relation
    from ingot.tables.trailing import TrailingBars
    from ingot.transforms.transform import Transform


@dataclass(frozen=True, slots=True)
class Input:
    """A table that a step reads, and the relation under which its text reads the rows."""

    name: str
    table: Table
    every_source: bool = False
    """Read rows of all sources and dates, not only those of the unit."""
    read: Callable[[Parts, Scope], Relation] | None = None
    """Gives the rows of a unit where they are not read from the table's files."""


@dataclass(frozen=True)
class Feed:
    """One series of rows that a step makes: a source's, of one dataset."""

    source: str
    dataset: str
    """The dataset of the rows that are made."""
    reads: Mapping[Table, str]
    """The dataset to read of each table above."""


@dataclass(frozen=True)
class UnitRows:
    """How the rows of one unit are made: by SQL over relations, or given."""

    inputs: Mapping[str, Relation] = field(default_factory=dict)
    sql: str = ""
    rows: pa.Table | None = None
    """The rows themselves, where they are not the result of `sql`."""
    trailing: TrailingBars | None = None
    """The same rows for an engine that computes trailing values by itself."""
    rejects: str = ""
    """Text that gives the rejected rows of the input."""
    one_version: bool = False
    """Nothing is rejected where as many rows come out as went in."""
    duplicates: str = ""
    """Text that counts the equal duplicates dropped, per landing."""
    rows_in: int = 0
    landing_ids: tuple[int, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    """What the done record keeps beside."""


class Context(Protocol):
    """What a unit may use while its rows are made."""

    @property
    def parts(self) -> Parts:
        """The lake."""
        ...

    def run(self, sql: str, inputs: Mapping[str, Relation]) -> pa.Table:
        """Return the rows of a text."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """One unit of a step, and how its rows are made."""

    unit: Unit
    produce: Callable[[Context], UnitRows]


class Planner(Protocol):
    """Names the units of a step."""

    def __call__(
        self, parts: Parts, step: Step, feed: Feed, start: date, end: date
    ) -> Iterable[Work]:
        """Yield every unit of a feed that dates in `[start, end)` touch, done or not.

        A unit's digest names all that its rows depend on; a unit whose digest is recorded as done
        is not made again.
        """
        ...


@dataclass(frozen=True)
class Step:
    """How one table is derived: what it reads, by which text, in which units.

    By default a step makes a unit of each day, month or whole dataset of its inputs, and its text
    is the history of `transform` (`versioned_sql`; `Transform.fill` where the output keeps no
    known time). A step whose units or text are special names its own `plan`.
    """

    output: Table
    inputs: tuple[Input, ...]
    unit: Literal["day", "month", "whole"]
    transform: Transform | None = None
    sql: Callable[[Scope], str] | None = None
    """Gives the text of a unit; None for the history of `transform`."""
    rules: Callable[[Settings], str] | None = None
    """Gives what names the rules in done records; None for the digest of `transform`."""
    feeds: Callable[[Parts, Step], Iterable[Feed]] | None = None
    """Gives the series of rows that are made; None for the datasets of the inputs."""
    plan: Planner | None = None
    """Names the units; None for those of the inputs."""
    package: str = ""
    """The installed package that declares the step, with its version; empty for Ingot itself."""

    def __post_init__(self) -> None:
        """Refuse a step that says nowhere how its rows are made."""
        if self.plan is None and self.sql is None and self.transform is None:
            raise ValueError(f"The step of {self.output.name} has neither a transform nor a text.")

    def rules_digest(self, settings: Settings) -> str:
        """Return what names the rules under these settings; empty where there is no transform."""
        if self.rules is not None:
            return self.rules(settings)
        return self.transform.digest if self.transform else ""

    @property
    def dated_inputs(self) -> tuple[Input, ...]:
        """The inputs of which a unit reads its own source and dates, from files."""
        return tuple(i for i in self.inputs if not i.every_source and i.read is None)
