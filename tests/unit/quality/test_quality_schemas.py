"""Registered schemas: changes of columns and who can read what after them.

The verdicts are those of the Avro specification's rules of schema resolution, as schema
registries name them: a reader needs a default for a field that the writer does not have.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from ingot.quality.checks.source_schemas import Change, Field, Schema, Verdict, changes, verdict

if TYPE_CHECKING:
    from pathlib import Path

OLD = Schema("csv", (Field("a", "integer"), Field("b", "number", optional=True)))


def judged(*fields: Field) -> str:
    return verdict(changes(OLD, Schema("csv", fields))).value


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (OLD.fields, "full"),
        ((*OLD.fields, Field("c", "string")), "forward"),
        ((*OLD.fields, Field("c", "string", optional=True)), "full"),
        (OLD.fields[1:], "backward"),
        (OLD.fields[:1], "full"),
        ((Field("a", "number"), OLD.fields[1]), "backward"),
        ((Field("a", "boolean"), OLD.fields[1]), "none"),
        ((OLD.fields[1], Field("c", "string")), "none"),
        ((OLD.fields[0], Field("b", "string", optional=True)), "backward"),
    ],
)
def test_a_change_has_the_verdict_of_avros_rules(fields: tuple[Field, ...], expected: str) -> None:
    assert judged(*fields) == expected


def test_a_change_says_which_column_and_what() -> None:
    found = changes(OLD, Schema("csv", (Field("a", "string"), Field("c", "date"))))
    assert found == (
        Change("a", "retyped", "integer", "string", Verdict.BACKWARD),
        Change("b", "removed", "number", "", Verdict.FULL),
        Change("c", "added", "", "date", Verdict.FORWARD),
    )


def test_narrower_values_are_no_change_of_a_text_column() -> None:
    schema = Schema("csv", (Field("s", "string"), Field("n", "number"), Field("t", "timestamp")))
    seen = Schema("csv", (Field("s", "integer"), Field("n", "integer"), Field("t", "date")))
    assert changes(schema, seen) == ()


def test_published_changes_of_fields_are_judged_alike(recorded: Path) -> None:
    """Confluent's examples of protobuf: a field added, removed or retyped, and who may read on.

    In proto3 every field has a default, and a change of a field's type is compatible or not by
    their table; only messages of plain fields are taken.
    """
    path = (
        recorded
        / "golden"
        / "confluent-schema-diff"
        / "protobuf-provider__diff-schema-examples.json"
    )
    compared = 0
    for case in json.loads(path.read_text()):
        sides = [_plain_message(case[name]) for name in ("original_schema", "update_schema")]
        kinds = {change.split()[0] for change in case["changes"]}
        if None in sides or not kinds or not kinds <= {"FIELD_ADDED", "FIELD_REMOVED"}:
            continue
        old, new = sides
        assert old is not None
        assert new is not None
        found = changes(old, new)
        assert {f"FIELD_{change.what.upper()}" for change in found} == kinds
        assert (verdict(found) is Verdict.FULL) == case["compatible"], case["description"]
        compared += 1
    assert compared >= 2


def _plain_message(text: str) -> Schema | None:
    """Return the fields of a text with one message and nothing else in it."""
    if text.count("message ") != 1 or any(w in text for w in ("oneof", "map<", "enum ", "import")):
        return None
    found = re.findall(r"(required |optional |repeated )?(\w+) (\w+) = (\d+)", text)
    if any(label.strip() == "required" for label, *_ in found):
        return None
    return Schema("proto", tuple(Field(f"{n}", t, optional=True) for _, t, _, n in found))
