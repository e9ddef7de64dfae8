"""A small reader of Avro container files, enough for Iceberg's manifests.

PyIceberg has one, but importing it costs more than answering a question does; this one reads the
same bytes with the standard library alone. Iceberg's field ids identify the fields.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

Decode = Callable[[bytes, int], tuple[Any, int]]
"""Takes a buffer and an offset; returns a value and the offset after it."""

_MAGIC: Final = b"Obj\x01"
_SYNC_SIZE: Final = 16
_MORE: Final = 0x80


def read_avro(data: bytes, path: object) -> Iterator[dict[int, Any]]:
    """Yield the records of a container file, each as a dict by Iceberg field id.

    Args:
        data: The whole file.
        path: The path or URL, for errors.

    Raises:
        DamagedFileError: It is not an Avro file, is torn, or uses an unknown codec.
    """
    try:
        yield from _records(data)
    except (IndexError, KeyError, ValueError, struct.error, zlib.error) as exc:
        found = f"it cannot be read as an Avro file ({type(exc).__name__}: {exc})"
        raise DamagedFileError(path, found=found) from exc


def _records(data: bytes) -> Iterator[dict[int, Any]]:
    if data[:4] != _MAGIC:
        raise ValueError(f"it starts with {data[:4]!r}")
    meta, position = _METADATA(data, 4)
    decode = _decoder(json.loads(meta["avro.schema"]), {})
    inflate = _codec(meta.get("avro.codec", b"null").decode())
    sync = data[position : position + _SYNC_SIZE]
    position += _SYNC_SIZE
    while position < len(data):
        count, position = _long(data, position)
        size, position = _long(data, position)
        block, offset = inflate(data[position : position + size]), 0
        position += size
        for _ in range(count):
            record, offset = decode(block, offset)
            yield record
        if data[position : position + _SYNC_SIZE] != sync:
            raise ValueError("a block does not end with the file's sync marker")
        position += _SYNC_SIZE


def _codec(name: str) -> Callable[[bytes], bytes]:
    if name == "null":
        return lambda block: block
    if name == "deflate":
        return lambda block: zlib.decompress(block, -15)
    if name == "zstandard":
        return _zstandard
    raise ValueError(
        f"its codec is {name}; set the table property write.avro.compression-codec to gzip"
    )


def _zstandard(block: bytes) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and only files of other writers need it

    return bytes(pa.CompressedInputStream(pa.BufferReader(block), "zstd").read())


def _long(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    value = byte & 0x7F
    shift = 7
    while byte & _MORE:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
    return (value >> 1) ^ -(value & 1), at


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(data, at)
    if size < 0 or at + size > len(data):
        raise ValueError("a value runs past the end of its block")
    return data[at : at + size], at + size


def _string(data: bytes, at: int) -> tuple[str, int]:
    value, at = _bytes(data, at)
    return value.decode(), at


def _fixed(size: int) -> Decode:
    return lambda data, at: (data[at : at + size], at + size)


def _packed(layout: str) -> Decode:
    size = struct.calcsize(layout)
    return lambda data, at: (struct.unpack_from(layout, data, at)[0], at + size)


_PRIMITIVES: Final[dict[str, Decode]] = {
    "null": lambda _, at: (None, at),
    "boolean": lambda data, at: (data[at] == 1, at + 1),
    "int": _long,
    "long": _long,
    "float": _packed("<f"),
    "double": _packed("<d"),
    "bytes": _bytes,
    "string": _string,
}


def _decoder(schema: Any, named: dict[str, Decode]) -> Decode:  # noqa: ANN401 - JSON
    if isinstance(schema, list):
        return _union([_decoder(branch, named) for branch in schema])
    if isinstance(schema, str):
        return _PRIMITIVES.get(schema) or named[schema]
    made = _COMPLEX.get(schema["type"])
    return made(schema, named) if made else _decoder(schema["type"], named)


def _named_fixed(schema: dict[str, Any], named: dict[str, Decode]) -> Decode:
    named[schema["name"]] = _fixed(schema["size"])
    return named[schema["name"]]


def _array_or_pairs(schema: dict[str, Any], named: dict[str, Decode]) -> Decode:
    """Return the decoder of an array; Iceberg writes a map with integer keys as one of pairs."""
    items = schema["items"]
    if schema.get("logicalType") == "map" and isinstance(items, dict):
        key, value = (_decoder(field["type"], named) for field in items["fields"])
        return _map(key, value)
    return _array(_decoder(items, named))


def _record(schema: dict[str, Any], named: dict[str, Decode]) -> Decode:
    fields: list[tuple[Any, Decode]] = []

    def decode(data: bytes, at: int) -> tuple[dict[Any, Any], int]:
        record = {}
        for key, field in fields:
            record[key], at = field(data, at)
        return record, at

    named[schema["name"]] = decode
    fields += [(f.get("field-id", f["name"]), _decoder(f["type"], named)) for f in schema["fields"]]
    return decode


def _union(branches: list[Decode]) -> Decode:
    def decode(data: bytes, at: int) -> tuple[Any, int]:
        index, at = _long(data, at)
        if index < 0:
            raise ValueError(f"a union has no branch {index}")
        return branches[index](data, at)

    return decode


def _array(item: Decode) -> Decode:
    def decode(data: bytes, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        while True:
            count, at = _block_head(data, at)
            if count == 0:
                return items, at
            for _ in range(count):
                value, at = item(data, at)
                items.append(value)

    return decode


def _map(key: Decode, value: Decode) -> Decode:
    def decode(data: bytes, at: int) -> tuple[dict[Any, Any], int]:
        items: dict[Any, Any] = {}
        while True:
            count, at = _block_head(data, at)
            if count == 0:
                return items, at
            for _ in range(count):
                name, at = key(data, at)
                items[name], at = value(data, at)

    return decode


def _block_head(data: bytes, at: int) -> tuple[int, int]:
    """Return the number of items in the next block of an array or map, and where they start."""
    count, at = _long(data, at)
    if count < 0:
        _, at = _long(data, at)
    return abs(count), at


_METADATA: Final = _map(_string, _bytes)
_COMPLEX: Final[dict[str, Callable[[dict[str, Any], dict[str, Decode]], Decode]]] = {
    "record": _record,
    "array": _array_or_pairs,
    "map": lambda schema, named: _map(_string, _decoder(schema["values"], named)),
    "fixed": _named_fixed,
}
