from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from docs import markdown

if TYPE_CHECKING:
    from pathlib import Path

PAGES = markdown.pages()
NAMES = [str(page.relative_to(markdown.ROOT)) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in markdown.links(page):
        if "://" in target:
            continue
        name, _, fragment = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (fragment and fragment not in markdown.anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_link_leaves_the_project(page: Path) -> None:
    targets = [t.partition("#")[0] for t in markdown.links(page) if "://" not in t]
    outside = [t for t in targets if not (page.parent / t).resolve().is_relative_to(markdown.ROOT)]
    assert outside == []


def test_every_page_below_docs_can_be_reached_from_its_map() -> None:
    start = markdown.ROOT / "docs" / "index.md"
    seen, waiting = {start}, [start]
    while waiting:
        page = waiting.pop()
        for target in markdown.links(page):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.is_file() and file not in seen:
                seen.add(file)
                waiting.append(file)
    assert [p for p in PAGES if p.is_relative_to(start.parent) and p not in seen] == []
