"""The vendor's REST answers in a folder: a file's name is the request that it answers.

`stocks/v1/splits` is stocks__v1__splits.json, its second page stocks__v1__splits&cursor=C.json.
How a list was to be sorted and cut into pages is no part of the name.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from ingot.connectors.transport.http.client import read_json
from ingot.connectors.transport.http.error_rules import complaint
from ingot.connectors.transport.http.response_bundle import canonical
from ingot.errors import CorruptFileError, NotPublishedError, SourceUnavailableError
from ingot.folders import names
from ingot.model.vendor_files import inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from ingot.connectors.transport.http.client import RestClient
    from ingot.connectors.transport.http.redaction import Redactor

SUFFIX: Final = ".json"
_MANNER: Final = frozenset({"limit", "sort", "order", "market"})
_SLASH: Final = "__"


def file_name(path: str, params: Mapping[str, str] | None = None) -> str:
    """Return the name of a request's answer.

    >>> file_name("v3/reference/tickers", {"active": "false", "limit": "1000"})
    'v3__reference__tickers&active=false.json'
    """
    told = {k: v for k, v in (params or {}).items() if k not in _MANNER}
    query = "".join(f"&{k}={v}" for k, v in told.items())
    return f"{path.replace('/', _SLASH).replace(':', ';')}{query}{SUFFIX}"


class FolderAnswers:
    """Answers from recorded bodies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        """Say whether a question's answer was recorded."""
        return (self._folder / file_name(path, params)).is_file()

    def below(self, path: str, tail: str = "") -> list[str]:
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

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401
        """Return the recorded answer to a question.

        Raises:
            NotPublishedError: It was not recorded.
            SourceUnavailableError: It cannot be read.
            CorruptFileError: It is no JSON, or a refusal.
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
            raise CorruptFileError(f"{path} is no JSON: {exc}. Record it again.") from exc
        if words := complaint(body):
            raise CorruptFileError(f"{path} is a refusal, not an answer ({words}).")
        return body


class KeptAnswers:
    """Answers of the vendor's host that are kept in a folder for some hours.

    Asking for each ticker takes longer than one day's calls may: a later run reads what an
    earlier one was told.
    """

    def __init__(
        self, client: RestClient, folder: Path, redactor: Redactor, *, hours: float, now: datetime
    ) -> None:
        self._client = client
        self._folder = folder
        self._redactor = redactor
        self._oldest = (now - timedelta(hours=hours)).timestamp()
        self.follow = client.follow

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401
        """Return the kept answer where it is young enough, else the vendor's; keeps that.

        Raises:
            SourceUnavailableError: The folder cannot be used. And as the client's `get` does.
        """
        kept = self._folder / file_name(path, params)
        try:
            if kept.is_file() and kept.stat().st_mtime >= self._oldest:
                return read_json(kept.read_bytes())
        except ValueError:
            pass  # torn while it was written: ask again
        body = self._client.get(path, params)
        text = self._redactor.text(canonical(body))
        part = kept.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            part.replace(kept)
        except OSError as exc:
            raise SourceUnavailableError(
                f"{kept} cannot be written: {exc.strerror}. Look at rest_answers_folder."
            ) from exc
        return body


def without(rows: Iterable[Mapping[str, Any]], names: frozenset[str]) -> tuple[dict[str, Any], ...]:
    """Return the rows without the fields that change though nothing happened."""
    return tuple({k: v for k, v in row.items() if k not in names} for row in rows)
