"""The bytes of the vendor's files: names, header, numbers, gzip, order."""

from __future__ import annotations

import gzip
import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ingot.errors import ConfigError
from ingot.simulator.market.options import occ_ticker
from ingot.simulator.simulate import Simulated, simulate

if TYPE_CHECKING:
    from pathlib import Path

# reference/source-formats.md section 1.3, and the vendor's recorded samples.
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
DATASETS = {
    "us_stocks_sip/minute_aggs_v1",
    "us_stocks_sip/day_aggs_v1",
    "us_options_opra/minute_aggs_v1",
    "us_options_opra/day_aggs_v1",
}
OCC = re.compile(r"^O:([A-Z.]{1,6}\d?)(\d{6})([CP])(\d{8})$")
OLD, NEW = date(2026, 2, 20), date(2026, 2, 23)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """Two trade dates: the last with whole volumes and the first with fractional ones."""
    out = tmp_path_factory.mktemp("bytes") / "tree"
    return simulate(out, start=OLD, end=date(2026, 2, 24), symbols=60, seed=11)


def lines(root: Path, dataset: str, day: date) -> list[str]:
    path = root / dataset / f"{day:%Y}" / f"{day:%m}" / f"{day}.csv.gz"
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def rows(root: Path, dataset: str, day: date) -> list[list[str]]:
    return [line.split(",") for line in lines(root, dataset, day)[1:]]


def test_every_dataset_has_a_file_for_each_day_where_the_vendor_puts_it(made: Simulated) -> None:
    found = {str(p.relative_to(made.out)) for p in made.out.glob("us_*/**/*.csv.gz")}
    assert found == {f"{d}/2026/02/{day}.csv.gz" for d in DATASETS for day in (OLD, NEW)}
    assert {p.name for p in made.out.iterdir()} == {
        "us_stocks_sip", "us_options_opra", "rest", "truth"
    }  # fmt: skip


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_the_header_is_the_vendors_to_the_letter(made: Simulated, dataset: str) -> None:
    assert lines(made.out, dataset, OLD)[0] == HEADER
    assert lines(made.out, dataset, NEW)[0] == HEADER


@pytest.mark.recorded
def test_the_header_is_that_of_the_recorded_samples(made: Simulated, recorded: Path) -> None:
    for sample in (recorded / "massive" / "flatfile-samples").glob("*.csv"):
        header = sample.read_text().splitlines()[0]
        assert header == lines(made.out, "us_stocks_sip/minute_aggs_v1", OLD)[0], sample.name


def test_a_gzip_names_no_file_no_time_and_no_system(made: Simulated) -> None:
    for path in made.out.glob("us_*/**/*.csv.gz"):
        head = path.read_bytes()[:10]
        assert head[:4] == b"\x1f\x8b\x08\x00", path
        assert head[4:8] == bytes(4), path
        assert head[9] == 255, path


def test_old_files_print_numbers_short_and_new_ones_with_six_decimals(made: Simulated) -> None:
    old = rows(made.out, "us_stocks_sip/minute_aggs_v1", OLD)
    new = rows(made.out, "us_stocks_sip/minute_aggs_v1", NEW)
    assert all(re.fullmatch(r"\d+(\.\d*[1-9])?", price) for row in old for price in row[2:6])
    assert all(re.fullmatch(r"\d+\.\d{6}", price) for row in new for price in row[2:6])


def test_volume_is_whole_until_february_2026_and_often_fractional_after(made: Simulated) -> None:
    old = [r[1] for r in rows(made.out, "us_stocks_sip/minute_aggs_v1", OLD)]
    new = [r[1] for r in rows(made.out, "us_stocks_sip/minute_aggs_v1", NEW)]
    assert all(volume.isdigit() for volume in old)
    fractional = [volume for volume in new if "." in volume]
    assert 0.05 < len(fractional) / len(new) < 0.6
    assert all(re.fullmatch(r"\d+\.\d{0,5}[1-9]", volume) for volume in fractional)
    assert max(len(v.partition(".")[2]) for v in fractional) == 6


@pytest.mark.parametrize("day", [OLD, NEW])
def test_prices_lie_on_ticks_and_inside_their_bar(made: Simulated, day: date) -> None:
    for dataset in DATASETS:
        for row in rows(made.out, dataset, day):
            opened, closed, high, low = map(Decimal, row[2:6])
            assert 0 < low <= min(opened, closed) <= max(opened, closed) <= high, row
            for price in (opened, closed, high, low):
                tick = Decimal("0.01") if price >= 1 else Decimal("0.0001")
                assert price % tick == 0, row
            assert Decimal(row[1]) > 0, row
            assert int(row[7]) >= 1, row


def test_prices_below_a_dollar_are_among_them(made: Simulated) -> None:
    prices = {r[3] for r in rows(made.out, "us_stocks_sip/minute_aggs_v1", OLD)}
    assert any(Decimal(p) < 1 and len(p) > len("0.12") for p in prices)


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_rows_are_sorted_by_ticker_then_time_and_no_key_occurs_twice(
    made: Simulated, dataset: str
) -> None:
    keys = [(r[0].encode(), int(r[6])) for r in rows(made.out, dataset, NEW)]
    assert keys == sorted(set(keys))


def test_tickers_that_look_like_null_tokens_trade(made: Simulated) -> None:
    tickers = {r[0] for r in rows(made.out, "us_stocks_sip/minute_aggs_v1", OLD)}
    assert {"NA", "TRUE", "NULL", "NAN", "INF", "BACpA", "BRK.A", "SPY"} <= tickers


def test_timestamps_have_nineteen_digits_and_start_a_minute(made: Simulated) -> None:
    for dataset in DATASETS:
        stamps = {r[6] for r in rows(made.out, dataset, OLD)}
        assert all(len(s) == 19 and int(s) % 60_000_000_000 == 0 for s in stamps)


def test_option_tickers_have_occ_form_and_live(made: Simulated) -> None:
    for row in rows(made.out, "us_options_opra/day_aggs_v1", OLD):
        match = OCC.match(row[0])
        assert match, row
        assert f"20{match[2]}" >= f"{OLD:%Y%m%d}", row
        assert int(match[4]) > 0, row


def test_an_option_ticker_is_the_vendors_example() -> None:
    # reference/source-formats.md section 2.3: SPY 2023-03-27 put 390.000.
    found = occ_ticker("SPY", date(2023, 3, 27), is_call=False, strike=390.0)
    assert found == "O:SPY230327P00390000"
    assert occ_ticker("EVRI", date(2024, 1, 19), is_call=True, strike=2.5) == (
        "O:EVRI240119C00002500"
    )


def test_the_summary_counts_what_was_written(made: Simulated) -> None:
    assert len(made.written) == 8
    assert made.days == (OLD, NEW)
    assert made.rows == sum(len(rows(made.out, d, day)) for d in DATASETS for day in (OLD, NEW))
    assert made.size_bytes == sum(p.stat().st_size for p in made.out.glob("us_*/**/*.gz"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"symbols": 19}, "symbols was 19. Ask for 20 to 40000"),
        ({"symbols": 40_001}, "Ask for 20 to 40000"),
        ({"stage": 0}, "stage was 0. Stages count from 1"),
        ({"datasets": ["us_stocks_sip/trades_v1"]}, "us_stocks_sip/trades_v1. There are: us_sto"),
        ({"datasets": []}, "The datasets were none"),
        ({"options_contracts": 0}, "contracts was 0. It is at least 1"),
        ({"defects": {date(2026, 2, 21): ["inf_value"]}}, "a file that is not written"),
        ({"defects": {OLD: ["inf"]}}, "There is no defect 'inf'. There are: duplicate_rows_equal"),
        ({"defects": {OLD: ["late_day", "inf_value"]}}, "late_day leaves no file"),
        ({"defects": {OLD: ["wrong_header", "extra_column"]}}, "both change the header"),
    ],
)
def test_a_request_out_of_bounds_is_refused_before_anything_is_written(
    tmp_path: Path, wrong: dict[str, object], message: str
) -> None:
    arguments: dict[str, object] = {"start": OLD, "end": NEW, "symbols": 20, **wrong}
    with pytest.raises(ConfigError, match=re.escape(message)):
        simulate(tmp_path / "tree", **arguments)  # type: ignore[arg-type]  # wrong on purpose
    assert not (tmp_path / "tree").exists()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("do not lose me")
    with pytest.raises(ConfigError, match="is not empty and was not written by the simulator"):
        simulate(tmp_path, start=OLD, end=NEW, symbols=20)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_another_market_is_not_mixed_into_a_tree(tmp_path: Path) -> None:
    dataset = ["us_stocks_sip/day_aggs_v1"]
    simulate(tmp_path / "t", start=OLD, end=NEW, symbols=20, seed=1, datasets=dataset)
    with pytest.raises(ConfigError, match="has a market with seed 1, not 2"):
        simulate(tmp_path / "t", start=OLD, end=NEW, symbols=20, seed=2, datasets=dataset)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        simulate(tmp_path / "file" / "tree", start=OLD, end=NEW, symbols=20)
