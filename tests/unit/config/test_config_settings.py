"""Where settings come from, and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tomllib
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from ingot.config import (
    OTHER_ENVIRONMENT,
    Settings,
    SourcePrecedence,
    describe,
    describe_vendor,
    load_settings,
    render_default,
)
from ingot.connectors.yahoo.settings import YahooSettings
from ingot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "wJalrXUtnFEMI"
EARLIER = "{ from_date = 2020-01-01, sources = ['a'] }"
LATER = "{ from_date = 2020-01-02, sources = ['b'] }"


class Vendor(BaseModel):
    """A vendor's own settings."""

    model_config = ConfigDict(frozen=True)

    endpoint: str = Field(default="https://files.example.com", description="Host of the files.")
    attempts: int = Field(default=5, ge=1, description="How often a request is tried.")
    access_key_id: SecretStr | None = Field(default=None, description="Name of the key.")
    secret_access_key: SecretStr = Field(description="The key.")


@pytest.fixture
def lake(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str = "", *, secrets: str | None = None, mode: int = 0o600) -> Path:
        (tmp_path / "ingot.toml").write_text(text)
        if secrets is not None:
            (tmp_path / "secrets.toml").write_text(secrets)
            (tmp_path / "secrets.toml").chmod(mode)
        return tmp_path

    return write


def test_defaults_are_those_of_the_semantics() -> None:
    settings = load_settings(None, {}, {})
    assert settings.quarantine_limit_pct == 1
    assert settings.observed_within_h == 36
    assert settings.assumed_known == "rule"
    assert (settings.hold_below_previous_pct, settings.hold_below_median_pct) == (90, 50)
    assert (settings.hold_median_days, settings.hold_median_min_days) == (20, 5)
    assert (settings.commit_days, settings.commit_seconds) == (25, 60)
    assert (settings.calendar, settings.risk_free_rate) == ("XNYS", 0)


def test_a_lake_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {}, {}) == Settings()


def test_later_places_win(lake: Callable[..., Path]) -> None:
    root = lake("workers = 2\ncommit_days = 7\ncache_mb = 1")
    environ = {"INGOT_WORKERS": "3", "INGOT_COMMIT_DAYS": "8", "PATH": "/bin"}
    settings = load_settings(root, environ, {"workers": 4, "cache_mb": None})
    assert (settings.workers, settings.commit_days, settings.cache_mb) == (4, 8, 1)


def test_an_empty_name_in_the_environment_counts_as_not_set(lake: Callable[..., Path]) -> None:
    assert load_settings(lake("workers = 2"), {"INGOT_WORKERS": ""}, {}).workers == 2


@pytest.mark.parametrize("name", sorted(OTHER_ENVIRONMENT))
def test_names_for_other_purposes_are_let_pass(name: str) -> None:
    assert load_settings(None, {name: "anything"}, {}) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("worker = 2", r"no setting worker\. Did you mean workers\? It is in .*/ingot\.toml"),
        ("xyzzy = 2", r"no setting xyzzy\. Known are action_sources, assumed_known, cache_mb, "),
        ("vendors = 2", r"no setting vendors\. "),
        ("[masive]\na = 1", r"no section masive\. Did you mean massive\?"),
        ("[vendors.massive]\na = 1", r"no section vendors\. "),
        ("workers = 0", r"workers in .*/ingot.toml was 0: it should be greater than or equal to 1"),
        ("workers = '2'", r"workers in .*ingot.toml was '2': it should be a valid integer"),
        ("workers = true", r"workers in .*ingot.toml was True: it should be a valid integer"),
        ("[workers]\na = 1", r"workers in .* was \{'a': 1\}: it should be a valid integer"),
        ("quarantine_limit_pct = 101", "was 101: it should be less than or equal to 100"),
        ("quarantine_limit_pct = nan", "was nan: it should be a finite number"),
        ("query_timeout_s = inf", "was inf: it should be a finite number"),
        ("strategy = 'fast'", "was 'fast': it should be 'auto', 'sequential' or 'parallel'"),
        ("calendar = ''", "calendar in .* was '': String should have at least 1 character"),
        ("hold_median_days = 3", r"hold_median_min_days \(5\) is more than hold_median_days \(3\)"),
        ("source_precedence = 'massive'", "it should be a valid tuple"),
        ("source_precedence = [{ from_date = 2020-01-01 }]", "sources in .*Field required"),
        (
            "source_precedence = [{ from_date = 2020-01-01, sources = [], x = 1 }]",
            "source_precedence.0.x in .*: Extra inputs are not permitted",
        ),
        (f"source_precedence = [{LATER}, {EARLIER}]", "dates of source_precedence do not ascend"),
        ("workers =", r"settings file .*/ingot.toml cannot be read: Invalid value \(at"),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_value(
    lake: Callable[..., Path], text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(lake(text), {}, {})


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ingot.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"ingot\.toml cannot be read: 'utf-8' codec can't"):
        load_settings(tmp_path, {}, {})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"INGOT_WORKER": "2"}, r"name INGOT_WORKER\. Did you mean INGOT_WORKERS\?"),
        ({"INGOT_WORKER": ""}, r"name INGOT_WORKER\. Did you mean INGOT_WORKERS\?"),
        ({"INGOT_workers": "2"}, r"name INGOT_workers\. "),
        ({"INGOT_VENDORS": "{}"}, r"no environment name INGOT_VENDORS\. "),
        ({"INGOT_WORKERS": "two"}, r"INGOT_WORKERS was 'two': it should be a whole number at"),
        ({"INGOT_WORKERS": "0"}, r"environment \(INGOT_WORKERS\) was 0: it should be greater"),
        ({"INGOT_STRATEGY": "fast"}, "was 'fast': it should be auto or sequential or parallel"),
        ({"INGOT_SOURCE_PRECEDENCE": "massive"}, "should be a list of { from_date, sources }"),
        ({"INGOT_MASIVE__KEY": "x"}, r"INGOT_MASIVE__KEY\. Did you mean INGOT_MASSIVE__KEY\?"),
    ],
)
def test_a_wrong_name_or_value_in_the_environment_is_refused(
    environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(None, environ, {})


def test_an_argument_given_as_text_is_read_like_the_environment() -> None:
    given = {"workers": "2", "quarantine_limit_pct": "2.5", "strategy": "parallel"}
    read = load_settings(None, {}, given)
    assert (read.workers, read.quarantine_limit_pct, read.strategy) == (2, 2.5, "parallel")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"worker": 2}, r"no setting worker\. Did you mean workers\?"),
        ({"workers": -1}, r"workers as an argument was -1: it should be greater than or equal"),
        ({"workers": 2.5}, "workers as an argument was 2.5: it should be a valid integer"),
        ({"vendors": {}}, "no setting vendors"),
    ],
)
def test_a_wrong_argument_is_refused(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(None, {}, overrides)


def test_every_wrong_value_is_named_at_once(lake: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"commit_days in .* was 0.*cache_mb in .* was -1"):
        load_settings(lake("commit_days = 0\ncache_mb = -1"), {}, {})


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="Instance is frozen"):
        Settings().workers = 2


def test_sources_are_listed_from_their_date_on() -> None:
    rows = (
        SourcePrecedence(from_date=date(2010, 1, 1), sources=("lean",)),
        SourcePrecedence(from_date=date(2020, 1, 1), sources=("massive", "lean")),
    )
    settings = Settings(source_precedence=rows)
    assert settings.sources_on(date(2009, 12, 31)) == ()
    assert settings.sources_on(date(2019, 12, 31)) == ("lean",)
    assert settings.sources_on(date(2020, 1, 1)) == ("massive", "lean")


@pytest.mark.parametrize("text", ["massive,csv", " massive , csv ", '["massive", "csv"]'])
def test_a_list_can_be_given_in_the_environment(text: str) -> None:
    environ = {"INGOT_ACTION_SOURCES": text, "INGOT_YAHOO__SYMBOLS": text}
    settings = load_settings(None, environ, {"instrument_sources": text})
    assert settings.action_sources == ("massive", "csv")
    assert settings.instrument_sources == ("massive", "csv")
    assert settings.vendor("yahoo", YahooSettings).symbols == ("massive", "csv")


def test_a_list_that_is_malformed_is_named() -> None:
    with pytest.raises(ConfigError, match=r"INGOT_ACTION_SOURCES was '\[1' *: it should be a list"):
        load_settings(None, {"INGOT_ACTION_SOURCES": "[1"}, {})
    settings = load_settings(None, {"INGOT_YAHOO__SYMBOLS": "[1"}, {})
    with pytest.raises(ConfigError, match=r"symbols of .yahoo."):
        settings.vendor("yahoo", YahooSettings)


def test_the_precedence_can_be_given_in_the_environment_as_json() -> None:
    text = '[{"from_date": "2020-01-01", "sources": ["csv", "massive"]}]'
    settings = load_settings(None, {"INGOT_SOURCE_PRECEDENCE": text}, {})
    assert settings.sources_on(date(2020, 1, 1)) == ("csv", "massive")


def test_a_vendor_gets_its_section_environment_and_secrets(lake: Callable[..., Path]) -> None:
    root = lake(
        "[massive]\nendpoint = 'https://localhost'\nattempts = 2",
        secrets=f"[massive]\naccess_key_id = 'file'\nsecret_access_key = '{KEY}'",
    )
    environ = {"INGOT_MASSIVE__ACCESS_KEY_ID": "environment", "INGOT_MASSIVE__ATTEMPTS": "3"}
    vendor = load_settings(root, environ, {}).vendor("massive", Vendor)
    assert (vendor.endpoint, vendor.attempts) == ("https://localhost", 3)
    assert vendor.access_key_id == SecretStr("environment")
    assert vendor.secret_access_key.get_secret_value() == KEY


@pytest.mark.parametrize("field", ["access_key_id", "secret_access_key"])
def test_a_secret_in_the_plain_file_is_refused_without_showing_it(
    lake: Callable[..., Path], field: str
) -> None:
    settings = load_settings(lake(f"[massive]\n{field} = '{KEY}'"), {}, {})
    with pytest.raises(
        ConfigError, match=rf"{field} in \[massive\] of ingot.toml is a secret.*INGOT_MASSIVE__"
    ) as caught:
        settings.vendor("massive", Vendor)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_secrets_file_open_to_others_is_refused(lake: Callable[..., Path], mode: int) -> None:
    root = lake(secrets=f"[massive]\nsecret_access_key = '{KEY}'", mode=mode)
    with pytest.raises(
        ConfigError, match=rf"open to other users \(mode {mode:o}\)\. Close it with: chmod 600"
    ):
        load_settings(root, {}, {})


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        (
            f"secret_access_key = '{KEY}'",
            r"secret_access_key in .*outside a section\. .* \[VENDOR\]",
        ),
        (f"[masive]\nkey = '{KEY}'", r"no section masive\. Did you mean massive\?"),
        ("[massive]\nsecret_access_key = 5", "secret_access_key in .* has to be text in quotes"),
        (f"[massive]\nkey = '{KEY}", r"secrets file .*/secrets\.toml cannot be read: "),
    ],
)
def test_a_wrong_secrets_file_is_refused_without_showing_it(
    lake: Callable[..., Path], secrets: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(lake(secrets=secrets), {}, {})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "text", "message"),
    [
        ({}, "", "settings of massive are wrong: secret_access_key: Field required"),
        ({"INGOT_MASSIVE__ATTEMPT": "2"}, "", r"attempt\. Did you mean attempts\?"),
        ({}, "[massive]\nendpoin = 'x'", r"no \[massive\] setting endpoin\. Did you mean endpoint"),
        ({}, "[massive]\nattempts = 0", r"attempts of \[massive\] was 0: it should be greater"),
        ({"INGOT_MASSIVE__ATTEMPTS": KEY}, "", r"attempts of \[massive\]: it should be a valid"),
    ],
)
def test_a_wrong_vendor_section_is_refused_without_showing_a_secret(
    lake: Callable[..., Path], environ: dict[str, str], text: str, message: str
) -> None:
    settings = load_settings(lake(text), environ, {})
    with pytest.raises(ConfigError, match=message) as caught:
        settings.vendor("massive", Vendor)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_neither_text_nor_dump_of_settings_shows_a_secret(lake: Callable[..., Path]) -> None:
    root = lake(secrets=f"[massive]\nsecret_access_key = '{KEY}'")
    settings = load_settings(root, {"INGOT_MASSIVE__ACCESS_KEY_ID": KEY}, {})
    shown: list[Any] = [settings, repr(settings), settings.model_dump(), vars(settings)]
    shown += [settings.model_dump_json(), settings.__pydantic_private__]
    assert KEY not in "".join(str(view) for view in shown)


def test_settings_travel_to_another_process_with_their_secrets(lake: Callable[..., Path]) -> None:
    root = lake(secrets=f"[massive]\nsecret_access_key = '{KEY}'")
    settings = load_settings(root, {}, {"workers": 2})
    travelled = pickle.loads(pickle.dumps(settings))  # noqa: S301 (our own bytes)
    assert travelled == settings
    assert travelled.vendor("massive", Vendor).secret_access_key.get_secret_value() == KEY


def test_the_default_file_is_all_comment() -> None:
    assert tomllib.loads(render_default()) == {}
    assert max(len(line) for line in render_default().splitlines()) <= 100


def test_each_line_of_the_default_file_loads_as_the_default(lake: Callable[..., Path]) -> None:
    names = [doc.name for doc in describe()]
    shown = [
        line.removeprefix("# ")
        for line in render_default().splitlines()
        if line.removeprefix("# ").split(" = ")[0] in names
    ]
    unset = [line for line in shown if line.endswith("# not set by default")]
    assert [line.split(" = ")[0] for line in shown] == names
    assert load_settings(lake("\n".join(set(shown) - set(unset))), {}, {}) == Settings()
    assert load_settings(lake("\n".join(shown)), {}, {}) != Settings()


def test_every_setting_is_described_and_has_a_name_in_the_environment() -> None:
    docs = {doc.name: doc for doc in describe()}
    assert set(docs) == set(Settings.model_fields) - {"vendors"}
    assert all(doc.doc.endswith(".") for doc in docs.values())
    assert docs["workers"].environment == "INGOT_WORKERS"
    assert docs["workers"].default == ""
    assert docs["workers"].type == "a whole number at least 1 and at most 256"
    assert docs["assumed_known"].default == '"rule"'
    assert docs["assumed_known"].type == "rule or last_modified or first_seen"
    assert docs["risk_free_rate"].type == "a number above -1 and below 1"


def test_a_vendors_settings_are_described_with_their_names_in_the_environment() -> None:
    docs = {doc.name: doc for doc in describe_vendor("massive", Vendor)}
    assert docs["secret_access_key"].environment == "INGOT_MASSIVE__SECRET_ACCESS_KEY"
    assert (docs["secret_access_key"].type, docs["access_key_id"].type) == ("a secret", "a secret")
    assert docs["attempts"].default == "5"


def test_reading_settings_loads_no_heavy_library() -> None:
    program = (
        "import sys\n"
        "from ingot.config import load_settings\n"
        "load_settings(None, {}, {})\n"
        "heavy = {'polars', 'pyarrow', 'duckdb', 'pyiceberg', 'pandas', 'sqlglot', "
        "'exchange_calendars', 'pydantic_settings'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
