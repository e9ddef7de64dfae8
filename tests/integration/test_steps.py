"""What derives tables: steps as data, their units' names, and whose run it is."""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from ingot.app.pipeline import backfill, build
from ingot.app.refine.step import Input, Step
from ingot.app.refine.steps import STEPS, all_steps, lineage, steps_to
from ingot.errors import ConfigError
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables import bronze, gold, ops, silver
from ingot.tables.registry import installed_steps
from ingot.transforms.gold import DAILY_BARS
from ingot.transforms.silver import MINUTE_BARS
from tests.support.world import MINUTES, World, at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingot.app.context.lake_context import Parts


def test_every_derived_table_has_a_step_and_no_loaded_one() -> None:
    derived = {t.name for t in (*silver.TABLES, *gold.TABLES)}
    assert {step.output.name for step in STEPS} == derived
    assert not any(steps_to(table) for table in (*bronze.TABLES, *ops.TABLES))


def test_a_step_stands_after_the_steps_that_make_its_inputs() -> None:
    made = [step.output.name for step in STEPS]
    for place, step in enumerate(STEPS):
        assert {i.table.name for i in step.inputs}.isdisjoint(made[place:]), step.output.name


def test_lineage_reaches_down_to_what_was_loaded() -> None:
    assert [t.name for t in lineage(gold.DAILY_BARS)] == [
        "bronze.minute_bars",
        "silver.minute_bars",
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("steps"), symbols=20, datasets=(MINUTES,))
    made.publish()
    parts = made.parts(at(1))
    try:
        assert backfill.backfill(parts, made.request()).exit_code == 0
    finally:
        parts.close()
    return made


@pytest.fixture
def parts(world: World) -> Iterator[Parts]:
    opened = world.parts(at(2))
    yield opened
    opened.close()


def named(*parts: object) -> str:
    return sha256("|".join(map(str, parts)).encode()).hexdigest()[:16]


def test_units_keep_the_names_that_older_lakes_have(world: World, parts: Parts) -> None:
    # The texts under the digests are written out, as Ingot has made them from its first lake on:
    # another name would have every day of every lake refined again.
    minutes = {d.unit.scope.start: d for d in parts.ledger.done_all("silver.minute_bars")}
    (landing,) = [
        s.landing
        for s in parts.ledger.states("massive", MINUTES)
        if s.landing.file_date == world.start
    ]
    (state,) = [s for s in parts.ledger.states("massive", MINUTES) if s.landing == landing]
    since = repr(state.in_force_from)
    states = f"(State(known_from={since}, landing_ids=({landing.landing_id},)),)"
    sessions = tuple((s.session, s.start_ns, s.end_ns) for s in parts.calendar.of_date(world.start))
    done = minutes[world.start]
    assert done.unit.digest == named(MINUTE_BARS.digest, states, sessions)
    (daily,) = [
        d for d in parts.ledger.done_all("gold.daily_bars") if d.unit.scope.start == world.start
    ]
    assert daily.unit.digest == named(DAILY_BARS.digest, done.unit.digest)


def test_a_use_case_finishes_its_own_run(parts: Parts) -> None:
    # Nobody called anything after `backfill`, as a Python program would not.
    assert not parts.ledger.unprojected()
    runs = parts.tables.plan(ScanRequest(ops.RUNS))
    assert runs.rows == len(parts.ledger.done_all(None))


def test_nested_use_cases_are_one_run_and_the_next_one_is_another(
    world: World, parts: Parts
) -> None:
    first = {done.run for done in parts.ledger.done_all(None)}
    assert len(first) == 1
    again = [build.build(parts, build.BuildRequest(world.start, world.end)).run for _ in "ab"]
    assert len({*first, *again}) == 3


def declare(folder: Path, name: str, code: str) -> None:
    """Put a package with a step on disk as an installer would."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ingot.steps]\n{name} = {name}:STEP\n")


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    def add(name: str, code: str) -> Any:
        declare(tmp_path, name, code)
        return installed_steps

    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    _forget()
    yield add
    for name in set(sys.modules) - before:
        del sys.modules[name]
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    installed_steps.cache_clear()
    all_steps.cache_clear()


CODE = """
from dataclasses import replace
from ingot.steps import Input, Step
from ingot.tables import gold
TABLE = replace(gold.DAILY_BARS, name={name!r})
STEP = Step(TABLE, (Input("days", gold.DAILY_BARS),), "day", sql=str)
"""


def test_a_package_cannot_take_the_name_of_a_table(declared: Callable[..., Any]) -> None:
    found = declared("thief", CODE.format(name="gold.performance"))
    with pytest.raises(
        ConfigError, match=r"thief 1\.0 declares the table gold\.performance, which"
    ):
        found()


def test_a_package_derives_silver_and_gold_only(declared: Callable[..., Any]) -> None:
    found = declared("layer", CODE.format(name="bronze.mine"))
    with pytest.raises(
        ConfigError, match=r"layer 1\.0 declares the table bronze\.mine\. A derived"
    ):
        found()


def test_a_package_that_cannot_be_loaded_is_named(declared: Callable[..., Any]) -> None:
    found = declared("torn", "import nothing_of_the_kind\n")
    with pytest.raises(ConfigError, match=r"The steps of torn 1\.0 \(torn:STEP\) cannot be loaded"):
        found()


def test_steps_of_packages_follow_their_inputs(declared: Callable[..., Any]) -> None:
    declared("b_days", CODE.format(name="gold.b_days"))
    declared(
        "a_sums",
        CODE.format(name="gold.a_sums").replace(
            '"days", gold.DAILY_BARS', '"days", replace(gold.DAILY_BARS, name="gold.b_days")'
        ),
    )
    added = all_steps()[len(STEPS) :]
    assert [s.output.name for s in added] == ["gold.b_days", "gold.a_sums"]
    assert [s.package for s in added] == ["b_days 1.0", "a_sums 1.0"]


def test_steps_that_read_each_other_are_refused(declared: Callable[..., Any]) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        code = CODE.format(name=f"gold.{name}")
        read = f'"days", replace(gold.DAILY_BARS, name="gold.{other}")'
        declared(name, code.replace('"days", gold.DAILY_BARS', read))
    with pytest.raises(ConfigError, match=r"gold\.one, gold\.two read each other in a circle"):
        all_steps()


def test_a_step_without_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gold\.daily_bars has neither a transform nor a text"):
        Step(gold.DAILY_BARS, (Input("days", silver.DAY_BARS),), "day")
