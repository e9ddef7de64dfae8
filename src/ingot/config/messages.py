"""Messages about settings, which never show a secret."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from pydantic import SecretBytes, SecretStr

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pydantic import ValidationError


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the sentences that name the nearest of `known`, or all of them.

    >>> unknown("setting", "worker", ["workers", "strategy"])
    'There is no setting worker. Did you mean workers?'
    """
    names = tuple(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(sorted(names))}."
    return f"There is no {kind} {name}. {hint}"


def explain(exc: ValidationError, places: Mapping[str, str], *, shown: Collection[str]) -> str:
    """Return what is wrong with each value, where it was found, and the value if in `shown`."""
    sentences = []
    for error in exc.errors(include_url=False):
        key = str(error["loc"][0]) if error["loc"] else ""
        where = ".".join(str(part) for part in error["loc"])
        place = f" {places[key]}" if key in places else ""
        found = f" was {error['input']!r}" if key in shown and error["type"] != "missing" else ""
        wish = error["msg"].replace("Input should", "it should").removeprefix("Value error, ")
        sentences.append(f"{where}{place}{found}: {wish}." if where else f"{wish}.")
    return " ".join(sentences)


def is_secret(annotation: object) -> bool:
    """Return True if a field of this type holds a secret.

    >>> is_secret(SecretStr | None), is_secret(str)
    (True, False)
    """
    parts = get_args(annotation)
    return annotation in (SecretStr, SecretBytes) or any(is_secret(part) for part in parts)
