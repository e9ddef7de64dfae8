"""The page on reconciliation explains every kind and every cause."""

from __future__ import annotations

import re

from docs import markdown
from ingot.quality.reconcile.causes import Cause, Kind

PAGE = markdown.ROOT / "docs" / "concepts" / "reconciliation.md"


def test_every_cause_has_a_section_in_the_order_in_which_causes_are_named() -> None:
    headings = re.findall(r"^### (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [cause.value for cause in Cause]


def test_a_cause_is_called_legal_where_it_is() -> None:
    sections = PAGE.read_text(encoding="utf-8").split("\n### ")[1:]
    legal = {s.split("\n")[0] for s in sections if s.split("\n\n")[1].startswith("*Legal.*")}
    assert legal == {cause.value for cause in Cause if cause.is_legal}


def test_every_kind_is_in_the_table() -> None:
    kinds = re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert kinds == [kind.value for kind in Kind]
