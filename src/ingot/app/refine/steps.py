"""Every derived table's step, in the order in which data goes down."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from ingot.app.inventory.action_precedence import ACTIONS_BY_MONTH, HOLDERS_BY_MONTH
from ingot.app.refine import performance_month
from ingot.app.refine.day_files import DayFiles
from ingot.app.refine.own_tables import own_step
from ingot.app.refine.planner import feeds_of_answers, feeds_of_files, feeds_of_markets
from ingot.app.refine.reference_units import Answers
from ingot.app.refine.session_rows import SESSIONS, sessions_around
from ingot.app.refine.step import Input, Step
from ingot.errors import ConfigError
from ingot.tables import bronze, gold, silver
from ingot.tables.own import OwnTable
from ingot.tables.registry import installed_steps
from ingot.transforms import gold as gold_transforms
from ingot.transforms import reference
from ingot.transforms import silver as silver_transforms
from ingot.transforms.performance import performance_transform
from ingot.transforms.trailing_split import minute_bars_trailing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingot.app.context.lake_context import Parts
    from ingot.config import Settings
    from ingot.tables.contract import Table


def _performance_rules(settings: Settings) -> str:
    return performance_transform(risk_free_rate=settings.risk_free_rate).digest


_SESSIONS_AROUND: Final = Input("sessions", silver.SESSIONS, read=sessions_around)
STEPS: Final[tuple[Step, ...]] = (
    SESSIONS,
    Step(
        silver.MINUTE_BARS,
        (Input("bars", bronze.MINUTE_BARS), _SESSIONS_AROUND),
        "day",
        silver_transforms.MINUTE_BARS,
        feeds=feeds_of_files,
        plan=DayFiles(silver_transforms.MINUTE_BARS, minute_bars_trailing).units,
    ),
    Step(
        silver.DAY_BARS,
        (Input("bars", bronze.DAY_BARS),),
        "day",
        silver_transforms.DAY_BARS,
        feeds=feeds_of_files,
        plan=DayFiles(silver_transforms.DAY_BARS).units,
    ),
    Step(
        silver.DAY_BARS,
        (Input("bars", bronze.REST_DAY_BARS),),
        "month",
        reference.REST_DAY_BARS,
        # The rules of one table have one name in the records, whichever step made the rows.
        rules=lambda _: silver_transforms.DAY_BARS.digest,
        feeds=feeds_of_answers,
        plan=Answers(reference.REST_DAY_BARS).units,
    ),
    Step(
        silver.CORPORATE_ACTIONS,
        (Input("actions", bronze.CORPORATE_ACTIONS),),
        "whole",
        reference.CORPORATE_ACTIONS,
        feeds=feeds_of_answers,
        plan=Answers(reference.CORPORATE_ACTIONS, ACTIONS_BY_MONTH).units,
    ),
    Step(
        silver.INSTRUMENTS,
        (Input("instruments", bronze.INSTRUMENTS),),
        "whole",
        reference.INSTRUMENTS,
        feeds=feeds_of_answers,
        plan=Answers(reference.INSTRUMENTS, HOLDERS_BY_MONTH).units,
    ),
    Step(
        gold.DAILY_BARS,
        (Input("minutes", silver.MINUTE_BARS), _SESSIONS_AROUND),
        "day",
        gold_transforms.DAILY_BARS,
        sql=gold_transforms.daily_bars_sql,
    ),
    Step(
        gold.PERFORMANCE,
        (
            Input("day_bars", silver.DAY_BARS),
            Input("daily_bars", gold.DAILY_BARS),
            Input("actions", silver.CORPORATE_ACTIONS, every_source=True),
            Input("holders", silver.INSTRUMENTS, every_source=True),
        ),
        "month",
        rules=_performance_rules,
        feeds=feeds_of_markets,
        plan=performance_month.units,
    ),
)


@cache
def all_steps() -> tuple[Step, ...]:
    """Return Ingot's own steps, then those of installed packages, inputs before outputs.

    Raises:
        ConfigError: A package cannot be loaded, or its steps read each other in a circle.
    """
    ordered = list(STEPS)
    left = [replace(cast("Step", step), package=name) for step, name in installed_steps()]
    while left:
        later = {step.output.name for step in left}
        ready = [s for s in left if later.isdisjoint(i.table.name for i in s.inputs)]
        if not ready:
            raise ConfigError(
                f"The steps to {', '.join(sorted(later))} read each other in a circle. Correct "
                f"the inputs, or uninstall {left[0].package}."
            )
        ordered += ready
        left = [step for step in left if step not in ready]
    return tuple(ordered)


def steps_of(parts: Parts) -> tuple[Step, ...]:
    """Return all steps, then those to the tables that a lake declares itself."""
    own = (table for table in parts.all_tables if isinstance(table, OwnTable))
    return (*all_steps(), *(step for table in own for step in steps_to(table)))


def steps_to(table: Table) -> tuple[Step, ...]:
    """Return the steps that make rows of a table; none for a table that is loaded."""
    if isinstance(table, OwnTable):
        return () if table.bronze is None else (own_step(table, table.bronze),)
    return tuple(step for step in all_steps() if step.output == table)


def rules_of(parts: Parts, tables: Iterable[Table]) -> dict[str, str]:
    """Return what names the rules behind each of these tables that is made by a transform."""
    found = {}
    for table in tables:
        for step in steps_to(table)[:1]:
            if name := step.rules_digest(parts.settings):
                found[table.name] = name
    return found


def lineage(table: Table) -> tuple[Table, ...]:
    """Return the tables that a table's rows are made of, those of the tables above included."""
    above = [i.table for step in steps_to(table) for i in step.dated_inputs]
    found = {t.name: t for t in (*above, *(up for t in above for up in lineage(t)))}
    return tuple(found[name] for name in sorted(found))
