"""Manifests that somebody else wrote: replayed, or refused with a documented error."""

from __future__ import annotations

import copy
import json
import random
import re
from contextlib import suppress
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from ingot.cli.main import run
from ingot.errors import CorruptFileError, IngotError, QueryError
from ingot.export import manifest
from tests.support.world import World, at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.app.lake import Lake

SQL = "select symbol, count(*) as n from silver.minute_bars group by 1"
SPAN: dict[str, Any] = {"start": "2025-06-02", "end": "2025-06-03", "interval": "1h"}
GONE = object()
LANDING = {
    "landing_id": 1,
    "source": "massive",
    "dataset": "us_stocks_sip/minute_aggs_v1",
    "file_date": "2025-06-02",
    "key": "us_stocks_sip/minute_aggs_v1/2025/06/2025-06-02.csv.gz",
    "ordinal": 1,
    "sha256": "ab" * 32,
}
VALUES: list[Any] = [
    GONE,
    None,
    True,
    -1,
    0,
    2**70,
    1.5,
    1e308,
    "",
    "x",
    "../../../etc/passwd",
    "/etc/passwd",
    "data.exe",
    "a\x00b\x1b[2J\u202e",
    "\ud800",
    "9" * 5000,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "2025-06-02T00:00:00",
    [],
    [[]],
    {},
    {"kind": "BarsRequest"},
    {"kind": []},
    {"date": "2025-13-01"},
    {"date": 1},
    {"instant": "x"},
    [None, {"x": 1}],
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return an empty lake: what a manifest says is looked at before any row is."""
    world = World(tmp_path_factory.mktemp("hostile"), symbols=20, end=date(2025, 6, 3))
    world.parts(at(1)).close()
    return world


@pytest.fixture(scope="module")
def lake(world: World) -> Iterator[Lake]:
    with world.lake(at(2)) as lake:
        yield lake


@pytest.fixture(scope="module")
def bodies(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return good manifests, with a landing and a snapshot that the lake does not have."""
    made = good(lake, tmp_path_factory.mktemp("good"))
    for body in made:
        body["landings"] = [LANDING]
        body["tables"] = [{**table, "columns": 3} for table in body["tables"]]
    return made


def good(lake: Lake, folder: Path) -> list[dict[str, Any]]:
    """Return the good manifests of bars and of a SELECT."""
    made = [
        lake.export(folder / "bars", "AAPL", allow_unsettled=True, **SPAN).manifest,
        lake.export(folder / "sql", query=SQL, known_at=at(2), format="csv").manifest,
    ]
    return [json.loads(manifest.to_text(one)) for one in made]


def sealed(body: dict[str, Any]) -> str:
    """Return a manifest whose id is right, as whoever forges one would make it."""
    rest = {key: value for key, value in body.items() if key != "id"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return json.dumps({"id": sha256(text.encode()).hexdigest()[:16], **rest})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a tree of JSON."""
    if path:
        yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from places(inner, (*path, key))


def changed(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    body = copy.deepcopy(body)
    inner: Any = body
    for key in path[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return body


def forgeries(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each good manifest with every field replaced by every value, and with one more."""
    made = []
    for body in bodies:
        for path in places(body):
            made += [changed(body, path, value) for value in VALUES]
        for path in [(), *(p for p in places(body) if isinstance(at_path(body, p), dict))]:
            made.append(changed(body, (*path, "more"), 1))
    return made


def at_path(body: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        body = body[key]
    return body


def test_a_forged_manifest_is_read_or_refused_as_damaged(bodies: list[dict[str, Any]]) -> None:
    made = forgeries(bodies)
    assert len(made) > 1_000
    for body in random.sample(made, 400):
        with suppress(CorruptFileError, QueryError):
            manifest.from_text(sealed(body), "it")


def replayed(lake: Lake, folder: Path, body: dict[str, Any]) -> None:
    """Replay a forged manifest; nothing but its own data may appear, and only in its folder."""
    folder.mkdir()
    (folder / manifest.FILE).write_text(sealed(body))
    try:
        lake.replay(folder, folder / "out")
    except IngotError:
        assert not [p for p in folder.rglob("*") if p.name.startswith("data")]
    else:
        names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        assert names <= {manifest.FILE, *(f"out/data.{f}" for f in ("csv", "parquet", "arrow"))} | {
            f"out/{manifest.FILE}"
        }


def test_a_sample_of_forged_manifests_replays_or_ends_in_an_error_of_ours(
    lake: Lake, bodies: list[dict[str, Any]], tmp_path: Path
) -> None:
    for number, body in enumerate(random.sample(forgeries(bodies), 20)):
        replayed(lake, tmp_path / str(number), body)


@pytest.mark.services
def test_forged_manifests_of_a_loaded_lake_replay_or_end_in_an_error_of_ours(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "world", symbols=20, end=date(2025, 6, 3))
    world.publish()
    assert world.backfill(at(1)).exit_code == 0
    with world.lake(at(2)) as lake:
        made = forgeries(good(lake, tmp_path / "good"))
        for number, body in enumerate(random.sample(made, 150)):
            replayed(lake, tmp_path / str(number), body)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("settings", "query_timeout_s"), 1e9, "sets query_timeout_s. Only calendar, "),
        (("settings", "query_memory_mb"), 10**9, "sets query_memory_mb"),
        (("settings", "source_precedence"), "x", "A setting of the manifest is wrong"),
        (("form",), "exe", "is not a manifest: form"),
        (("files", 0, "name"), "../data.parquet", "stay in the manifest's folder"),
        (("files", 0, "name"), "/data.parquet", "relative to the manifest"),
        (("files", 0, "name"), "a\\..\\data.parquet", "stay in the manifest's folder"),
        (("landings", 0, "sha256"), "../../../etc/passwd", "landings.0.sha256"),
        (("sessions", "sha256"), "../x", "sessions.sha256"),
        (("tables", 0, "name"), "../x", "tables.0.name"),
        (("tables", 0, "name"), "silver.none", "There is no table silver.none"),
        (("known_at",), "2025-06-02", "known_at"),
        (("known_at",), "9999-12-31T23:59:59.999999Z", "no calendar has"),
        (("question", "asked", "symbols"), "AAPL", "symbols was 'AAPL'"),
        (("question", "asked", "strict"), 1, "strict was 1"),
        (("question", "others"), {"limit": 1}, "asks with {'limit': 1}"),
        (("question", "kind"), "sql", "bars or sql, as asked says"),
        (("more",), 1, "more: "),
    ],
)
def test_a_forged_field_is_named(
    lake: Lake, bodies: list[dict[str, Any]], tmp_path: Path, *, path: Any, value: Any, words: str
) -> None:
    (tmp_path / manifest.FILE).write_text(sealed(changed(bodies[0], path, value)))
    with pytest.raises((CorruptFileError, QueryError), match=re.escape(words)):
        lake.replay(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "1", '"x"', "{}", "[" * 100_000, '{"id": 1}', "\udcff", "{" * 9]
)
def test_what_is_no_manifest_is_an_error_of_ours(
    world: World, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / manifest.FILE).write_bytes(text.encode(errors="surrogateescape"))
    assert run(["--lake", str(world.root), "replay", str(tmp_path), "--out", f"{tmp_path}/o"]) == 3
    assert "is not a manifest" in capsys.readouterr().err


def test_the_limits_of_the_lake_hold_in_a_replay(
    lake: Lake, bodies: list[dict[str, Any]], tmp_path: Path
) -> None:
    endless = "select count(*) as n from range(10000000) as a, range(10000000) as b"
    body = changed(bodies[1], ("question", "asked"), endless)
    (tmp_path / manifest.FILE).write_text(sealed(body))
    tight = lake._parts.settings.model_copy(update={"query_timeout_s": 0.5})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lake._parts, "settings", tight)
        with pytest.raises(QueryError, match="query_timeout_s"):
            lake.replay(tmp_path, tmp_path / "out")
