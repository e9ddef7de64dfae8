"""What to ask for instead of symbols that have no bars."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ingot.query.requests import listings
from ingot.query.requests.bars import OPTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.app.read.reader import Reader
    from ingot.query.requests.request import Moment
    from ingot.query.result.answer import Answer

_NAMED: Final = 3


def explained(reader: Reader, answer: Answer, known_at: Moment) -> Answer:
    """Return an answer with a notice for each symbol without a bar, if a better one is known."""
    if not answer.absent:
        return answer
    rows = reader.listing(listings.symbols(date.min, date.max), known_at)
    spans = {row["symbol"]: (row["first_date"], row["last_date"]) for row in rows}
    return replace(answer, notices=(*answer.notices, *_hints(answer.absent, spans)))


def _hints(absent: tuple[str, ...], spans: dict[str, tuple[date, date]]) -> Iterator[str]:
    if options := [symbol for symbol in absent if symbol.startswith(OPTION)]:
        yield (
            "options are kept in bronze.minute_bars and bronze.day_bars only; read them with: "
            f"ingot sql \"select * from bronze.day_bars where ticker = '{options[0]}'\""
        )
    elif not spans:
        yield "the lake has no bars; load some with: ingot backfill"
    by_lower = {symbol.lower(): symbol for symbol in reversed(spans)}
    for symbol in [s for s in absent if s not in options][:_NAMED]:
        if symbol in spans:
            yield "{} has bars from {} to {}".format(symbol, *spans[symbol])
        elif near := get_close_matches(symbol.lower(), by_lower, n=1, cutoff=0.6):
            yield f"did you mean {by_lower[near[0]]} for {symbol}?"
