"""Clean-up beside a writer that is suspended, and a commit whose files were removed meanwhile.

What is expected of a table is what PyIceberg itself reads of it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import pytest

from ingot.errors import CommitConflictError, ContractBrokenError
from ingot.storage.fs.durable import Scratch
from ingot.storage.iceberg.maintenance import orphans
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.storage.iceberg.table_store import TableStore
from ingot.storage.iceberg.write.commit import Proposal
from tests.support.storage_bars import (
    MINUTE_BARS,
    MONDAY,
    TUESDAY,
    iceberg_rows,
    load,
    name_in,
    planned_rows,
    rows_of,
    scope,
    stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_S = 24 * 3600.0
SUSPENDED = """
import sys
from pathlib import Path
from ingot.storage.iceberg.table_store import TableStore
from tests.support.storage_bars import MINUTE_BARS, TUESDAY, scope, stage

with TableStore.open(Path(sys.argv[1])) as store:
    work = stage(store, scope(TUESDAY), {"AAPL": 2})
    print(work.files[0].path, flush=True)
    sys.stdin.readline()
    store.replace(MINUTE_BARS, [work], run="suspended")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with TableStore.create(tmp_path / "lake") as store:
        load(store, MONDAY, {"AAPL": 1})
    return tmp_path / "lake"


def test_files_of_a_load_that_is_suspended_for_a_day_are_no_orphans(root: Path) -> None:
    command = [sys.executable, "-c", SUSPENDED, str(root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path.cwd()) as child:
        assert child.stdout is not None
        staged = Path(child.stdout.readline().strip())
        child.send_signal(signal.SIGSTOP)
        with TableStore.open(root) as store:
            assert orphans.set_aside(store.workplace(MINUTE_BARS), now_s=time() + 3 * DAY_S) == ()
        assert staged.exists()
        child.send_signal(signal.SIGCONT)
        child.communicate("\n")
    assert child.returncode == 0
    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1}) + rows_of(TUESDAY, {"AAPL": 2})


def test_what_is_older_than_every_running_writer_is_an_orphan_beside_them(root: Path) -> None:
    with TableStore.open(root) as writer, TableStore.open(root) as store:
        (left,) = stage(store, scope(TUESDAY), {"AAPL": 1}).files
        os.utime(left.path, (0, 0))
        stage(writer, scope(TUESDAY), {"AAPL": 2})

        assert orphans.orphans(store.workplace(MINUTE_BARS)) == (name_in(root, left),)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"torn")])
def test_a_commit_whose_data_file_is_gone_or_cut_does_not_land(
    root: Path, damage: Callable[[Path], object]
) -> None:
    with TableStore.open(root) as store:
        work = stage(store, scope(TUESDAY), {"AAPL": 2})
        damage(Path(work.files[0].path))
        before = store.pointer(MINUTE_BARS)

        with pytest.raises(CommitConflictError, match=r"was removed or changed.*Run the command"):
            store.replace(MINUTE_BARS, [work], run="run")

        assert store.pointer(MINUTE_BARS) == before
        again = stage(store, scope(TUESDAY), {"AAPL": 2})
        assert store.replace(MINUTE_BARS, [again], run="run") is not None
    assert iceberg_rows(root) == rows_of(MONDAY, {"AAPL": 1}) + rows_of(TUESDAY, {"AAPL": 2})


def test_a_snapshot_that_does_not_say_which_files_it_adds_cannot_be_proposed() -> None:
    with pytest.raises(ContractBrokenError, match="does not say which files it adds"):
        Proposal(updates=(), requirements=(), snapshot_id=1)


def test_orphans_are_set_aside_first_and_deleted_a_day_later(root: Path) -> None:
    with TableStore.open(root) as store:
        (left,) = stage(store, scope(TUESDAY), {"AAPL": 1}).files
        os.utime(left.path, (0, 0))
        now = time()

        assert orphans.set_aside(store.workplace(MINUTE_BARS), now_s=now) == (name_in(root, left),)
        assert not Path(left.path).exists()
        assert orphans.orphans(store.workplace(MINUTE_BARS), now_s=now) == ()
        assert orphans.delete_set_aside(store.workplace(MINUTE_BARS), now_s=now + DAY_S - 60) == ()
        (aside,) = orphans.delete_set_aside(store.workplace(MINUTE_BARS), now_s=now + DAY_S)

        name = left.written.name
        assert aside.endswith(name)
        assert list(root.rglob(name)) == []
        assert planned_rows(store) == rows_of(MONDAY, {"AAPL": 1})


def test_a_file_that_was_set_aside_and_is_named_by_a_snapshot_is_put_back(root: Path) -> None:
    with TableStore.open(root) as store:
        (file,) = store.plan(ScanRequest(MINUTE_BARS)).files
        table = root / "warehouse" / "silver" / "minute_bars"
        aside = table / "orphans" / "20250101T000000Z" / Path(file.path).relative_to(table)
        aside.parent.mkdir(parents=True)
        shutil.move(file.path, aside)

        assert orphans.delete_set_aside(store.workplace(MINUTE_BARS)) == ()
        assert planned_rows(store) == rows_of(MONDAY, {"AAPL": 1})


def test_a_process_names_the_others_that_are_at_work_and_not_itself(tmp_path: Path) -> None:
    one, other = Scratch(tmp_path), Scratch(tmp_path)
    one.hold()
    assert one.others_since_s() is None
    other.hold()
    assert one.others_since_s() == pytest.approx(time(), abs=60)
    other.close()
    assert one.others_since_s() is None
    one.close()
