from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ingot.errors import CorruptFileError, DamagedFileError, LookAtDataError
from ingot.model.landing import KnownBasis, Landing
from ingot.storage.landing.records import path_of
from ingot.storage.landing.store import LandingStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "us_stocks_sip/minute_aggs_v1/2025/06/2025-06-02.csv.gz"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LandingStore]:
    store = LandingStore(tmp_path / "landing")
    yield store
    store.close()


def version(data: bytes, ordinal: int = 1, key: str = KEY) -> Landing:
    moment = datetime(2025, 6, 3, 15, ordinal, tzinfo=UTC)
    return Landing(
        source="massive",
        dataset="us_stocks_sip/minute_aggs_v1",
        file_date=date(2025, 6, 2),
        key=key,
        ordinal=ordinal,
        sha256=sha256(data).hexdigest(),
        size_bytes=len(data),
        etag="e",
        last_modified=None,
        first_seen=moment,
        known_from=moment,
        known_basis=KnownBasis.OBSERVED,
        rule="massive-flat-11",
    )


def add(store: LandingStore, data: bytes) -> Path:
    temporary = store.temporary("file.csv.gz")
    temporary.write_bytes(data)
    digest = sha256(data).hexdigest()
    store.add_object(temporary, digest, len(data))
    return store.object_path(digest)


def test_bytes_are_stored_once_under_their_hash(store: LandingStore) -> None:
    # SHA-256 of "abc" is the first example of FIPS 180-2, appendix B.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert add(store, b"abc") == store.root / "objects" / "ba" / digest
    assert add(store, b"abc").read_bytes() == b"abc"
    assert store.object_path(digest).stat().st_nlink == 1


def test_a_download_that_is_shorter_than_it_says_is_refused(store: LandingStore) -> None:
    temporary = store.temporary("file")
    temporary.write_bytes(b"ab")
    with pytest.raises(CorruptFileError, match=r"has 2 bytes where 3 were fetched"):
        store.add_object(temporary, sha256(b"abc").hexdigest(), 3)
    assert not (store.root / "objects").exists()


@pytest.mark.parametrize("damaged", [b"a", b"abd", b""])
def test_an_object_that_the_disk_damaged_is_healed_when_its_bytes_land_again(
    store: LandingStore, damaged: bytes
) -> None:
    add(store, b"abc").write_bytes(damaged)
    assert add(store, b"abc").read_bytes() == b"abc"
    assert [p.read_bytes() for p in (store.root / "damaged").iterdir()] == [damaged]


def test_a_version_is_written_once_and_read_back(store: LandingStore) -> None:
    assert store.write(version(b"one"))
    assert not store.write(version(b"other"))
    assert store.write(version(b"two", 2))
    assert set(store.all_versions()) == {version(b"one"), version(b"two", 2)}


def test_the_next_number_is_after_the_greatest_whatever_the_order_of_names(
    store: LandingStore,
) -> None:
    for ordinal in (10, 9, 2):
        store.write(version(b"x", ordinal))
    assert store.next_number(version(b"x")) == 11
    assert store.next_number(version(b"x", key="another")) == 1


def test_a_key_that_is_a_folder_of_another_key_is_another_key(store: LandingStore) -> None:
    inner, outer = version(b"1", key="a/b"), version(b"2", key="a")
    store.write(inner)
    store.write(outer)
    assert path_of(outer) == "versions/massive/a/1.json"
    assert set(store.all_versions()) == {inner, outer}


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "..",
        "a/../../b",
        "a//b",
        "a/./b",
        "a/",
        "a\0b",
        "a\nb",
        "a/1.json",
        "\udcff",
        "n" * 256,
        "ä" * 128,
    ],
)
def test_a_key_that_is_no_safe_path_is_refused(store: LandingStore, key: str) -> None:
    with pytest.raises(LookAtDataError, match=r"cannot be stored.*nothing of it was landed"):
        store.write(version(b"x", key=key))
    assert not (store.root / "versions").exists()


@pytest.mark.parametrize("key", ["NUL", "a b/ü/Ж.gz", "-", "a/01.json", "..."])
def test_a_key_that_only_looks_odd_is_kept(store: LandingStore, key: str) -> None:
    store.write(version(b"x", key=key))
    assert list(store.all_versions()) == [version(b"x", key=key)]


@pytest.mark.parametrize("source", ["", "..", "a/b"])
def test_a_source_is_one_part_of_a_path(store: LandingStore, source: str) -> None:
    with pytest.raises(LookAtDataError, match="source"):
        store.write(replace(version(b"x"), source=source))


def test_objects_that_the_disk_changed_are_found_by_their_hash(store: LandingStore) -> None:
    for data, ordinal in ((b"good", 1), (b"gone", 2), (b"flip", 3), (b"torn", 4)):
        add(store, data)
        store.write(version(data, ordinal))
    gone, flip, torn = (
        store.object_path(sha256(d).hexdigest()) for d in (b"gone", b"flip", b"torn")
    )
    gone.unlink()
    flip.write_bytes(b"fl1p")
    torn.write_bytes(b"to")
    reasons = {damage.path: damage.reason for damage in store.damaged()}
    assert set(reasons) == {gone, flip, torn}
    assert reasons[gone] == "it is missing"
    assert reasons[torn] == "it has 2 bytes, not 4"
    assert reasons[flip].startswith("its bytes do not have the SHA-256 ")


def test_a_damaged_object_is_set_aside_and_may_land_again(store: LandingStore) -> None:
    add(store, b"abc").write_bytes(b"xyz")
    store.write(version(b"abc"))
    (damage,) = store.damaged()
    aside = store.set_aside(damage)
    assert aside is not None
    assert aside.read_bytes() == b"xyz"
    assert store.set_aside(damage) is None
    add(store, b"abc")
    assert list(store.damaged()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:40], "JSONDecodeError"),
        (lambda text: text.replace('"size_bytes": 3', '"size_bytes": 4'), "checksum"),
        (lambda text: text.replace("T15:01:00", "T15:02:00"), "checksum"),
        (lambda text: text.replace('"ordinal": 1', '"ordinal": 2'), "landing_id"),
        (lambda text: text.replace('"massive"', '"other"'), "landing_id"),
        (lambda text: text.replace('"etag"', '"tag"'), "KeyError"),
        (lambda _: "[]", "TypeError"),
        (lambda _: "{}", "KeyError"),
        (lambda _: "", "JSONDecodeError"),
    ],
)
def test_a_record_that_the_disk_changed_is_told_from_a_good_one(
    store: LandingStore, change: object, words: str
) -> None:
    assert callable(change)
    store.write(version(b"abc"))
    path = store.root / "versions" / "massive" / KEY / "1.json"
    path.write_text(str(change(path.read_text())))
    with pytest.raises(DamagedFileError, match=rf"1\.json is damaged.*{words}"):
        list(store.all_versions())
