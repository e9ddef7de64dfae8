"""A damaged record of any kind is written again from state.db, to the byte."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from ingot.model.check_record import CheckResult
from ingot.model.dataset import DatasetFacts
from ingot.model.landing import Decision, KnownBasis, Landing, Outcome
from ingot.model.unit import Done, Scope, Unit
from ingot.storage.integrity.heal import mend_records
from ingot.storage.landing.records import (
    RECORD_FOLDERS,
    Checked,
    ClockAccepted,
    Decided,
    Expired,
    NumberedDataset,
    NumberedDone,
    Voided,
    path_of,
)
from ingot.storage.ledger.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.storage.landing.records import Record

NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)
DAY, NEXT = date(2025, 6, 2), date(2025, 6, 3)
KEY = "us_stocks_sip/day_aggs_v1/2025/06/2025-06-02.csv.gz"
LANDING = Landing(
    source="massive",
    dataset="us_stocks_sip/day_aggs_v1",
    file_date=DAY,
    key=KEY,
    ordinal=1,
    sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    size_bytes=3,
    etag="a",
    last_modified=NOON,
    first_seen=NOON,
    known_from=NOON,
    known_basis=KnownBasis.OBSERVED,
    rule="rule",
)
UNIT = Unit("bronze.day_bars", Scope("massive", LANDING.dataset, DAY, NEXT, 7), "00ff")
DONE = Done(
    unit=UNIT,
    outcome=Outcome.DONE,
    run="run",
    started=NOON,
    ended=NOON,
    snapshot_id=1,
    rows_in=1,
    rows_out=1,
    landing_ids=(7,),
    code_version="0.1.0",
)
RESULT = CheckResult(
    rule="r",
    dimension="accuracy",
    severity="error",
    table="bronze.day_bars",
    start=DAY,
    end=NEXT,
    checked=1,
    violations=0,
    examples="[]",
    started=NOON,
    ended=NOON,
)
FACTS = DatasetFacts(
    source="massive",
    name="us_stocks_sip/day_aggs_v1",
    connector="massive",
    bronze="bronze.day_bars",
    silver=None,
    calendar="XNYS",
    history_from=DAY,
    per_day=True,
    due_hours=35,
)
RECORDS: tuple[Record, ...] = (
    LANDING,
    Decided("massive", KEY, 1, LANDING.landing_id, Decision.ACCEPTED, NOON, "a person"),
    NumberedDone(1, DONE),
    Expired("bronze.day_bars", 1, (3, 4)),
    Voided("silver.day_bars", 1, (("b/name", 1),)),
    Checked("run", 1, (RESULT,)),
    ClockAccepted(1, NOON, NOON, NOON),
    NumberedDataset(1, FACTS),
)


def folder(record: Record) -> str:
    return path_of(record).split("/", maxsplit=1)[0]


def test_each_folder_of_records_is_here() -> None:
    assert {folder(record) for record in RECORDS} == set(RECORD_FOLDERS)


@pytest.mark.parametrize("damaged", RECORDS, ids=folder)
@pytest.mark.parametrize("is_there", [True, False], ids=["cut", "deleted"])
def test_a_damaged_record_is_written_again(
    tmp_path: Path, damaged: Record, *, is_there: bool
) -> None:
    path = path_of(damaged)
    with Ledger(tmp_path) as ledger:
        for record in RECORDS:
            assert ledger.make(record)
        file = ledger.store.root / path
        expected = file.read_bytes()
        file.unlink()
        if is_there:
            file.write_bytes(expected[:9])
        found, lost = mend_records(ledger)
        assert (set(found), lost) == ({path}, ())
        assert file.read_bytes() == expected
