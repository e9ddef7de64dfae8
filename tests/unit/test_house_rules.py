from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "ingot"
TESTS = ROOT / "tests"
LINES_OF_A_FILE = 500
LINES_OF_A_FUNCTION = 60
ATTICS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}

# Only these may commit to a table; the rest of the code asks them to.
WRITE = SOURCE / "storage" / "iceberg" / "write"
COMMITTERS = {WRITE / "commit.py", WRITE / "changes.py"}
COMMITS = {
    "add_files",
    "commit_table",
    "commit_transaction",
    "dynamic_partition_overwrite",
    "overwrite",
    "sink_iceberg",
    "upsert",
    "write_iceberg",
}
COMMITS_OF_A_TABLE = {"append", "delete"}
TABLE_LIKE = re.compile(r"(^|[._])(table|iceberg|transaction|tx|txn)(\(\))?$|load_table\(.*\)$")

# Put together here so that this file does not hold what it looks for.
ADDRESSES = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "repo.maven.apache" + ".org",
    "repo1.maven" + ".org",
    "proxy.golang" + ".org",
    "anaconda" + ".org",
)
MACHINE_PATHS = re.compile(r"/(root|work|home/[a-z]+|Users/[A-Za-z]+|opt/wheels)/")
INDEX_OPTIONS = re.compile(r"^--?(index-url|extra-index-url|find-links|i|f)\b", re.MULTILINE)


def python_files(*folders: Path) -> list[Path]:
    return sorted(p for folder in folders for p in folder.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if listing.returncode:
        pytest.skip("this is not a git checkout")
    files = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [p for p in files if p.is_file()]


def commits_in(module: ast.Module) -> list[ast.Call]:
    """Return the calls that look like a commit to an Iceberg table."""
    return [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr in COMMITS
            or (
                node.func.attr in COMMITS_OF_A_TABLE
                and TABLE_LIKE.search(ast.unparse(node.func.value))
            )
        )
    ]


def test_only_the_commit_function_and_the_producers_commit() -> None:
    found = [
        f"{place(path, call)}: {ast.unparse(call.func)}"
        for path in python_files(SOURCE)
        if path not in COMMITTERS
        for call in commits_in(tree(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "table.append(rows)",
        "self._table.append(rows)",
        "catalog.load_table('bronze.minute_bars').append(rows)",
        "table.transaction().delete(filter)",
        "txn.delete(filter)",
        "anything.overwrite(rows)",
        "frame.sink_iceberg(table)",
        "self.catalog.commit_table(table, requirements, updates)",
    ],
)
def test_the_rule_sees_a_commit_written_another_way(code: str) -> None:
    assert len(commits_in(ast.parse(code))) == 1


@pytest.mark.parametrize("code", ["rows.append(1)", "self._names.append(x)", "files.delete(p)"])
def test_the_rule_lets_lists_be_lists(code: str) -> None:
    assert commits_in(ast.parse(code)) == []


def test_one_module_of_the_command_line_writes_text_to_the_terminal() -> None:
    found = [
        place(path, node)
        for path in python_files(SOURCE / "cli")
        if path.name != "terminal.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in {"sys.stderr.write", "sys.stdout.write"}
    ]
    assert found == []


def test_no_file_is_longer_than_a_person_reads() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files(ROOT / "src", TESTS, ROOT / "docs", ROOT / "benchmarks")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES_OF_A_FILE
    }
    assert long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{place(path, function)} {function.name}": lines
        for path in python_files(ROOT / "src", TESTS, ROOT / "docs", ROOT / "benchmarks")
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_every_folder_of_the_package_is_seen_by_the_import_contracts() -> None:
    folders = {path.parent for path in python_files(SOURCE)}
    assert [str(f) for f in sorted(folders) if not (f / "__init__.py").is_file()] == []


def test_every_module_is_named_for_what_it_does() -> None:
    names = {path.relative_to(SOURCE).with_suffix("") for path in python_files(SOURCE)}
    assert [str(n) for n in sorted(names) if ATTICS & set(n.parts)] == []


def asserts(function: ast.AST, checkers: frozenset[str]) -> bool:
    """Say whether the function asserts, expects an error, or calls one of `checkers`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in {"pytest.raises", "pytest.warns", "pytest.fail"}:
                return True
            last = name.rpartition(".")[2]
            if last in checkers or last.startswith(("assert_", "expect_", "run_state_machine")):
                return True
    return False


@cache
def checkers_of(path: Path) -> frozenset[str]:
    """Return the functions of a test file that assert, directly or through one another."""
    known: frozenset[str] = frozenset()
    while True:
        found = frozenset(f.name for f in functions(path) if asserts(f, known))
        if found == known:
            return known
        known = found


def test_every_test_asserts_something() -> None:
    silent = [
        f"{place(path, function)} {function.name}"
        for path in python_files(TESTS)
        for function in functions(path)
        if function.name.startswith("test_") and not asserts(function, checkers_of(path))
    ]
    assert silent == []


def test_every_expected_error_is_expected_by_its_words() -> None:
    vague = [
        place(path, node)
        for path in python_files(TESTS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"pytest.raises", "raises"}
        and "match" not in {k.arg for k in node.keywords}
    ]
    assert vague == []


def test_no_file_names_a_package_index_or_a_place_on_this_machine() -> None:
    found = []
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {a}" for a in ADDRESSES if a in text]
        found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in MACHINE_PATHS.finditer(text)]
        if path.parent.name == "requirements":
            found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in INDEX_OPTIONS.finditer(text)]
    assert found == []


def test_every_locked_requirement_has_a_hash() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert locks
    for lock in locks:
        entries = re.split(r"^(?=\S)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
        bare = [e.split()[0] for e in entries if e.strip() and "--hash=sha256:" not in e]
        assert bare == [], lock.name


def test_every_environment_holds_the_same_versions() -> None:
    pins: dict[str, dict[str, set[str]]] = {}
    for lock in (ROOT / "requirements").glob("*.txt"):
        for name, version in re.findall(r"^(\S+)==(\S+)", lock.read_text("utf-8"), re.MULTILINE):
            pins.setdefault(name, {}).setdefault(lock.name, set()).add(version)
    differing = {n: by for n, by in pins.items() if len({frozenset(v) for v in by.values()}) > 1}
    assert differing == {}


def test_folders_are_listed_by_one_module_that_raises() -> None:
    listing = re.compile(r"\b(os\.(walk|scandir|listdir)|\.(iterdir|r?glob))\(")
    found = {
        str(path.relative_to(ROOT))
        for path in python_files(ROOT / "src")
        if listing.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"src/ingot/folders.py"}
