from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from ingot.connectors import registry
from ingot.connectors.massive.connector import connector
from ingot.connectors.massive.datasets import COLUMNS, DATASETS, RULE, published_at
from ingot.connectors.massive.flatfiles import keys
from ingot.connectors.massive.settings import MassiveSettings
from ingot.errors import ConfigError
from ingot.tables import silver

if TYPE_CHECKING:
    from pathlib import Path

KEYS: dict[str, Any] = {"access_key_id": "AKIDPUBLIC", "secret_access_key": "very-secret"}


def test_the_registry_finds_the_connector_by_its_entry_point() -> None:
    assert registry.connector("massive") is connector
    assert "massive" in registry.connector_names()


def test_an_unknown_connector_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no connector masive\. Did you mean massive"):
        registry.connector("masive")


def test_a_connector_that_cannot_be_loaded_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "no_such_module:connector", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda **_: (broken,))
    with pytest.raises(ConfigError, match=r"broken \(no_such_module:connector\) cannot be loaded"):
        registry.connector("broken")


def test_there_are_four_datasets_and_only_stocks_go_to_silver() -> None:
    assert {name: d.bronze.name for name, d in DATASETS.items()} == {
        "us_stocks_sip/minute_aggs_v1": "bronze.minute_bars",
        "us_stocks_sip/day_aggs_v1": "bronze.day_bars",
        "us_options_opra/minute_aggs_v1": "bronze.minute_bars",
        "us_options_opra/day_aggs_v1": "bronze.day_bars",
    }
    assert [d.silver for d in DATASETS.values()] == [
        silver.MINUTE_BARS,
        silver.DAY_BARS,
        None,
        None,
    ]
    assert {d.calendar for d in DATASETS.values()} == {"XNYS"}
    assert [d.history_from.isoformat() for d in DATASETS.values()] == [
        "2003-09-10",
        "2003-09-10",
        "2014-06-02",
        "2014-06-02",
    ]


def test_every_column_of_the_file_is_one_of_bronze() -> None:
    for dataset in DATASETS.values():
        assert dataset.bronze.column_names[-len(COLUMNS) :] == COLUMNS


@pytest.mark.parametrize(
    ("day", "moment"),
    [
        (date(2025, 6, 2), datetime(2025, 6, 3, 15, tzinfo=UTC)),
        (date(2025, 1, 15), datetime(2025, 1, 16, 16, tzinfo=UTC)),
        (date(2025, 3, 8), datetime(2025, 3, 9, 15, tzinfo=UTC)),  # clocks go forward that night
        (date(2025, 6, 6), datetime(2025, 6, 7, 15, tzinfo=UTC)),  # a Saturday: calendar days
    ],
)
def test_a_file_is_out_at_eleven_in_new_york_the_next_calendar_day(
    day: date, moment: datetime
) -> None:
    assert published_at(day) == moment
    assert RULE == "massive-flatfiles-11h-v1"


@pytest.mark.parametrize(
    "key",
    [
        "a/b/2025/06/2025-06-02.csv",
        "a/b/2025/06/2025-06-02.csv.gz.part",
        "a/b/2025/07/2025-06-02.csv.gz",
        "a/b/2024/06/2025-06-02.csv.gz",
        "a/b/2025/06/2025-06-31.csv.gz",
        "a/b/2025/06/x/2025-06-02.csv.gz",
        "a/bc/2025/06/2025-06-02.csv.gz",
        "a/b/2025/06/.2025-06-02.csv.gz",
        "a/b/",
        "",
    ],
)
def test_a_strange_key_is_no_day(key: str) -> None:
    assert keys.day_of("a/b", key) is None


def test_a_key_names_its_day_and_back() -> None:
    day = date(2005, 4, 1)
    assert keys.key_of("a/b", day) == "a/b/2005/04/2005-04-01.csv.gz"
    assert keys.day_of("a/b", keys.key_of("a/b", day)) == day


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        (date(2024, 11, 30), date(2025, 2, 1), ["2024/11", "2024/12", "2025/01"]),
        (date(2025, 6, 1), date(2025, 6, 2), ["2025/06"]),
        (date(2025, 6, 2), date(2025, 6, 1), []),
        (date(2025, 6, 1), date(2025, 6, 1), []),
    ],
)
def test_the_months_of_a_span_are_those_it_touches(
    start: date, end: date, months: list[str]
) -> None:
    assert list(keys.months(start, end)) == months


def test_settings_never_show_a_key() -> None:
    settings = MassiveSettings(**KEYS)
    source = connector.open("s3://bucket/some/prefix", settings)
    shown = f"{settings!r} {settings} {source!r} {source.location} {settings.model_dump_json()}"
    assert "very-secret" not in shown
    assert "AKIDPUBLIC" not in shown


def test_a_wrong_setting_is_an_error_that_shows_no_value() -> None:
    with pytest.raises(ValidationError, match="secret_acces_key") as caught:
        MassiveSettings.model_validate({"secret_acces_key": "very-secret"})
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "files.massive.com",
        "ftp://files.massive.com",
        "https://",
        "https://me:word@files.massive.com",
    ],
)
def test_an_endpoint_is_an_address_without_a_password(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="it should") as caught:
        MassiveSettings(endpoint=endpoint)
    assert "word" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize("given", [{}, {"access_key_id": "a"}, {"secret_access_key": "b"}])
def test_the_bucket_needs_both_keys_and_says_where_they_go(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="INGOT_MASSIVE__SECRET_ACCESS_KEY"):
        connector.open("s3://flatfiles", MassiveSettings(**given))


@pytest.mark.parametrize("location", ["", "https://files.massive.com/flatfiles", "gs://bucket"])
def test_a_location_is_a_folder_or_a_bucket(location: str) -> None:
    with pytest.raises(ConfigError, match=r"s3://bucket\[/prefix\]"):
        connector.open(location, MassiveSettings())


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("s3://", "s3://flatfiles/ at https://files.massive.com"),
        ("s3://mine", "s3://mine/ at https://files.massive.com"),
        ("s3://mine/a/b/", "s3://mine/a/b at https://files.massive.com"),
    ],
)
def test_a_location_names_bucket_prefix_and_endpoint(location: str, name: str) -> None:
    assert connector.open(location, MassiveSettings(**KEYS)).location == name


def test_finding_and_listing_a_folder_loads_nothing_slow(tmp_path: Path) -> None:
    (tmp_path / "us_stocks_sip" / "day_aggs_v1").mkdir(parents=True)
    code = (
        "import sys; from datetime import date\n"
        "from ingot.connectors.registry import connector\n"
        "found = connector('massive')\n"
        "source = found.open(sys.argv[1], found.settings())\n"
        "source.list('us_stocks_sip/day_aggs_v1', date(2025, 1, 1), date(2026, 1, 1))\n"
        "slow = {'polars', 'pyarrow', 'numpy', 'pyiceberg', 'duckdb', 'isal', 'obstore'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
