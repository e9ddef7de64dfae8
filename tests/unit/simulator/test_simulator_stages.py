"""Republication: the same keys, other versions, some of them back to the first."""

from __future__ import annotations

import gzip
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest

from ingot.simulator.simulate import Simulated, simulate
from ingot.simulator.truth import held_path

if TYPE_CHECKING:
    from pathlib import Path

MINUTES = "us_stocks_sip/minute_aggs_v1"
DAYS = "us_stocks_sip/day_aggs_v1"
START, END = date(2025, 6, 2), date(2025, 6, 6)
TRADE_DATES = [date(2025, 6, d) for d in (2, 3, 4, 5)]
STAGES = (1, 2, 3, 4)

Bytes = dict[str, bytes]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Simulated, Bytes]]:
    """Four days published four times over one tree, with the tree's bytes after each stage."""
    out = tmp_path_factory.mktemp("stages") / "tree"
    found = {}
    for stage in STAGES:
        made = simulate(
            out, start=START, end=END, symbols=30, seed=2, stage=stage, datasets=[MINUTES, DAYS]
        )
        found[stage] = (made, snapshot(out))
    return found


def snapshot(out: Path) -> Bytes:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.glob("us_*/**/*.gz"))}


def of_day(tree: Bytes, day: date) -> Bytes:
    return {key: content for key, content in tree.items() if str(day) in key}


def published(content: bytes) -> dict[tuple[str, str], str]:
    """Return the file's lines by ticker and start."""
    lines = gzip.decompress(content).decode().splitlines()[1:]
    return {(line.split(",")[0], line.split(",")[6]): line for line in lines}


def history(stages: dict[int, tuple[Simulated, Bytes]], day: date) -> list[int]:
    """Return which distinct content each stage published for a day, numbered by appearance."""
    seen: list[Bytes] = []
    found = []
    for stage in STAGES:
        content = of_day(stages[stage][1], day)
        if content not in seen:
            seen.append(content)
        found.append(seen.index(content))
    return found


def test_each_stage_writes_the_same_keys(stages: dict[int, tuple[Simulated, Bytes]]) -> None:
    assert len(stages[1][1]) == 8
    assert all(set(tree) == set(stages[1][1]) for _, tree in stages.values())


def test_of_four_days_each_has_another_history(
    stages: dict[int, tuple[Simulated, Bytes]],
) -> None:
    histories = sorted(history(stages, day) for day in TRADE_DATES)
    assert histories == [
        [0, 0, 0, 0],  # never corrected
        [0, 0, 1, 1],  # corrected once, at stage 3
        [0, 1, 0, 2],  # corrected, back to the original byte for byte, corrected anew
        [0, 1, 2, 3],  # corrected every time
    ]


def test_a_correction_changes_adds_and_removes_rows(
    stages: dict[int, tuple[Simulated, Bytes]],
) -> None:
    corrected = [day for day in TRADE_DATES if history(stages, day)[1] == 1]
    assert len(corrected) == 2
    for day in corrected:
        key = next(k for k in of_day(stages[1][1], day) if k.startswith(MINUTES))
        before, after = published(stages[1][1][key]), published(stages[2][1][key])
        added, removed = after.keys() - before.keys(), before.keys() - after.keys()
        changed = {k for k in before.keys() & after.keys() if before[k] != after[k]}
        assert added
        assert removed
        assert changed
        gone = {t for t, _ in before} - {t for t, _ in after}
        assert len(gone) == 1, "one symbol leaves the file altogether"
        assert len(after) > 0.95 * len(before), "small enough not to be held"


def test_only_files_that_differ_are_written(
    stages: dict[int, tuple[Simulated, Bytes]],
) -> None:
    for stage in STAGES[1:]:
        made, tree = stages[stage]
        before = stages[stage - 1][1]
        differing = {key for key in tree if tree[key] != before[key]}
        assert {f.key for f in made.written} == differing
        assert made.unchanged == len(tree) - len(differing)


def test_the_truth_names_the_files_that_each_stage_changed(
    stages: dict[int, tuple[Simulated, Bytes]],
) -> None:
    out = stages[1][0].out
    for stage in STAGES:
        noted = pl.read_parquet(out / "truth" / "files" / f"stage={stage}.parquet")
        assert set(noted["key"]) == {f.key for f in stages[stage][0].written}
        assert set(noted["stage"]) <= {stage}


@pytest.mark.parametrize("stage", STAGES)
def test_the_truth_of_a_stage_is_what_the_file_of_that_stage_says(
    stages: dict[int, tuple[Simulated, Bytes]], stage: int
) -> None:
    made, tree = stages[stage]
    for key, content in tree.items():
        dataset, day = "/".join(key.split("/")[:2]), date.fromisoformat(key[-17:-7])
        path = held_path(made.out, dataset, day, stage=stage)
        assert path is not None
        held = pl.read_parquet(path)
        says = pl.read_csv(gzip.decompress(content), infer_schema=False)
        assert held["ticker"].to_list() == says["ticker"].to_list()
        for name in ("volume", "open", "close", "high", "low"):
            exact = says[name].cast(pl.Decimal(18, 6))
            assert held[name].equals(exact), (key, name)
        assert held["window_start"].to_list() == [int(v) for v in says["window_start"]]
        assert not held["stale_refused"].any()


def test_the_same_stage_again_writes_nothing(tmp_path: Path) -> None:
    arguments = {"start": START, "end": date(2025, 6, 4), "symbols": 20, "seed": 4}
    first = simulate(tmp_path / "t", **arguments, datasets=[DAYS])  # type: ignore[arg-type]  # mixed
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.glob("t/us_*/**/*.gz")}
    again = simulate(tmp_path / "t", **arguments, datasets=[DAYS])  # type: ignore[arg-type]  # mixed
    assert len(first.written) == 2
    assert again.written == ()
    assert again.unchanged == 2
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    out = tmp_path / "t"

    def made() -> Simulated:
        return simulate(out, start=START, end=date(2025, 6, 3), symbols=20, datasets=[DAYS])

    made()
    (path,) = out.glob("us_*/**/*.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert [f.key for f in made().written] == [str(path.relative_to(out))]
    assert path.read_bytes() == whole


def test_a_later_range_grows_the_tree(tmp_path: Path) -> None:
    out = tmp_path / "t"
    simulate(out, start=START, end=date(2025, 6, 4), symbols=20, datasets=[DAYS])
    simulate(out, start=date(2025, 6, 4), end=END, symbols=20, datasets=[DAYS])
    whole = tmp_path / "whole"
    simulate(whole, start=START, end=END, symbols=20, datasets=[DAYS])
    for path in sorted(p for p in whole.rglob("*") if p.is_file()):
        other = out / path.relative_to(whole)
        assert other.read_bytes() == path.read_bytes(), path.relative_to(whole)


def test_even_stages_correct_and_withdraw_dividends_and_odd_ones_return(tmp_path: Path) -> None:
    found = {}
    for stage in (1, 2, 3):
        simulate(
            tmp_path / "t",
            start=START,
            end=date(2025, 7, 1),
            symbols=300,
            stage=stage,
            datasets=[DAYS],
            truth=False,
        )
        path = tmp_path / "t" / "truth" / "actions" / f"stage={stage}.parquet"
        frame = pl.read_parquet(path)
        found[stage] = {(r["ticker"], r["ex_date"], r["kind"]): r["cash"] for r in frame.to_dicts()}
    assert found[3] == found[1]
    assert found[2].keys() < found[1].keys()
    assert any(found[2][k] != found[1][k] for k in found[2])
    assert not list((tmp_path / "t" / "truth").glob("*_bars")), "truth=False writes no bars"
