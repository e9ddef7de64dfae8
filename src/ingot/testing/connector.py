"""`check_connector`: what every connector keeps, whatever its vendor."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from ingot.connectors.base import FileConnector, ReferenceConnector
from ingot.errors import ConfigError, CorruptFileError, QuarantineLimitError, SchemaDriftError
from ingot.model.landing import KnownBasis, Landing
from ingot.storage.landing.records import safe_part, safe_path
from ingot.tables.arrow import arrow_schema
from ingot.tables.own import ROW_KEY, OwnTable
from ingot.tables.registry import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    import pyarrow as pa
    from pydantic import BaseModel

    from ingot.connectors.base import Connector, Fetched, FileSource, Parsed, Parser
    from ingot.model.landing import RemoteObject
    from ingot.tables.dataset import Dataset

_ONE_DAY: Final = timedelta(days=1)
_GZIP: Final = b"\x1f\x8b"
_NO_ROW: Final = b"not a row"
_NO_HEADER: Final = b"not_a_column_of_the_contract"
_TORN_BYTES: Final = 20
_ALL: Final = 100.0
_SYMBOLS: Final = (ROW_KEY, "ticker", "symbol")
"""Columns that name what a row is about: of a contract, the first that it has."""


def check_connector(
    connector: Connector,
    location: str,
    dataset: str,
    *,
    start: date,
    end: date,
    folder: Path,
    settings: BaseModel | None = None,
    lines: bool = True,
    secrets: Sequence[str] = (),
) -> tuple[str, ...]:
    """Check that a connector keeps the contract for one dataset; raise at the first breach.

    Args:
        connector: What the entry point gives.
        location: Where the source is; it lists at least one object for the span.
        dataset: Name of the dataset; of a connector without datasets, one that `settings` name.
        start: First file date.
        end: The day after the last.
        folder: An empty folder for the check's own files.
        settings: The connector's settings; its defaults if None.
        lines: True when an object is text: a header line, then a line for each row.
        secrets: Keys and passwords in the settings that no location, key or text may show.

    Returns:
        The keys that the source lists for the span.

    Raises:
        AssertionError: The contract is broken; the message says how.
    """
    chosen = settings or connector.settings()
    source = _opened(connector, location, chosen, dataset)
    about = source.datasets[dataset]
    _check_dataset(connector, source, about)
    remotes = _check_listing(source, about, start, end)
    for remote in remotes:
        shown = f"{source.location} {source!r} {remote!r}"
        _ensure(not any(s in shown for s in secrets), "a secret is shown by location, key or repr")
    remote = remotes[0]
    path = folder / "fetched"
    fetched = _check_fetch(source, remote, path)
    landing = _landing(source, remote, fetched)
    rows = _check_parse(source, about, landing, path, folder)
    parser = connector.parser(about, chosen)
    _ensure(
        _rows(parser, landing, path, folder / "parser")[1].equals(rows),
        "`parser` gives other rows than the source: parsing must not need the vendor's place",
    )
    if lines:
        _check_lines(source, landing, path.read_bytes(), folder)
    return tuple(remote.key for remote in remotes)


def _ensure(holds: object, breach: str) -> None:
    if not holds:
        raise AssertionError(breach)


def _opened(connector: Connector, location: str, settings: BaseModel, dataset: str) -> FileSource:
    known = connector.datasets
    _ensure(dataset in known or not known, f"{connector.name} has no dataset {dataset}")
    if isinstance(connector, FileConnector):
        source = connector.open(location, settings)
        if dataset in source.datasets:
            return source
    if isinstance(connector, ReferenceConnector):
        return connector.open_reference(location, settings)
    raise AssertionError(
        f"{connector.name} opens nothing that has {dataset}: implement `open` (FileConnector) or "
        "`open_reference` (ReferenceConnector)"
    )


def _check_dataset(connector: Connector, source: FileSource, about: Dataset) -> None:
    safe_part(source.name, "source")
    safe_path(about.name, "dataset")
    for found in (about.bronze, about.silver):
        known = found is None or isinstance(found, OwnTable) or table(found.name) == found
        _ensure(known, f"{about.name} names an unknown table")
    _ensure(
        connector.datasets.get(about.name, about) == about,
        f"{about.name} differs between the connector and the source",
    )
    try:
        source.list("no/such-dataset", about.history_from, about.history_from + _ONE_DAY)
    except ConfigError:
        return
    raise AssertionError("listing an unknown dataset must raise ConfigError")


def _check_listing(
    source: FileSource, about: Dataset, start: date, end: date
) -> Sequence[RemoteObject]:
    remotes = source.list(about.name, start, end)
    _ensure(bool(remotes), f"nothing is listed for [{start}, {end})")
    _ensure(list(remotes) == list(source.list(about.name, start, end)), "a listing is not stable")
    keys = [remote.key for remote in remotes]
    _ensure(len(set(keys)) == len(keys), "a key occurs twice in a listing")
    for remote in remotes:
        safe_path(remote.key, "key")
        _ensure(
            (remote.source, remote.dataset) == (source.name, about.name),
            f"{remote.key} is listed under another source or dataset",
        )
    if about.per_day:
        _check_spans(source, about, remotes, end)
    return remotes


def _check_spans(
    source: FileSource, about: Dataset, remotes: Sequence[RemoteObject], end: date
) -> None:
    """Check that spans are half-open: a listing is the union of the listings of its days."""
    days = [remote.file_date for remote in remotes]
    _ensure(days == sorted(days), "a listing does not ascend by file date")
    for day in days:
        alone = source.list(about.name, day, day + _ONE_DAY)
        expected = [remote for remote in remotes if remote.file_date == day]
        _ensure(list(alone) == expected, f"the listing of {day} alone is another one")
        before = [r for r in source.list(about.name, days[0], day) if r.file_date >= day]
        _ensure(not before, f"a span that ends at {day} must not hold that day")
    _ensure(all(day < end for day in days), "a file date is outside the span")


def _check_fetch(source: FileSource, remote: RemoteObject, to: Path) -> Fetched:
    to.write_bytes(b"what an interrupted run left")
    counted: list[int] = []
    fetched = source.fetch(remote, to, counted.append)
    data = to.read_bytes()
    _ensure(fetched.sha256 == sha256(data).hexdigest(), "`fetch` returns another SHA-256")
    _ensure(fetched.size_bytes == len(data), "`fetch` returns another size")
    _ensure(sum(counted) == len(data), "`advance` counts other bytes than those that arrived")
    return fetched


def _landing(source: FileSource, remote: RemoteObject, fetched: Fetched) -> Landing:
    first_seen = datetime(remote.file_date.year + 1, 1, 1, tzinfo=UTC)
    return Landing(
        source=remote.source,
        dataset=remote.dataset,
        file_date=remote.file_date,
        key=remote.key,
        ordinal=1,
        sha256=fetched.sha256,
        size_bytes=fetched.size_bytes,
        etag=remote.etag,
        last_modified=remote.last_modified,
        first_seen=first_seen,
        known_from=first_seen,
        known_basis=KnownBasis.OBSERVED,
        rule=source.rule,
    )


def _rows(parser: Parser, landing: Landing, content: Path, to: Path) -> tuple[Parsed, pa.Table]:
    parsed = parser.parse(landing, content, to, limit_pct=_ALL)
    if parsed.path is None:
        raise AssertionError(f"{landing.key} gives no good row")
    return parsed, pq.read_table(parsed.path)


def _check_parse(
    source: FileSource, about: Dataset, landing: Landing, content: Path, folder: Path
) -> pa.Table:
    parsed, rows = _rows(source, landing, content, folder / "first")
    _ensure(_rows(source, landing, content, folder / "again")[1].equals(rows), "rows differ")
    contract = arrow_schema(about.bronze)
    _ensure(
        rows.schema.names == contract.names, f"the columns are not those of {about.bronze.name}"
    )
    cast = rows.cast(contract)  # text may be a dictionary: a narrower encoding of the same type
    _ensure(parsed.rows == rows.num_rows, "`Parsed.rows` is another number")
    for name in ("source", "dataset", "file_date", "landing_id"):
        found = set(cast[name].to_pylist())
        _ensure(found == {getattr(landing, name)}, f"{name} is not the landing's: {found}")
    numbers: list[Any] = cast["row_number"].to_pylist()
    _ensure(len(set(numbers)) == len(numbers) and min(numbers) >= 1, "row numbers are not unique")
    symbols = next(name for name in _SYMBOLS if name in contract.names)
    _ensure(parsed.symbols == len(set(cast[symbols].to_pylist())), "`Parsed.symbols` is wrong")
    if parsed.in_order:
        keys = list(zip(cast[symbols].to_pylist(), cast["window_start"].to_pylist(), strict=True))
        _ensure(keys == sorted(set(keys)), "`Parsed.in_order` is True, but the keys do not rise")
    return rows


def _check_lines(parser: Parser, landing: Landing, data: bytes, folder: Path) -> None:
    packed = data.startswith(_GZIP)
    text = gzip.decompress(data) if packed else data
    text = text if text.endswith(b"\n") else text + b"\n"
    content, to = folder / "changed", folder / "refused"

    def parse(changed: bytes, *, whole: bool = True, limit_pct: float = _ALL) -> Parsed:
        written = gzip.compress(changed) if packed else changed
        content.write_bytes(written if whole else written[:-_TORN_BYTES])
        return parser.parse(landing, content, to, limit_pct=limit_pct)

    numbered = len(text.splitlines())
    parsed = parse(text + _NO_ROW + b"\n")
    refused = [row for row in parsed.refused if row.raw == _NO_ROW.decode()]
    _ensure(len(refused) == 1, "a line that is not a row must be refused with its raw text")
    _ensure(refused[0].row_number == numbered, "a refused row has another line number")
    _ensure(bool(refused[0].rule), "a refused row names no rule")
    _ensure(refused[0].landing_id == landing.landing_id, "a refused row names another landing")
    to.unlink(missing_ok=True)
    breaches: list[tuple[str, type[Exception], bytes, bool, float]] = [
        ("a refused row above the limit", QuarantineLimitError, text + _NO_ROW + b"\n", True, 0.0),
        (
            "another header",
            SchemaDriftError,
            _NO_HEADER + b"\n" + text.partition(b"\n")[2],
            True,
            _ALL,
        ),
    ]
    if packed:
        breaches.append(("a torn file", CorruptFileError, text, False, _ALL))
    for what, error, changed, whole, limit_pct in breaches:
        try:
            parse(changed, whole=whole, limit_pct=limit_pct)
        except error:
            _ensure(not to.exists(), f"a file of rows was left behind after {what}")
        else:
            raise AssertionError(f"{what} must raise {error.__name__}")
