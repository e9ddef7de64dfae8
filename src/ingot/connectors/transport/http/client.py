"""A client of one vendor's REST interface with quota, retries and redaction of keys."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit
from weakref import finalize

from ingot.connectors.transport.backoff import Backoff
from ingot.connectors.transport.clear_text import require_private
from ingot.connectors.transport.http import error_rules
from ingot.connectors.transport.http.error_rules import Fault
from ingot.connectors.transport.http.rate_limit import Gate
from ingot.connectors.transport.http.redaction import Redactor
from ingot.connectors.transport.http.reply import NoReplyError, origin, retry_after_s
from ingot.errors import ConfigError, SourceUnavailableError
from ingot.model.time import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ingot.connectors.transport.http.exchange import Exchange
    from ingot.model.time import Clock

_FIRST_ERROR: Final = 400
_KEYS: Final = frozenset({"apikey", "api_key", "token", "access_token", "crumb"})
_DEAD_TRIES: Final = 2
_SLOW_S: Final = 8.0
_SCHEMES: Final = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class RestOptions:
    """Where a vendor is, and how requests are made and repeated."""

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    redactor: Redactor = field(default_factory=Redactor)
    gate: Gate = field(default_factory=lambda: Gate(()))
    backoff: Backoff = field(default_factory=Backoff)
    clock: Clock = field(default_factory=SystemClock)
    key_setting: str = "the key"
    """Name of the setting with the key, for messages."""
    aliases: frozenset[str] = frozenset()
    """Other hosts of the vendor: a next page there is requested at `base_url`."""
    timeout_s: float = 60.0
    deadline_s: float = 180.0
    """Time that the requests of one call may take together; waits between them do not count."""
    allow_http: bool = False
    """Whether to send unencrypted requests to another machine."""
    now: Callable[[], float] = time.monotonic
    """Seconds on a clock that never goes back."""
    most_bytes: int = 256 << 20
    longest_retry_s: float = 120.0
    """A Retry-After above it is an error, not a wait."""


class RestClient:
    """Requests JSON. Safe for several threads; the quota is kept for all of them together."""

    def __init__(self, options: RestOptions) -> None:
        parts = urlsplit(options.base_url)
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.username:
            raise ConfigError(
                f"{options.redactor.text(options.base_url)!r} is not an address of a vendor. "
                "It should be like https://api.example.com, without a user name or a key."
            )
        require_private(options.base_url, allow_http=options.allow_http)
        self._options = options
        self._unreachable: _Refusal | None = None
        self._base = options.base_url.rstrip("/")

    def __repr__(self) -> str:
        """Name the address, never a key."""
        return f"RestClient({self._base!r})"

    @cached_property
    def _exchange(self) -> Exchange:
        """Connections that are made at the first call and closed with the client."""
        from ingot.connectors.transport.http.exchange import Exchange  # noqa: PLC0415 (httpx: 300 ms)

        options = self._options
        exchange = Exchange(
            self._base,
            options.headers,
            timeout_s=options.timeout_s,
            most_bytes=options.most_bytes,
        )
        finalize(self, exchange.close)
        return exchange

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 (JSON)
        """Return the JSON of the response; numbers with a point are Decimals, as written.

        Raises:
            ConfigError: The key is missing or wrong.
            EntitlementError: The plan does not cover it.
            NotPublishedError: The vendor does not have it.
            QueryError: The vendor rejects the request.
            RateLimitedError: It limits the calls for longer than we wait.
            SourceUnavailableError: It does not respond.
            CorruptFileError: The response is not JSON after every retry, or is too large.
        """
        query = f"?{urlencode(params)}" if params else ""
        return self._request(f"{self._base}/{path.lstrip('/')}{query}")

    def follow(self, next_url: str) -> Any:  # noqa: ANN401 (JSON)
        """Return the JSON at a page's `next_url`, requested from the host of the first page.

        Raises:
            SourceUnavailableError: It leads to another host. And as `get` does.
        """
        parts = urlsplit(next_url)
        ours = origin(next_url) == origin(self._base)
        if not ours and (parts.hostname or "").lower() not in self._options.aliases:
            raise SourceUnavailableError(
                f"The next page of {self._base} is on another host, {parts.hostname or 'none'}. "
                "It was not requested, and nothing was kept; check the address."
            )
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = urlencode([(k, v) for k, v in pairs if k.lower() not in _KEYS])
        root = urlsplit(self._base)
        return self._request(
            f"{root.scheme}://{root.netloc}{parts.path}{'?' if query else ''}{query}"
        )

    def _request(self, url: str) -> Any:  # noqa: ANN401 (JSON)
        options = self._options
        doing = options.redactor.text(f"GET {url}")
        failures, left_s = 0, options.deadline_s
        while True:
            if self._unreachable:
                raise self._error(self._unreachable, doing)
            options.gate.wait(doing)
            began = options.now()
            outcome = self._try(url, left_s)
            left_s -= options.now() - began
            if not isinstance(outcome, _Refusal):
                return outcome
            failures += 1
            if outcome.is_unreachable:
                options.gate.give_back()
            if self._is_final(outcome, failures, left_s):
                self._unreachable = outcome if outcome.is_unreachable else None
                raise self._error(outcome, doing)
            self._wait(failures, outcome.retry_after_s)

    def _is_final(self, refusal: _Refusal, failures: int, left_s: float) -> bool:
        """Return True if a retry cannot help, or the call has used its attempts or its time.

        An address that does not respond is tried twice, and once where that took long.
        """
        options = self._options
        if refusal.is_unreachable:
            slow = left_s < options.deadline_s - _SLOW_S
            return slow or failures >= min(_DEAD_TRIES, options.backoff.attempts)
        long = (refusal.retry_after_s or 0) > options.longest_retry_s
        spent = options.backoff.is_spent(failures) or left_s <= 0
        return not refusal.fault.may_pass or long or spent

    def _wait(self, failures: int, retry_after_s: float | None) -> None:
        """Wait as long as the vendor demands, plus a little jitter; else as the backoff does."""
        backoff = self._options.backoff
        if retry_after_s is None:
            backoff.wait(failures)
        else:
            backoff.sleep(retry_after_s + backoff.first_s * backoff.jitter())

    def _try(self, url: str, within_s: float) -> Any:  # noqa: ANN401 (JSON, or a refusal)
        options = self._options
        try:
            reply = self._exchange.get(url, within_s=within_s)
        except NoReplyError as exc:
            words = options.redactor.text(str(exc))
            return _Refusal(Fault.FAILED, words, is_unreachable=exc.is_unreachable)
        retry_s = retry_after_s(reply.retry_after, options.clock.now())
        body, is_json = _json(reply.body)
        fault = error_rules.fault_of(reply.status, body)
        if fault is None:
            return body
        words = options.redactor.text(error_rules.complaint(body))
        if not is_json and reply.status < _FIRST_ERROR and fault is Fault.FAILED:
            fault = Fault.TORN
        status = "" if reply.status < _FIRST_ERROR else f"HTTP {reply.status}: "
        return _Refusal(fault, f"{status}{words}".strip(": "), retry_s)

    def _error(self, refusal: _Refusal, doing: str) -> Exception:
        return error_rules.explain(
            refusal.fault,
            doing,
            refusal.words,
            key_setting=self._options.key_setting,
            retry_after_s=refusal.retry_after_s,
        )


@dataclass(frozen=True, slots=True)
class _Refusal:
    fault: Fault
    words: str
    retry_after_s: float | None = None
    is_unreachable: bool = False


def _json(body: bytes) -> tuple[Any, bool]:
    """Return a body's JSON value and True, or its text and False."""
    try:
        return read_json(body), True
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace"), False


def read_json(body: bytes) -> Any:  # noqa: ANN401 (JSON)
    """Return the JSON value of a body; numbers with a point are Decimals.

    Raises:
        ValueError: It is not JSON: torn, not UTF-8, with half a surrogate pair, NaN or Infinity.
    """
    value = json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    if b"\\u" in body or b"\xed" in body:
        json.dumps(value, default=str, ensure_ascii=False).encode()  # half a pair has no bytes
    return value


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number in JSON")
