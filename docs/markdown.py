"""Read our own Markdown: fenced blocks, links, headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"(?<!\\)\]\((?P<target>[^()\s]+)\)|<img[^>]* src=\"(?P<image>[^\"]+)\"")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `line` is the one of its opening fence.

    The words after the language say what a test does with it: `run` runs it, `output` holds what
    the block before it prints.
    """

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return every page of the project: those at the root and below docs/."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(source):
        language, *words = match["info"].split() or [""]
        line = source.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, tuple(words), dedent(match["text"])))
    return found


def between(page: Path) -> list[str]:
    """Return the text before each fenced block of a page, and after the last one."""
    source = page.read_text(encoding="utf-8")
    spans = [match.span() for match in _FENCE.finditer(source)]
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(source)]
    return [source[start:end] for start, end in zip(starts, ends, strict=True)]


def prose(page: Path) -> str:
    """Return a page's text without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and images."""
    return [match["target"] or match["image"] for match in _LINK.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings make on the usual hosts."""
    return {anchor(heading) for heading in _HEADING.findall(prose(page))}


def anchor(heading: str) -> str:
    """Return the anchor of a heading.

    >>> anchor("Known time: `known_from`")
    'known-time-known_from'
    """
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")
