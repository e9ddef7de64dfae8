from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ingot.errors import QueryError
from ingot.model.known_time import Publication
from ingot.model.landing import Decision, Landing, Outcome, RemoteObject
from ingot.model.unit import Done, RefusedRow, Scope, Unit
from ingot.storage.ledger.ledger import Ledger
from ingot.storage.ledger.ops_projection import rows_of
from ingot.tables import ops
from ingot.tables.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

DATASET = "us_stocks_sip/minute_aggs_v1"
DAY = date(2025, 6, 2)
ONE_DAY = timedelta(days=1)
SEEN = datetime(2025, 7, 1, 12, tzinfo=UTC)
RAN = datetime(2025, 6, 30, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path) as ledger:
        yield ledger


def landed(ledger: Ledger, data: bytes = b"v1", day: date = DAY) -> Landing:
    temporary = ledger.temporary("file")
    temporary.write_bytes(data)
    landing = ledger.land(
        RemoteObject("massive", DATASET, day, f"{day}.csv.gz", "tag", len(data), None),
        temporary,
        sha256=sha256(data).hexdigest(),
        size_bytes=len(data),
        at=SEEN,
        publication=Publication("massive-flat-11", SEEN),
    )
    assert landing is not None
    return landing


def row(
    landing: Landing, number: int, symbol: str | None = "A", rule: str = "volume", raw: str = "x,y"
) -> RefusedRow:
    start = 1748871000000000000 if symbol else None
    day = landing.file_date
    return RefusedRow("massive", DATASET, day, landing.landing_id, number, rule, raw, symbol, start)


def bronze(landing: Landing) -> Unit:
    day = landing.file_date
    scope = Scope("massive", DATASET, day, day + ONE_DAY, landing.landing_id)
    return Unit("bronze.minute_bars", scope, f"{landing.landing_id & (2**64 - 1):016x}")


def load(
    ledger: Ledger,
    unit: Unit,
    rows: Sequence[RefusedRow] = (),
    *,
    outcome: Outcome = Outcome.DONE,
    layer: str = "bronze",
    reason: str = "",
) -> None:
    assert ledger.record_quarantine(unit, rows, layer) == len(rows)
    done = Done(
        unit,
        outcome,
        "run-1",
        RAN,
        RAN + timedelta(seconds=2),
        77,
        rows_in=10,
        rows_out=10 - len(rows),
        rows_refused=len(rows),
        reason=reason,
        code_version="0.1.0",
    )
    ledger.record_done(done)


def numbers(table: pa.Table) -> list[int]:
    return [r["row_number"] for r in table.to_pylist()]


def test_refused_rows_are_shown_with_their_text_and_rule(ledger: Ledger) -> None:
    landing = landed(ledger)
    load(ledger, bronze(landing), [row(landing, 7, raw="\udcff\x00é,1"), row(landing, 2)])
    found = ledger.quarantined("massive", DATASET)
    assert found.schema.equals(arrow_schema(ops.QUARANTINE), check_metadata=False)
    assert found.to_pylist()[1] == {
        "source": "massive",
        "dataset": DATASET,
        "file_date": DAY,
        "landing_id": landing.landing_id,
        "row_number": 7,
        "layer": "bronze",
        "rule": "volume",
        "raw": "\\udcff\x00é,1",
    }
    assert numbers(found) == [2, 7]


def test_a_unit_without_refused_rows_writes_no_file(ledger: Ledger) -> None:
    load(ledger, bronze(landed(ledger)))
    assert not (ledger.store.root / "quarantine").exists()
    assert ledger.quarantined().num_rows == 0


def test_rows_of_a_unit_that_is_not_recorded_yet_do_not_count(ledger: Ledger) -> None:
    landing = landed(ledger)
    ledger.record_quarantine(bronze(landing), [row(landing, 1)], "bronze")
    assert ledger.quarantined().num_rows == 0


def test_rows_are_chosen_by_file_date_and_dataset_and_limited(ledger: Ledger) -> None:
    for offset in range(3):
        landing = landed(ledger, day=DAY + offset * ONE_DAY)
        load(ledger, bronze(landing), [row(landing, 10 * offset + n) for n in (1, 2)])
    assert numbers(ledger.quarantined("massive", DATASET, DAY + ONE_DAY)) == [11, 12, 21, 22]
    assert numbers(ledger.quarantined(start=DAY, end=DAY + ONE_DAY)) == [1, 2]
    assert numbers(ledger.quarantined(limit=3)) == [1, 2, 11]
    assert numbers(ledger.quarantined(limit=0)) == []
    assert numbers(ledger.quarantined("other")) == []


def test_dates_may_reach_to_the_ends_of_the_calendar(ledger: Ledger) -> None:
    landing = landed(ledger)
    load(ledger, bronze(landing), [row(landing, 1)])
    always = Scope("massive", DATASET, date.min, date.max)
    load(ledger, Unit("silver.sessions", always, "aa"), [row(landing, 2)], layer="silver")
    assert sorted(numbers(ledger.quarantined(start=date.min, end=date.max))) == [1, 2]
    assert ledger.quarantined(start=date.max).num_rows == 0


def test_a_row_of_the_evening_before_is_found_by_its_own_date(ledger: Ledger) -> None:
    sunday = landed(ledger, day=date(2025, 6, 1))
    load(ledger, bronze(sunday))
    monday = Unit("silver.minute_bars", Scope("massive", DATASET, DAY, DAY + ONE_DAY), "aa")
    load(ledger, monday, [row(sunday, 5)], layer="silver")
    found = ledger.quarantined(start=date(2025, 6, 1), end=DAY)
    assert (numbers(found), found.column("layer").to_pylist()) == ([5], ["silver"])
    assert numbers(ledger.quarantined(start=DAY)) == []


def test_a_unit_done_again_shows_what_it_refused_the_last_time(ledger: Ledger) -> None:
    landing = landed(ledger)
    rows = [row(landing, n) for n in (1, 2, 3)]
    load(ledger, bronze(landing), rows[:1], outcome=Outcome.REFUSED)  # at a limit of 1 row
    load(ledger, bronze(landing), rows)
    assert numbers(ledger.quarantined()) == [1, 2, 3]
    load(ledger, bronze(landing), rows)
    folder = ledger.store.root / "quarantine" / "bronze.minute_bars" / bronze(landing).name
    assert sorted(p.name for p in folder.iterdir()) == ["1.parquet", "2.parquet"]
    load(ledger, bronze(landing), [])
    assert ledger.quarantined().num_rows == 0


def test_the_same_rows_in_any_order_are_the_same_bytes(ledger: Ledger) -> None:
    landing = landed(ledger)
    rows = [row(landing, n, rule=rule) for n, rule in ((1, "b"), (1, "a"), (2, "a"))]
    ledger.record_quarantine(bronze(landing), rows, "bronze")
    ledger.record_quarantine(bronze(landing), rows[::-1], "bronze")
    name = ledger.store.quarantine_name(bronze(landing))
    assert name is not None
    assert name.endswith("/1.parquet")


def test_keys_of_refused_rows_are_given_once_as_far_as_they_could_be_read(ledger: Ledger) -> None:
    first, second, third = (landed(ledger, data) for data in (b"v1", b"v2", b"v3"))
    blank = row(first, 4, None, rule="blank_line")
    load(
        ledger,
        bronze(first),
        [row(first, 1, "NA"), row(first, 2, "NA"), row(first, 3, None), blank],
    )
    load(ledger, bronze(second), [row(second, 1, "B")])
    load(ledger, bronze(third))
    found = ledger.refused_keys([first.landing_id, third.landing_id])
    start = 1748871000000000000
    assert [tuple(r.values()) for r in found.to_pylist()] == [
        (first.landing_id, first.file_date, "NA", start),
        (first.landing_id, first.file_date, None, None),
    ]
    assert ledger.refused_keys([]).num_rows == 0
    assert ledger.refused_keys([]).schema == found.schema


def test_landings_are_projected_with_what_became_of_them(ledger: Ledger) -> None:
    loaded, held, refused, waiting, accepted, rejected = (
        landed(ledger, f"{day}".encode(), DAY + day * ONE_DAY) for day in range(6)
    )
    load(ledger, bronze(loaded), [row(loaded, 1)])
    load(ledger, bronze(refused), outcome=Outcome.REFUSED, reason="torn gzip")
    for landing in (held, accepted, rejected):
        load(ledger, bronze(landing), outcome=Outcome.HELD, reason="small")
    decided = datetime(2025, 8, 1, tzinfo=UTC)
    ledger.decide(accepted.landing_id, Decision.ACCEPTED, at=decided, by="ann")
    ledger.decide(rejected.landing_id, Decision.REJECTED, at=decided, by="ann")
    rows = rows_of(ledger, "ops.landings", SEEN.date())
    assert rows.schema == arrow_schema(ops.LANDINGS)
    shown = {r["landing_id"]: r for r in rows.to_pylist()}
    expected = {
        loaded.landing_id: ("loaded", SEEN, 9, 1, ""),
        held.landing_id: ("held", None, 10, 0, "small"),
        refused.landing_id: ("refused", None, 0, 0, "torn gzip"),
        waiting.landing_id: ("landed", None, 0, 0, ""),
        accepted.landing_id: ("accepted", decided, 10, 0, "small"),
        rejected.landing_id: ("rejected", None, 10, 0, "small"),
    }
    names = ("status", "in_force_from", "rows", "rows_refused", "reason")
    assert {i: tuple(r[n] for n in names) for i, r in shown.items()} == expected
    assert shown[loaded.landing_id]["sha256"] == sha256(b"0").hexdigest()
    assert shown[loaded.landing_id]["known_basis"] == "observed"
    assert rows_of(ledger, "ops.landings", date(2025, 6, 1)).num_rows == 0


def test_runs_are_projected_into_the_month_they_began_in(ledger: Ledger) -> None:
    landing = landed(ledger)
    load(ledger, bronze(landing), [row(landing, 1)])
    load(ledger, bronze(landing))
    rows = rows_of(ledger, "ops.runs", date(2025, 6, 17))
    assert rows.schema == arrow_schema(ops.RUNS)
    assert rows.to_pylist()[0] == {
        "run": "run-1",
        "table_name": "bronze.minute_bars",
        "unit": bronze(landing).name,
        "source": "massive",
        "dataset": DATASET,
        "date": DAY,
        "outcome": "done",
        "started": RAN,
        "ended": RAN + timedelta(seconds=2),
        "rows_in": 10,
        "rows_out": 9,
        "rows_refused": 1,
        "duplicates": 0,
        "snapshot_id": 77,
        "code_version": "0.1.0",
    }
    assert rows.num_rows == 2
    assert rows_of(ledger, "ops.runs", date(2025, 7, 1)).num_rows == 0


def test_what_changed_is_unprojected_until_it_is_projected(ledger: Ledger) -> None:
    landing = landed(ledger)
    load(ledger, bronze(landing), [row(landing, 1)])
    marks = ledger.unprojected()
    # File date 06-02, within four days of May: a refused row may be filed there.
    assert [(m.table, m.month) for m in marks] == [
        ("ops.landings", date(2025, 7, 1)),
        ("ops.quarantine", date(2025, 5, 1)),
        ("ops.quarantine", date(2025, 6, 1)),
        ("ops.runs", date(2025, 6, 1)),
    ]
    landed(ledger, b"v2")  # while the projection runs
    ledger.mark_projected(marks)
    assert [(m.table, m.month) for m in ledger.unprojected()] == [
        ("ops.landings", date(2025, 7, 1))
    ]


def test_a_projection_is_the_same_after_a_rebuild(ledger: Ledger) -> None:
    for data in (b"v1", b"v2"):
        landing = landed(ledger, data)
        load(ledger, bronze(landing), [row(landing, 1), row(landing, 2)])
    marks = ledger.unprojected()
    before = [rows_of(ledger, m.table, m.month) for m in marks]
    ledger.rebuild()
    assert [(m.table, m.month) for m in ledger.unprojected()] == [(m.table, m.month) for m in marks]
    assert [rows_of(ledger, m.table, m.month) for m in marks] == before
    assert numbers(rows_of(ledger, "ops.quarantine", DAY)) == [1, 2, 1, 2]


def test_only_ops_tables_are_made_of_the_ledger(ledger: Ledger) -> None:
    with pytest.raises(QueryError, match=r"bronze\.minute_bars is not made of the ledger"):
        rows_of(ledger, "bronze.minute_bars", DAY)
