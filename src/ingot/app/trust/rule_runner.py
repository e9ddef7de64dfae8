"""Runs check rules over planned files, and keeps what they find."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.context import resources
from ingot.app.context.answer_table import listed
from ingot.app.context.engines import open_engine
from ingot.app.refine.session_rows import sessions_table
from ingot.model.check_record import CheckResult
from ingot.quality.checks import rules
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables import silver
from ingot.tables.input import ArrowRelation
from ingot.tables.view import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ingot.app.context.lake_context import Parts
    from ingot.engines.transform.base import Engine
    from ingot.quality.checks.rules import Rule
    from ingot.query.result.answer import Answer
    from ingot.tables.input import Relation

_EXAMPLES: Final = 5
_AROUND: Final = timedelta(days=5)


def run_rules(
    parts: Parts, chosen: Sequence[Rule], start: date, end: date
) -> tuple[CheckResult, ...]:
    """Run rules over the trade dates in `[start, end)`, and keep the results."""
    profile = resources.choose(
        resources.look(parts.root), parts.settings, strategy="sequential", workers=1, days=1
    )
    with open_engine(parts, profile) as engine:
        results = tuple(_run(parts, engine, rule, start, end) for rule in chosen)
    parts.ledger.record_checked(parts.run, results)
    return results


def after_build(parts: Parts, built: Iterable[tuple[str, date]]) -> tuple[str, ...]:
    """Run the cheap rules of severity error on the tables and dates just built.

    Returns what was broken, a sentence each; nothing where the setting turns it off.
    """
    if not parts.settings.checks_on_build:
        return ()
    spans: dict[str, list[date]] = {}
    for table, day in built:
        spans.setdefault(table, []).append(day)
    results: list[CheckResult] = []
    for table, days in spans.items():
        cheap = [
            r
            for r in rules.RULES
            if r.table.name == table and r.is_cheap and r.severity == rules.ERROR
        ]
        if cheap:
            results += run_rules(parts, cheap, min(days), max(days) + timedelta(days=1))
    return tuple(
        f"check {r.rule}: {r.violations:,} of {r.checked:,} rows of {r.table} break it; see: "
        f"ingot check {r.table}"
        for r in results
        if r.is_error
    )


def answer_of(parts: Parts, results: Sequence[CheckResult]) -> Answer:
    """Return results as rows, broken ones first."""
    order = sorted(results, key=lambda r: (r.violations == 0, r.severity, r.table, r.rule))
    columns = (
        ("rule", pa.string()),
        ("violations", pa.int64()),
        ("severity", pa.string()),
        ("dimension", pa.string()),
        ("table_name", pa.string()),
        ("checked_rows", pa.int64()),
        ("examples", pa.string()),
    )
    rows = [
        (r.rule, r.violations, r.severity, r.dimension, r.table, r.checked, r.examples)
        for r in order
    ]
    return listed(parts, columns, rows)


def _run(parts: Parts, engine: Engine, rule: Rule, start: date, end: date) -> CheckResult:
    started = parts.clock.now()
    inputs = _inputs(parts, rule, start, end)
    (counted,) = (
        engine.run(
            f"SELECT (SELECT count(*) FROM {rules.ROWS}) AS checked, count(*) AS violations "
            f"FROM ({rule.sql}) AS broken",
            inputs,
        )
        .read_all()
        .to_pylist()
    )
    examples: list[dict[str, object]] = []
    if counted["violations"]:
        text = f"SELECT * FROM ({rule.sql}) AS broken ORDER BY ALL LIMIT {_EXAMPLES}"
        examples = engine.run(text, inputs).read_all().to_pylist()
    return CheckResult(
        rule=rule.id,
        dimension=rule.dimension,
        severity=rule.severity,
        table=rule.table.name,
        start=start,
        end=end,
        checked=counted["checked"],
        violations=counted["violations"],
        examples=json.dumps(examples, default=str),
        started=started,
        ended=parts.clock.now(),
    )


def _inputs(parts: Parts, rule: Rule, start: date, end: date) -> dict[str, Relation]:
    """Return what a rule's text reads: its rows, and sessions or minutes where it names them."""
    plan = parts.tables.plan(ScanRequest(rule.table, start=start, end=end))
    where = rules.condition(rule, literal(start), literal(end))
    found: dict[str, Relation] = {rules.ROWS: plan.relation(where=where)}
    if f" {rules.SESSIONS} " in rule.sql:
        found[rules.SESSIONS] = _sessions(parts, start, end)
    if f" {rules.MINUTES})" in rule.sql:
        minutes = parts.tables.plan(ScanRequest(silver.MINUTE_BARS, start=start, end=end))
        found[rules.MINUTES] = minutes.relation(where=where)
    return found


def _sessions(parts: Parts, start: date, end: date) -> ArrowRelation:
    calendar = parts.calendar
    near = [
        s
        for s in calendar.sessions
        if start - s.trade_date < _AROUND and s.trade_date - end < _AROUND
    ]
    return ArrowRelation(sessions_table(calendar, near))
