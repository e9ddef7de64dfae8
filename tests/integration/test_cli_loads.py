"""What the commands that load print, and how they end when the vendor's files are not in order."""

from __future__ import annotations

import csv
import gzip
import io
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ingot.cli.main import run
from tests.support.world import DAYS, MINUTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Ingot = Callable[..., "Ended"]

WEEK = ("--from", "2025-06-02", "--to", "2025-06-06", "--symbols", "20", "--seed", "7")
NOW = ("--now", "2025-07-01T16:00Z")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of csv."""
        return list(csv.DictReader(io.StringIO(self.out)))


@pytest.fixture
def ingot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Ingot:
    """Run a command in an empty folder, in this process, on the lake below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INGOT_LAKE", "lake")

    def call(*words: str) -> Ended:
        code = run([*NOW, *words])
        captured = capsysbinary.readouterr()
        return Ended(code, captured.out.decode(), captured.err.decode())

    return call


def simulate(ingot: Ingot, *words: str, datasets: tuple[str, ...] = (MINUTES,)) -> Ended:
    chosen = [word for name in datasets for word in ("--dataset", name)]
    return ingot("simulate", "vendor", *WEEK, "--no-truth", *chosen, *words)


def test_a_load_prints_a_line_per_step_and_a_table_on_stderr(ingot: Ingot) -> None:
    written = simulate(ingot, datasets=(MINUTES, DAYS))
    assert re.search(r"stage 1: 10 files, [\d,]+ rows, .* 0 unchanged, 0 defects\n$", written.err)
    assert ingot("init").err == "note: made a lake at lake\n"
    assert ingot("init").err == "note: there already is a lake at lake\n"
    loaded = ingot("backfill", "massive", "--source", "vendor")
    assert (loaded.code, loaded.out) == (0, "")
    assert f"{MINUTES} to bronze: 5 days\n" in loaded.err
    assert "us_stocks_sip to gold.performance: 1 month\n" in loaded.err
    assert re.search(rf"^bronze\.day_bars +{DAYS} +5 ", loaded.err, re.MULTILINE)
    again = ingot("backfill", "massive", "--source", "vendor")
    assert again.code == 0
    assert again.err.startswith("nothing new, changed or stale\nrun ")


def test_what_a_load_did_is_rows_on_stdout_where_a_format_is_named(ingot: Ingot) -> None:
    simulate(ingot)
    ingot("init")
    loaded = ingot("ingest", "massive", "--source", "vendor", "--format", "csv")
    assert loaded.code == 0
    (row,) = loaded.rows
    assert (row["table"], row["loaded"], row["failed"]) == ("bronze.minute_bars", "5", "0")
    assert "rows_per_s" not in loaded.err
    built = ingot("build", "--format", "csv")
    assert built.rows[0]["table"] == "silver.minute_bars"
    assert ingot("build", "--format", "json").out.strip() == "[]"


def test_a_file_from_before_the_sessions_is_refused_with_that_reason(
    ingot: Ingot, tmp_path: Path
) -> None:
    key = f"{DAYS}/1989/06/1989-06-05.csv.gz"
    path = tmp_path / "vendor" / key
    path.parent.mkdir(parents=True)
    names = "ticker,volume,open,close,high,low,window_start,transactions"
    path.write_bytes(gzip.compress(f"{names}\nA,1,1,1,1,1,613022400000000000,1\n".encode()))
    ingot("init")
    loaded = ingot("ingest", "massive", "--source", "vendor")
    assert loaded.code == 3
    # The first session of XNYS in 1990 was that of 2 January, a Tuesday.
    assert (
        f"refused: {DAYS} 1989-06-05: {key} is of 1989-06-05, and the calendar's sessions begin on "
        "1990-01-02. Load files of later dates.\n"
    ) in loaded.err


def test_a_plan_prints_what_a_backfill_would_fetch_and_lands_nothing(
    ingot: Ingot, tmp_path: Path
) -> None:
    simulate(ingot)
    ingot("init")
    plan = ingot("backfill", "massive", "--source", "vendor", "--plan", "--format", "csv")
    assert plan.code == 0
    minutes = next(row for row in plan.rows if row["dataset"] == MINUTES)
    assert (minutes["days"], minutes["first"], minutes["last"]) == ("5", "2025-06-02", "2025-06-06")
    sizes = [path.stat().st_size for path in (tmp_path / "vendor").rglob("*.csv.gz")]
    assert int(minutes["bytes_to_fetch"]) == sum(sizes)
    assert re.search(r"note: disk needed .* GB, free .* GB: enough", plan.err)
    assert ingot("landings", "--format", "csv").rows == []


def test_files_not_in_order_end_with_3_and_each_is_named_once(ingot: Ingot) -> None:
    simulate(ingot, "--defect", "2025-06-03=wrong_header", "--defect", "2025-06-04=truncated_gzip")
    ingot("init")
    loaded = ingot("backfill", "massive", "--source", "vendor")
    assert loaded.code == 3
    drifted = rf"^refused: {MINUTES} 2025-06-03: .*missing columns: ticker, transactions"
    assert len(re.findall(drifted, loaded.err, re.MULTILINE)) == 1
    torn = rf"^refused: {MINUTES} 2025-06-04: .* cannot be read to its end"
    assert len(re.findall(torn, loaded.err, re.MULTILINE)) == 1
    refused = ingot("landings", "--status", "refused", "--format", "csv").rows
    assert [row["file_date"] for row in refused] == ["2025-06-04", "2025-06-03"]
    days = ingot("sql", "select distinct trade_date from silver.minute_bars", "--format", "csv")
    assert {row["trade_date"] for row in days.rows} == {"2025-06-02", "2025-06-05", "2025-06-06"}


def test_refused_rows_under_the_limit_end_with_0_and_stand_in_quarantine(ingot: Ingot) -> None:
    simulate(ingot, "--defect", "2025-06-03=short_line")
    ingot("init")
    assert ingot("ingest", "massive", "--source", "vendor").code == 0
    rows = ingot("quarantine", "--format", "csv").rows
    assert {(row["file_date"], row["rule"]) for row in rows} == {("2025-06-03", "column_count")}
    assert ingot("quarantine", "--to", "2025-06-02", "--format", "csv").rows == []


def test_a_held_version_says_how_to_decide_and_its_signed_id_is_taken(ingot: Ingot) -> None:
    simulate(ingot)
    ingot("init")
    assert ingot("ingest", "massive", "--source", "vendor").code == 0
    simulate(ingot, "--stage", "2", "--defect", "2025-06-04=tenth_of_market")
    held = ingot("ingest", "massive", "--source", "vendor")
    assert held.code == 3
    advice = re.search(r"held: .* 2025-06-04: .*run: (ingot landings accept (-?\d+))", held.err)
    assert advice, held.err
    (row,) = ingot("landings", "--status", "held", "--format", "csv").rows
    assert row["landing_id"] == advice[2]
    accepted = ingot(*advice[1].split()[1:])
    assert accepted.code == 0
    assert "is accepted and in force from 2025-07-01 16:00:00 UTC; run: ingot build" in accepted.err
    assert ingot("ingest", "massive", "--source", "vendor").code == 0
    twice = ingot("landings", "reject", advice[2])
    assert twice.code == 2
    assert "a decision is made once" in twice.err


def test_a_day_that_is_not_out_ends_with_4(ingot: Ingot) -> None:
    simulate(ingot)
    ingot("init")
    words = ("--from", "2025-06-05", "--to", "2025-06-10", "--dataset", MINUTES)
    late = ingot("ingest", "massive", "--source", "vendor", *words)
    assert late.code == 4
    assert f"missing: {MINUTES} 2 days from 2025-06-09 to 2025-06-10: not at" in late.err


def test_a_wrong_place_is_told_once_and_ends_with_2(ingot: Ingot) -> None:
    ingot("init")
    wrong = ingot("backfill", "massive", "--source", "vendr")
    assert wrong.code == 2
    assert len(re.findall("vendr is not a folder", wrong.err)) == 1
    assert "nothing new" not in wrong.err
    unknown = ingot("ingest", "massive", "--source", ".", "--dataset", "us_stocks_sip/minutes")
    assert unknown.code == 2
    assert f"massive has no dataset us_stocks_sip/minutes. It has: {MINUTES}" in unknown.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--symbols", "3"], "'--symbols': it should be greater than or equal to 20"),
        (["--defect", "wrong_header"], "--defect was 'wrong_header': write DATE=NAME"),
        (
            ["--defect", "2025-06-02=no_such"],
            "There is no defect 'no_such'. There are: duplicate_rows",
        ),
        (["--dataset", "no_such"], "datasets were .*no_such.*There are"),
        (["--from", "1950-01-03"], "both between 2003-09-10 and"),
    ],
)
def test_a_market_that_cannot_be_simulated_ends_with_2(
    ingot: Ingot, words: list[str], message: str
) -> None:
    ended = simulate(ingot, *words)
    assert ended.code == 2
    assert re.search(message, ended.err), ended.err


def test_a_weekend_has_nothing_to_simulate(ingot: Ingot) -> None:
    ended = simulate(ingot, "--from", "2025-06-07", "--to", "2025-06-08")
    assert (ended.code, ended.out) == (0, "")
    assert "the market is closed from 2025-06-07 to 2025-06-08: nothing to write" in ended.err


@pytest.mark.parametrize("place", ["file", "full/of/things", "file/below"])
def test_a_lake_is_only_made_where_there_is_room(ingot: Ingot, tmp_path: Path, place: str) -> None:
    (tmp_path / "full/of/things").mkdir(parents=True)
    (tmp_path / "full/of/things/letter.txt").touch()
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    ended = ingot("--lake", place, "init")
    assert ended.code == 2
    assert place in ended.err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(ingot: Ingot, tmp_path: Path) -> None:
    simulate(ingot)
    ingot("init")
    words = [sys.executable, "-m", "ingot", *NOW, "backfill", "massive", "--source", "vendor"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        assert "to landing" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == 130
    assert told.endswith("interrupted; what was committed stays, run the command again to go on\n")
    assert ingot("backfill", "massive", "--source", "vendor").code == 0
    days = ingot("sql", "select distinct trade_date from silver.minute_bars", "--format", "csv")
    assert len(days.rows) == 5


def test_a_day_that_links_out_of_the_source_ends_with_3_and_shows_nothing_of_it(
    ingot: Ingot, tmp_path: Path
) -> None:
    days = ("--from", "2025-06-02", "--to", "2025-06-03", "--symbols", "20", "--seed", "7")
    assert ingot("simulate", "vendor", *days, "--dataset", MINUTES).code == 0
    (tmp_path / "elsewhere").write_text("root:x:0:0\n")
    day = tmp_path / "vendor" / MINUTES / "2025" / "06" / "2025-06-03.csv.gz"
    day.unlink()
    day.symlink_to(tmp_path / "elsewhere")
    ingot("init")
    for command in ("ingest", "backfill"):
        ended = ingot(command, "massive", "--source", "vendor")
        assert ended.code == 3
        assert "2025-06-03.csv.gz is a link that leads out of" in ended.err
        assert "root:x" not in ended.err + ended.out
    rows = [r for r in ingot("landings", "--format", "csv").rows if r["dataset"] == MINUTES]
    assert [(r["file_date"], r["status"]) for r in rows] == [("2025-06-02", "loaded")]


@pytest.mark.services
def test_how_far_a_file_may_inflate_is_a_setting(
    ingot: Ingot, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = ("--from", "2025-06-02", "--to", "2025-06-02", "--symbols", "150", "--seed", "7")
    assert ingot("simulate", "vendor", *day, "--dataset", MINUTES).code == 0
    ingot("init")
    monkeypatch.setenv("INGOT_INFLATE_MAX_MB", "1")
    refused = ingot("ingest", "massive", "--source", "vendor")
    assert refused.code == 3
    assert "inflates to more than 1 MiB. Nothing of it was loaded" in refused.err
