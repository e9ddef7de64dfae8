from __future__ import annotations

import errno
import os
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ingot.connectors.base import Fetched, FileSource
from ingot.connectors.massive.connector import connector
from ingot.connectors.massive.settings import MassiveSettings
from ingot.connectors.transport.backoff import Backoff
from ingot.connectors.transport.local_copy import Stamp
from ingot.errors import (
    ConfigError,
    CorruptFileError,
    NotPublishedError,
    SourceUnavailableError,
    StorageFullError,
)
from ingot.model.landing import RemoteObject

MINUTES = "us_stocks_sip/minute_aggs_v1"
DAYS = "us_stocks_sip/day_aggs_v1"
MODIFIED = datetime(2025, 6, 3, 10, 30, 0, 123456, tzinfo=UTC)


class Tree:
    """A vendor's tree in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.waits: list[float] = []
        self.source: FileSource = connector.open(
            str(root),
            MassiveSettings(),
            backoff=Backoff(attempts=3, sleep=self.waits.append, jitter=lambda: 1.0),
        )

    def put(self, key: str, content: bytes = b"content") -> Path:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        ns = int(MODIFIED.timestamp()) * 10**9 + 123_456_789
        os.utime(path, ns=(ns, ns))
        return path

    def day(self, day: str, content: bytes = b"content") -> RemoteObject:
        self.put(f"{MINUTES}/{day[:4]}/{day[5:7]}/{day}.csv.gz", content)
        when = date.fromisoformat(day)
        [remote] = self.source.list(MINUTES, when, date.fromordinal(when.toordinal() + 1))
        return remote


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "vendor")


def test_a_listing_has_the_days_of_the_span_in_order(tree: Tree) -> None:
    for day in ("2025-06-03", "2025-05-30", "2025-06-02", "2025-07-01", "2025-06-30"):
        tree.put(f"{MINUTES}/{day[:4]}/{day[5:7]}/{day}.csv.gz")
    found = tree.source.list(MINUTES, date(2025, 5, 31), date(2025, 7, 1))
    assert [r.file_date.isoformat() for r in found] == ["2025-06-02", "2025-06-03", "2025-06-30"]
    assert found[0] == RemoteObject(
        source="massive",
        dataset=MINUTES,
        file_date=date(2025, 6, 2),
        key=f"{MINUTES}/2025/06/2025-06-02.csv.gz",
        etag="7-1748946600123456789",
        size_bytes=7,
        last_modified=MODIFIED,
    )


def test_strange_names_in_the_tree_are_passed_over(tree: Tree) -> None:
    tree.day("2025-06-02")
    for name in (
        "2025-06-03.csv",
        "2025-06-04.csv.gz.part",
        ".2025-06-05.csv.gz",
        "2025-05-06.csv.gz",
        "2025-06-31.csv.gz",
        "README",
        "2025-06-06/inside",
    ):
        tree.put(f"{MINUTES}/2025/06/{name}")
    tree.put(f"{MINUTES}/2025/notes.txt")
    found = tree.source.list(MINUTES, date(2025, 1, 1), date(2026, 1, 1))
    assert [r.file_date for r in found] == [date(2025, 6, 2)]


def test_a_dataset_that_has_nothing_there_yet_is_an_empty_listing(tree: Tree) -> None:
    tree.day("2025-06-02")
    assert tree.source.list(DAYS, date(2025, 6, 1), date(2025, 7, 1)) == []
    assert tree.source.list(MINUTES, date(2024, 6, 1), date(2024, 7, 1)) == []


def test_a_folder_that_is_no_vendors_tree_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "minute_aggs_v1" / "2025").mkdir(parents=True)
    source = connector.open(str(tmp_path), MassiveSettings())
    with pytest.raises(ConfigError, match=r"holds none of them.*us_options_opra/day_aggs_v1"):
        source.list(MINUTES, date(2025, 6, 1), date(2025, 7, 1))
    source = connector.open(str(tmp_path / "absent"), MassiveSettings())
    with pytest.raises(ConfigError, match=r"is not a folder.*YYYY/MM/YYYY-MM-DD\.csv\.gz"):
        source.list(MINUTES, date(2025, 6, 1), date(2025, 7, 1))


def test_an_unknown_dataset_is_answered_with_the_nearest(tree: Tree) -> None:
    with pytest.raises(ConfigError, match="Did you mean us_stocks_sip/minute_aggs_v1"):
        tree.source.list("us_stocks_sip/minutes_aggs_v1", date(2025, 6, 1), date(2025, 7, 1))


def test_a_changed_file_has_another_tag(tree: Tree) -> None:
    before = tree.day("2025-06-02")
    path = tree.root / before.key
    os.utime(path, ns=(1, 1))
    assert tree.source.list(MINUTES, date(2025, 6, 2), date(2025, 6, 3))[0].etag != before.etag


def test_a_fetched_file_is_the_same_bytes_and_their_hash(tree: Tree, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    remote = tree.day("2025-06-02", content)
    told: list[int] = []
    fetched = tree.source.fetch(remote, tmp_path / "to", told.append)
    assert fetched == Fetched(sha256(content).hexdigest(), 3_000_000)
    assert (tmp_path / "to").read_bytes() == content
    assert sum(told) == 3_000_000
    assert len(told) >= 3


def test_a_file_replaced_after_the_listing_arrives_with_its_own_tag(
    tree: Tree, tmp_path: Path
) -> None:
    remote = tree.day("2025-06-02")
    now = tree.day("2025-06-02", b"the vendor's correction")
    fetched = tree.source.fetch(remote, tmp_path / "to", lambda _: None)
    assert (fetched.etag, fetched.last_modified) == (now.etag, MODIFIED)
    assert fetched.sha256 == sha256(b"the vendor's correction").hexdigest()


def test_a_file_that_changes_under_the_copy_is_copied_anew(tree: Tree, tmp_path: Path) -> None:
    remote = tree.day("2025-06-02", b"first")
    told: list[int] = []

    def advance(count: int) -> None:
        told.append(count)
        if len(told) == 1:
            (tree.root / remote.key).write_bytes(b"second version")

    fetched = tree.source.fetch(remote, tmp_path / "to", advance)
    assert (tmp_path / "to").read_bytes() == b"second version"
    assert fetched.sha256 == sha256(b"second version").hexdigest()
    assert fetched.etag != remote.etag
    assert min(told) < 0
    assert sum(told) == len(b"second version")
    assert tree.waits == [0.5]


def test_a_file_renamed_over_under_the_copy_is_copied_anew(tree: Tree, tmp_path: Path) -> None:
    remote = tree.day("2025-06-02", b"first")
    other = tree.put("other", b"another")

    def advance(count: int) -> None:
        if count == len(b"first"):
            other.replace(tree.root / remote.key)

    fetched = tree.source.fetch(remote, tmp_path / "to", advance)
    assert fetched.sha256 == sha256(b"another").hexdigest()


def test_a_file_that_never_stands_still_is_left_for_later(tree: Tree, tmp_path: Path) -> None:
    remote = tree.day("2025-06-02", b"first")
    with pytest.raises(SourceUnavailableError, match="changed while it was copied, 3 times"):
        tree.source.fetch(
            remote,
            tmp_path / "to",
            lambda n: None if n < 0 else _append(tree.root / remote.key),
        )
    assert tree.waits == [0.5, 1.0]


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def test_a_file_that_is_gone_is_not_published(tree: Tree, tmp_path: Path) -> None:
    remote = tree.day("2025-06-02")
    (tree.root / remote.key).unlink()
    with pytest.raises(NotPublishedError, match=r"2025-06-02\.csv\.gz was listed but is gone"):
        tree.source.fetch(remote, tmp_path / "to", lambda _: None)


def test_a_folder_in_a_files_place_cannot_be_read(tree: Tree, tmp_path: Path) -> None:
    remote = tree.day("2025-06-02")
    (tree.root / remote.key).unlink()
    (tree.root / remote.key).mkdir()
    with pytest.raises(CorruptFileError, match="is a folder"):
        tree.source.fetch(remote, tmp_path / "to", lambda _: None)


def test_a_folder_that_cannot_be_read_is_no_empty_one(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    tree.day("2025-06-02")
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceUnavailableError, match="2025/06 cannot be read: Permission denied"):
        tree.source.list(MINUTES, date(2025, 6, 1), date(2025, 7, 1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_said_as_such(tree: Tree) -> None:
    remote = tree.day("2025-06-02", b"x" * 100_000)
    with pytest.raises(StorageFullError, match=r"write /dev/full.*quota is full"):
        tree.source.fetch(remote, Path("/dev/full"), lambda _: None)


def test_a_disk_that_fails_is_not_the_vendors_fault(tree: Tree, tmp_path: Path) -> None:
    remote = tree.day("2025-06-02", b"x")
    with pytest.raises(ConfigError, match=r"Could not write .*Is a directory"):
        tree.source.fetch(remote, tmp_path, lambda _: None)


def test_waits_grow_with_jitter_up_to_a_bound() -> None:
    backoff = Backoff(first_s=1.0, longest_s=10.0, jitter=lambda: 0.0)
    assert [backoff.delay_s(n) for n in (1, 2, 3, 4, 5, 500)] == [0.5, 1, 2, 4, 5, 5]
    shaken = Backoff(first_s=1.0, longest_s=10.0)
    assert len({shaken.delay_s(1) for _ in range(20)}) > 1
    assert all(0.5 <= shaken.delay_s(1) <= 1 for _ in range(20))


@pytest.mark.parametrize("seconds", [-1, 253_402_214_400, 2**40])
def test_a_modification_time_that_no_publication_can_have_is_none(seconds: int) -> None:
    assert Stamp(1, seconds * 10**9, 1, 1).modified is None


def test_a_file_that_is_dated_before_1970_is_listed_and_fetched(tree: Tree, tmp_path: Path) -> None:
    remote = tree.day("2025-06-02")
    os.utime(tree.root / remote.key, (-1, -1))
    [found] = tree.source.list(MINUTES, date(2025, 6, 2), date(2025, 6, 3))
    assert found.last_modified is None
    assert tree.source.fetch(found, tmp_path / "to", lambda _: None).size_bytes == 7


@pytest.mark.parametrize("place", [MINUTES + "/2025", MINUTES + "/2025/06"])
def test_a_file_or_broken_link_in_the_place_of_a_folder_is_named(tree: Tree, place: str) -> None:
    path = tree.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(tree.root / "gone")
    with pytest.raises(ConfigError, match=r"2025.* is not a folder: it is a file or a link"):
        tree.source.list(MINUTES, date(2025, 6, 2), date(2025, 6, 3))


def test_a_pipe_in_the_place_of_a_day_is_named_and_not_waited_for(
    tree: Tree, tmp_path: Path
) -> None:
    remote = tree.day("2025-06-02")
    (tree.root / remote.key).unlink()
    os.mkfifo(tree.root / remote.key)
    with pytest.raises(CorruptFileError, match=r"is not a file\. Put the file in its place"):
        tree.source.fetch(remote, tmp_path / "to", lambda _: None)
