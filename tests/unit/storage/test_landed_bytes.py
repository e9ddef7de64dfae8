"""Bytes of the landing store and files of tables, held against the hash of what was written."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingot.connectors.massive.flatfiles.decompress import inflate
from ingot.errors import DamagedFileError
from ingot.model.known_time import gaps
from ingot.model.landing import KnownBasis, Landing, LandingState, Outcome
from ingot.storage.fs.durable import Scratch
from ingot.storage.fs.object_store import LocalObjects
from ingot.storage.fs.sealed_names import hash_in, sealed
from ingot.storage.iceberg.layout.file_access import FileAccess
from ingot.storage.integrity import scrub
from ingot.storage.integrity.scrub import Kind, Target
from ingot.storage.landing.verified_content import LandedBytes

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"ticker,volume\n" + b"AAPL,1\n" * 2000


def landed(folder: Path, data: bytes, *, on_disk: bytes | None = None) -> LandedBytes:
    digest = sha256(data).hexdigest()
    (folder / digest).write_bytes(data if on_disk is None else on_disk)
    return LandedBytes(LocalObjects(folder, scratch=Scratch(folder / "tmp")), digest, digest)


def all_of(content: LandedBytes) -> bytes:
    with inflate(content, "day") as text:
        text.header(["ticker", "volume"])
        return b"".join(text.blocks())


@pytest.mark.parametrize("data", [TEXT, gzip.compress(TEXT)], ids=["plain", "gzip"])
def test_whole_bytes_are_read_as_they_landed(tmp_path: Path, data: bytes) -> None:
    assert all_of(landed(tmp_path, data)) == TEXT.partition(b"\n")[2]
    assert landed(tmp_path, data).read_bytes() == data


def test_a_changed_value_of_an_uncompressed_object_is_never_loaded(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=r"SHA-256.*ingot repair"):
        all_of(landed(tmp_path, TEXT, on_disk=TEXT.replace(b"AAPL,1", b"AAPL,9", 1)))


@pytest.mark.parametrize("at", [3, 14, -9, -1])
def test_a_flipped_bit_of_a_gzip_object_is_damage_and_not_the_vendors_fault(
    tmp_path: Path, at: int
) -> None:
    data = bytearray(gzip.compress(TEXT))
    data[at] ^= 16
    with pytest.raises(DamagedFileError, match=r"SHA-256"):
        all_of(landed(tmp_path, gzip.compress(TEXT), on_disk=bytes(data)))


def test_damage_behind_what_a_parser_reads_is_found_when_it_stops_early(tmp_path: Path) -> None:
    content = landed(tmp_path, TEXT, on_disk=TEXT[:-1] + b"x")
    with pytest.raises(DamagedFileError, match="SHA-256"), content.open() as stream:
        stream.read(5)


def test_a_missing_object_is_damage(tmp_path: Path) -> None:
    content = landed(tmp_path, TEXT)
    (tmp_path / content.sha256).unlink()
    assert not content.is_there
    with pytest.raises(DamagedFileError, match=r"it is missing.*ingot scrub"):
        content.read_bytes()


def test_a_sealed_file_carries_the_hash_of_its_bytes(tmp_path: Path) -> None:
    files = FileAccess.of_lake(LocalObjects(tmp_path, scratch=Scratch(tmp_path / "tmp")), {})
    digest = sha256(b"{}").hexdigest()
    name = sealed("warehouse/silver/day_bars/metadata/1-a.metadata.json", digest)
    files.write(name, b"{}")
    assert hash_in(name) == digest
    assert files.read(name) == b"{}"
    (tmp_path / name).write_bytes(b"[]")
    with pytest.raises(DamagedFileError, match=r"ingot repair --table silver\.day_bars"):
        files.read(name)
    files.objects.delete(name)
    with pytest.raises(FileNotFoundError, match="No such file"):
        files.read(name)


def test_a_file_without_a_hash_is_decoded_with_its_page_checksums(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path, scratch=Scratch(tmp_path / "tmp"))
    path = tmp_path / "old.parquet"
    rows = pa.table({"x": pa.array(range(50_000), pa.int64())})
    pq.write_table(rows, path, compression="none", use_dictionary=False, write_page_checksum=True)
    target = Target(Kind.DATA, objects, path.name, size_bytes=path.stat().st_size)
    assert scrub.damage(target, lambda _: None) == ""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "CRC" in scrub.damage(target, lambda _: None)


def state(ordinal: int, day: int, outcome: Outcome | None) -> LandingState:
    moment = datetime(2025, 7, day, tzinfo=UTC)
    landing = Landing(
        source="massive",
        dataset="minutes",
        file_date=date(2025, 6, 2),
        key="2025-06-02.csv.gz",
        ordinal=ordinal,
        sha256=f"{ordinal:064x}",
        size_bytes=1,
        etag="",
        last_modified=None,
        first_seen=moment,
        known_from=moment,
        known_basis=KnownBasis.OBSERVED,
        rule="rule",
    )
    return LandingState(landing, outcome)


def test_a_version_that_never_loaded_though_a_later_one_did_is_a_gap_until_then() -> None:
    states = [state(1, 1, None), state(2, 3, Outcome.DONE), state(3, 5, Outcome.DONE)]
    (gap,) = gaps(states)
    assert (gap.landing.ordinal, gap.until) == (1, datetime(2025, 7, 3, tzinfo=UTC))
    assert gaps([state(1, 1, Outcome.DONE), state(2, 3, None)]) == ()
