"""What flipped bits, lost and cut files do to a lake: found by a scrub, healed by what it names.

What is expected is the lake as it was: the fingerprints of its tables before the damage.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingot.app.context.report import Result
from ingot.app.context.run_lifecycle import begin
from ingot.app.load import land
from ingot.app.load.sources import open_source
from ingot.cli.main import run
from ingot.errors import DamagedFileError
from ingot.storage.fs.durable import Scratch
from ingot.storage.fs.object_store import LocalObjects
from ingot.storage.iceberg.maintenance.metadata_recovery import catalog_damage
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.integrity.scrub import Kind
from ingot.tables import bronze, silver
from ingot.tables.input import table_of
from tests.support import damage
from tests.support.children import publish, small_world
from tests.support.damage import NOW, copied, files_of, flip, heal, scrubbed
from tests.support.world import MINUTES, MONDAY, World, at

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingot.model.landing import LandingState

FLIPS = 120
FILES = [kind for kind in Kind if kind not in {Kind.CATALOG, Kind.STATE}]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a lake that loaded two versions of a day, with refused rows; it stays as it is."""
    world = small_world(tmp_path_factory.mktemp("whole"))
    publish(world, 1)
    world.ingest(at(1))
    publish(world, 2)
    assert world.backfill(at(2)).exit_code == 0
    return world


@pytest.fixture(scope="module")
def was(whole: World) -> dict[str, str]:
    """Return what the lake holds."""
    return whole.fingerprints(NOW)


@pytest.fixture
def world(whole: World, tmp_path: Path) -> World:
    """Return a copy of the lake to be damaged."""
    return copied(whole, tmp_path)


def current_objects(world: World) -> set[str]:
    """Return the hashes of the objects that the vendor, or the machine, can give again."""
    parts = world.parts(NOW)
    try:
        latest = {(v.source, v.key): v.sha256 for v in parts.ledger.store.all_versions()}
    finally:
        parts.close()
    return set(latest.values())


def test_a_flipped_bit_in_one_file_of_each_kind_is_found_and_healed(
    world: World, was: dict[str, str]
) -> None:
    seeded, hit, tables = random.Random(8), set(), set()
    objects = current_objects(world)
    for kind, paths in files_of(world).items():
        # One file a table: what a damaged manifest list names cannot be read.
        free = [p for p in paths if table_of(p) is None or table_of(p) not in tables]
        path = seeded.choice([p for p in free if kind is not Kind.OBJECT or p.name in objects])
        flip(path, seeded)
        hit.add(path)
        tables.add(table_of(path))
    found = scrubbed(world)
    assert {Path(f.target.place) for f in found} == hit
    heal(world, found)
    heal(world, scrubbed(world))  # what one command could not yet do for damage in another table
    assert scrubbed(world) == ()
    assert world.fingerprints(NOW) == was


@pytest.mark.services
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", FILES)
def test_no_flip_of_many_is_passed_over_and_all_are_healed(
    world: World, was: dict[str, str], kind: Kind
) -> None:
    """Flip a bit in every file of a kind, often enough; heal the last round."""
    seeded, flips, objects = random.Random(f"flips of {kind}"), 0, current_objects(world)
    paths = [p for p in files_of(world)[kind] if kind is not Kind.OBJECT or p.name in objects]
    whole = {path: path.read_bytes() for path in paths}
    while flips < FLIPS:
        for path, data in whole.items():
            path.write_bytes(data)
            flip(path, seeded)
        found = scrubbed(world)
        assert {Path(f.target.place) for f in found} >= whole.keys()
        flips += len(whole)
    heal(world, found)
    heal(world, scrubbed(world))
    assert scrubbed(world) == ()
    assert world.fingerprints(NOW) == was


@pytest.mark.services
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("how", [damage.delete, damage.empty, damage.cut])
def test_files_that_are_gone_or_cut_are_found_and_healed(
    world: World, was: dict[str, str], kind: Kind, how: Callable[[Path, random.Random], None]
) -> None:
    if kind is Kind.OLD_METADATA and how is damage.delete:
        pytest.skip("former states are removed after 20 commits: a missing one is no damage")
    seeded, objects = random.Random(f"{how} {kind}"), current_objects(world)
    paths = files_of(world)[kind]
    paths = [p for p in paths if kind is not Kind.OBJECT or p.name in objects]
    hit = seeded.sample(paths, min(5, len(paths)))
    for path in hit:
        how(path, seeded)
    found = scrubbed(world)
    missing = {Path(f.target.place) for f in found}
    if kind is Kind.QUARANTINE and how is damage.delete:
        assert missing == set()  # the file before it counts, and an earlier repair may have made it
        return
    assert missing >= set(hit)
    heal(world, found)
    heal(world, scrubbed(world))
    assert scrubbed(world) == ()
    assert world.fingerprints(NOW) == was


def lake_of(world: World) -> list[str]:
    """Return the options that open the lake at the moment of these tests."""
    return ["--lake", str(world.root), "--now", NOW.isoformat()]


def damage_of_catalog(world: World) -> str:
    objects = LocalObjects(world.root, scratch=Scratch(world.root / "landing" / "tmp"))
    return catalog_damage(world.root / "catalog.db", objects)


def content(path: Path) -> list[tuple[object, ...]] | None:
    """Return every row of catalog.db; None where it cannot be read."""
    tables = ("iceberg_tables", "iceberg_namespace_properties")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return [row for t in tables for row in db.execute(f"SELECT * FROM {t} ORDER BY 1,2,3")]
    except (sqlite3.Error, UnicodeError):
        return None


def test_no_flip_of_catalog_db_that_changes_what_it_says_is_passed_over(world: World) -> None:
    path, seeded = world.root / "catalog.db", random.Random(120)
    data, rows, changed = path.read_bytes(), content(path), 0
    for _ in range(FLIPS * 4):
        flip(path, seeded)
        if content(path) != rows:
            changed += 1
            assert damage_of_catalog(world)
        path.write_bytes(data)
    assert changed >= FLIPS / 2
    assert damage_of_catalog(world) == ""


@pytest.mark.services
@pytest.mark.parametrize("how", [damage.delete, damage.empty, damage.cut])
def test_a_catalog_db_that_is_gone_or_cut_is_made_again(
    world: World, was: dict[str, str], how: Callable[[Path, random.Random], None]
) -> None:
    how(world.root / "catalog.db", random.Random(1))
    assert run([*lake_of(world), "scrub", "--format", "csv"]) == 3
    assert run([*lake_of(world), "repair"]) == 0
    assert run([*lake_of(world), "scrub", "--format", "csv"]) == 0
    assert world.fingerprints(NOW) == was


def test_a_done_record_names_its_files_with_their_hashes(whole: World) -> None:
    parts = whole.parts(NOW)
    try:
        (done,) = [
            d
            for d in parts.ledger.done_all(silver.MINUTE_BARS.name)
            if d.unit.scope.start == MONDAY
        ]
        planned = parts.tables.plan(
            ScanRequest(silver.MINUTE_BARS, start=MONDAY, end=MONDAY + damage.ONE_DAY)
        )
    finally:
        parts.close()
    paths = [whole.root / file.path for file in planned.files]
    expected = {(p.name, sha256(p.read_bytes()).hexdigest(), p.stat().st_size) for p in paths}
    assert {(f.name, f.sha256, f.size_bytes) for f in done.files} == expected


@pytest.mark.parametrize(
    "how",
    [
        damage.delete,
        pytest.param(damage.empty, marks=pytest.mark.services),
        pytest.param(damage.cut, marks=pytest.mark.services),
    ],
)
@pytest.mark.parametrize(
    "question",
    [
        ["bars", "--from", "2025-06-02", "--to", "2025-06-02", "--interval", "1m"],
        ["sql", "select count(*) from silver.minute_bars"],
    ],
    ids=["bars", "sql"],
)
def test_a_query_on_a_lost_data_file_ends_with_3_and_names_file_and_command(
    world: World,
    capsys: pytest.CaptureFixture[str],
    how: Callable[[Path, random.Random], None],
    question: list[str],
) -> None:
    files = [p for p in files_of(world)[Kind.DATA] if "silver/minute_bars" in str(p)]
    path = next(p for p in files if p.name.startswith("2025-06-02"))
    how(path, random.Random(2))
    assert run([*lake_of(world), *question]) == 3
    message = capsys.readouterr().err
    assert path.name in message
    assert "ingot repair --table silver.minute_bars" in message
    assert run([*lake_of(world), "status", "--format", "csv"]) == 0
    assert "1 data files are missing or cut short" in capsys.readouterr().err


def test_a_footer_that_cannot_be_read_ends_a_query_in_its_own_process_with_3(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [p for p in files_of(world)[Kind.DATA] if "silver/day_bars" in str(p)]
    for path in files:
        data = path.read_bytes()
        path.write_bytes(data[:-200] + bytes(192) + data[-8:])
    assert run([*lake_of(world), "sql", "select max(high) from silver.day_bars"]) == 3
    assert "ingot repair --table silver.day_bars" in capsys.readouterr().err


def test_a_step_never_reads_a_damaged_file(world: World) -> None:
    files = [p for p in files_of(world)[Kind.DATA] if "bronze/minute_bars" in str(p)]
    flip(files[0], random.Random(3))
    parts = world.parts(NOW)
    try:
        plan = parts.tables.plan(ScanRequest(bronze.MINUTE_BARS))
        with pytest.raises(DamagedFileError, match=r"ingot repair --table bronze\.minute_bars"):
            plan.verify()
    finally:
        parts.close()


@pytest.mark.services
def test_status_tells_when_the_lake_was_last_read_whole(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = lake_of(world)
    run([*lake, "status", "--format", "csv"])
    assert "never read whole; find damage with: ingot scrub" in capsys.readouterr().err
    flip(files_of(world)[Kind.DATA][0], random.Random(4))
    assert run([*lake, "scrub", "--format", "csv"]) == 3
    capsys.readouterr()
    run([*lake, "status", "--format", "csv"])
    assert "last scrub" in (message := capsys.readouterr().err)
    assert ": 1 of " in message


@pytest.mark.services
def test_a_state_db_that_lost_a_row_is_found_and_healed(world: World, was: dict[str, str]) -> None:
    with closing(sqlite3.connect(world.root / "state.db")) as db, db:
        db.execute("DELETE FROM versions WHERE rowid IN (SELECT rowid FROM versions LIMIT 1)")
    (found,) = scrubbed(world)
    assert (found.target.kind, found.heal) == (Kind.STATE, "ingot repair")
    heal(world, [found])
    assert scrubbed(world) == ()
    assert world.fingerprints(NOW) == was


@pytest.mark.services
def test_repair_of_a_span_makes_exactly_its_units_again(
    world: World, was: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = records(world)
    span = ["--from", "2025-06-02", "--to", "2025-06-02"]
    lake = lake_of(world)
    assert run([*lake, "repair", "--table", "silver.day_bars", *span]) == 0
    added = {r.rpartition("/")[0] for r in records(world) - before if r.startswith("units/")}
    assert {r.split("/")[1:5] == unit_of("silver.day_bars") for r in added} == {True}
    assert len(added) == 1
    assert world.fingerprints(NOW) == was
    assert run([*lake, "repair", *span]) == 2
    assert "Add --table T" in capsys.readouterr().err


def unit_of(table: str) -> list[str]:
    """Return the parts of the path of Monday's unit of day bars."""
    return [table, "massive", "us_stocks_sip.day_aggs_v1", "2025-06-02"]


def records(world: World) -> set[str]:
    """Return the paths of all records."""
    parts = world.parts(NOW)
    try:
        return set(parts.ledger.store.walk())
    finally:
        parts.close()


def first_version(world: World) -> Path:
    """Return the object of the first, superseded version of Tuesday's minutes."""
    parts = world.parts(NOW)
    try:
        states = parts.ledger.states("massive", MINUTES)
        old = next(s.landing for s in states if s.landing.ordinal == 1 and superseded(s, states))
        return parts.ledger.object_path(old.sha256)
    finally:
        parts.close()


def superseded(state: LandingState, states: tuple[LandingState, ...]) -> bool:
    """Return True if a later version of the same key landed."""
    landing = state.landing
    return any(s.landing.key == landing.key and s.landing.ordinal > 1 for s in states)


@pytest.mark.services
def test_a_lost_superseded_version_is_reported_and_all_else_is_rebuilt(
    world: World, was: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    lost = first_version(world)
    lost.unlink()
    for name in ("catalog.db", "state.db"):
        (world.root / name).unlink()
    shutil.rmtree(world.root / "warehouse")
    report = world.backfill(NOW)
    assert report.exit_code == 3
    (failed,) = [d for d in report.days if d.error is not None]
    assert isinstance(failed.error, DamagedFileError)
    assert lost.name in str(failed.error)
    rebuilt = world.fingerprints(NOW)
    for name in ("bronze.day_bars", "silver.day_bars", "silver.sessions"):
        assert rebuilt[name] == was[name]
    bars = ["bars", "--interval", "1m", "--format", "csv"]
    lake = [*lake_of(world), *bars]
    day = failed.date.isoformat()
    other = "2025-06-03" if day == "2025-06-02" else "2025-06-02"
    known = ["--known-at", "2025-07-01T20:00Z"]
    capsys.readouterr()
    assert run([*lake, "--from", day, "--to", day, *known]) == 3
    assert lost.name in capsys.readouterr().err
    assert run([*lake, "--from", other, "--to", other, *known]) == 0
    assert run([*lake, "--from", day, "--to", day]) == 0
    assert "not settled" not in capsys.readouterr().err


@pytest.mark.services
def test_an_object_damaged_before_loading_is_not_refused_and_loads_when_it_is_healed(
    whole: World, tmp_path: Path
) -> None:
    world = World(tmp_path, symbols=20, end=MONDAY + damage.ONE_DAY, vendor=whole.tree)
    parts = world.parts(at(1))
    source = open_source(parts, "massive", str(world.tree))
    begin(parts)
    land.land_new(parts, source, world.request(), tuple(source.datasets.values()))
    objects = [parts.ledger.object_path(v.sha256) for v in parts.ledger.store.all_versions()]
    parts.close()
    kept = {path: path.read_bytes() for path in objects if path.read_bytes()[:2] == b"\x1f\x8b"}
    for path in kept:
        flip(path, random.Random(path.name))
    report = world.ingest(at(1))
    assert {d.result for d in report.days} == {Result.FAILED}
    assert {type(d.error) for d in report.days} == {DamagedFileError}
    assert report.exit_code == 3
    assert world.ingest(at(1)).exit_code == 0  # fetched again, since their listing was forgotten
    assert {path: path.read_bytes() for path in kept} == kept
