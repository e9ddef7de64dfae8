"""The SQL of reconciliation: sections of the .sql files in this folder, filled with values.

A section is headed by a comment `-- name: what it finds`. `$name` in it is a value; `[[x]]` is x as
a number of the evidence, rounded, and null where it is not finite.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD: Final = re.compile(r"^-- (\w+): .*\n(?:--.*\n)*", re.MULTILINE)
_NUMBER: Final = re.compile(r"\[\[(.+?)\]\]", re.DOTALL)
SIDES: Final = (("a", "b"), ("b", "a"))


def section(file: str, name: str, **values: object) -> str:
    """Return the text of one section."""
    return Template(_sections(file)[name]).substitute(values)


def either_way(file: str, names: Iterable[str], **values: object) -> str:
    """Return the rows of sections together, with each side once as `$one` and once as `$other`.

    Values may name the sides, too.
    """
    texts = (Template(_sections(file)[name]).safe_substitute(values) for name in names)
    return " UNION ALL ".join(
        Template(text).substitute(one=one, other=other) for text in texts for one, other in SIDES
    )


@cache
def _sections(file: str) -> dict[str, str]:
    text = files("ingot.quality.reconcile").joinpath(f"{file}.sql").read_text(encoding="utf-8")
    _, *parts = _HEAD.split(text)
    numbers = (_NUMBER.sub(r"CASE WHEN isfinite(\1) THEN round(\1, 6) END", p) for p in parts[1::2])
    return dict(zip(parts[::2], (n.strip() for n in numbers), strict=True))
