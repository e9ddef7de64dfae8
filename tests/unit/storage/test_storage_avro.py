from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.avro.file import AvroFile
from pyiceberg.manifest import (
    DEFAULT_READ_VERSION,
    MANIFEST_ENTRY_SCHEMAS,
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    write_manifest,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import MonthTransform
from pyiceberg.typedef import Record
from pyiceberg.types import DateType, NestedField, StringType

from ingot.errors import DamagedFileError
from ingot.storage.iceberg.catalog.file_io import StoreFileIO
from ingot.storage.iceberg.layout.file_access import FileAccess
from ingot.storage.iceberg.read.avro import read_avro
from tests.support.memory_stores import MemoryObjects

SCHEMA = Schema(
    NestedField(1, "trade_date", DateType(), required=True),
    NestedField(2, "symbol", StringType(), required=True),
)
SPEC = PartitionSpec(PartitionField(1, 1000, MonthTransform(), "trade_date_month"))
STATUS, DATA_FILE, PATH, ROWS, PARTITION, LOWER, SPLITS = 0, 2, 100, 103, 102, 125, 132


def manifest(codec: str, entries: int) -> bytes:
    """Return a manifest as PyIceberg writes it."""
    files = FileAccess.of_lake(MemoryObjects(), {})
    output = StoreFileIO(files).new_output(files.location("m.avro"))
    with write_manifest(2, SPEC, SCHEMA, output, 7, codec) as writer:  # type: ignore[arg-type]
        for n in range(entries):
            file = DataFile.from_args(
                content=DataFileContent.DATA,
                file_path=f"file:///lake/{n}.parquet",
                file_format=FileFormat.PARQUET,
                partition=Record(665 + n),
                record_count=n * 10**9,
                file_size_in_bytes=-n,
                lower_bounds={1: b"\x01\x00\x00\x00", 2: "Ä".encode() * n},
                split_offsets=[4, 2**40],
            )
            writer.add(ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, data_file=file))
    return files.read(output.location)


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.data)


def as_pyiceberg_reads_it(data: bytes) -> list[Any]:
    found: Any = _Bytes(data)
    with AvroFile[ManifestEntry](
        found,
        MANIFEST_ENTRY_SCHEMAS[DEFAULT_READ_VERSION],
        read_types={-1: ManifestEntry, 2: DataFile},
    ) as reader:
        return list(reader)


@pytest.mark.parametrize("codec", ["null", "deflate", "zstandard"])
def test_a_manifest_reads_as_pyiceberg_reads_it(codec: str) -> None:
    data = manifest(codec, entries=3)

    ours, theirs = list(read_avro(data, Path("m.avro"))), as_pyiceberg_reads_it(data)

    assert len(ours) == len(theirs) == 3
    for found, wanted in zip(ours, theirs, strict=True):
        file = found[DATA_FILE]
        assert found[STATUS] == wanted.status
        assert file[PATH] == wanted.data_file.file_path
        assert file[ROWS] == wanted.data_file.record_count
        assert list(file[PARTITION].values()) == [wanted.data_file.partition[0]]
        assert file[LOWER] == wanted.data_file.lower_bounds
        assert file[SPLITS] == wanted.data_file.split_offsets


def test_a_file_that_is_not_avro_is_refused() -> None:
    with pytest.raises(DamagedFileError, match=r"x\.avro is damaged: it cannot be read as an Avro"):
        list(read_avro(b"PAR1 and so on", Path("x.avro")))


def test_every_torn_manifest_is_refused_or_ends_at_a_block() -> None:
    data = manifest("deflate", entries=2)
    whole = list(read_avro(data, Path("m.avro")))

    for size in range(len(data)):
        try:
            found = list(read_avro(data[:size], Path("m.avro")))
        except DamagedFileError:
            continue
        assert found == whole[: len(found)]


def test_an_unknown_codec_says_what_to_set() -> None:
    data = manifest("null", entries=1).replace(b"\x08null", b"\x08lzma")

    with pytest.raises(DamagedFileError, match=r"write\.avro\.compression-codec to gzip"):
        list(read_avro(data, Path("m.avro")))
