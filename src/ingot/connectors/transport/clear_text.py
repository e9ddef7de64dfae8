"""Whether a request may be sent unencrypted."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from ingot.errors import ConfigError


def require_private(url: str, *, allow_http: bool) -> None:
    """Refuse an unencrypted request to another machine: the key or the data could be read.

    Args:
        url: The address, without a user name or a key.
        allow_http: The vendor's setting allow_http.

    Raises:
        ConfigError: The address begins with http:// and is not this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or allow_http or is_this_machine(host):
        return
    raise ConfigError(
        f"{parts.scheme}://{host} is not encrypted, so a key or the data could be read or changed "
        "in transit. Use https, or set allow_http of the vendor if the network is your own."
    )


def is_this_machine(host: str) -> bool:
    """Return True if a host name or address is this machine's own, which needs no network."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
