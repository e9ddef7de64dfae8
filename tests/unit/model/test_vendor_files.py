"""Packed files that inflate too far, and links that lead out of a source's tree."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingot.connectors.csv_lines import CsvFile
from ingot.connectors.lean.source import LeanConnector, LeanSettings
from ingot.connectors.massive.flatfiles.folder import FolderSource
from ingot.connectors.massive.settings import MassiveSettings
from ingot.connectors.transport.backoff import Backoff
from ingot.errors import CorruptFileError, LookAtDataError
from ingot.model.vendor_files import InflateLimits, inside, opened
from ingot.quality.reconcile.file_inputs import read
from ingot.quality.reconcile.inputs import described, parse

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20


def bomb(path: Path, size_bytes: int, line: bytes = b"\n") -> Path:
    """Write equal lines as gzip."""
    path.write_bytes(gzip.compress(line * (size_bytes // len(line)), compresslevel=1))
    return path


def test_a_file_that_inflates_beyond_the_ratio_is_given_up_after_16_mib(tmp_path: Path) -> None:
    path = bomb(tmp_path / "b.gz", 40 * MIB)
    with opened(path, "the file", InflateLimits(most_ratio=100)) as stream:
        assert stream.read(15 * MIB) == b"\n" * (15 * MIB)
        with pytest.raises(CorruptFileError, match="the file inflates to more than 100 times its"):
            stream.read(2 * MIB)


def test_a_file_that_inflates_beyond_the_size_is_given_up(tmp_path: Path) -> None:
    path = bomb(tmp_path / "b.gz", 3 * MIB)
    with (
        opened(path, "the file", InflateLimits(most_bytes=2 * MIB)) as stream,
        pytest.raises(CorruptFileError, match=r"to more than 2 MiB\. .* raise inflate_max_mb"),
    ):
        stream.read()


def test_text_within_the_limits_is_read_whole_whether_packed_or_not(tmp_path: Path) -> None:
    text = b"".join(b"%d,%x\n" % (n, n * n) for n in range(200_000))
    (tmp_path / "plain").write_bytes(text)
    (tmp_path / "packed").write_bytes(gzip.compress(text, 1) + gzip.compress(b"end", 1))
    for name, expected in (("plain", text), ("packed", text + b"end")):
        with opened(tmp_path / name, name, InflateLimits()) as stream:
            assert stream.read() == expected


def lean_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("20250602_spy.csv", b"0,1,1,1,1,1\n" * (17 * MIB // 12))


def csv_bars(path: Path) -> None:
    bomb(path, 17 * MIB, b"SPY,2025-06-02,1,1,1,1,1\n")


def twice_packed(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.compress(b"symbol,time\n")))


@pytest.mark.parametrize(
    ("make", "side", "message"),
    [
        (lean_archive, "lean:{}/20250602_trade.zip", "inflates to more than 100 times"),
        (csv_bars, "csv:{}/bars.csv.gz", "inflates to more than 100 times"),
        (twice_packed, "csv:{}/bars.csv.gz", "is packed, not plain text or gzip"),
    ],
)
def test_a_bomb_is_no_side_of_a_comparison(
    tmp_path: Path, make: Callable[[Path], None], side: str, message: str
) -> None:
    named = parse(side.format(tmp_path))
    make(Path(named.path))
    with pytest.raises(CorruptFileError, match=message):
        read(named, described(named))


def test_a_csv_file_of_newlines_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_bytes(b"symbol,ex_date\n" + b"\n" * 600_000)
    with (
        CsvFile(path.read_bytes(), "actions.csv") as file,
        pytest.raises(CorruptFileError, match="more than 500,000 empty lines"),
    ):
        list(file.lines())


def test_a_damaged_archive_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "20250602_trade.zip"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(range(256)) * 100)
    damaged = bytearray(made.getvalue())
    damaged[40:60] = bytes(20)
    path.write_bytes(bytes(damaged))
    named = parse(f"lean:{path}")
    with pytest.raises(CorruptFileError, match="is not a LEAN archive of trades"):
        read(named, described(named))


LINE = "root:x:0:0"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere"
    path.write_text(LINE)
    return path


def test_a_link_within_the_tree_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "file").write_text("x")
    (root / "link").symlink_to("file")
    assert inside(root, root / "link").read_text() == "x"


def test_a_day_that_is_a_link_out_of_the_tree_is_not_fetched(tmp_path: Path, outside: Path) -> None:
    root, dataset = tmp_path / "tree", "us_stocks_sip/day_aggs_v1"
    day = root / dataset / "2025" / "06" / "2025-06-02.csv.gz"
    day.parent.mkdir(parents=True)
    day.symlink_to(outside)
    source = FolderSource(root, MassiveSettings(), Backoff())
    (remote,) = source.list(dataset, date(2025, 6, 2), date(2025, 6, 3))
    with pytest.raises(LookAtDataError, match="is a link that leads out of") as refused:
        source.fetch(remote, tmp_path / "to", lambda _: None)
    assert LINE not in str(refused.value)
    assert not (tmp_path / "to").exists()


def test_a_folder_that_leads_out_of_the_tree_is_not_read(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "folder").symlink_to(outside.parent)
    with pytest.raises(LookAtDataError, match="is a link that leads out of"):
        inside(root, root / "folder" / outside.name)


def test_a_link_among_lean_s_files_is_not_read(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "tree"
    (root / "map_files").mkdir(parents=True)
    (root / "map_files" / "a.csv").symlink_to(outside)
    source = LeanConnector().open_reference(str(root), LeanSettings())
    today = datetime(2025, 6, 2, tzinfo=UTC).date()
    (remote,) = source.list("instruments", today, date(2025, 6, 3))
    with pytest.raises(LookAtDataError, match="is a link that leads out of") as refused:
        source.fetch(remote, tmp_path / "to", lambda _: None)
    assert LINE not in str(refused.value)


def test_an_archive_that_is_a_link_out_of_its_folder_is_not_read(
    tmp_path: Path, outside: Path
) -> None:
    folder = tmp_path / "minute"
    folder.mkdir()
    (folder / "20250602_trade.zip").symlink_to(outside)
    named = parse(f"lean:{folder}")
    with pytest.raises(LookAtDataError, match="is a link that leads out of"):
        read(named, described(named))
