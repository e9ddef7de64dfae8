"""Names, docstrings, help and messages use the words of docs/concepts/glossary.md.

`old_words.txt` lists the files that do not yet. It only shrinks; after files were cleaned or moved,
`python tests/docs/test_words.py` writes it again.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "ingot"
LIST: Final = Path(__file__).with_name("old_words.txt")
NAMES: Final = {"told", "said", "spoken", "nobody", "carved", "carving", "calm", "seen", "judged"}
TEXTS: Final = re.compile(
    r"\b(told|said|spoken|stands|lies|nobody|carved|calm|judged|(?<!there )(is|holds|knows) no"
    r"|what (is|was) asked|so that it may)\b",
    re.IGNORECASE,
)
FILES: Final = sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))


def not_yet_clean() -> set[str]:
    return set(LIST.read_text(encoding="utf-8").split())


def old_words(name: str) -> list[str]:
    """Return the old words of a file, with their lines."""
    tree = ast.parse((SOURCE / name).read_text(encoding="utf-8"))
    return sorted({f"{line}: {word}" for line, word in _found(tree)})


def _found(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for name in _names_of(node):
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


@pytest.mark.parametrize("name", sorted(set(FILES) - not_yet_clean()))
def test_a_clean_file_has_no_old_word(name: str) -> None:
    assert old_words(name) == []


def test_the_list_of_files_with_old_words_only_shrinks() -> None:
    cleaned = sorted(n for n in not_yet_clean() if n not in FILES or not old_words(n))
    assert cleaned == [], "run python tests/docs/test_words.py"


def test_the_glossary_is_sorted_and_names_each_word_once() -> None:
    page = (ROOT / "docs" / "concepts" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| ([^|]+?) \| ", page, re.MULTILINE)[1:]
    words = [word for word in words if not word.startswith("---")]
    assert words == sorted(set(words), key=str.lower)


def main() -> None:
    """Write the list again, unless it would grow."""
    found = [name for name in FILES if old_words(name)]
    if LIST.exists() and len(found) > len(not_yet_clean()):
        sys.exit(f"{len(found)} files have old words, and {len(not_yet_clean())} had before.")
    LIST.write_text("\n".join(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
