"""How far files that others wrote are trusted: how large they inflate, where their links lead.

Every reader of gzip and zip inflates through `limited`, so that a few packed bytes can fill neither
memory nor disk.
"""

from __future__ import annotations

import gzip
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import CorruptFileError, LookAtDataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Inflating(Protocol):
        """A stream that is read into buffers."""

        def readinto(self, buffer: Any, /) -> int: ...  # noqa: ANN401, D102 (as io has it)
        def close(self) -> None: ...  # noqa: D102 (as io has it)


GZIP: Final = b"\x1f\x8b"
"""First bytes of a gzip file."""
_BUFFER_BYTES: Final = 1 << 20
_ANY_RATIO_BYTES: Final = 16 << 20
"""So much may come of any packed size: the ratio of a small file says nothing."""


@dataclass(frozen=True, slots=True)
class InflateLimits:
    """How far a packed file may inflate.

    Measured on real files: a day of minutes of the US stock market inflates 5 times, to 130 MB;
    options quotes, the largest files of vendors, 10 to 20 times.
    """

    most_bytes: int = 64 << 30
    most_ratio: float = 100.0
    """Most inflated bytes for each packed byte, beyond the first 16 MiB."""
    is_fixed: bool = False
    """True where `most_bytes` is a reader's own and no setting raises it."""

    def at_most(self, most_bytes: int) -> InflateLimits:
        """Return these limits for a reader that holds a whole file in memory."""
        if self.most_bytes <= most_bytes:
            return self
        return replace(self, most_bytes=most_bytes, is_fixed=True)

    def left(self, packed_bytes: int, inflated_bytes: int) -> int:
        """Return how many more bytes a file of `packed_bytes` can inflate to."""
        most = max(_ANY_RATIO_BYTES, int(packed_bytes * self.most_ratio))
        return max(0, min(self.most_bytes, most) - inflated_bytes)

    def check(self, packed_bytes: int, inflated_bytes: int, what: str) -> None:
        """Refuse a file that has inflated too far.

        Raises:
            CorruptFileError: It is beyond a limit.
        """
        if inflated_bytes > self.most_bytes:
            found = f"{self.most_bytes / (1 << 20):,.0f} MiB"
            advice = "if it is genuine, raise inflate_max_mb"
            if self.is_fixed:
                advice = "no real file of its kind is so large"
        elif inflated_bytes > max(_ANY_RATIO_BYTES, packed_bytes * self.most_ratio):
            found = f"{self.most_ratio:g} times its size"
            advice = "if it is genuine, raise inflate_max_ratio"
        else:
            return
        raise CorruptFileError(
            f"{what} inflates to more than {found}. Nothing of it was loaded; {advice}."
        )


DEFAULT_LIMITS: Final = InflateLimits()
"""The limits where no setting says otherwise."""


def limited(
    stream: Inflating, packed_bytes: Callable[[], int], what: str, limits: InflateLimits
) -> io.BufferedReader:
    """Return an inflating stream that stops where it passes a limit.

    Args:
        stream: Gives inflated bytes.
        packed_bytes: Says how many packed bytes were read so far.
        what: The file's name for messages.
        limits: How far it may inflate.
    """
    return io.BufferedReader(_Limited(stream, packed_bytes, what, limits), _BUFFER_BYTES)


def opened(path: Path, what: str, limits: InflateLimits) -> io.BufferedReader:
    """Open a file that may be gzip, as its first bytes say, as the bytes that it inflates to.

    Raises:
        OSError: It cannot be opened.
    """
    return unpacked(path.open("rb"), what, limits)


def unpacked(raw: io.BufferedReader[Any], what: str, limits: InflateLimits) -> io.BufferedReader:
    """Return bytes that may be gzip, as the first of them say, as what they inflate to."""
    if not raw.peek(len(GZIP)).startswith(GZIP):
        return raw
    return limited(_GzipFile(raw), raw.tell, what, limits)


def inside(root: Path, path: Path) -> Path:
    """Return the real path of a file of the tree at `root`, its links resolved.

    Raises:
        LookAtDataError: A link leads out of the tree.
    """
    real = Path(os.path.realpath(path))
    if real.is_relative_to(os.path.realpath(root)):
        return real
    raise LookAtDataError(
        f"{path} is a link that leads out of {root}. Nothing of it was read; put the file itself "
        "there, or remove the link."
    )


class _GzipFile(gzip.GzipFile):
    """Closes the file that it inflates, too."""

    def __init__(self, raw: io.BufferedReader) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._raw = raw

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Limited(io.RawIOBase):
    def __init__(
        self,
        stream: Inflating,
        packed_bytes: Callable[[], int],
        what: str,
        limits: InflateLimits,
    ) -> None:
        self._stream = stream
        self._packed_bytes = packed_bytes
        self._what = what
        self._limits = limits
        self._inflated_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (a buffer)
        count = self._stream.readinto(buffer)
        self._inflated_bytes += count
        self._limits.check(self._packed_bytes(), self._inflated_bytes, self._what)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
