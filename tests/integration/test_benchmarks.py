"""The benchmark's one command, on a market so small that only its working is seen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.services  # half a minute: several processes load twice
ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--days", "2", "--symbols", "20", "--peers", "polars,duckdb,clickhouse")
STEPS = ("--steps", "load,silver,reads,floors", "--repeat", "2")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "benchmarks", *SMALL, *STEPS, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    log = out / "log.txt"
    assert done.returncode == 0, done.stdout + done.stderr + log.read_text()
    return done.stdout, out


def test_the_table_sets_each_installed_peer_beside_ingot(ran: tuple[str, Path]) -> None:
    printed, _ = ran
    header = next(line for line in printed.splitlines() if line.startswith("work"))
    assert "polars (ingot is)" in header
    assert "duckdb (ingot is)" in header
    assert "csv.gz to committed bronze, rows/s" in printed
    assert "floor: inflate (isal), rows/s" in printed


def test_everybody_loads_and_refines_the_same_rows(ran: tuple[str, Path]) -> None:
    told = json.loads((ran[1] / "results.json").read_text())["told"]
    for step in ("load", "silver"):
        rows = {actor: told[actor][step]["rows"] for actor in ("ingot", "polars", "duckdb")}
        assert len(set(rows.values())) == 1, rows
        assert rows["ingot"] > 1_000


def test_rounds_are_shown_by_their_median_and_their_spread(ran: tuple[str, Path]) -> None:
    told = json.loads((ran[1] / "results.json").read_text())["told"]
    for actor in ("ingot", "duckdb"):
        load = told[actor]["load"]
        assert load["rounds"] == 2
        assert 0 < load["seconds_least"] <= load["seconds"] <= load["seconds_greatest"]
        assert 0 < load["cpu_least"] <= load["cpu"] <= load["cpu_greatest"]
    assert "median of 2 rounds" in ran[0]


def test_a_peer_that_is_not_installed_is_skipped_with_a_line(ran: tuple[str, Path]) -> None:
    told = json.loads((ran[1] / "results.json").read_text())["told"]
    assert ("clickhouse" in told) != ("clickhouse: skipped, chdb is not installed" in ran[0])


def test_a_step_that_does_not_exist_is_refused_by_name() -> None:
    command = [sys.executable, "-m", "benchmarks", "--steps", "flying"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "flying is none of floors, load, silver" in done.stderr


def test_a_partial_run_cannot_write_the_page_of_results() -> None:
    before = (ROOT / "benchmarks" / "results.md").read_bytes()
    command = [sys.executable, "-m", "benchmarks", *SMALL, *STEPS, "--page"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "steps: idle, plan, profile, replace, start" in done.stderr
    assert "days of 10,000 symbols" in done.stderr
    assert (ROOT / "benchmarks" / "results.md").read_bytes() == before
