from __future__ import annotations

import pytest

from docs import generate
from ingot import config
from ingot.quality.checks import rules
from ingot.tables.registry import ALL_TABLES

PAGES = generate.pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_committed_page_is_what_the_code_says(name: str) -> None:
    committed = generate.REFERENCE / name
    assert committed.is_file(), "run make docs and commit the result"
    assert committed.read_text(encoding="utf-8") == PAGES[name], "run make docs"


def test_no_page_of_the_reference_is_written_by_hand() -> None:
    assert {p.name for p in generate.REFERENCE.iterdir()} == set(PAGES)


def test_every_table_and_column_is_in_the_reference() -> None:
    for table in ALL_TABLES:
        section = PAGES["tables.md"].split(f"### {table.name}\n")[1].split("\n### ")[0]
        assert table.doc in section
        for column in table.columns:
            assert f"| `{column.name}` | `{column.type.sql}`" in section


def test_every_rule_is_in_the_reference() -> None:
    named = {check.rule for table in ALL_TABLES for check in table.checks}
    named |= {rule.id for rule in rules.RULES} | {"start_is_on_file_date", "duplicate_conflict"}
    assert [rule for rule in sorted(named) if f"| `{rule}` |" not in PAGES["rules.md"]] == []
    assert "| `blank_line` |" in PAGES["rules.md"]


def test_every_setting_is_in_the_reference() -> None:
    for setting in config.describe():
        assert f"| `{setting.name}` |" in PAGES["settings.md"]
        assert setting.doc


def test_every_command_and_option_says_what_it_is_for() -> None:
    for section in PAGES["commands.md"].split("\n## ")[1:]:
        if section.startswith("ingot\n"):
            continue
        name, usage, help_text = section.split("\n\n")[:3]
        assert usage.startswith(f"    {name}")
        assert help_text.strip().endswith("."), name
        for line in section.splitlines():
            if line.startswith("| `"):
                assert line.split(" | ")[-1].strip(" |"), f"{name}: {line}"
