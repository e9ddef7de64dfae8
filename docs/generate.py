"""Write docs/reference/ from the code: tables, settings, commands, Python, errors.

Run by `make docs`; tests/docs holds the committed pages to what this writes.
"""

from __future__ import annotations

import ast
import inspect
import re
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from ingot import config, errors
from ingot.app.lake import Lake, open_lake
from ingot.app.refine.steps import steps_to
from ingot.cli.main import app
from ingot.connectors.massive.flatfiles import row_rules
from ingot.quality.checks import rules
from ingot.query.requests.request import Adjustment, BarsOptions
from ingot.query.result.answer import Answer
from ingot.tables.contract import Binding
from ingot.tables.registry import ALL_TABLES
from ingot.transforms import quarantine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ingot.app.refine.step import Step
    from ingot.tables.contract import Table

    Command = TyperCommand | TyperGroup

REFERENCE = Path(__file__).with_name("reference")
NOTE = "<!-- Written by docs/generate.py (make docs); edit the code, not this page. -->"
BINDINGS = {
    Binding.INTERVAL: "rows with `known_from <= T < known_to`; every version is in `{}_history`",
    Binding.LANDING: "rows of the landings in force at T; every version is in `{}_history`",
    Binding.DIGEST: "exempt from known time; versioned by a digest that answers name",
    Binding.NONE: "not bound; asking with `known_at` is an error",
}
VALUES = {Path: "PATH", int: "NUMBER", float: "NUMBER"}
UNITS = {
    "day": "a day is a unit",
    "month": "a month is a unit",
    "whole": "a dataset is one unit",
}
LAYERS = {
    "bronze": "The vendor's own columns, append only, every version of every file.",
    "silver": "Sessions, bars with their history, corporate actions.",
    "gold": "Values made of silver: daily bars, performance.",
    "ops": "What landed, was refused and ran: projections of the landing store.",
}


def pages() -> dict[str, str]:
    """Return the text of every generated page by its name."""
    return {
        "tables.md": tables_page(ALL_TABLES),
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "python.md": python_page(),
        "rules.md": rules_page(),
        "errors.md": errors_page(),
    }


def page(title: str, lead: str, parts: Iterable[str]) -> str:
    """Return a whole page: title, note, one opening paragraph, sections."""
    return "\n\n".join([f"# {title}", NOTE, lead, *parts]) + "\n"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; a bar inside a cell is escaped."""
    lines = [list(header), ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def code(text: str) -> str:
    """Return `text` as inline code; nothing for an empty one."""
    return f"`{text}`" if text else ""


def tables_page(tables: Iterable[Table]) -> str:
    """Return the page of every table with every column."""
    lead = (
        "Every table is declared once, as data, in `ingot.tables`; Iceberg, Arrow and SQL schemas "
        "come from the same declaration. A column holds no null unless it says so."
    )
    parts: list[str] = []
    layer = ""
    for table in tables:
        if table.namespace != layer:
            layer = table.namespace
            parts.append(f"## {layer}\n\n{LAYERS[layer]}")
        parts.append(table_section(table))
    return page("Tables", lead, parts)


def made_of(step: Step) -> str:
    """Return what a step reads and makes at once."""
    tables = ", ".join(f"`{i.table.name}`" for i in step.inputs) or "the landed calendar"
    return f"* made of: {tables}; {UNITS[step.unit]}"


def table_section(table: Table) -> str:
    """Return one table: its meaning, key, layout, columns and checks."""
    facts = [
        f"* key: {', '.join(code(name) for name in table.key)}",
        f"* known time: {BINDINGS[table.binding].format(table.name)}",
    ]
    facts += [made_of(step) for step in steps_to(table)]
    if table.partition:
        facts.append(f"* partition: {table.partition.granularity} of `{table.partition.column}`")
    if table.sort:
        facts.append(f"* sorted by: {', '.join(code(name) for name in table.sort)}")
    columns = grid(
        ("column", "type", "unit", "meaning"),
        (
            (
                code(column.name),
                code(column.type.sql) + (", null" if column.nullable else ""),
                column.unit,
                column.doc,
            )
            for column in table.columns
        ),
    )
    parts = [f"### {table.name}", table.doc, "\n".join(facts), columns]
    if table.checks:
        checks = ((code(c.rule), c.doc, code(c.sql)) for c in table.checks)
        parts.append(grid(("rule", "a row that breaks it goes to quarantine", "SQL"), checks))
    return "\n\n".join(parts)


def rules_page() -> str:
    """Return the page of every rule by which a row is refused, or that a check runs."""
    lead = (
        "A row that breaks a rule goes to `ops.quarantine` with the rule's name, its line and its "
        "text; the other rows are loaded. `ingot check` runs further rules over rows that are "
        "loaded, and keeps what it finds in `ops.checks`."
    )
    header, *found = re.findall(r"^\| (\w+) \| (.+) \|$", row_rules.__doc__ or "", re.MULTILINE)
    of_lines = [(code(rule), text) for rule, text in found]
    of_rows = [(code(rule), doc) for rule, doc in quarantine.ROW_RULES.items()]
    of_tables = [
        (code(check.rule), f"{check.doc} ({table.name})")
        for table in ALL_TABLES
        for check in table.checks
    ]
    of_checks = (
        (code(r.id), code(r.table.name), r.dimension, r.severity, sentence(r.doc))
        for r in rules.RULES
    )
    refused = ("rule", "what a row must keep")
    about_lines = (
        "## Lines of a file\n\nA line of Massive's files is refused by the first of these. Other "
        "sources refuse a line by the name of the field that cannot be read."
    )
    parts = [
        about_lines,
        grid(header, of_lines),
        "## Rows\n\nRows of bronze are refused when they are refined.",
        grid(refused, [*of_rows, *of_tables]),
        "## Checks",
        grid(("rule", "table", "dimension", "severity", "what is found"), of_checks),
    ]
    return page("Rules", lead, parts)


def settings_page() -> str:
    """Return the page of every setting, the lake's own first and then each vendor's."""
    lead = (
        f"Settings stand in `{config.FILE}` in the lake's folder; the environment goes before the "
        "file, and `--set name=value` before both. An unknown name is an error that names the "
        "nearest known one. A vendor's settings are a section of its name; its secrets may only "
        f"come from the environment or from `{config.SECRETS_FILE}` beside the file."
    )
    parts = [settings_grid(config.describe())]
    for entry in sorted(entry_points(group="ingot.connectors"), key=lambda e: e.name):
        settings = config.describe_vendor(entry.name, entry.load().settings)
        if settings:
            parts.append(f"## [{entry.name}]\n\n{settings_grid(settings)}")
    return page("Settings", lead, parts)


def settings_grid(settings: Iterable[config.SettingDoc]) -> str:
    """Return settings as a Markdown table."""
    return grid(
        ("setting", "type", "default", "environment", "meaning"),
        ((code(s.name), s.type, code(s.default), code(s.environment), s.doc) for s in settings),
    )


def commands_page() -> str:
    """Return the page of every command with every argument and option."""
    root = typer.main.get_command(app)
    lead = (
        f"{sentence(root.help)} Options of `ingot` itself stand before the command. Rows go to "
        "stdout and nothing else does; notices, progress and errors go to stderr."
    )
    sections = [command_section(path, command) for path, command in walk("ingot", root)]
    return page("Commands", lead, sections)


def walk(path: str, command: object) -> Iterator[tuple[str, Command]]:
    """Yield a command and all below it with their full names."""
    if isinstance(command, TyperCommand | TyperGroup):
        yield path, command
    if isinstance(command, TyperGroup):
        context = typer.Context(command)
        for name in sorted(command.list_commands(context)):
            yield from walk(f"{path} {name}", command.get_command(context, name))


def command_section(path: str, command: Command) -> str:
    """Return one command: usage, meaning, parameters."""
    parameters = [
        p for p in command.params if isinstance(p, TyperArgument | TyperOption) and not p.hidden
    ]
    arguments = [p for p in parameters if isinstance(p, TyperArgument)]
    usage = [path, "[OPTIONS]" if len(parameters) > len(arguments) else ""]
    usage += [spelled(p) if p.required else f"[{spelled(p)}]" for p in arguments]
    usage += ["COMMAND ..." if isinstance(command, TyperGroup) else ""]
    text = f"## {path}\n\n    {' '.join(u for u in usage if u)}"
    if path != "ingot":
        text += f"\n\n{sentence(command.help)}"
    rows = [(code(spelled(p)), value_of(p), default_of(p), p.help or "") for p in parameters]
    return text + ("\n\n" + grid(("", "value", "default", "meaning"), rows) if rows else "")


def sentence(text: str | None) -> str:
    """Return help text on one line."""
    return " ".join((text or "").split())


def spelled(parameter: TyperArgument | TyperOption) -> str:
    """Return how a parameter is written on the command line."""
    if isinstance(parameter, TyperArgument):
        name = str(parameter.metavar or str(parameter.name).upper())
        return f"{name}..." if parameter.nargs == -1 else name
    return " / ".join([*parameter.opts, *parameter.secondary_opts])


def value_of(parameter: TyperArgument | TyperOption) -> str:
    """Return what value an option takes, empty for a flag and for an argument."""
    if isinstance(parameter, TyperArgument) or parameter.is_flag:
        return ""
    kind = parameter.type_descriptor.annotation
    choices = getattr(kind, "__members__", None)
    if choices:
        return ", ".join(code(member.value) for member in choices.values())
    return parameter.metavar or VALUES.get(kind, "TEXT")


def default_of(parameter: TyperArgument | TyperOption) -> str:
    """Return a parameter's default as text, with its environment variable."""
    default = parameter.default
    flag = getattr(parameter, "is_flag", False)
    value = "" if default is None or flag else str(getattr(default, "value", default))
    name = f"`{parameter.envvar}`, else " if parameter.envvar else ""
    return "required" if parameter.required else name + code(value)


def python_page() -> str:
    """Return the page of the front door: `ingot.open`, `Lake` and `Answer`."""
    lead = (
        "`import ingot` is all that a program needs; it takes some milliseconds, everything "
        "behind it is loaded when first used."
    )
    parts = [callable_section("ingot.open", open_lake)]
    for kind in (Lake, Answer):
        parts.append(f"## {kind.__name__}\n\n{inspect.getdoc(kind)}")
        attributes = [(code(name), code(of), doc) for name, of, doc in attributes_of(kind)]
        if attributes:
            parts.append(grid(("attribute", "type", "meaning"), attributes))
        parts += [callable_section(f"{kind.__name__}.{n}", m) for n, m in methods(kind)]
    parts.append(options_section())
    return page("Python", lead, parts)


def options_section() -> str:
    """Return the value objects that methods take, with what each field means."""
    parts = []
    for kind in (Adjustment, BarsOptions):
        rows = ((code(name), code(of), doc) for name, of, doc in fields_of(kind))
        doc = f"## {kind.__name__}\n\n{inspect.getdoc(kind)}"
        parts += [doc, grid(("field", "type", "meaning"), rows)]
    return "\n\n".join(parts)


def attributes_of(kind: type) -> Iterator[tuple[str, str, str]]:
    """Yield the fields and properties of a class: name, type, first line of what it says."""
    yield from fields_of(kind)
    for name, member in vars(kind).items():
        if isinstance(member, property) and member.fget and not name.startswith("_"):
            returns = inspect.signature(member.fget).return_annotation
            yield name, returns, (inspect.getdoc(member) or "").splitlines()[0]


def fields_of(kind: type) -> Iterator[tuple[str, str, str]]:
    """Yield the annotated fields of a class that say what they mean: name, type, meaning."""
    (text,) = ast.parse(inspect.getsource(kind)).body
    body = text.body if isinstance(text, ast.ClassDef) else []
    for field, following in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(following, ast.Expr):
            doc = sentence(ast.literal_eval(following.value))
            yield ast.unparse(field.target), ast.unparse(field.annotation), doc


def methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public methods of a class in the order of its text, then those it inherits."""
    for owner in kind.__mro__[:-1]:
        for name, member in vars(owner).items():
            if inspect.isfunction(member) and not name.startswith("_"):
                yield name, member


def callable_section(name: str, function: Callable[..., Any]) -> str:
    """Return one function: its signature and docstring."""
    text = str(inspect.signature(function)).replace("(self, ", "(").replace("(self)", "()")
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)  # annotations are kept as text
    doc = inspect.getdoc(function) or ""
    return f"### {name}\n\n```text\n{name}{text}\n```\n\n```text\n{doc}\n```"


def errors_page() -> str:
    """Return the page of every error and exit code."""
    lead = (
        "The branches of the tree are what the caller should do. A command ends with the exit "
        "code of its error; when several kinds occurred in one run, the first of 5, 2, 3, 4. "
        f"0 is done (refused rows under the limit included), {errors.INTERRUPTED_EXIT_CODE} is "
        "interrupted, 1 is a defect of Ingot."
    )
    rows = [
        (
            "&emsp;" * depth + code(kind.__name__),
            str(kind.exit_code),
            inspect.getdoc(kind) or "",
        )
        for depth, kind in tree(errors.IngotError)
    ]
    return page("Errors and exit codes", lead, [grid(("error", "exit code", "when"), rows)])


def tree(kind: type[errors.IngotError], depth: int = 0) -> Iterator[tuple[int, Any]]:
    """Yield an error and all below it with their depth, in the order of the text."""
    yield depth, kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below, depth + 1)


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
