"""A table of one's own that two processes declare at once, and a load of it that is killed.

Expected rows are written by hand.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest

from ingot.app.context.lake_context import init, open_parts
from ingot.app.lake import Lake
from ingot.app.pipeline.own_data import TableRequest, ingest_table
from ingot.app.refine.ensure_sessions import ensure_sessions
from ingot.errors import ConfigError, SchemaDriftError
from ingot.model.time import FixedClock
from ingot.storage.fs.fault_points import undisturbed
from tests.support.children import KILLED, Counting, Killing, Overtaken, end_of, start

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import LoadReport
    from ingot.storage.fs.fault_points import Boundary

BIDS = "symbol,ts,bid\nA,2025-06-02T13:30:00Z,100.25\nB,2025-06-03T13:31:00Z,7\n"
ASKS = "symbol,ts,ask\nC,2025-06-02T13:30:00Z,5.5\n"
TEXT_BIDS = "symbol,ts,bid\nC,2025-06-02T13:30:00Z,none\n"
IN_FORCE = [("A", Decimal("100.25")), ("B", Decimal(7))]


def opened(root: Path, boundary: Boundary = undisturbed) -> Parts:
    clock = FixedClock(datetime(2025, 7, 1, 12, tzinfo=UTC))
    return open_parts(root, environ={}, clock=clock, boundary=boundary)


def load(
    root: Path, text: str, boundary: Boundary = undisturbed, key: str = "symbol"
) -> LoadReport:
    """Load a CSV text to the table of quotes, without `build`."""
    path = root.parent / f"{crc32(text.encode())}.csv"
    path.write_text(text)
    with closing(opened(root, boundary)) as parts:
        return ingest_table(parts, TableRequest("quotes", f"csv:{path}", key, "ts"))


def load_killed(root: Path, text: str, point: int) -> LoadReport:
    return load(root, text, Killing(point))


def rows(root: Path, sql: str) -> list[tuple[Any, ...]]:
    with Lake(opened(root)) as lake:
        assert lake.build().exit_code == 0
        return [tuple(row.values()) for row in lake.sql(sql).arrow().to_pylist()]


@dataclass(frozen=True)
class Empty:
    """A lake that knows the sessions and nothing else, and the points of a load of it."""

    root: Path
    points: list[str]

    def copy(self, folder: Path) -> Path:
        return shutil.copytree(self.root, folder / "lake")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Empty:
    folder = tmp_path_factory.mktemp("empty")
    init(folder / "lake")
    with closing(opened(folder / "lake")) as parts:
        ensure_sessions(parts)
    counting = Counting()
    (folder / "undisturbed").mkdir()
    undisturbed = shutil.copytree(folder / "lake", folder / "undisturbed" / "lake")
    assert load(undisturbed, BIDS, counting).exit_code == 0
    return Empty(folder / "lake", counting.seen)


@pytest.mark.parametrize(
    ("other", "key", "refused"),
    [  # another column, another type, another key
        (ASKS, "symbol", (SchemaDriftError, "missing columns: ask; unexpected columns: bid")),
        (TEXT_BIDS, "symbol", (SchemaDriftError, r"bid \(DECIMAL\(38,12\), not VARCHAR\)")),
        (ASKS.replace("ask", "bid"), "symbol,ts", (ConfigError, "Give the options of the first")),
    ],
    ids=["column", "type", "key"],
)
def test_of_two_processes_that_declare_a_table_at_once_the_first_one_does(
    empty: Empty, tmp_path: Path, other: str, key: str, refused: tuple[type[Exception], str]
) -> None:
    root, (error, message) = empty.copy(tmp_path), refused

    def declare() -> None:
        assert end_of(start(load, root, other, key=key)) == 0

    declaring = empty.points.index("datasets.before_write") + 1
    with pytest.raises(error, match=message):
        load(root, BIDS, Overtaken(declaring, declare))
    assert [symbol for (symbol,) in rows(root, "SELECT symbol FROM silver.quotes")] == ["C"]


def test_two_processes_may_declare_one_table_alike(empty: Empty, tmp_path: Path) -> None:
    root = empty.copy(tmp_path)

    def declare() -> None:
        assert end_of(start(load, root, BIDS)) == 0

    declaring = empty.points.index("datasets.before_write") + 1
    assert load(root, BIDS, Overtaken(declaring, declare)).exit_code == 0
    assert rows(root, "SELECT symbol, bid FROM silver.quotes ORDER BY ALL") == IN_FORCE


@pytest.mark.parametrize(
    "point",
    [
        "datasets.after_link",  # declared, and neither known to state.db nor its tables made
        "commit.before_send",  # all has landed, and bronze is not committed
        pytest.param("versions.after_link", marks=pytest.mark.services),  # one date has landed
        pytest.param("commit.after_send", marks=pytest.mark.services),  # not recorded as done
    ],
)
def test_a_killed_load_that_is_begun_again_has_the_same_rows(
    empty: Empty, tmp_path: Path, point: str
) -> None:
    root = empty.copy(tmp_path)
    killed = start(load_killed, root, BIDS, empty.points.index(point) + 1)
    assert end_of(killed) == KILLED
    assert load(root, BIDS).exit_code == 0
    assert rows(root, "SELECT symbol, bid FROM silver.quotes ORDER BY ALL") == IN_FORCE
    assert rows(root, "SELECT count(*) FROM bronze.quotes_history") == [(2,)]
