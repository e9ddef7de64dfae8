"""Each system call of each command fails once: what is accepted is a documented exit code.

What is expected afterwards is what a run left that nothing disturbed.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.support.children import TUESDAY, publish, small_world
from tests.support.faults import FULL, READ_ONLY, FaultServer, Outcome, compiled, drawn
from tests.support.world import DAYS, MINUTES, MONDAY, at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DOCUMENTED = {2, 3, 4, 5}
DAY = f"--from {MONDAY} --to {MONDAY}"
SPAN = f"--from {MONDAY} --to {TUESDAY}"
SOURCE = f"--source in/vendor --dataset {MINUTES} --dataset {DAYS} {SPAN}"
REFUSED_ID = "REFUSED_ID"
"""Stands for the id of the version that waits for a decision."""
COUNT = "SELECT count(*) AS n, sum(volume) AS v FROM silver.minute_bars"
EMPTY, NEW, INGESTED, REFUSED, LOADED, EXPORTED = (
    "empty",
    "new",
    "ingested",
    "refused",
    "loaded",
    "exported",
)


@dataclass(frozen=True)
class Command:
    """A command, the lake that it finds, and whether it changes it."""

    state: str
    arguments: tuple[str, ...]
    writes: bool = True


def command(state: str, text: str, *more: str, writes: bool = True) -> Command:
    fixed = ("--lake", "in/lake", "--now", at(1).isoformat())
    return Command(state, (*fixed, *text.split(), *more), writes)


COMMANDS = {
    "init": command(EMPTY, "init"),
    "ingest": command(NEW, f"ingest massive {SOURCE}"),
    "build": command(INGESTED, "build"),
    "backfill": command(NEW, f"backfill massive {SOURCE}"),
    "backfill of nothing new": command(LOADED, f"backfill massive {SOURCE}"),
    "actions": command(LOADED, "ingest actions --source massive:in/vendor/rest"),
    "instruments": command(LOADED, "ingest instruments --source massive:in/vendor/rest"),
    "accept": command(REFUSED, "landings accept", REFUSED_ID),
    "check": command(LOADED, "check silver.minute_bars"),
    "repair": command(LOADED, "repair"),
    "export": command(LOADED, f"export bars --out in/export {DAY} --interval 5m"),
    "replay": command(EXPORTED, "replay in/export --out in/again"),
    "bars": command(LOADED, f"bars {DAY} --interval 5m --format csv", writes=False),
    "sql": command(LOADED, "sql --format csv", COUNT, writes=False),
    "status": command(LOADED, "status --format csv", writes=False),
    "runs": command(LOADED, "runs --format csv", writes=False),
    "landings": command(LOADED, "landings --format csv", writes=False),
    "quarantine": command(LOADED, "quarantine --format csv", writes=False),
    "coverage": command(LOADED, f"coverage {DAY} --format csv", writes=False),
    "reconcile": command(
        LOADED, f"reconcile gold.daily_bars silver.day_bars {DAY} --format csv", writes=False
    ),
    "tables": command(LOADED, "tables --format csv", writes=False),
    "exports": command(EXPORTED, "exports list --format csv", writes=False),
}


@dataclass(frozen=True)
class Undisturbed:
    """How a command ends that nothing disturbs, and what it leaves."""

    outcome: Outcome
    fingerprints: Mapping[str, str]
    files: Mapping[str, str]


STRICT = ("--set", "quarantine_limit_pct=0.0001")
MADE = {
    NEW: (EMPTY, COMMANDS["init"].arguments, 0),
    INGESTED: (NEW, COMMANDS["ingest"].arguments, 0),
    LOADED: (INGESTED, COMMANDS["build"].arguments, 0),
    EXPORTED: (LOADED, COMMANDS["export"].arguments, 0),
    REFUSED: (NEW, (*STRICT, *COMMANDS["ingest"].arguments), 3),
}
"""How each state is made: from which, by what, and with which exit code."""


class Stage:
    """Lakes in each state, made when first needed, and commands that run on copies of them."""

    def __init__(self, folder: Path, server: FaultServer) -> None:
        self.folder = folder
        self._server = server
        self._undisturbed: dict[str, Undisturbed] = {}
        publish(small_world(folder / EMPTY / "in"), 1)

    def state(self, name: str) -> Path:
        """Return the folder that holds a lake in a state, and its vendor."""
        place = self.folder / name
        if not place.exists():
            base, arguments, code = MADE[name]
            made = self._server.run(self.copy(base, place), arguments)
            assert made.code == code, made
        return place

    def copy(self, state: str, to: Path) -> Path:
        return shutil.copytree(self.state(state), to, symlinks=True)

    def undisturbed(self, name: str) -> Undisturbed:
        """Run a command that nothing disturbs, once for all faults."""
        if name not in self._undisturbed:
            place = self.copy(COMMANDS[name].state, self.folder / f"undisturbed {name}")
            outcome = self.run(name, place)
            self._undisturbed[name] = Undisturbed(outcome, *self.left(name, place))
        return self._undisturbed[name]

    def run(self, name: str, place: Path, fault: tuple[int, int, int] = (-1, 0, 0)) -> Outcome:
        words = [_refused(place) if w == REFUSED_ID else w for w in COMMANDS[name].arguments]
        return self._server.run(place, words, fault)

    def left(self, name: str, place: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return what a command left: fingerprints of tables, and hashes of exported files."""
        if not COMMANDS[name].writes:
            return {}, {}
        files = {
            str(path.relative_to(place)): sha256(path.read_bytes()).hexdigest()
            for folder in ("export", "again")
            for path in sorted((place / "in" / folder).rglob("*"))
            if path.is_file()
        }
        return self._server.run(place, None).fingerprints, files


def _refused(place: Path) -> str:
    versions = place / "in" / "lake" / "landing" / "versions"
    (version,) = versions.rglob(f"{MINUTES}/**/{MONDAY}.csv.gz/1.json")
    return str(json.loads(version.read_text())["landing_id"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("faults")
    with FaultServer(compiled(folder)) as server:
        yield Stage(folder, server)


QUICK = dict.fromkeys(("bars", "status", "runs", "landings", "quarantine", "tables"), 9)
QUICK["init"] = 6
"""How many faults of a command are tried without the services: 60 in all."""


def cases(each: int) -> list[object]:
    """Return (command, number); those beyond the quick ones are for the services."""
    return [
        pytest.param(name, n, marks=() if n < QUICK.get(name, 0) else pytest.mark.services)
        for name in COMMANDS
        for n in range(each)
    ]


@pytest.mark.parametrize(("name", "n"), cases(each=23))
def test_a_command_one_of_whose_calls_fails_says_so_and_the_next_run_mends_all(
    stage: Stage, tmp_path: Path, name: str, n: int
) -> None:
    expected = stage.undisturbed(name)
    place = stage.copy(COMMANDS[name].state, tmp_path / "case")

    found = stage.run(name, place, drawn(Random(f"{name} {n}"), expected.outcome.counts))

    told = (found.hit, found.code, found.err)
    assert "Traceback" not in found.err, told
    as_ever = COMMANDS[name].writes or found.out == expected.outcome.out
    if found.code != expected.outcome.code or not as_ever:
        assert found.code in DOCUMENTED, told
        assert as_ever or not found.out, told
        assert found.err.strip(), told
        again = stage.run(name, place)
        assert again.code == expected.outcome.code, (told, again.err)
        assert COMMANDS[name].writes or again.out == expected.outcome.out, told
    assert stage.left(name, place) == (expected.fingerprints, expected.files), told


@pytest.mark.parametrize("disk", [READ_ONLY, FULL], ids=["read-only", "full"])
@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.services) for n in COMMANDS],
)
def test_a_disk_that_takes_nothing_is_read_and_named_by_what_would_write(
    stage: Stage, tmp_path: Path, name: str, disk: tuple[int, int, int]
) -> None:
    place = stage.copy(COMMANDS[name].state, tmp_path / "case")
    found = stage.run(name, place, disk)
    assert "Traceback" not in found.err
    if COMMANDS[name].writes:
        assert found.code == (2 if disk == READ_ONLY else 4), found
        assert "Could not " in found.err
    else:
        expected = stage.undisturbed(name).outcome
        assert (found.code, found.out) == (expected.code, expected.out), found
