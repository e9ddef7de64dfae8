from __future__ import annotations

import ast
from pathlib import Path

import ingot

LAZY: dict[str, tuple[str, str]] = ingot._LAZY


def names_for_type_checkers() -> dict[str, tuple[str, str]]:
    """Return what `__init__` imports under TYPE_CHECKING: name -> (module, attribute)."""
    tree = ast.parse(Path(ingot.__file__).read_text(encoding="utf-8"))
    blocks = [
        n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"
    ]
    return {
        alias.asname or alias.name: (str(node.module), alias.name)
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ingot.")
        for alias in node.names
    }


def test_the_front_door_is_small_sorted_and_holds_what_it_says() -> None:
    assert list(ingot.__all__) == sorted(ingot.__all__)
    assert len(ingot.__all__) <= 20
    assert dir(ingot) == list(ingot.__all__)
    for name in ingot.__all__:
        assert getattr(ingot, name) is not None


def test_type_checkers_see_the_names_that_are_loaded_late() -> None:
    assert names_for_type_checkers() == LAZY
    assert set(LAZY) | {"__version__"} == set(ingot.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(ingot, "no_such_name")
