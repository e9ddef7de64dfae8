"""The vendor's reference data: its REST host, or a folder of its recorded answers."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingot.connectors.massive.datasets import NAME
from ingot.connectors.massive.rest import actions, instruments
from ingot.connectors.massive.rest.recorded_responses import FolderAnswers, KeptAnswers, without
from ingot.connectors.reference.base import ReferenceSource, deliver
from ingot.connectors.reference.datasets import ACTIONS, INSTRUMENTS, reference_datasets
from ingot.connectors.transport.http import response_bundle
from ingot.connectors.transport.http.client import RestClient, RestOptions
from ingot.connectors.transport.http.pagination import rows_from, rows_of
from ingot.connectors.transport.http.rate_limit import MINUTE_S, Gate, Quota
from ingot.connectors.transport.http.redaction import Redactor
from ingot.connectors.transport.http.response_bundle import Query
from ingot.errors import ConfigError, CorruptFileError, EntitlementError, NotPublishedError
from ingot.model.time import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from ingot.connectors.base import Fetched, FileSource
    from ingot.connectors.massive.settings import MassiveSettings
    from ingot.connectors.reference.rows import Bad, Good
    from ingot.connectors.transport.backoff import Backoff
    from ingot.connectors.transport.http.pagination import Answers
    from ingot.model.landing import Content, Landing, RemoteObject
    from ingot.model.time import Clock

REFERENCE: Final = reference_datasets(ACTIONS, INSTRUMENTS)
_KEYS: Final = {
    ACTIONS: ("actions/splits", "actions/dividends"),
    INSTRUMENTS: ("instruments/tickers",),
}
_ENDPOINTS: Final = {"actions/splits": actions.SPLITS, "actions/dividends": actions.DIVIDENDS}
_EVENT_TYPES: Final = {"types": "ticker_change"}
_LIST: Final = {"limit": "1000"}
_EVERY: Final = "*"
_REST: Final = "rest"
_HOSTS: Final = frozenset({"api.massive.com", "api.polygon.io"})
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
_NO_ANSWER: Final = (NotPublishedError, EntitlementError)


class _MassiveReference(ReferenceSource):
    """Queries and how their landed bundles are read; who answers is the subclass's business."""

    def __init__(self, location: str, answers: Answers, redactor: Redactor) -> None:
        super().__init__(NAME, location, REFERENCE)
        self._answers = answers
        self._redactor = redactor

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the dataset's queries; each is asked for the vendor's whole history.

        Raises:
            ConfigError: The dataset is unknown.
        """
        del start
        self.dataset(dataset)
        day = end - timedelta(days=1)
        return tuple(self.remote(dataset, day, key) for key in _KEYS[dataset] if self._has(key))

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Ask for all pages of the query and write them to `to` as one bundle.

        Raises:
            EntitlementError, NotPublishedError, RateLimitedError, SourceUnavailableError,
            ConfigError, CorruptFileError, StorageFullError: No page is landed then.
        """
        if remote.key in _ENDPOINTS:
            queries: Sequence[Query] = (self._first_answered(_ENDPOINTS[remote.key]),)
        else:
            queries = self._instruments()
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

    @abstractmethod
    def _has(self, key: str) -> bool:
        """Say whether the query can be had at all."""

    @abstractmethod
    def _may_ask(self, params: Mapping[str, str]) -> bool:
        """Say whether a list of tickers can be had at all."""

    @abstractmethod
    def _instruments(self) -> Sequence[Query]:
        """Return the queries that tell of instruments, answered."""

    def _first_answered(self, paths: Sequence[str]) -> Query:
        """Return the list of the first endpoint that answers; one that breaks off is an error."""
        for path in paths[:-1]:
            try:
                body = self._answers.get(path, _LIST)
            except _NO_ANSWER:
                continue
            return Query(path, without(rows_from(self._answers, path, body), _RESTLESS))
        return self._all(paths[-1], paths[-1], _LIST)

    def _all(self, name: str, path: str, params: Mapping[str, str]) -> Query:
        return Query(name, without(rows_of(self._answers, path, params), _RESTLESS))

    def _lists(self) -> Sequence[Query]:
        stocks = {**_LIST, "market": "stocks"}
        gone = {"active": "false", **stocks}
        return tuple(
            self._all(name, instruments.TICKERS, params)
            for name, params in ((instruments.TICKERS, stocks), (instruments.DELISTED, gone))
            if self._may_ask(params)
        )

    def _singles(
        self, answers: Answers, name: str, ids: Iterable[str], params: Mapping[str, str]
    ) -> Query:
        """Return one answer for each id; an id that the vendor does not know has none."""
        rows: list[dict[str, Any]] = []
        for identity in ids:
            try:
                body = answers.get(name.replace(_EVERY, identity), params)
            except NotPublishedError:
                continue
            row = body.get("results") if isinstance(body, dict) else None
            if not isinstance(row, dict):
                raise CorruptFileError(
                    f"The answer of {name} for {identity} holds no object. Nothing was landed."
                )
            rows.append(row)
        return Query(name, without(rows, _RESTLESS))


class FolderReference(_MassiveReference):
    """Recorded answers, as `ingot simulate` writes them too."""

    def __init__(self, folder: Path) -> None:
        self._folder = FolderAnswers(folder)
        super().__init__(str(folder), self._folder, Redactor())

    def _has(self, key: str) -> bool:
        paths = _ENDPOINTS.get(key)
        if paths is None:
            return self._folder.has(instruments.TICKERS)
        return any(self._folder.has(path) for path in paths)

    def _may_ask(self, params: Mapping[str, str]) -> bool:
        return self._folder.has(instruments.TICKERS, params)

    def _instruments(self) -> Sequence[Query]:
        head, _, tail = instruments.EVENTS.partition(f"/{_EVERY}")
        details = [n for n in self._folder.below(instruments.TICKERS) if n != "types"]
        changed = self._folder.below(head, f"{tail.replace('/', '__')}&types=ticker_change")
        return (
            *self._lists(),
            self._singles(self._folder, instruments.DETAILS, details, {}),
            self._singles(self._folder, instruments.EVENTS, changed, _EVENT_TYPES),
        )


class HostReference(_MassiveReference):
    """The vendor's host, or a server that answers like it."""

    def __init__(
        self, client: RestClient, location: str, settings: MassiveSettings, clock: Clock
    ) -> None:
        redactor = Redactor((settings.rest_api_key,))
        super().__init__(location, client, redactor)
        self._client = client
        self._settings = settings
        self._clock = clock

    def _has(self, key: str) -> bool:
        del key
        return True

    def _may_ask(self, params: Mapping[str, str]) -> bool:
        del params
        return True

    def _instruments(self) -> Sequence[Query]:
        lists = self._lists()
        asked = self._settings.rest_details_for
        if not asked:
            return lists
        rows = [row for query in lists for row in query.rows]
        active = [str(row.get("ticker", "")) for row in lists[0].rows]
        by_figi = [str(row.get("composite_figi") or row.get("ticker", "")) for row in rows]
        every = _EVERY in asked
        keeper = self._keeper()
        return (
            *lists,
            self._singles(keeper, instruments.DETAILS, active if every else asked, {}),
            self._singles(
                keeper,
                instruments.EVENTS,
                dict.fromkeys(by_figi) if every else asked,
                _EVENT_TYPES,
            ),
        )

    def _keeper(self) -> Answers:
        folder = self._settings.rest_answers_folder
        if folder is None:
            return self._client
        return KeptAnswers(
            self._client,
            folder.expanduser(),
            self._redactor,
            hours=self._settings.rest_answers_hours,
            now=self._clock.now(),
        )


def open_reference(
    location: str, settings: MassiveSettings, backoff: Backoff, clock: Clock | None = None
) -> FileSource:
    """Return the source at `location`: a folder of answers, or an address.

    Raises:
        ConfigError: The folder holds no answers, or the address is none or has no key.
    """
    if "://" in location:
        return _host(location, settings, backoff, clock or SystemClock())
    given = Path(location).expanduser().absolute()
    for folder in (given, given / _REST) if location else ():
        source = FolderReference(folder)
        if any(source._has(key) for keys in _KEYS.values() for key in keys):  # noqa: SLF001 (ours)
            return source
    raise ConfigError(
        f"The folder {str(given) if location else location!r} holds no answers of massive, such "
        "as stocks__v1__splits.json or v3__reference__tickers.json, nor a folder rest with them. "
        "Name such a folder, or https://api.massive.com"
    )


def _host(location: str, settings: MassiveSettings, backoff: Backoff, clock: Clock) -> FileSource:
    key = settings.rest_api_key
    redactor = Redactor((key,))
    if key is None or not key.get_secret_value():
        raise ConfigError(
            f"Asking {redactor.text(location)} needs the REST key. Set rest_api_key of massive in "
            "the environment or in [massive] of the secrets file."
        )
    calls = settings.rest_calls_per_minute
    client = RestClient(
        RestOptions(
            base_url=location,
            headers={"Authorization": f"Bearer {key.get_secret_value()}"},
            redactor=redactor,
            gate=Gate(
                (Quota(calls, MINUTE_S),) if calls else (),
                sleep=backoff.sleep,
            ),
            backoff=backoff,
            clock=clock,
            key_setting="rest_api_key",
            aliases=_HOSTS,
            timeout_s=settings.read_timeout_s,
            deadline_s=settings.call_deadline_s,
            allow_http=settings.allow_http,
        )
    )
    return HostReference(client, location, settings, clock)
