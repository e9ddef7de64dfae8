"""Silver of a table that a lake declares itself: the history of the file of one date.

The text reads these relations:

* `given`: bronze rows of all versions of the date that were ever in force;
* `landings`: landing_id, place (1 for the first to come into force), since;
* `refused`: landing_id and symbol (the row's key, null where it could not be read) of the rows
  that bronze rejected in these versions.
"""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, Final

from ingot.transforms.sql_literals import literal
from ingot.transforms.transform import Transform, sql_text
from ingot.transforms.version_history import versioned_sql

if TYPE_CHECKING:
    from ingot.model.unit import Scope
    from ingot.tables.contract import Table

_SCOPE: Final = frozenset({"source", "dataset", "file_date"})


def own_transform(output: Table) -> Transform:
    """Return the transform of a table, made of its contract."""
    key = [n for n in output.key if n not in {*_SCOPE, output.KNOWN_FROM}]
    others = {*_SCOPE, *key, "stale_refused", output.KNOWN_FROM, output.KNOWN_TO}
    values = [n for n in output.column_names if n not in others]
    text = Template(sql_text("own_table.sql")).substitute(
        key=", ".join(key),
        keys_of=", ".join(f"k.{name}" for name in key),
        values="".join(f"r.{name}, " for name in values).rstrip(),
    )
    return Transform(output.name, output, ("given", "landings", "refused"), text)


def own_table_sql(transform: Transform, scope: Scope) -> str:
    """Return the text of the history of one date."""
    return versioned_sql(transform, scope, constants={"file_date": literal(scope.start)})
