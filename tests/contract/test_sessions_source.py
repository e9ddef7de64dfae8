"""The sessions connector as a source of files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from ingot.connectors.sessions import build_calendar, connector
from ingot.connectors.sessions.source import SessionsSettings, SessionsSource
from ingot.errors import ConfigError, CorruptFileError, SourceUnavailableError
from ingot.model.landing import KnownBasis, Landing
from ingot.model.session_text import render
from ingot.tables.arrow import arrow_schema
from ingot.tables.silver import SESSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.connectors.base import FileConnector, FileSource

SPAN = (date(2025, 11, 24), date(2025, 12, 1))
NOW = datetime(2025, 12, 1, tzinfo=UTC)
LANDING = Landing(
    "sessions", "XNYS", SPAN[0], "XNYS.csv", 1, "0" * 64, 1, "", None, NOW, NOW,
    KnownBasis.OBSERVED, "sessions:none",
)  # fmt: skip


@pytest.fixture
def source() -> FileSource:
    settings: BaseModel = SessionsSettings()
    made: FileConnector = connector
    return made.open("", settings)


def test_the_entry_point_gives_the_connector() -> None:
    [found] = [e for e in entry_points(group="ingot.connectors") if e.name == "sessions"]
    assert found.load() is connector
    assert connector.name == "sessions"


def test_its_location_names_library_and_rulebook(source: FileSource) -> None:
    assert source.location == "exchange_calendars with the shipped rulebook"


def test_each_calendar_is_a_dataset_of_silver_sessions(source: FileSource) -> None:
    assert {name: d.bronze.name for name, d in source.datasets.items()} == {
        "XNYS": "silver.sessions",
        "24/7": "silver.sessions",
    }
    assert connector.datasets == source.datasets


def test_what_is_listed_is_what_is_fetched(source: FileSource, tmp_path: Path) -> None:
    [remote] = source.list("XNYS", *SPAN)
    told: list[int] = []
    fetched = source.fetch(remote, tmp_path / "content", told.append)
    content = (tmp_path / "content").read_bytes()
    assert content == render(build_calendar("XNYS", *SPAN))
    assert remote.size_bytes == fetched.size_bytes == sum(told) == len(content)
    assert fetched.sha256 == sha256(content).hexdigest()
    assert (remote.key, remote.file_date) == ("XNYS.csv", SPAN[0])


def test_a_key_is_one_path_segment(source: FileSource) -> None:
    [remote] = source.list("24/7", *SPAN)
    assert remote.key == "24-7.csv"


def test_a_listing_of_another_digest_is_not_fetched(source: FileSource, tmp_path: Path) -> None:
    [remote] = source.list("XNYS", *SPAN)
    stale = replace(remote, etag=f"0123456789abcdef {SPAN[0]} {SPAN[1]}")
    with pytest.raises(SourceUnavailableError, match=r"listed with digest 0123456789abcdef, but"):
        source.fetch(stale, tmp_path / "content", lambda _: None)


def test_parsed_sessions_keep_the_contract_of_their_table(
    source: FileSource, tmp_path: Path
) -> None:
    calendar = build_calendar("XNYS", *SPAN)
    content = tmp_path / "content"
    content.write_bytes(render(calendar))
    parsed = source.parse(LANDING, content, tmp_path / "rows.parquet", limit_pct=1)
    table = pq.read_table(tmp_path / "rows.parquet")
    assert parsed.rows == table.num_rows == len(calendar.sessions) == 12
    assert table.schema.equals(arrow_schema(SESSIONS), check_metadata=False)
    assert [f.metadata for f in table.schema] == [f.metadata for f in arrow_schema(SESSIONS)]
    last = table.to_pylist()[-1]
    assert last == {
        "calendar": "XNYS",
        "trade_date": date(2025, 11, 28),
        "session": "post",
        "start_ns": 1764352800000000000,  # 2025-11-28T18:00Z
        "end_ns": 1764367200000000000,  # 2025-11-28T22:00Z
        "digest": calendar.digest,
    }


def test_torn_sessions_are_refused_whole(source: FileSource, tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.write_bytes(render(build_calendar("XNYS", *SPAN))[:-60])
    with pytest.raises(CorruptFileError, match="cannot be read"):
        source.parse(LANDING, content, tmp_path / "rows.parquet", limit_pct=1)
    assert not (tmp_path / "rows.parquet").exists()


def test_a_rulebook_of_ones_own_is_a_setting_and_a_location(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[calendar.XLON]\nzone = "Europe/London"\n')
    by_setting = connector.open("", SessionsSettings(rulebook=path))
    by_location = connector.open(str(path), SessionsSettings())
    assert list(by_setting.datasets) == list(by_location.datasets) == ["XLON"]
    assert by_setting.location.endswith("rules.toml")


def test_settings_of_another_connector_are_refused() -> None:
    class Other(BaseModel):
        """Not ours."""

    with pytest.raises(ConfigError, match="takes SessionsSettings; it was Other"):
        connector.open("", Other())


def test_the_source_keeps_the_protocol() -> None:
    made: FileSource = connector.open("", SessionsSettings())
    assert isinstance(made, SessionsSource)
    assert made.published_at(date(2025, 6, 2)) == datetime(2025, 6, 2, 4, tzinfo=UTC)
