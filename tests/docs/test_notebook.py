"""The notebook holds the blocks of the tutorial, which `test_blocks` runs, and their outputs."""

from __future__ import annotations

import ast
import json

from docs import markdown, notebook


def test_the_committed_notebook_is_the_tutorial() -> None:
    assert notebook.NOTEBOOK.read_text(encoding="utf-8") == notebook.notebook(), "run make docs"


def test_every_block_of_the_tutorial_is_a_cell_with_its_output() -> None:
    document = json.loads(notebook.NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    blocks = markdown.blocks(notebook.TUTORIAL)
    outputs = [block.text for block in blocks if "output" in block.words]

    assert len(cells) == len(blocks) - len(outputs)
    assert ["".join(o["text"]) for cell in cells for o in cell["outputs"]] == outputs


def test_a_cell_is_python_or_says_that_it_is_a_script() -> None:
    document = json.loads(notebook.NOTEBOOK.read_text(encoding="utf-8"))
    for cell in document["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and not source.startswith("%%bash\n"):
            assert ast.parse(source).body
