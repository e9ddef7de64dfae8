"""What the commands that answer print, where, and how they end."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingot.cli.main import run
from ingot.cli.overview import PURPOSES
from ingot.tables.registry import ALL_TABLES
from tests.support.world import DAYS, MONDAY, World, at

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES_OF_A_DAY = ("--interval", "1m", "--from", "2025-06-02", "--to", "2025-06-02")
FULL = Path("/dev/full")
LISTS = ["status", "runs", "landings", "quarantine", "profile", "tables", "repair", "sessions"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: bytes
    err: str

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of csv."""
        return list(csv.DictReader(io.StringIO(self.out.decode())))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a loaded week of a small market."""
    world = World(tmp_path_factory.mktemp("cli"), symbols=20)
    world.publish()
    assert world.backfill(at(1)).exit_code == 0
    return world


@pytest.fixture
def ingot(world: World, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Ended]:
    """Run a command on the lake, in this process."""

    def call(*words: str, lake: Path | str = world.root) -> Ended:
        code = run(["--lake", str(lake), *words])
        captured = capsysbinary.readouterr()
        return Ended(code, captured.out, captured.err.decode())

    return call


def test_minute_bars_are_those_that_the_vendor_published(
    ingot: Callable[..., Ended], world: World
) -> None:
    ended = ingot("bars", "AAPL", *MINUTES_OF_A_DAY, "--format", "csv")
    truth = world.published(1, MONDAY).filter(pl.col("symbol") == "AAPL")
    assert ended.code == 0
    assert [Decimal(row["close"]) for row in ended.rows] == truth["close"].to_list()
    assert [Decimal(row["volume"]) for row in ended.rows] == truth["volume"].to_list()
    assert ended.err == ""


def test_one_minute_of_the_market_needs_no_symbols(
    ingot: Callable[..., Ended], world: World
) -> None:
    window = "2025-06-02T14:00Z/2025-06-02T14:01Z"
    ended = ingot("bars", "--interval", "1m", "--window", window, "--format", "csv")
    start_ns = 1_748_872_800_000_000_000
    truth = world.published(1, MONDAY).filter(pl.col("bar_start_ns") == start_ns)
    assert [row["symbol"] for row in ended.rows] == truth["symbol"].to_list()
    assert [Decimal(row["close"]) for row in ended.rows] == truth["close"].to_list()


def test_every_format_holds_the_same_rows(ingot: Callable[..., Ended]) -> None:
    words = ("bars", "AAPL", "NA", *MINUTES_OF_A_DAY, "--format")
    table = pq.read_table(io.BytesIO(ingot(*words, "parquet").out))
    assert pa.ipc.open_file(ingot(*words, "arrow").out).read_all() == table
    loaded = json.loads(ingot(*words, "json").out, parse_float=Decimal, parse_int=Decimal)
    assert [r["close"] for r in loaded] == table["close"].to_pylist()
    assert [r["symbol"] for r in loaded] == table["symbol"].to_pylist()
    texts = ingot(*words, "csv").rows
    assert [Decimal(r["close"]) for r in texts] == table["close"].to_pylist()
    starts = [f"{start:%Y-%m-%dT%H:%M:%SZ}" for start in table["bar_start"].to_pylist()]
    assert [r["bar_start"] for r in texts] == [r["bar_start"] for r in loaded] == starts


@pytest.mark.parametrize("name", LISTS)
def test_every_listing_prints_rows_only_on_stdout(ingot: Callable[..., Ended], name: str) -> None:
    ended = ingot(name, "--format", "json")
    assert ended.code == 0
    rows = json.loads(ended.out)
    assert all(rows[0].keys() == row.keys() for row in rows)


def test_the_names_of_a_file_say_its_format(ingot: Callable[..., Ended], tmp_path: Path) -> None:
    ended = ingot("bars", "AAPL", "--out", str(tmp_path / "day.parquet"))
    assert (ended.code, ended.out) == (0, b"")
    assert ended.err.endswith(
        "5 rows written to " + str(tmp_path / "day.parquet") + " as parquet\n"
    )
    assert pq.read_table(tmp_path / "day.parquet").num_rows == 5
    ingot("bars", "AAPL", "--out", str(tmp_path / "day.parquet"), "--format", "csv", "--overwrite")
    assert (tmp_path / "day.parquet").read_bytes().startswith(b"symbol,trade_date,")


def test_the_wide_form_shows_the_column_asked_for(ingot: Callable[..., Ended]) -> None:
    long = ingot("bars", "AAPL", "SPY", "--format", "csv").rows
    wide = ingot(
        "bars", "AAPL", "SPY", "--layout", "wide", "--value", "open", "--format", "csv"
    ).rows
    assert [r["SPY"] for r in wide] == [r["open"] for r in long if r["symbol"] == "SPY"]


def test_a_question_is_read_from_standard_input(
    ingot: Callable[..., Ended], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("select count(*) as n from silver.day_bars"))
    ended = ingot("sql", "-", "--format", "csv")
    bars = sum(world.published(1, MONDAY + timedelta(days=i), DAYS).height for i in range(5))
    assert (ended.code, ended.out) == (0, f"n\n{bars}\n".encode())


def test_a_question_as_known_before_the_market_knows_nothing(ingot: Callable[..., Ended]) -> None:
    question = "select count(*) as n from silver.day_bars"
    ended = ingot("sql", question, "--known-at", "2025-06-03", "--format", "csv")
    assert ended.out == b"n\n0\n"


def test_a_symbol_without_a_bar_is_named_and_is_no_error(ingot: Callable[..., Ended]) -> None:
    ended = ingot("bars", "AAPL", "aapl", "--format", "csv")
    assert ended.code == 0
    assert len(ended.rows) == 5
    assert "note: no bars of aapl in the span; symbols are case-sensitive" in ended.err


def test_a_description_names_every_column(ingot: Callable[..., Ended]) -> None:
    for table in ALL_TABLES:
        names = [row["column"] for row in ingot("describe", table.name, "--format", "csv").rows]
        assert names == [column.name for column in table.columns]


def test_a_cut_listing_says_so(ingot: Callable[..., Ended]) -> None:
    ended = ingot("runs", "--limit", "2", "--format", "csv")
    assert len(ended.rows) == 2
    assert ended.err == "note: these are the first 2; --limit N shows more\n"


def test_a_listing_does_without_pandas(world: World) -> None:
    text = "import sys; from ingot.cli.main import run; run(sys.argv[1:])"
    words = ["--lake", str(world.root), "runs"]
    command = [sys.executable, "-c", f"{text}; sys.exit('pandas' in sys.modules)", *words]
    ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    assert ended.returncode == 0


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int = 200, lines: int = 40) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


def test_a_narrow_terminal_gets_whole_columns(
    ingot: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(monkeypatch, columns=60)
    ended = ingot("bars", "AAPL", "--session", "regular")
    lines = ended.out.decode().splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split()[:3] == ["symbol", "trade_date", "open"]
    assert re.match(r"note: no room for .*source: widen the terminal, or choose", ended.err)


def test_a_terminal_shows_the_first_and_last_rows_and_the_count(
    ingot: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ingot("bars", "AAPL", *MINUTES_OF_A_DAY, "--format", "csv").rows
    on_terminal(monkeypatch, lines=30)
    lines = ingot("bars", "AAPL", *MINUTES_OF_A_DAY).out.decode().splitlines()
    assert len(lines) == 30 - 2
    assert rows[0]["bar_start"] in lines[2]
    assert rows[-1]["bar_start"] in lines[-2]
    assert lines[-1] == f"{len(rows):,} rows; see all with --pager or --out FILE"
    limited = ingot("bars", "AAPL", *MINUTES_OF_A_DAY, "--limit", "100").out.decode().splitlines()
    assert len(limited) == 102


def test_the_pager_gets_every_row(
    ingot: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_terminal(monkeypatch, lines=20)
    monkeypatch.setenv("PAGER", f"tee {tmp_path / 'paged'}")
    ended = ingot("bars", "AAPL", *MINUTES_OF_A_DAY, "--pager")
    assert ended.code == 0
    rows = ingot("bars", "AAPL", *MINUTES_OF_A_DAY, "--format", "csv").rows
    assert len((tmp_path / "paged").read_text().splitlines()) == len(rows) + 2


def test_rows_columns_and_the_zone_are_chosen(ingot: Callable[..., Ended]) -> None:
    words = ("--interval", "1h", "--session", "regular", "--format", "csv", "--limit", "2")
    zone = ("--zone", "America/New_York", "--columns", "bar_start, close")
    ended = ingot("bars", "AAPL", *words, *zone)
    assert [list(row) for row in ended.rows] == [["bar_start", "close"]] * 2
    assert ended.rows[0]["bar_start"] == "2025-06-02T09:30:00-04:00"
    assert ended.err == "note: these are the first 2 of 35 rows\n"


def test_symbols_may_be_separated_by_commas(ingot: Callable[..., Ended]) -> None:
    apart = ingot("bars", "AAPL", "SPY", "--format", "csv").out
    assert ingot("bars", "AAPL,SPY", "--format", "csv").out == apart


def test_options_of_the_command_itself_may_stand_after_it(world: World) -> None:
    words = ["symbols", "--lake", str(world.root), "--now=2025-07-01T16:00Z", "--format", "csv"]
    assert run(words) == 0
    assert run(["symbols", "--format", "csv", "--lake"]) == 2


def test_a_symbol_without_bars_is_told_what_there_is(ingot: Callable[..., Ended]) -> None:
    assert "note: did you mean AAPL for aapl?" in ingot("bars", "aapl").err
    outside = ingot("bars", "AAPL", "--from", "2025-06-09").err
    assert "note: AAPL has bars from 2025-06-02 to 2025-06-06" in outside


def test_an_empty_lake_is_said(ingot: Callable[..., Ended], tmp_path: Path) -> None:
    assert ingot("init", lake=tmp_path / "new").code == 0
    ended = ingot("bars", "AAPL", lake=tmp_path / "new")
    assert "note: the lake has no bars; load some with: ingot backfill" in ended.err


def test_a_place_without_a_matching_file_ends_with_2(
    ingot: Callable[..., Ended], tmp_path: Path
) -> None:
    (tmp_path / "empty" / "us_stocks_sip" / "minute_aggs_v1" / "2025").mkdir(parents=True)
    words = ("ingest", "massive", "--source", str(tmp_path / "empty"))
    assert ingot("init", lake=tmp_path / "new").code == 0
    ended = ingot(*words, lake=tmp_path / "new")
    assert ended.code == 2
    assert "has no file of massive (us_stocks_sip/minute_aggs_v1" in ended.err


def test_a_comparison_with_an_empty_side_ends_with_2(ingot: Callable[..., Ended]) -> None:
    ended = ingot("reconcile", "silver.day_bars", "silver.day_bars@known_at=2025-06-02")
    assert ended.code == 2
    assert "silver.day_bars@known_at=2025-06-02 has no bars in the span" in ended.err


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv.gz", "csv"),
        ("a.jsonl", "jsonl"),
        ("a.jsonl.gz", "jsonl"),
        ("a.parquet", "parquet"),
        ("a.arrow", "arrow"),
    ],
)
def test_the_ending_of_a_file_says_how_it_is_written(
    ingot: Callable[..., Ended], tmp_path: Path, name: str, form: str
) -> None:
    path = tmp_path / name
    assert ingot("bars", "AAPL", "--out", str(path)).code == 0
    data = path.read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    assert data == ingot("bars", "AAPL", "--format", form).out


def test_a_file_is_replaced_only_when_asked(ingot: Callable[..., Ended], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    ended = ingot("bars", "AAPL", "--out", str(path))
    assert (ended.code, path.read_text()) == (2, "mine")
    assert f"{path} exists. Add --overwrite, or name another file." in ended.err
    assert ingot("bars", "AAPL", "--out", str(path), "--overwrite").code == 0
    assert path.read_text().startswith("symbol,")


def test_a_query_binds_what_param_names(ingot: Callable[..., Ended]) -> None:
    sql = "select count(*) as n from silver.day_bars where symbol = $s and trade_date >= $d::date"
    ended = ingot("sql", sql, "--param", "s=AAPL", "--param", "d=2025-06-05", "--format", "csv")
    assert ended.out == b"n\n2\n"


def test_bytes_are_not_written_to_a_terminal(
    ingot: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    ended = ingot("bars", "AAPL", "--format", "arrow")
    assert (ended.code, ended.out) == (2, b"")
    assert "arrow is binary and stdout is a terminal: name a file with --out" in ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bars"], "Name symbols, or a span with --from or --window"),
        (["history", "A"], r"Missing option '--date'\. See: ingot history --help"),
        (["bars", "A", "--window", "2025-06-02"], "window was '2025-06-02'"),
        (["bars", "--window", "2025-06-02T14:01Z/2025-06-02T14:00Z"], "is empty"),
        (["statsu"], r"There is no command statsu\. Did you mean status\? See: ingot --help"),
        (["hlep"], r"There is no command hlep\. Did you mean help\? See: ingot --help"),
        (
            ["status", "--frmat", "csv"],
            r"There is no option --frmat\. Did you mean --format\? See: ingot status --help",
        ),
        (
            ["status", "--limit"],
            r"Option '--limit' requires an argument\. See: ingot status --help",
        ),
        (["status", "gold"], r"There are too many arguments \(gold\)\. See: ingot status --help"),
        (["bars", "A", "--format", "xml"], "'xml' is not one of 'table', 'csv'"),
        (["bars", "A", "--from", "2025/06/02"], "--from was '2025/06/02': write a date such as"),
        (["bars", "A", "--from", "2025-06-05", "--to", "2025-06-02"], "--to .* is before --from"),
        (["bars", "A", "--interval", "7m"], r"interval was '7m', which does not divide a day"),
        (["bars", "A", "--session", "regulr"], r"Did you mean regular\?"),
        (["bars", "A", "--basis", "split"], "basis='split' needs corporate actions"),
        (["bars", "A", "--fill", "zero"], "fill was 'zero'"),
        (["bars", "A", "--layout", "wide", "--value", "vwap"], "value was 'vwap'"),
        (["bars", "A", "--source", "masive"], "source was 'masive', and this lake has .*massive"),
        (["bars", "A", "--known-at", "2025-06-10T15:00"], "has no UTC offset"),
        (["bars", "A", "--known-at", "2999-01-01"], "is in the future"),
        (["bars", "A", "--known-at", "soon"], "known_at was 'soon': write an ISO date"),
        (
            ["bars", "A", "--out", "no/such/folder/x.csv"],
            "Could not write no/such/folder/x.csv: No such file",
        ),
        (["sql", "select * from silver.minutebars"], r"Did you mean silver\.minute_bars\?"),
        (["sql", "select hihg from silver.day_bars"], r"Did you mean high\?"),
        (["sql", "drop table silver.day_bars"], "is not a SELECT"),
        (["sql", "select 1; select 2"], "The text holds 2 statements"),
        (["sql", "select * from ops.runs", "--known-at", "2025-06-10"], "not bound to known time"),
        (["describe", "silver.minutes"], r"Did you mean silver\.minute_bars\?"),
        (["history", "A", "--date", "x"], "--date was 'x'"),
        (["history", "A", "--date", "2025-06-02", "--interval", "5m"], "kept of 1m and 1d bars"),
        (["runs", "--limit", "0"], "'--limit': it should be greater than or equal to 1"),
        (["--set", "workers", "profile"], "--set was 'workers': write KEY=VALUE"),
        (["--set", "worker=2", "profile"], r"no setting worker\. Did you mean workers\?"),
        (["--set", "workers=many", "profile"], "workers was 'many': it should be a whole number"),
        (["--now", "yesterday", "status"], "--now was 'yesterday': write an instant with offset"),
        (["--now", "2025-06-10T15:00", "status"], "without a UTC offset"),
        (["landings", "accept"], r"Missing argument 'ID'\. See: ingot landings accept --help"),
        (["landings", "accept", "-123"], "There is no landing '-123'"),
        (["landings", "reject", "12x"], "There is no landing '12x'"),
    ],
)
def test_a_wrong_request_ends_with_2_and_says_what_to_do(
    ingot: Callable[..., Ended], words: list[str], message: str
) -> None:
    ended = ingot(*words)
    assert (ended.code, ended.out) == (2, b"")
    assert re.search(message, ended.err, re.DOTALL), ended.err
    assert "Traceback" not in ended.err


def test_a_missing_lake_says_how_to_make_one(ingot: Callable[..., Ended], tmp_path: Path) -> None:
    ended = ingot("status", lake=tmp_path / "no")
    assert ended.code == 2
    assert f"Make one with: ingot --lake {tmp_path / 'no'} init" in ended.err


def test_settings_can_be_given_as_text(ingot: Callable[..., Ended]) -> None:
    rows = ingot("--set", "workers=1", "profile", "--format", "csv").rows
    assert {row["what"]: row["value"] for row in rows}["workers"] == "1"


def test_help_lists_every_command_and_loads_no_decoration(ingot: Callable[..., Ended]) -> None:
    text = ingot("--help").out.decode()
    for purpose, names in PURPOSES.items():
        assert f"{purpose}:" in text
        assert all(re.search(rf"^  {name} +\w", text, re.MULTILINE) for name in names)
    code = (
        "from ingot.cli.main import run; run(['--help']); import sys; print('rich' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).endswith("False\n")


def test_help_is_a_command_too(ingot: Callable[..., Ended]) -> None:
    assert ingot("help").out == ingot("--help").out
    assert ingot("help", "landings", "accept").out == ingot("landings", "accept", "--help").out


def test_nothing_asked_prints_the_help_and_ends_with_2(ingot: Callable[..., Ended]) -> None:
    ended = ingot("ingest")
    assert (ended.code, ended.out) == (2, b"")
    assert ended.err.startswith("Usage: ingot ingest [OPTIONS] COMMAND")
    assert run([]) == 2


def test_the_module_is_the_command() -> None:
    words = [sys.executable, "-m", "ingot", "--version"]
    assert re.fullmatch(r"ingot \d+\.\d+\.\d+\n", subprocess.check_output(words, text=True))


def test_a_reader_that_leaves_early_is_no_error(world: World) -> None:
    command = f"'{sys.executable}' -m ingot sql 'select * from silver.minute_bars' --format csv"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -n 1"],
        env={**os.environ, "INGOT_LAKE": str(world.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("source,dataset,symbol,")


def test_a_query_that_fails_late_ends_with_2_and_leaves_no_file(
    ingot: Callable[..., Ended], tmp_path: Path
) -> None:
    last = "case when range < 4999999 then '1' else 'x' end::integer"
    sql = f"select range as a, range as b, range as c, {last} from range(5000000)"
    for words in (["--out", str(tmp_path / "a.arrow")], ["--format", "arrow"]):
        ended = ingot("sql", sql, *words)
        assert (ended.code, ended.err.count("ingot: ")) == (2, 1)
        assert "Could not convert string 'x' to INT32" in ended.err
    assert list(tmp_path.iterdir()) == []
    assert len(ended.out) > 32 * 1024 * 1024  # what came before the failure


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_ends_with_4(world: World) -> None:
    with FULL.open("wb") as full:
        words = [sys.executable, "-m", "ingot", "--lake", str(world.root), "tables"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith("ingot: Could not write stdout: No space left on device. ")
