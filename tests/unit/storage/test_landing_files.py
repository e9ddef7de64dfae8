from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

import pytest

from ingot.errors import ConfigError, IngotError, StorageFullError, StorageUnavailableError
from ingot.storage.fs.durable import Scratch, fsync_folder, link_once, make_folders, write_once

POINTS = ["x.before_write", "x.before_link", "x.after_link", "x.after_sync"]


class Crash(Exception):  # noqa: N818  (it stands for the end of a process, not for an error)
    pass


class Failing:
    """Raises `fault` at one point, and notes the points it passed."""

    def __init__(self, point: str, fault: Exception) -> None:
        self.point, self.fault = point, fault
        self.passed: list[str] = []

    def __call__(self, point: str) -> None:
        if point == self.point:
            raise self.fault
        self.passed.append(point)


def test_a_file_is_written_whole_with_the_folders_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "1.json"
    assert write_once(path, b"first")
    assert path.read_bytes() == b"first"
    assert [p.name for p in path.parent.iterdir()] == ["1.json"]


def test_a_name_that_is_taken_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    write_once(path, b"first")
    assert not write_once(path, b"second")
    assert path.read_bytes() == b"first"


def test_a_finished_file_is_linked_and_keeps_its_own_name(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"bytes")
    assert write_once(tmp_path / "b" / "target", source)
    assert (tmp_path / "b" / "target").samefile(source)
    assert not link_once(source, tmp_path / "b" / "target")


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_leaves_the_whole_file_or_none(tmp_path: Path, point: str) -> None:
    path = tmp_path / "1.json"
    with pytest.raises(Crash, match="now"):
        write_once(path, b"whole", boundary=Failing(point, Crash("now")), step="x")
    assert path.exists() == (point in POINTS[2:])
    assert write_once(path, b"whole") == (point in POINTS[:2])
    assert path.read_bytes() == b"whole"


def test_every_step_is_announced_in_order(tmp_path: Path) -> None:
    boundary = Failing("", Crash())
    write_once(tmp_path / "1", b"", boundary=boundary, step="x")
    assert boundary.passed == POINTS


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, StorageFullError, r"1\.json: No space left.*Free some space"),
        (errno.EDQUOT, StorageFullError, r"quota"),
        (errno.EROFS, ConfigError, r"1\.json: Read-only file system.*mounted writable"),
        (errno.EACCES, ConfigError, r"Permission denied"),
        (errno.EIO, StorageUnavailableError, r"Input/output error.*health"),
        (errno.ESTALE, StorageUnavailableError, r"Stale file handle"),
    ],
)
@pytest.mark.parametrize("point", POINTS)
def test_a_fault_of_the_disk_names_the_file_and_what_to_do(
    tmp_path: Path, point: str, number: int, kind: type[IngotError], words: str
) -> None:
    fault = OSError(number, os.strerror(number))
    with pytest.raises(kind, match=words):
        write_once(tmp_path / "1.json", b"x", boundary=Failing(point, fault), step="x")


def test_a_file_system_without_hard_links_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ConfigError, match=r"cannot hard-link.*Keep the lake on ext4"):
        write_once(tmp_path / "1.json", b"x")


def test_a_file_where_a_folder_should_be_is_a_fault_of_the_path(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"make the folder .*a"):
        write_once(tmp_path / "a" / "1.json", b"x")


def test_a_folder_that_is_gone_cannot_be_synced(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Could not sync .*gone: No such file"):
        fsync_folder(tmp_path / "gone")


def test_folders_may_be_there_already(tmp_path: Path) -> None:
    make_folders(tmp_path / "a" / "b")
    make_folders(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_living_process_keeps_its_unfinished_files(tmp_path: Path) -> None:
    mine, other = Scratch(tmp_path), Scratch(tmp_path)
    download = mine.path("us_stocks_sip/2025-06-02.csv.gz")
    download.write_bytes(b"half")
    assert other.sweep() == 0
    assert other.is_alive(mine.token)
    assert download.name.endswith("-2025-06-02.csv.gz")
    assert download.read_bytes() == b"half"
    mine.close()


def test_threads_that_begin_together_share_one_folder(tmp_path: Path) -> None:
    scratch, together = Scratch(tmp_path), Barrier(8)

    def begin(_: int) -> Path:
        together.wait()
        return scratch.path("x")

    with ThreadPoolExecutor(8) as threads:
        paths = list(threads.map(begin, range(8)))
    assert {path.parent for path in paths} == {scratch.folder}
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_a_dead_process_loses_them_to_the_next(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from ingot.storage.fs.durable import Scratch\n"
        "s = Scratch(Path(sys.argv[1])); s.path('x').write_bytes(b'half')\n"
        "print(s.token, flush=True); os._exit(9)"
    )
    died = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    token = died.stdout.strip()
    assert (tmp_path / token).is_dir()
    scratch = Scratch(tmp_path)
    assert not scratch.is_alive(token)
    assert scratch.sweep() == 1
    assert list(tmp_path.iterdir()) == []


def test_closing_removes_the_folder_and_a_second_close_is_nothing(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    scratch.path("x").write_bytes(b"")
    scratch.close()
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_file_system_is_copied_and_written_once(tmp_path: Path) -> None:
    other = Path("/dev/shm")  # noqa: S108 - a second file system
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system at /dev/shm")
    with TemporaryDirectory(dir=other) as folder:
        source = Path(folder, "file")
        source.write_bytes(b"data")
        assert write_once(tmp_path / "a", source)
        assert not write_once(tmp_path / "a", source)
        assert source.read_bytes() == b"data"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"data"
