"""Keys taken out of whatever may be stored, logged or shown.

Vendors echo the caller's key in error bodies, and some put it into addresses of next pages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import SecretStr

HIDDEN: Final = "***"
_NAMES: Final = r"api[-_]?key|access[-_]?key|access[-_]?token|auth[-_]?token|token|secret|crumb"
_PATTERNS: Final = (
    # in an address or a form: apiKey=..., also when percent-encoded once more
    re.compile(rf"(?i)((?:^|[?&;\s\"']|%3F|%26)(?:{_NAMES})(?:=|%3D))[^&\s\"'<>\\;]+"),
    # in JSON or a header: "token": "..."
    re.compile(rf"(?i)(\"(?:x-)?[a-z-]*(?:{_NAMES})\"\s*:\s*\")[^\"]*"),
    re.compile(r"(?i)(authorization\"?\s*[:=]\s*\"?(?:bearer|basic)?\s*)[^\s\",]+"),
    re.compile(r"(?i)(\bbearer\s+)(?=\S*\d)[a-z0-9._~+/-]{8,}=*"),
    re.compile(r"(?i)(\bapi key (?:as|is|was)\s+)\S+"),
    re.compile(r"(?i)(//)[^/@\s]+:[^/@\s]+(?=@)"),
)


class Redactor:
    """Takes known secrets, and what looks like one, out of text."""

    def __init__(self, secrets: Iterable[SecretStr | None] = ()) -> None:
        plain = {secret.get_secret_value() for secret in secrets if secret is not None}
        texts = plain | {quote(text, safe="") for text in plain} | {quote(text) for text in plain}
        self._secrets = tuple(sorted((t for t in texts if t), key=len, reverse=True))

    def __repr__(self) -> str:
        """Name the number of its secrets, and none of them."""
        return f"Redactor({len(self._secrets)} secrets)"

    def text(self, text: str) -> str:
        """Return the text with every secret replaced by `***`.

        >>> Redactor().text("GET /v3/tickers?active=true&apiKey=abc123 failed")
        'GET /v3/tickers?active=true&apiKey=*** failed'
        """
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        return text
