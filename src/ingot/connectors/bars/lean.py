"""Bars of LEAN's archives as one CSV file: a zip for each symbol and day, or for each symbol.

    minute/<symbol>/<YYYYMMDD>_trade.zip  ms since midnight, open, high, low, close, volume
    daily/<symbol>.zip                    YYYYMMDD HH:MM, the same

Times are those of the exchange's clock, prices in ten-thousandths of a dollar, as in the folder
Data of QuantConnect/Lean. Both are rewritten exactly; a line that cannot be keeps its text, so
that it is rejected with it.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import ConfigError, CorruptFileError
from ingot.folders import files_below
from ingot.model.number import exact
from ingot.model.vendor_files import DEFAULT_LIMITS, inside, limited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE: Final = "America/New_York"
HEADER: Final = "symbol,time,open,high,low,close,volume"
_NAMES: Final = {"1m": re.compile(r"(\d{8})_trade\.zip"), "1d": re.compile(r"([^_]+)\.zip")}
_FIELDS: Final = 6
_MOST_BYTES: Final = 64 << 20
_UNIT: Final = Decimal("0.0001")
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, IndexError, UnicodeDecodeError),
    *(RuntimeError, NotImplementedError),
)
"""What an archive raises that is torn, empty, encrypted, packed in an unknown way, or no text."""


def as_csv(folder: Path, interval: str) -> bytes:
    """Return the bars of an interval below a folder, by file and line.

    Raises:
        ConfigError: There is no archive of the interval.
        CorruptFileError: An archive cannot be read, or inflates beyond 64 MiB.
        LookAtDataError: A link leads out of the folder.
    """
    archives = [p for p in files_below(folder) if _NAMES[interval].fullmatch(p.name)]
    if not archives:
        raise ConfigError(
            f"{str(folder)!r} has no LEAN archive of {interval} bars (YYYYMMDD_trade.zip for 1m, "
            "SYMBOL.zip for 1d). Name another folder or --interval."
        )
    lines = (line for path in archives for line in _lines(inside(folder, path), interval))
    return "\n".join([HEADER, *lines, ""]).encode()


def _lines(path: Path, interval: str) -> Iterator[str]:
    symbol = (path.stem if interval == "1d" else path.parent.name).upper()
    for line in _text(path).splitlines():
        parts = line.split(",")
        if len(parts) != _FIELDS:
            yield f"{symbol},{line}"
            continue
        time, *prices, volume = parts
        start = _day(time) if interval == "1d" else _minute(path.name[:8], time)
        yield ",".join([symbol, start, *map(_price, prices), volume])


def _text(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.infolist()[0]
            packed = min(member.compress_size, path.stat().st_size)
            inflating: Any = archive.open(member)
            limits = DEFAULT_LIMITS.at_most(_MOST_BYTES)
            with limited(inflating, lambda: packed, str(path), limits) as stream:
                return stream.read().decode()
    except _UNREADABLE as exc:
        raise CorruptFileError(
            f"{path} is not a LEAN archive of trades: {exc}. Nothing was loaded; restore the file."
        ) from exc


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text[:8].isdecimal() else text


def _minute(day: str, text: str) -> str:
    """Return the time on the exchange's clock."""
    try:
        midnight = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
        return (midnight + timedelta(milliseconds=int(text))).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError):
        return text


def _price(text: str) -> str:
    found = exact(text)
    return text if found is None else f"{found * _UNIT:f}"
