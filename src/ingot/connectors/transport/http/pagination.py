"""All pages of a list, in order, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from ingot.errors import CorruptFileError, NotPublishedError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_PAGES: Final = 100_000


class Answers(Protocol):
    """What responds to requests: a vendor's host, or a folder of its recorded responses."""

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 (JSON)
        """Return the JSON of the response to a request."""
        ...

    def follow(self, next_url: str) -> Any:  # noqa: ANN401 (JSON)
        """Return the JSON of the response at the address that a page gives for the next."""
        ...


def rows_of(
    answers: Answers, path: str, params: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of all pages; they are landed only once the last has arrived.

    Raises:
        SourceUnavailableError: The pages go in circles, never end, or one is not there. And as
            `answers` does.
        CorruptFileError: A page is not a list of rows.
    """
    return rows_from(answers, path, answers.get(path, params))


def rows_from(answers: Answers, path: str, body: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Yield the rows of a list whose first page is at hand, as `rows_of` does."""
    visited: set[str] = set()
    while True:
        yield from _rows(body, path)
        next_url = body.get("next_url")
        if not next_url:
            return
        if not isinstance(next_url, str) or next_url in visited or len(visited) >= _MOST_PAGES:
            raise SourceUnavailableError(
                f"The pages of {path} go in circles after {len(visited) + 1} pages. Nothing of "
                "them was landed; run the command again later."
            )
        visited.add(next_url)
        try:
            body = answers.follow(next_url)
        except NotPublishedError as exc:
            raise SourceUnavailableError(
                f"Page {len(visited) + 1} of {path} is not there: {exc} The list is not whole, so "
                "nothing of it was landed."
            ) from exc


def _rows(body: Any, path: str) -> list[dict[str, Any]]:  # noqa: ANN401 (JSON)
    rows = body.get("results", []) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CorruptFileError(
            f"A page of {path} is not a list of rows, so nothing of it was landed. Check the "
            "address, and whether the vendor changed its responses."
        )
    return rows
