"""Exports of a loaded lake: written again from their manifests, whatever came later."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from ingot.app.exports.make import FORMS
from ingot.cli import exports, read
from ingot.cli.main import run
from ingot.errors import NotReplayableError, QueryError
from ingot.export import manifest
from ingot.storage.iceberg.maintenance import orphans
from ingot.tables.silver import DAY_BARS, MINUTE_BARS
from tests.support.recorded_bars import read_lean
from tests.support.world import MINUTES, World, at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingot.app.lake import Lake
    from ingot.export.manifest import Manifest

FAR = datetime(2100, 1, 1, tzinfo=UTC)
SQL = """select symbol, avg(cast(close as double)) as a, count(*) as n
from silver.minute_bars group by 1"""
BRONZE = "select landing_id, count(*) as n from bronze.minute_bars group by 1"
SPAN: dict[str, Any] = {"start": "2025-06-02", "end": "2025-06-04"}


@dataclass(frozen=True)
class Story:
    """A lake that exported, was corrected, and lost every snapshot that nothing kept."""

    world: World
    folder: Path
    made: dict[str, Manifest]
    """Exports of two days of minutes by format; and `bronze`, `released`."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Export, correct, expire."""
    world = World(tmp_path_factory.mktemp("exports"), symbols=20, end=date(2025, 6, 4))
    folder = tmp_path_factory.mktemp("made")
    world.publish()
    assert world.backfill(at(1)).exit_code == 0
    with world.lake(at(2)) as lake:
        made = {f: lake.export(folder / f, interval="1m", format=f, **SPAN) for f in FORMS}
        made["bronze"] = lake.export(folder / "bronze", query=BRONZE)
        made["released"] = lake.export(folder / "released", "AAPL", **SPAN)
        rows = lake.bars(interval="1m", **SPAN).to_arrow()
        assert pq.read_table(folder / "parquet" / "data.parquet").equals(rows)
    (world.root / "state.db").unlink()
    world.publish(stage=2)
    world.backfill(at(3))
    with world.lake(at(3)) as lake:
        lake.release(made["released"].manifest.export_id)
    expire(world, at(3))
    return Story(world, folder, {name: one.manifest for name, one in made.items()})


@pytest.fixture
def lake(story: Story) -> Iterator[Lake]:
    """Open the lake after all that."""
    with story.world.lake(at(4)) as lake:
        yield lake


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def expire(world: World, when: datetime) -> None:
    """Forget every snapshot that nothing keeps, with its files."""
    parts = world.parts(when)
    for table in (MINUTE_BARS, DAY_BARS):
        going = parts.tables.expirable(table, keep_last=1, before=FAR)
        parts.ledger.record_expired(table.name, going)
        parts.tables.expire(table, going)
        orphans.set_aside(parts.tables.workplace(table), min_age_s=0)
    parts.close()


@pytest.mark.parametrize("name", [*FORMS, "bronze"])
def test_an_export_is_written_again_after_corrections_and_expiry(
    story: Story, lake: Lake, tmp_path: Path, name: str
) -> None:
    assert lake.replay(story.folder / name, tmp_path / "b").kept == "bytes"
    assert tree(story.folder / name) == tree(tmp_path / "b")


def test_the_hash_of_the_content_does_not_know_the_format(story: Story) -> None:
    made = [story.made[form] for form in FORMS]
    assert len({m.content_hash for m in made}) == 1
    assert len({m.export_id for m in made}) == len(FORMS)


def test_the_landings_of_an_export_are_the_files_of_its_days(story: Story) -> None:
    made = story.made["parquet"]
    files = [v.key for v in made.landings]
    assert files == [f"{MINUTES}/2025/06/2025-06-0{day}.csv.gz" for day in (2, 3)]
    assert [v.ordinal for v in made.landings] == [1, 1], "the versions before the correction"
    for version in made.landings:
        kept = story.world.root / "landing" / "objects" / version.sha256[:2] / version.sha256
        assert sha256(kept.read_bytes()).hexdigest() == version.sha256
    assert made.known_rules == ("massive-flatfiles-11h-v1",)
    assert len(story.made["bronze"].bound["in_force"]) >= len(files)


def test_exports_are_listed_without_state_db_and_say_what_they_pin(
    story: Story, lake: Lake
) -> None:
    listed = {row["id"]: row for row in lake.exports().to_arrow().to_pylist()}
    assert set(listed) >= {m.export_id for m in story.made.values()}
    kept = listed[story.made["csv"].export_id]
    assert (kept["snapshots"], kept["pinned"], kept["released_at"]) == (1, 1, None)
    freed = listed[story.made["released"].export_id]
    assert (freed["pinned"], freed["released_at"]) == (0, at(3))


def test_what_expired_after_a_release_is_named(story: Story, lake: Lake, tmp_path: Path) -> None:
    snapshot = story.made["released"].tables[0].snapshot_id
    gone = f"snapshot {snapshot} of silver.day_bars: it has expired"
    with pytest.raises(NotReplayableError, match=gone):
        lake.replay(story.folder / "released", tmp_path / "b")


def test_lean_archives_hold_the_bars(story: Story, lake: Lake) -> None:
    rows = lake.bars("AAPL", interval="1m", known_at=at(2), **SPAN).to_arrow().to_pylist()
    folder = story.folder / "lean" / "equity" / "usa" / "minute"
    bars = [b for day in (2, 3) for b in read_lean(folder, "AAPL", date(2025, 6, day))]
    assert [(b.start, b.open, b.high, b.low, b.close, b.volume) for b in bars] == [
        tuple(r[n] for n in ("bar_start", "open", "high", "low", "close", "volume")) for r in rows
    ]


@pytest.mark.recorded
def test_lean_archives_have_the_shape_of_recorded_ones(story: Story, recorded: Path) -> None:
    ours = story.folder / "lean" / "equity" / "usa" / "minute" / "aapl" / "20250602_trade.zip"
    theirs = recorded / "equity-minute" / "lean" / "aapl" / "20140606_trade.zip"
    assert shape(ours, "20250602") == shape(theirs, "20140606")


def shape(path: Path, day: str) -> tuple[object, ...]:
    """Return an archive's member, compression, columns, and the step and bounds of its labels."""
    with zipfile.ZipFile(path) as archive:
        (entry,) = archive.infolist()
        lines = [line.split(",") for line in archive.read(entry).decode().splitlines()]
    labels = [int(line[0]) for line in lines]
    assert labels == sorted(set(labels))
    assert all(0 <= ms < 86_400_000 and ms % 60_000 == 0 for ms in labels)
    assert all(Decimal(v) == int(v) for line in lines for v in line[1:5])
    return entry.filename.replace(day, "DAY"), entry.compress_type, {len(line) for line in lines}


def test_a_select_without_an_order_is_written_in_one(lake: Lake, tmp_path: Path) -> None:
    lake.export(tmp_path / "a", query=SQL, format="csv")
    lake.export(tmp_path / "b", query=f"{SQL} order by 1 desc", format="csv")
    names, other = (
        [line.split(",")[0] for line in (tmp_path / n / "data.csv").read_text().splitlines()[1:]]
        for n in "ab"
    )
    assert names == sorted(names)
    assert other == names[::-1]


def test_a_replay_names_the_data_file_that_is_gone(story: Story, tmp_path: Path) -> None:
    shutil.copytree(story.world.root, tmp_path / "lake")
    for path in (tmp_path / "lake" / "warehouse" / "silver" / "minute_bars").rglob("*.parquet"):
        path.unlink()
    with (
        replace(story.world, folder=tmp_path).lake(at(4)) as lake,
        pytest.raises(NotReplayableError, match=r"a data file of silver.minute_bars: .*parquet"),
    ):
        lake.replay(story.folder / "csv", tmp_path / "b")


def test_what_changed_beside_the_rows_is_told_and_keeps_nothing_back(
    story: Story, lake: Lake, tmp_path: Path
) -> None:
    made = story.made["csv"]
    lost = replace(made.landings[0], sha256="ab" * 32)
    forged = replace(
        made,
        transforms={"silver.minute_bars": "old"},
        writers={**made.writers, "polars": "1"},
        files=(replace(made.files[0], sha256="cd" * 32),),
        landings=(lost,),
    )
    (tmp_path / manifest.FILE).write_text(manifest.to_text(forged))
    found = lake.replay(tmp_path, tmp_path / "b")
    notices = "\n".join(found.notices)
    assert found.kept == "content"
    assert found.manifest.files == made.files
    assert "the transform of silver.minute_bars has changed (old then" in notices
    assert f"the object {'ab' * 8}... of {lost.key} version 1 is gone" in notices
    assert "polars was 1 and is" in notices


def test_rows_that_are_not_those_of_the_manifest_are_refused(
    story: Story, lake: Lake, tmp_path: Path
) -> None:
    forged = replace(story.made["csv"], content_hash="f" * 64, rows=1)
    (tmp_path / manifest.FILE).write_text(manifest.to_text(forged))
    with pytest.raises(NotReplayableError, match=r"(?s)content hash .* rows, then 1"):
        lake.replay(tmp_path, tmp_path / "b")


def test_what_may_still_change_is_refused_unless_it_is_insisted_on(
    story: Story, tmp_path: Path
) -> None:
    shutil.copytree(story.folder, tmp_path / "made")
    shutil.copytree(story.world.root, tmp_path / "lake")
    world = replace(story.world, folder=tmp_path, vendor=story.world.tree)
    world.publish(stage=3)
    world.ingest(at(5))
    with world.lake(at(6)) as lake:
        with pytest.raises(QueryError, match=r"The result is not settled.*--allow-unsettled"):
            lake.export(tmp_path / "a", interval="1m", **SPAN)
        assert lake.export(tmp_path / "b", "AAPL", known_at=at(2), **SPAN).manifest.settled
        made = lake.export(tmp_path / "c", "AAPL", allow_unsettled=True, **SPAN)
        assert not made.manifest.settled
        assert lake.replay(tmp_path / "c", tmp_path / "d").kept == "bytes"


def test_a_folder_in_use_is_left_alone(lake: Lake, tmp_path: Path) -> None:
    first = lake.export(tmp_path / "a", "AAPL", **SPAN)
    assert lake.export(tmp_path / "a", "AAPL", **SPAN).manifest == first.manifest
    with pytest.raises(QueryError, match="holds the export"):
        lake.export(tmp_path / "a", "AAPL", value="open", **SPAN)
    with pytest.raises(QueryError, match=r"is not empty \(it holds"):
        lake.replay(tmp_path / "a", tmp_path / "a")
    with pytest.raises(QueryError, match="format was 'xls'"):
        lake.export(tmp_path / "b", "AAPL", format="xls")  # type: ignore[arg-type]  # the test
    with pytest.raises(QueryError, match="LEAN has no bars of 5m"):
        lake.export(tmp_path / "b", "AAPL", interval="5m", format="lean", **SPAN)
    with pytest.raises(QueryError, match=r"nothing.json cannot be read"):
        lake.replay(tmp_path / "nothing.json", tmp_path / "b")
    assert len(tree(tmp_path / "a")) == 2


@pytest.mark.services  # four processes
def test_bytes_do_not_depend_on_zone_locale_or_hash_seed(story: Story, tmp_path: Path) -> None:
    places = [("Asia/Kathmandu", "C", "1"), ("America/St_Johns", "tr_TR.UTF-8", "2")]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CODE, str(story.world.root), str(tmp_path / seed), SQL],
            env={**os.environ, "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": seed},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for zone, locale, seed in places
    ]
    assert [child.wait(timeout=120) for child in running] == [0, 0]
    first, second = (tree(tmp_path / seed) for _, _, seed in places)
    assert first.keys() == second.keys()
    assert len(first) > 2 * len(FORMS)
    assert [name for name in first if first[name] != second[name]] == []


CODE = """
import sys
from ingot.cli.main import run
lake, out, sql = sys.argv[1:]
for form in ("parquet", "csv", "arrow", "lean"):
    words = ["export", "bars", "--from", "2025-06-02", "--to", "2025-06-03", "--interval", "1m"]
    words += ["--known-at", "2025-07-01T17:00Z", "--format", form, "--out", f"{out}/{form}"]
    assert run(["--lake", lake, *words]) == 0
words = ["export", "sql", sql, "--known-at", "2025-07-01T17:00Z", "--format", "csv"]
assert run(["--lake", lake, *words, "--out", f"{out}/sql"]) == 0
assert run(["--lake", lake, "replay", f"{out}/csv", "--out", f"{out}/again"]) == 0
"""


def test_the_manifest_says_what_the_answer_rests_on(lake: Lake, tmp_path: Path) -> None:
    lake.export(tmp_path / "a", "AAPL", known_at="2025-07-02", session="regular", **SPAN)
    body = json.loads((tmp_path / "a" / manifest.FILE).read_text())
    assert body["known_at"] == "2025-07-02T04:00:00.000000Z"
    assert body["question"]["asked"]["session"] == "regular"
    assert "gold.daily_bars" in [t["name"] for t in body["tables"]]
    assert {"gold.daily_bars", "silver.minute_bars"} <= set(body["transforms"])
    assert {v["dataset"] for v in body["landings"]} == {MINUTES}
    assert set(body["writers"]) == {"duckdb", "polars", "pyarrow", "zlib"}
    assert body["sessions"]["digest"]
    assert (body["basis"], body["settled"]) == ("raw", True)


def test_an_adjusted_export_keeps_its_scale_when_a_split_is_learned_later(
    story: Story, tmp_path: Path
) -> None:
    shutil.copytree(story.world.root, tmp_path / "lake")
    world = replace(story.world, folder=tmp_path)
    load_actions(world, tmp_path, "2025-07-05T16:00Z", ["AAPL,2025-06-03,split,1,4,,,"])
    asked = {**SPAN, "basis": "split", "interval": "1m"}
    with world.lake(at(6)) as lake:
        made = lake.export(tmp_path / "a", "AAPL", format="csv", **asked).manifest
        raw = lake.export(tmp_path / "raw", "AAPL", format="csv", interval="1m", **SPAN).manifest
    assert made.basis == "split"
    assert made.content_hash != raw.content_hash
    assert "silver.corporate_actions" in {t.name for t in made.tables}
    later = ["AAPL,2025-06-03,split,1,4,,,", "AAPL,2025-07-01,split,1,10,,,"]
    load_actions(world, tmp_path, "2025-07-07T16:00Z", later)
    with world.lake(at(8)) as lake:
        assert lake.replay(tmp_path / "a", tmp_path / "b").kept == "bytes"
        assert (
            lake.export(tmp_path / "c", "AAPL", **asked).manifest.content_hash != made.content_hash
        )


def load_actions(world: World, folder: Path, now: str, rows: list[str]) -> None:
    file = folder / "actions.csv"
    header = "symbol,ex_date,kind,ratio_from,ratio_to,cash,currency,known_from"
    file.write_text("\n".join([header, *rows]) + "\n")
    lake = ["--lake", str(world.root), "--now", now]
    assert run([*lake, "ingest", "actions", "--source", f"csv:{file}"]) == 0
    assert run([*lake, "build"]) == 0


@pytest.mark.parametrize(
    ("shown", "exported"), [(read.bars, exports.export_bars), (read.sql, exports.export_sql)]
)
def test_what_can_be_asked_can_be_exported(
    shown: Callable[..., None], exported: Callable[..., None]
) -> None:
    asked = set(inspect.signature(shown).parameters) - {"to"}
    assert asked <= set(inspect.signature(exported).parameters)
