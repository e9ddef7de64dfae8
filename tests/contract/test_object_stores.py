"""Every object store writes a name once and whole, and a landing store works on any of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ingot.errors import DamagedFileError
from ingot.model.landing import KnownBasis, Landing
from ingot.storage.fs.durable import Scratch
from ingot.storage.fs.object_store import LocalObjects
from ingot.storage.landing.export_records import ExportStore
from ingot.storage.landing.store import LandingStore
from tests.support.memory_stores import MemoryObjects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.storage.fs.object_store import ObjectStore

ODD = ("a%20b/c", "what?", "ü/Ж", "a b", "it's", "[1]*", "...")


@pytest.fixture(params=["local", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    scratch = Scratch(tmp_path / "tmp")
    local = LocalObjects(tmp_path / "objects", scratch=scratch)
    yield MemoryObjects() if request.param == "memory" else local
    scratch.close()


def test_an_object_is_read_back_whole_and_in_parts(objects: ObjectStore) -> None:
    assert objects.put_if_absent("a/b/1", b"0123456789")
    assert objects.get("a/b/1") == b"0123456789"
    assert objects.get_range("a/b/1", 3, 4) == b"3456"
    assert objects.get_range("a/b/1", 8, 100) == b"89"
    assert objects.get_range("a/b/1", 10, 1) == b""
    assert objects.size("a/b/1") == 10
    with objects.open("a/b/1") as stream:
        assert stream.read() == b"0123456789"


def test_an_empty_object_is_an_object(objects: ObjectStore) -> None:
    assert objects.put_if_absent("a", b"")
    assert not objects.put_if_absent("a", b"")
    assert (objects.get("a"), objects.size("a")) == (b"", 0)


def test_a_name_is_written_once_whatever_comes_later(objects: ObjectStore, tmp_path: Path) -> None:
    assert objects.put_if_absent("a", b"first")
    assert not objects.put_if_absent("a", b"other")
    (tmp_path / "file").write_bytes(b"file")
    assert not objects.put_if_absent("a", tmp_path / "file")
    assert objects.get("a") == b"first"


def test_a_finished_file_is_put_and_stays(objects: ObjectStore, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"file")
    assert objects.put_if_absent("a/b", path)
    assert (objects.get("a/b"), path.read_bytes()) == (b"file", b"file")


def test_of_writers_of_one_name_exactly_one_writes_it(objects: ObjectStore) -> None:
    contents = [bytes([n]) * 1000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda data: objects.put_if_absent("a/b", data), contents))
    assert sum(written) == 1
    assert objects.get("a/b") == contents[written.index(True)]


def test_what_is_not_there_has_no_size_and_cannot_be_read(objects: ObjectStore) -> None:
    assert objects.put_if_absent("a/b", b"x")
    for name in ("c", "a", "a/c", "a/b/c"):
        assert objects.size(name) is None
    for read in (objects.get, objects.open, lambda name: objects.get_range(name, 0, 1)):
        with pytest.raises(DamagedFileError, match=r"a/c is damaged: it is missing"):
            read("a/c")


def test_objects_are_listed_folder_by_folder_and_by_name(objects: ObjectStore) -> None:
    for name in ("a/c/2", "a/b", "a/c/10", "ab", "d/e/f/g"):
        assert objects.put_if_absent(name, name.encode())
    assert list(objects.list("a")) == ["a/b", "a/c/10", "a/c/2"]
    assert list(objects.list("d")) == ["d/e/f/g"]
    assert list(objects.list("nothing")) == []
    assert objects.names("a") == (["b"], ["c"])
    assert objects.names("a/c") == (["10", "2"], [])
    assert objects.names("nothing") == ([], [])


def test_names_mean_nothing_but_themselves(objects: ObjectStore) -> None:
    for name in ODD:
        assert objects.put_if_absent(f"odd/{name}", name.encode())
    assert set(objects.list("odd")) == {f"odd/{name}" for name in ODD}
    assert [objects.get(f"odd/{name}") for name in ODD] == [name.encode() for name in ODD]


def test_an_object_that_was_moved_leaves_its_name_free(objects: ObjectStore) -> None:
    assert objects.put_if_absent("a/b", b"old")
    objects.move("a/b", "aside/b")
    assert (objects.size("a/b"), objects.get("aside/b")) == (None, b"old")
    assert objects.put_if_absent("a/b", b"new")


def test_an_object_is_deleted_once_or_not_at_all(objects: ObjectStore) -> None:
    assert objects.put_if_absent("a/b", b"x")
    objects.delete("a/b")
    objects.delete("a/b")
    assert objects.size("a/b") is None


def test_an_object_of_another_writer_can_be_made_durable(objects: ObjectStore) -> None:
    assert objects.put_if_absent("a/b", b"x")
    objects.sync("a/b")
    assert objects.get("a/b") == b"x"


@pytest.fixture
def landing(objects: ObjectStore, tmp_path: Path) -> Iterator[LandingStore]:
    store = LandingStore(tmp_path / "landing", objects=objects)
    yield store
    store.close()


def version(data: bytes, ordinal: int) -> Landing:
    moment = datetime(2025, 6, 3, 15, ordinal, tzinfo=UTC)
    return Landing(
        source="massive",
        dataset="minutes",
        file_date=date(2025, 6, 2),
        key="2025/2025-06-02.csv.gz",
        ordinal=ordinal,
        sha256=sha256(data).hexdigest(),
        size_bytes=len(data),
        etag="e",
        last_modified=None,
        first_seen=moment,
        known_from=moment,
        known_basis=KnownBasis.OBSERVED,
        rule="rule",
    )


def land(store: LandingStore, data: bytes, ordinal: int) -> Landing:
    path = store.temporary("download")
    path.write_bytes(data)
    made = version(data, ordinal)
    store.add_object(path, made.sha256, made.size_bytes)
    assert store.write(made)
    return made


def test_a_landing_store_keeps_bytes_and_versions_on_any_store(landing: LandingStore) -> None:
    one, two = land(landing, b"one", 1), land(landing, b"two", 2)
    assert list(landing.all_versions()) == [one, two]
    assert not landing.write(version(b"other", 1))
    content = landing.landed(one.sha256)
    assert (content.read_bytes(), content.stat().st_size, content.head(2)) == (b"one", 3, b"on")


def test_damage_is_found_set_aside_and_healed_on_any_store(landing: LandingStore) -> None:
    made = land(landing, b"good", 1)
    name = f"objects/{made.sha256[:2]}/{made.sha256}"
    landing.objects.delete(name)
    assert [damage.reason for damage in landing.damaged()] == ["it is missing"]
    assert not landing.landed(made.sha256).is_there
    assert landing.objects.put_if_absent(name, b"g00d")
    with pytest.raises(DamagedFileError, match="SHA-256"):
        landing.landed(made.sha256).read_bytes()
    (damage,) = landing.damaged()
    assert landing.set_aside(damage) is not None
    assert landing.set_aside(damage) is None
    path = landing.temporary("again")
    path.write_bytes(b"good")
    landing.add_object(path, made.sha256, 4)
    assert list(landing.damaged()) == []
    (aside,) = landing.objects.list("damaged")
    assert landing.objects.get(aside) == b"g00d"


def test_exports_are_recorded_on_any_store(landing: LandingStore) -> None:
    exports = ExportStore(landing)
    moment = datetime(2025, 6, 3, tzinfo=UTC)
    exports.add("e1", "text", at=moment, folder="out")
    exports.add("e2", "other", at=moment, folder="out")
    exports.release("e1", at=moment)
    assert [(e.export_id, e.manifest, e.released_at) for e in exports.all()] == [
        ("e1", "text", moment),
        ("e2", "other", None),
    ]
