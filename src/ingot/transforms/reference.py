"""Silver from whole answers: actions and instruments, and day bars of REST answers.

A version of a file or query holds everything that its source published then. What it says of a key
is in force from the row's known time until the next version of the same query; of several queries
that speak of one key the latest counts. A key that no query's version in force holds is withdrawn,
unless a row of its symbol was refused there.

Known time of a row: what the row states; in the first version of its query, if none before spoke of
the key, the moment at which the market knew it
(SEMANTICS: known time) where that is more than `observed_within` before it was first seen;
else the moment from which its version is in force.

The text that a function returns reads these relations:

* `actions`, `instruments` or `bars`: bronze rows of all versions that were ever in force;
* `landings`: landing_id, place (1 for the first to come into force), since, until (when the next
  version of the same query is in force; 9999-12-31 for none), is_first (of its query, and not
  accepted later), assumed_before (first seen less `observed_within`);
* `kept` (actions and instruments): landing_id, symbol ('' for every symbol), until: how long the
  version's rows of a symbol stay where later versions of the query refused rows of it;
* `midnights`: day, midnight and next_midnight (00:00 New York of the day and of the next one),
  midnight_ns, for every date in the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.model.currency import MINOR
from ingot.model.time import FOREVER
from ingot.tables import silver
from ingot.transforms.silver import BAR_START
from ingot.transforms.sql_literals import literal
from ingot.transforms.transform import Transform, sql_text
from ingot.transforms.version_history import versioned_sql

if TYPE_CHECKING:
    from ingot.model.unit import Scope

CORPORATE_ACTIONS: Final = Transform(
    name="silver.corporate_actions",
    output=silver.CORPORATE_ACTIONS,
    inputs=("actions", "landings", "midnights", "kept"),
    sql=sql_text("corporate_actions.sql"),
)
INSTRUMENTS: Final = Transform(
    name="silver.instruments",
    output=silver.INSTRUMENTS,
    inputs=("instruments", "landings", "midnights", "kept"),
    sql=sql_text("instruments.sql"),
)
REST_DAY_BARS: Final = Transform(
    name="silver.day_bars from answers",
    output=silver.DAY_BARS,
    inputs=("bars", "landings", "midnights"),
    sql=sql_text("rest_day_bars.sql"),
)
_DATES: Final = {
    CORPORATE_ACTIONS.name: ("ex_date", "declared_date"),
    INSTRUMENTS.name: ("valid_from", "valid_to"),
    REST_DAY_BARS.name: ("trade_date",),
}
"""Columns of the rows whose midnights a text asks for, by the name of its transform."""


def dates_sql(transform: Transform) -> str:
    """Return the text that lists every date in the rows whose midnights are needed."""
    rows = transform.inputs[0]
    return " UNION ".join(
        f"SELECT {column} AS day FROM {rows} WHERE {column} IS NOT NULL"
        for column in _DATES[transform.name]
    )


def reference_sql(transform: Transform, scope: Scope) -> str:
    """Return the text of the whole history that `transform` makes of a source's answers."""
    if transform is INSTRUMENTS:
        return versioned_sql(transform, scope, never=literal(FOREVER.date()))
    if transform is not REST_DAY_BARS:
        return versioned_sql(transform, scope)
    constants = {
        "bar_start": BAR_START,
        "transactions": "CAST(NULL AS BIGINT)",
        "stale_refused": "FALSE",
    }
    return versioned_sql(transform, scope, constants=constants, **_traded())


def _traded() -> dict[str, str]:
    """Return the parts that turn bars adjusted for splits into bars as traded."""
    parts: dict[str, str] = {}
    ratio = "CAST(splits_to AS DOUBLE) / CAST(splits_from AS DOUBLE)"
    codes = " ".join(f"WHEN {literal(u)} THEN {literal(code)}" for u, (code, _) in MINOR.items())
    units = " ".join(f"WHEN {literal(u)} THEN {units}" for u, (_, units) in MINOR.items())
    parts["currency"] = f"CASE currency {codes} ELSE NULLIF(currency, '') END"
    for price in ("open", "high", "low", "close"):
        traded = f"{price} * ({ratio}) / (CASE currency {units} ELSE 1 END)"
        parts[price] = f"CAST(ROUND({traded}, 6) AS DECIMAL(18, 6))"
    parts["volume"] = f"CAST(ROUND(volume / ({ratio}), 6) AS DECIMAL(18, 6))"
    return parts
