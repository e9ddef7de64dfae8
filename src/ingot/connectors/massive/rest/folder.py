"""A folder of recorded REST responses: a file's name is the request that it answers.

`stocks/v1/splits` is stocks__v1__splits.json, its second page stocks__v1__splits&cursor=C.json.
How a list is sorted and divided into pages is not part of the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from ingot.connectors.massive.rest import instruments
from ingot.connectors.transport.http.client import read_json
from ingot.connectors.transport.http.error_rules import complaint
from ingot.errors import CorruptFileError, NotPublishedError, SourceUnavailableError
from ingot.folders import names
from ingot.model.vendor_files import inside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ingot.connectors.transport.http.response_bundle import Query

SUFFIX: Final = ".json"
_MANNER: Final = frozenset({"limit", "sort", "order", "market"})
_SLASH: Final = "__"


def file_name(path: str, params: Mapping[str, str] | None = None) -> str:
    """Return the file name of a request's response.

    >>> file_name("v3/reference/tickers", {"active": "false", "limit": "1000"})
    'v3__reference__tickers&active=false.json'
    """
    named = {k: v for k, v in (params or {}).items() if k not in _MANNER}
    query = "".join(f"&{k}={v}" for k, v in named.items())
    return f"{path.replace('/', _SLASH).replace(':', ';')}{query}{SUFFIX}"


class FolderResponses:
    """Recorded responses, as `ingot simulate` writes them too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def singles(self) -> FolderResponses:
        """What answers requests about one ticker: the same folder."""
        return self

    def has(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        """Return True if the response to a request is recorded."""
        return (self._folder / file_name(path, params)).is_file()

    def subjects(self, lists: Sequence[Query]) -> tuple[Sequence[str], Sequence[str]]:
        """Return the tickers whose overview, and those whose changes of ticker, are recorded."""
        del lists
        head, _, tail = instruments.EVENTS.partition("/*")
        details = [n for n in self._below(instruments.TICKERS) if n != "types"]
        return details, self._below(head, f"{tail.replace('/', _SLASH)}&types=ticker_change")

    def _below(self, path: str, tail: str = "") -> list[str]:
        """Return the names recorded between `path/` and `tail`, sorted."""
        head, end = f"{path.replace('/', _SLASH)}{_SLASH}", f"{tail}{SUFFIX}"
        try:
            there = names(self._folder)
        except OSError as exc:
            raise SourceUnavailableError(
                f"{self._folder} cannot be listed: {exc.strerror}. Try again later."
            ) from exc
        middles = (
            n[len(head) : -len(end)] for n in there if n.startswith(head) and n.endswith(end)
        )
        return sorted(
            m.replace(";", ":") for m in middles if m and "&" not in m and _SLASH not in m
        )

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 (JSON)
        """Return the recorded response to a request.

        Raises:
            NotPublishedError: It is not recorded.
            SourceUnavailableError: It cannot be read.
            CorruptFileError: It is not JSON, or a refusal.
        """
        return self._read(file_name(path, params))

    def follow(self, next_url: str) -> Any:  # noqa: ANN401 (JSON)
        """Return the recorded page that a page names as the next.

        Raises:
            NotPublishedError, SourceUnavailableError, CorruptFileError: As `get`.
        """
        parts = urlsplit(next_url)
        cursor = parse_qs(parts.query).get("cursor", [""])[0]
        return self._read(file_name(parts.path.strip("/"), {"cursor": cursor}))

    def _read(self, name: str) -> Any:  # noqa: ANN401 (JSON)
        path = self._folder / name
        try:
            body = read_json(inside(self._folder, path).read_bytes())
        except FileNotFoundError as exc:
            raise NotPublishedError(f"There is no {name} in {self._folder}.") from exc
        except OSError as exc:
            raise SourceUnavailableError(
                f"{path} cannot be read: {exc.strerror}. Allow reading it and try again."
            ) from exc
        except (ValueError, RecursionError) as exc:
            raise CorruptFileError(f"{path} is not JSON: {exc}. Record it again.") from exc
        if words := complaint(body):
            raise CorruptFileError(f"{path} is a refusal, not a response ({words}).")
        return body
