"""The tutorial as a notebook: its text and blocks as cells, its outputs as they are tested."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from docs import markdown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TUTORIAL: Final = markdown.ROOT / "docs" / "tutorial.md"
NOTEBOOK: Final = TUTORIAL.with_suffix(".ipynb")
_KERNEL: Final = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(page: Path = TUTORIAL) -> str:
    """Return a page's cells in Jupyter's format, version 4.5; the output follows its block."""
    document = {
        "cells": list(_cells(page)),
        "metadata": {"kernelspec": _KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _cells(page: Path) -> Iterator[dict[str, Any]]:
    blocks = iter(markdown.blocks(page))
    waiting: dict[str, Any] | None = None
    for text in markdown.between(page):
        if text.strip():
            if waiting is not None:
                yield waiting
                waiting = None
            yield _cell("markdown", text.strip())
        block = next(blocks, None)
        if block is not None and "output" in block.words and waiting is not None:
            waiting["outputs"] = [
                {"name": "stdout", "output_type": "stream", "text": _lines(block.text)}
            ]
        elif block is not None:
            source = block.text if block.language == "python" else f"%%bash\n{block.text}"
            waiting = {**_cell("code", source.strip()), "execution_count": None, "outputs": []}
    if waiting is not None:
        yield waiting


def _cell(kind: str, source: str) -> dict[str, Any]:
    identity = sha256(f"{kind}\n{source}".encode()).hexdigest()[:12]
    return {"cell_type": kind, "id": identity, "metadata": {}, "source": _lines(source)}


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


if __name__ == "__main__":
    NOTEBOOK.write_text(notebook(), encoding="utf-8")
