"""Names, docstrings, help and messages use the words of docs/concepts/glossary.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "ingot"
NAMES: Final = {"told", "said", "spoken", "nobody", "carved", "carving", "calm", "seen", "judged"}
RECORDED: Final = {"first_seen"}
"""A field of the records in landing; \"first seen\" is the field's own term."""
TEXTS: Final = re.compile(
    r"\b(told|said|spoken|stands|lies|nobody|carved|calm|judged|(?<!there )(is|holds|knows) no"
    r"|what (is|was) asked|so that it may)\b",
    re.IGNORECASE,
)
FILES: Final = sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))


def old_words(name: str) -> list[str]:
    """Return the old words of a file, with their lines."""
    tree = ast.parse((SOURCE / name).read_text(encoding="utf-8"))
    return sorted({f"{line}: {word}" for line, word in _found(tree)})


def _found(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for name in _names_of(node):
            if name.lower() in RECORDED:
                continue
            yield from ((line, name) for word in name.lower().split("_") if word in NAMES)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((line, match[0]) for match in TEXTS.finditer(node.value))


def _names_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_no_old_word(name: str) -> None:
    assert old_words(name) == []


def test_the_glossary_is_sorted_and_names_each_word_once() -> None:
    page = (ROOT / "docs" / "concepts" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| ([^|]+?) \| ", page, re.MULTILINE)[1:]
    words = [word for word in words if not word.startswith("---")]
    assert words == sorted(set(words), key=str.lower)
