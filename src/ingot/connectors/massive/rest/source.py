"""The vendor's reference data: from its REST host, or from a folder of recorded responses."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingot.connectors.massive.datasets import NAME
from ingot.connectors.massive.rest import actions, instruments
from ingot.connectors.massive.rest.folder import FolderResponses
from ingot.connectors.reference.base import ReferenceSource, deliver
from ingot.connectors.reference.datasets import ACTIONS, INSTRUMENTS, reference_datasets
from ingot.connectors.transport.http import response_bundle
from ingot.connectors.transport.http.pagination import rows_from, rows_of
from ingot.connectors.transport.http.redaction import Redactor
from ingot.connectors.transport.http.response_bundle import Query
from ingot.errors import ConfigError, CorruptFileError, EntitlementError, NotPublishedError
from ingot.model.time import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from typing import Protocol

    from ingot.connectors.base import Fetched
    from ingot.connectors.massive.settings import MassiveSettings
    from ingot.connectors.reference.rows import Bad, Good
    from ingot.connectors.transport.backoff import Backoff
    from ingot.connectors.transport.http.pagination import Answers
    from ingot.model.landing import Content, Landing, RemoteObject
    from ingot.model.time import Clock

    class Responses(Answers, Protocol):
        """What answers the requests: `folder.FolderResponses` or `host.HostResponses`."""

        @property
        def singles(self) -> Answers:
            """What answers requests about one ticker."""
            ...

        def has(self, path: str, params: Mapping[str, str] | None = None) -> bool:
            """Return True if the request can be answered."""
            ...

        def subjects(self, lists: Sequence[Query]) -> tuple[Iterable[str], Iterable[str]] | None:
            """Return whose overview, and whose changes of ticker, belong to the lists."""
            ...


_QUERIES: Final = {
    "actions/splits": actions.SPLITS,
    "actions/dividends": actions.DIVIDENDS,
    "instruments/tickers": (instruments.TICKERS,),
}
"""The endpoints of each query, by the key of its landed object; the one to prefer first."""
_EVENT_TYPES: Final = {"types": "ticker_change"}
_LIST: Final = {"limit": "1000"}
_REST: Final = "rest"
_RESTLESS: Final = frozenset(
    {
        "last_updated_utc",
        "market_cap",
        "share_class_shares_outstanding",
        "weighted_shares_outstanding",
        "total_employees",
        "branding",
        "request_id",
    }
)
"""Fields that change from day to day though the instrument does not, and addresses of pictures."""


class MassiveReference(ReferenceSource):
    """Queries, and how their landed bundles are read."""

    def __init__(self, location: str, responses: Responses, redactor: Redactor) -> None:
        super().__init__(NAME, location, reference_datasets(ACTIONS, INSTRUMENTS))
        self._responses = responses
        self._redactor = redactor

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the dataset's queries; each asks for the vendor's whole history.

        Raises:
            ConfigError: The dataset is unknown.
        """
        del start
        self.dataset(dataset)
        day = end - timedelta(days=1)
        return tuple(
            self.remote(dataset, day, key)
            for key, paths in _QUERIES.items()
            if key.startswith(f"{dataset}/") and any(map(self._responses.has, paths))
        )

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Request all pages of the query and write them to `to` as one bundle.

        Raises:
            EntitlementError, NotPublishedError, RateLimitedError, SourceUnavailableError,
            ConfigError, CorruptFileError, StorageFullError: No page is landed then.
        """
        queries: Sequence[Query]
        if remote.dataset == INSTRUMENTS:
            queries = self._instruments()
        else:
            queries = (self._first_answered(_QUERIES[remote.key]),)
        return deliver(response_bundle.write(queries, self._redactor), to, advance)

    def read(self, landing: Landing, content: Content) -> Iterable[Good | Bad]:
        """Return the rows of a landed bundle.

        Raises:
            CorruptFileError: The bytes are not a bundle.
        """
        queries = response_bundle.read(content.read_bytes(), landing.key)
        if landing.dataset == INSTRUMENTS:
            return instruments.read_instruments(queries)
        return actions.read_actions(queries)

    def _first_answered(self, paths: Sequence[str]) -> Query:
        """Return the list of the first endpoint that answers; one that breaks off is an error."""
        for path in paths[:-1]:
            try:
                body = self._responses.get(path, _LIST)
            except (NotPublishedError, EntitlementError):
                continue
            return _query(path, rows_from(self._responses, path, body))
        return _query(paths[-1], rows_of(self._responses, paths[-1], _LIST))

    def _instruments(self) -> Sequence[Query]:
        """Return the lists of tickers, then overviews and changes of ticker, one by one."""
        stocks = {**_LIST, "market": "stocks"}
        gone = {"active": "false", **stocks}
        lists = tuple(
            _query(name, rows_of(self._responses, instruments.TICKERS, params))
            for name, params in ((instruments.TICKERS, stocks), (instruments.DELISTED, gone))
            if self._responses.has(instruments.TICKERS, params)
        )
        subjects = self._responses.subjects(lists)
        if subjects is None:
            return lists
        details, changed = subjects
        return (
            *lists,
            self._singles(instruments.DETAILS, details, {}),
            self._singles(instruments.EVENTS, changed, _EVENT_TYPES),
        )

    def _singles(self, name: str, ids: Iterable[str], params: Mapping[str, str]) -> Query:
        """Return one response for each id; an id that the vendor does not know has none."""
        rows: list[dict[str, Any]] = []
        for identity in ids:
            try:
                body = self._responses.singles.get(name.replace("*", identity), params)
            except NotPublishedError:
                continue
            row = body.get("results") if isinstance(body, dict) else None
            if not isinstance(row, dict):
                raise CorruptFileError(
                    f"The response of {name} for {identity} has no object `results`. Nothing was "
                    "landed."
                )
            rows.append(row)
        return _query(name, rows)


def _query(name: str, rows: Iterable[Mapping[str, Any]]) -> Query:
    """Return rows without the fields that change though nothing happened."""
    return Query(name, tuple({k: v for k, v in r.items() if k not in _RESTLESS} for r in rows))


def open_reference(
    location: str, settings: MassiveSettings, backoff: Backoff, clock: Clock | None = None
) -> MassiveReference:
    """Return the source at `location`: a folder of responses, or an address.

    Raises:
        ConfigError: The folder has no responses, the address is wrong, or the key is missing.
    """
    if "://" in location:
        from ingot.connectors.massive.rest.host import HostResponses  # noqa: PLC0415 (one of two)

        host = HostResponses(location, settings, backoff, clock or SystemClock())
        return MassiveReference(location, host, host.redactor)
    given = Path(location).expanduser().absolute()
    for folder in (given, given / _REST) if location else ():
        responses = FolderResponses(folder)
        if any(responses.has(path) for paths in _QUERIES.values() for path in paths):
            return MassiveReference(str(folder), responses, Redactor())
    raise ConfigError(
        f"The folder {str(given) if location else location!r} has no responses of massive, such "
        "as stocks__v1__splits.json or v3__reference__tickers.json, nor a folder rest with them. "
        "Name such a folder, or https://api.massive.com"
    )


def parser() -> MassiveReference:
    """Return what parses landed bundles; no place of the source is needed."""
    return MassiveReference("", FolderResponses(Path()), Redactor())
