"""Blocks marked `run` run, page by page, each page in a folder of its own.

A page with a block marked `demo` finds there what `make demo` leaves behind.
"""

from __future__ import annotations

import ast
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from typer.main import get_command

from docs import generate, markdown
from ingot.cli.main import app

ALL_BLOCKS = [block for page in markdown.pages() for block in markdown.blocks(page)]
RUNNING_PAGES = sorted({block.page for block in ALL_BLOCKS if "run" in block.words})
COMMANDS = dict(generate.walk("ingot", get_command(app)))


def needs_demo(page: Path) -> bool:
    """Say whether a page begins where `make demo` ends."""
    return any("demo" in block.words for block in markdown.blocks(page))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the demo has run, once for all workers."""
    base = tmp_path_factory.getbasetemp()
    clone = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "clone"
    clone.mkdir(exist_ok=True)
    script = markdown.ROOT / "examples" / "demo.sh"
    with (clone / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (clone / "done").exists():
            run(markdown.Block(script, 0, "sh", (), script.read_text(encoding="utf-8")), clone)
            (clone / "done").touch()
    return clone / "demo"


@pytest.mark.services  # each command is a process, and the demo is needed first
@pytest.mark.parametrize(
    "page", [pytest.param(p, id=str(p.relative_to(markdown.ROOT))) for p in RUNNING_PAGES]
)
def test_the_blocks_of_a_page_run_in_order_and_print_what_it_says(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if needs_demo(page):
        shutil.copytree(request.getfixturevalue("demo"), tmp_path / "demo")
    printed = ""
    for block in markdown.blocks(page):
        if "spark" in block.words:
            continue
        if "run" in block.words:
            printed = run(block, tmp_path)
        elif "output" in block.words:
            assert tidy(printed) == tidy(block.text), str(block)


@pytest.mark.services
@pytest.mark.timeout(900)  # Spark fetches its packages
def test_spark_reads_a_lake_as_its_recipe_says(demo: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="the extra spark is not installed")
    recipe, output = (block for block in ALL_BLOCKS if "spark" in block.words)
    shutil.copytree(demo, tmp_path / "demo")
    try:
        printed = run(recipe, tmp_path)
    except AssertionError as failed:
        if "unresolved dependency" in str(failed):
            pytest.skip("the packages of Iceberg cannot be fetched")
        raise
    assert tidy(printed) == tidy(output.text)


def run(block: markdown.Block, folder: Path) -> str:
    """Run a block in `folder` and return what it wrote to stdout."""
    interpreter = {"python": [sys.executable, "-"], "sh": ["bash", "-eu"]}[block.language]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        interpreter,
        input=block.text,
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tidy(text: str) -> list[str]:
    """Return the lines of an output without trailing blanks."""
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("block", [b for b in ALL_BLOCKS if b.language == "python"], ids=str)
def test_python_on_a_page_is_python(block: markdown.Block) -> None:
    assert ast.parse(block.text).body


@pytest.mark.parametrize("block", [b for b in ALL_BLOCKS if b.language == "sh"], ids=str)
def test_every_command_in_a_block_exists_with_its_options(block: markdown.Block) -> None:
    for words in statements(block.text):
        if words[0] == "ingot":
            assert unknown(words[1:]) == [], f"{block}: {' '.join(words)}"


def statements(text: str) -> list[list[str]]:
    """Return a script's lines as words; a quoted text may span lines."""
    found, pending = [], ""
    for line in text.replace("\\\n", " ").splitlines():
        pending += line + "\n"
        with suppress(ValueError):
            found.append(shlex.split(pending, comments=True))
            pending = ""
    assert pending == "", "a quotation is not closed"
    return [words for words in found if words]


@pytest.mark.parametrize("page", markdown.pages(), ids=lambda p: p.name)
def test_every_command_named_in_the_text_exists(page: Path) -> None:
    for named in re.findall(r"`ingot ([^`]+)`", markdown.prose(page)):
        assert unknown(shlex.split(named)) == [], f"{page.name}: ingot {named}"


def test_the_readme_shows_the_example_that_is_shipped() -> None:
    shipped = (markdown.ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8")
    readme = markdown.blocks(markdown.ROOT / "README.md")
    shown = [block.text for block in readme if block.language == "python"]
    assert shown == [shipped.partition('"""\n\n')[2]]


def test_every_make_target_named_on_a_page_exists() -> None:
    makefile = (markdown.ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))
    named = {
        target
        for page in markdown.pages()
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "test"} <= named <= targets


def unknown(words: list[str]) -> list[str]:
    """Return the command and option names in `words` that do not exist."""
    for end in ("--", "|"):
        words = words[: words.index(end)] if end in words else words
    path, options = "ingot", options_of("ingot")
    for word in words:
        if f"{path} {word}" in COMMANDS:
            path = f"{path} {word}"
            options |= options_of(path)
    options_given = [w for w in words if w.startswith("-") and not w.lstrip("-").isdigit()]
    found = [w.partition("=")[0] for w in options_given if len(w) > 1]
    missing = [] if path != "ingot" or found else words[:1]
    return missing + [option for option in found if option not in options]


def options_of(path: str) -> set[str]:
    """Return the options of one command as they are written."""
    written = {"--help", "-h"}
    for parameter in COMMANDS[path].params:
        written |= {*parameter.opts, *parameter.secondary_opts}
    return written


def test_every_command_that_a_message_advises_exists() -> None:
    source = markdown.ROOT / "src" / "ingot"
    texts = [path.read_text(encoding="utf-8") for path in sorted(source.rglob("*.py"))]
    advised = {a for text in texts for a in re.findall(r": ingot ([a-z][a-z -]*[a-z])", text)}
    assert {"build", "landings accept", "quarantine", "repair"} <= advised
    assert [a for a in sorted(advised) if unknown(a.split())] == []
