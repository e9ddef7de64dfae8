from __future__ import annotations

import errno
import os
import sqlite3
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ingot.errors import (
    CommitConflictError,
    ConfigError,
    DamagedFileError,
    IngotError,
    StorageFullError,
    StorageUnavailableError,
)
from ingot.model.known_time import Publication
from ingot.model.landing import Decision, Landing, Outcome, RemoteObject
from ingot.model.unit import Done, Scope, Unit
from ingot.storage.fs.object_store import LocalObjects
from ingot.storage.ledger import state_db
from ingot.storage.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingot.model.landing import LandingState
    from ingot.storage.fs.fault_points import Boundary

DATASET = "us_stocks_sip/day_aggs_v1"
DAY = date(2025, 6, 2)
SEEN = datetime(2025, 6, 3, 15, tzinfo=UTC)
POINTS = (
    "before_write",
    "before_link",
    "after_link",
    "after_sync",
    "made",
    "taken",
)
REMOTE = RemoteObject("massive", DATASET, DAY, "2025-06-02.csv.gz", "e", 3, None)


class Crash(Exception):  # noqa: N818  (it stands for the end of a process, not for an error)
    pass


def crash_at(where: str, fault: Exception | None = None) -> Boundary:
    def boundary(point: str) -> None:
        if point == where:
            raise fault or Crash(where)

    return boundary


def land(ledger: Ledger, data: bytes = b"abc") -> Landing | None:
    temporary = ledger.temporary("file")
    temporary.write_bytes(data)
    return ledger.land(
        REMOTE,
        temporary,
        sha256=sha256(data).hexdigest(),
        size_bytes=len(data),
        at=SEEN,
        publication=Publication("r", SEEN),
    )


def unit(landing_id: int) -> Unit:
    return Unit(
        "bronze.day_bars",
        Scope("massive", DATASET, DAY, DAY + timedelta(days=1), landing_id),
        "0a",
    )


def hold(ledger: Ledger) -> int:
    """Land a version and hold it; return its id."""
    landing = land(ledger)
    assert landing is not None
    of = unit(landing.landing_id)
    ledger.record_done(Done(of, Outcome.HELD, "run", SEEN, SEEN, 1))
    return landing.landing_id


def states(root: Path) -> tuple[LandingState, ...]:
    """Return what a process that starts now sees."""
    with Ledger(root) as ledger:
        return ledger.states("massive", DATASET)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Return a lake with one accepted version, remembered as listed."""
    with Ledger(tmp_path) as ledger:
        ledger.decide(hold(ledger), Decision.ACCEPTED, at=SEEN, by="ann")
        ledger.remember_listing("massive", "here", [REMOTE])
    return tmp_path


def test_opening_a_ledger_reads_and_makes_nothing(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_a_question_leaves_no_file_but_the_cache(tmp_path: Path) -> None:
    states(tmp_path)
    assert {p.name.partition("-")[0] for p in tmp_path.iterdir()} == {"state.db", "state.db.lock"}


def test_a_deleted_cache_is_built_anew(lake: Path) -> None:
    before = states(lake)
    assert before[0].in_force_from == SEEN
    for path in lake.glob("state.db*"):
        path.unlink()
    assert states(lake) == before


def test_only_what_the_store_does_not_hold_is_lost_with_the_cache(lake: Path) -> None:
    (lake / "state.db").unlink()
    with Ledger(lake) as ledger:
        assert ledger.new_or_changed("massive", "here", [REMOTE]) == (REMOTE,)


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def torn(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flipped(path: Path) -> None:
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (size - 4096))


@pytest.mark.parametrize("damage", [garbage, torn, flipped])
def test_a_damaged_cache_is_set_aside_and_built_anew(
    lake: Path, damage: Callable[[Path], None]
) -> None:
    before = states(lake)
    damage(lake / "state.db")
    assert states(lake) == before
    assert len([p for p in lake.glob("state.db.damaged-*") if p.suffix[-4:] != "-shm"]) >= 1


@pytest.mark.parametrize("damage", [garbage, torn, flipped])
def test_a_cache_damaged_in_use_loses_no_record(lake: Path, damage: Callable[[Path], None]) -> None:
    with Ledger(lake) as ledger:
        ledger.datasets()
        damage(lake / "state.db")
        landing = land(ledger, b"second")
        assert landing is not None
        assert landing.ordinal == 2
    assert [s.landing.ordinal for s in states(lake)] == [1, 2]


def test_a_cache_deleted_in_use_loses_no_record(lake: Path) -> None:
    with Ledger(lake) as ledger:
        ledger.datasets()
        (lake / "state.db").unlink()
        assert land(ledger) is None
        landing = land(ledger, b"second")
    assert states(lake)[1].landing == landing


@pytest.mark.parametrize("version", [0, 99])
def test_a_cache_of_another_version_is_built_anew(lake: Path, version: int) -> None:
    before = states(lake)
    with sqlite3.connect(lake / "state.db") as connection:
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("DROP TABLE decisions")
        connection.execute("CREATE TABLE of_that_version (a)")
    connection.close()
    assert states(lake) == before


def test_a_damaged_record_stops_the_rebuild_and_is_named(lake: Path) -> None:
    (version,) = (lake / "landing" / "versions").rglob("*.json")
    version.write_text("{")
    (lake / "state.db").unlink()
    with pytest.raises(DamagedFileError, match=r"landing/versions/massive/.*/1\.json is damaged"):
        states(lake)


def test_files_of_others_in_the_store_are_passed_over(lake: Path) -> None:
    before = states(lake)
    (version,) = (lake / "landing" / "versions").rglob("*.json")
    for name in (".DS_Store", "1.json~", "01.json", "notes.json"):
        (version.parent / name).write_text("?")
    with Ledger(lake) as ledger:
        assert ledger.rebuild() == 3
    assert states(lake) == before


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", ["versions", "units", "decisions"])
def test_a_crash_at_any_point_of_a_record_hides_nothing_that_was_made(
    tmp_path: Path, kind: str, point: str
) -> None:
    ledger = Ledger(tmp_path, boundary=crash_at(f"{kind}.{point}"))
    with pytest.raises(Crash, match=point):
        ledger.decide(hold(ledger), Decision.ACCEPTED, at=SEEN, by="ann")
    ledger.close()
    seen = states(tmp_path)
    made = point in POINTS[2:]
    expected = {
        "versions": (int(made), None, None),
        "units": (1, Outcome.HELD if made else None, None),
        "decisions": (1, Outcome.HELD, Decision.ACCEPTED if made else None),
    }
    found = seen[0] if seen else None
    assert (
        len(seen),
        found.outcome if found else None,
        found.decision if found else None,
    ) == expected[kind]
    (tmp_path / "state.db").unlink()
    assert states(tmp_path) == seen


@pytest.mark.parametrize("point", POINTS)
def test_what_a_crash_cut_off_is_simply_done_again(tmp_path: Path, point: str) -> None:
    ledger = Ledger(tmp_path, boundary=crash_at(f"versions.{point}"))
    with pytest.raises(Crash, match=point):
        land(ledger)
    ledger.close()
    with Ledger(tmp_path) as ledger:
        land(ledger)
    assert [s.landing.ordinal for s in states(tmp_path)] == [1]


@pytest.mark.parametrize("kind", ["object", "versions", "units", "decisions", "quarantine"])
@pytest.mark.parametrize("point", ["before_write", "before_link", "after_link"])
def test_a_full_disk_says_so_and_the_work_goes_on_when_there_is_space(
    tmp_path: Path, kind: str, point: str
) -> None:
    full = OSError(28, "No space left on device")
    ledger = Ledger(tmp_path, boundary=crash_at(f"{kind}.{point}", full))

    def work(ledger: Ledger) -> None:
        landing_id = hold(ledger)
        ledger.store.add_quarantine(unit(landing_id), b"rows")
        ledger.decide(landing_id, Decision.ACCEPTED, at=SEEN, by="ann")

    with pytest.raises(StorageFullError, match=r"No space left.*Free some space"):
        work(ledger)
    assert isinstance(ledger.store.objects, LocalObjects)
    ledger._boundary = ledger.store.objects._boundary = crash_at("")
    if land(ledger) is None:
        (found,) = ledger.states("massive", DATASET)
        of = unit(found.landing.landing_id)
        ledger.record_done(Done(of, Outcome.HELD, "run", SEEN, SEEN, 1))
        ledger.store.add_quarantine(of, b"rows")
    ledger.close()
    assert [s.landing.ordinal for s in states(tmp_path)] == [1]


def test_a_cache_that_cannot_grow_is_a_full_disk(lake: Path) -> None:
    with Ledger(lake) as ledger:

        def fill(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA max_page_count = 1")
            connection.execute("CREATE TABLE big AS SELECT zeroblob(1000000) AS b")

        with pytest.raises(StorageFullError, match=r"write .*state\.db.*disk or the quota is full"):
            ledger.state.write(fill)


def test_a_cache_whose_place_is_taken_by_a_folder_is_a_wrong_path(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    assert states(tmp_path) == ()
    with (
        Ledger(tmp_path) as ledger,
        pytest.raises(ConfigError, match=r"Could not open .*state\.db"),
    ):
        ledger.remember_listing("massive", "here", [REMOTE])


def test_a_writer_that_never_ends_is_waited_for_and_then_named(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_db, "_BUSY_TIMEOUT_S", 0.01)
    other = sqlite3.connect(lake / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Ledger(lake) as ledger, pytest.raises(CommitConflictError, match=r"state\.db.*locked"):
        land(ledger, b"second")
    other.close()


def test_a_question_that_is_wrong_itself_does_not_cost_the_cache(lake: Path) -> None:
    with Ledger(lake) as ledger:
        with pytest.raises(StorageUnavailableError, match="no such table: absent"):
            ledger.state.read(lambda db: db.execute("SELECT * FROM absent"))
        assert issubclass(StorageUnavailableError, IngotError)
        assert ledger.datasets() == (("massive", DATASET),)
    assert list(lake.glob("state.db.damaged*")) == []


def test_a_record_that_vanished_from_the_store_is_named_until_it_is_back_or_given_up(
    lake: Path,
) -> None:
    before = states(lake)
    (decision,) = (lake / "landing" / "decisions").rglob("*.json")
    text = decision.read_bytes()
    decision.unlink()
    with pytest.raises(DamagedFileError, match=r"decisions/.*1\.json is damaged: the record is"):
        states(lake)
    decision.write_bytes(text)
    assert states(lake) == before
    decision.unlink()
    with Ledger(lake) as ledger:
        assert ledger.rebuild() == 2
    assert [s.decision for s in states(lake)] == [None]


def test_records_that_come_back_are_entered_without_a_rebuild(lake: Path) -> None:
    before = states(lake)
    away = (lake / "landing" / "versions").rename(lake / "away")
    (lake / "state.db").unlink()
    assert states(lake) == ()
    away.rename(lake / "landing" / "versions")
    assert states(lake) == before


@pytest.mark.parametrize(
    "ask",
    [
        lambda ledger: ledger.states("massive", DATASET),
        lambda ledger: list(ledger.store.all_versions()),
    ],
    ids=["the ledger", "the store"],
)
def test_a_folder_that_cannot_be_listed_stops_the_command(
    lake: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Ledger], object]
) -> None:
    real = os.scandir

    def failing(folder: str | Path) -> object:
        if "versions" in str(folder):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(folder))
        return real(folder)

    monkeypatch.setattr(os, "scandir", failing)
    (lake / "state.db").unlink()
    with Ledger(lake) as ledger, pytest.raises(StorageUnavailableError, match="versions"):
        ask(ledger)


def test_a_cache_that_cannot_be_written_is_read_and_else_made_in_memory(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = states(lake)

    def refused(*_: object, **__: object) -> None:
        raise ConfigError("the disk is read-only")

    monkeypatch.setattr(state_db.StateCache, "_open_to_write", refused)
    assert states(lake) == before
    (lake / "state.db").unlink()
    with Ledger(lake) as ledger:
        assert ledger.states("massive", DATASET) == before
        with pytest.raises(ConfigError, match="read-only"):
            ledger.remember_listing("massive", "here", [REMOTE])
    assert not (lake / "state.db").exists()
