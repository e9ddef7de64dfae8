"""What a vendor's error response means, as data: rules by status and by the words of a body.

Several vendors send HTTP 200 with the error in the body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import (
    ConfigError,
    CorruptFileError,
    EntitlementError,
    IngotError,
    NotPublishedError,
    QueryError,
    RateLimitedError,
    SourceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(Enum):
    """Kinds of refusal, by what helps."""

    BURST = "too many calls at once"
    """Waiting a little helps."""
    DAY = "the day's calls are spent"
    ENTITLEMENT = "not covered by the plan"
    KEY = "the key is missing or wrong"
    ABSENT = "no such thing, or no data"
    BAD_REQUEST = "the request is wrong"
    FAILED = "the vendor failed"
    """Waiting a little helps."""
    TORN = "the response is not whole JSON"
    """Waiting a little helps."""

    @property
    def may_pass(self) -> bool:
        """Return True if the same request may soon succeed."""
        return self in {Fault.BURST, Fault.FAILED, Fault.TORN}


@dataclass(frozen=True, slots=True)
class WordRule:
    """Words of a refusal and what they mean; the first rule that matches counts."""

    words: re.Pattern[str]
    fault: Fault


def _rule(words: str, fault: Fault) -> WordRule:
    return WordRule(re.compile(words, re.IGNORECASE), fault)


WORD_RULES: Final = (
    # Alpha Vantage names the day's limit in its burst message too, so the burst comes first.
    _rule(r"spreading out your|requests? per second|calls per minute", Fault.BURST),
    _rule(r"(requests|calls) per day|daily (rate )?limit", Fault.DAY),
    _rule(r"maximum requests per minute|too many requests|rate limit|limit reached", Fault.BURST),
    _rule(r"premium endpoint|demo.{0,4}api key|not entitled|not.?authorized", Fault.ENTITLEMENT),
    _rule(r"don't have access|upgrade your (plan|subscription)", Fault.ENTITLEMENT),
    _rule(r"(invalid|unknown|missing|use an) api key|api key.{0,20}(missing|invalid)", Fault.KEY),
    _rule(r"no data found|may be delisted|not.?found|no data", Fault.ABSENT),
    _rule(r"invalid api call|invalid input|bad request|unprocessable", Fault.BAD_REQUEST),
)

STATUS_FAULTS: Final = {
    400: Fault.BAD_REQUEST,
    401: Fault.KEY,
    402: Fault.ENTITLEMENT,
    403: Fault.ENTITLEMENT,
    404: Fault.ABSENT,
    418: Fault.BURST,
    422: Fault.BAD_REQUEST,
    429: Fault.BURST,
    503: Fault.FAILED,
    999: Fault.BURST,
}

ZERO_ANSWERS: Final[tuple[Mapping[str, object], ...]] = (
    # Finnhub's quote of an unknown symbol
    {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0},
)
"""Responses that look like data and mean that there is none."""

_COMPLAINTS: Final = ("error", "Error Message", "Note", "Information", "message", "msg")
_ANSWERS: Final = ("results", "result", "data", "chart")
_GOOD_STATUS: Final = frozenset({"OK", "DELAYED", "SUCCESS"})
_FIRST_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_MOST_WORDS: Final = 300
_DAY_S: Final = 86_400.0


def fault_of(status: int, body: Any) -> Fault | None:  # noqa: ANN401 (any JSON, or text)
    """Return the fault of a reply, or None when it is good.

    Args:
        status: The HTTP status.
        body: The body's JSON value, or its text where it is not JSON.
    """
    if isinstance(body, dict) and any(body == zero for zero in ZERO_ANSWERS):
        return Fault.ABSENT
    words = complaint(body)
    by_words = next((r.fault for r in WORD_RULES if words and r.words.search(words)), None)
    if status < _FIRST_ERROR:
        return by_words or (Fault.FAILED if words else None)
    return _of_status(status, by_words)


def _of_status(status: int, by_words: Fault | None) -> Fault:
    """Return what an error status means; words make it more exact where they may."""
    by_status = STATUS_FAULTS.get(status)
    if by_status is Fault.BURST:
        return Fault.DAY if by_words is Fault.DAY else Fault.BURST
    if status >= _SERVER_ERROR:
        return by_status or Fault.FAILED
    if by_status in {Fault.KEY, Fault.ENTITLEMENT}:
        return by_words if by_words in _ABOUT_ACCESS else by_status
    return by_words or by_status or Fault.BAD_REQUEST


_ABOUT_ACCESS: Final = frozenset({Fault.BURST, Fault.DAY, Fault.KEY, Fault.ENTITLEMENT})


def complaint(body: Any) -> str:  # noqa: ANN401 (any JSON, or text)
    """Return the error message of a body, or "" where there is none.

    >>> complaint({"Information": "This is a premium endpoint"})
    'This is a premium endpoint'
    >>> complaint({"status": "OK", "results": []})
    ''
    """
    if isinstance(body, str):
        return " ".join(re.sub(r"<[^>]*>", " ", body).split())[:_MOST_WORDS] or "an empty body"
    if not isinstance(body, dict):
        return ""
    for name in ("chart", "finance"):
        inner = body.get(name)
        if isinstance(inner, dict) and isinstance(inner.get("error"), dict):
            return _flat(inner["error"])
    if any(body.get(name) for name in _ANSWERS):
        return ""
    status = str(body.get("status", "OK"))
    messages = [_flat(body[name]) for name in _COMPLAINTS if body.get(name)]
    if status.upper() not in _GOOD_STATUS:
        messages.insert(0, status)
    return ": ".join(messages)[:_MOST_WORDS]


def _flat(value: Any) -> str:  # noqa: ANN401 (any JSON)
    if isinstance(value, dict):
        return ": ".join(str(v) for v in value.values() if v)
    return str(value)


def explain(
    fault: Fault, doing: str, words: str, *, key_setting: str, retry_after_s: float | None
) -> IngotError:
    """Return the error to raise for a fault with the message `words`, met while `doing`."""
    kind, text = _ERRORS[fault]
    why = f" ({words})" if words else ""
    message = f"{doing} {text.format(why=why, key=key_setting)}"
    if fault is Fault.DAY:
        retry_after_s = retry_after_s or _DAY_S
    if issubclass(kind, RateLimitedError | SourceUnavailableError):
        return kind(message, retry_after_s=retry_after_s)
    return kind(message)


_ERRORS: Final[dict[Fault, tuple[type[IngotError], str]]] = {
    Fault.BURST: (
        RateLimitedError,
        "was limited by the vendor{why}. Run the command again later.",
    ),
    Fault.DAY: (
        RateLimitedError,
        "was refused: the day's calls are spent{why}. Run the command again tomorrow.",
    ),
    Fault.ENTITLEMENT: (
        EntitlementError,
        "was refused{why}. The plan behind {key} does not cover it.",
    ),
    Fault.KEY: (
        ConfigError,
        "was refused{why}. Check {key} in the environment or the secrets file.",
    ),
    Fault.ABSENT: (
        NotPublishedError,
        "found nothing{why}. Check the name; the vendor may not have it.",
    ),
    Fault.BAD_REQUEST: (
        QueryError,
        "was refused as a wrong request{why}. Check its symbols and dates.",
    ),
    Fault.FAILED: (
        SourceUnavailableError,
        "failed{why}. Check the address and the network, and run the command again.",
    ),
    Fault.TORN: (
        CorruptFileError,
        "returned what is not JSON, or ends too early{why}. Run the command again later.",
    ),
}
