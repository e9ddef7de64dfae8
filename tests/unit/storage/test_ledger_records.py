"""The texts of the landing store's records, written out by hand: they must never change."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.errors import DamagedFileError, LookAtDataError
from ingot.model.check_record import CheckResult
from ingot.model.dataset import DatasetFacts
from ingot.model.landing import Decision, KnownBasis, Landing, Outcome
from ingot.model.unit import Done, Scope, Unit
from ingot.storage.landing.records import (
    Checked,
    ClockAccepted,
    Decided,
    Expired,
    NumberedDataset,
    NumberedDone,
    Record,
    Voided,
    done_of,
    from_text,
    path_of,
    to_line,
    to_text,
)

LANDING = Landing(
    source="massive",
    dataset="us_stocks_sip/day_aggs_v1",
    file_date=date(2025, 6, 2),
    key="us_stocks_sip/day_aggs_v1/2025/06/2025-06-02.csv.gz",
    ordinal=2,
    sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    size_bytes=3,
    etag='"9a-b"',
    last_modified=datetime(2025, 6, 3, 14, 0, 1, tzinfo=UTC),
    first_seen=datetime(2025, 6, 3, 11, 30, tzinfo=timezone(timedelta(hours=-4))),
    known_from=datetime(2025, 6, 3, 15, 30, 0, 1, tzinfo=UTC),
    known_basis=KnownBasis.OBSERVED,
    rule="massive-flat-11",
)
# landing_id, by hand: the first 8 bytes of SHA-256 of source|key|ordinal|sha256, signed.
LANDING_ID = int.from_bytes(
    sha256(
        b"massive|us_stocks_sip/day_aggs_v1/2025/06/2025-06-02.csv.gz|2|"
        b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    ).digest()[:8],
    "big",
    signed=True,
)
LANDING_VALUES = (
    '"dataset":"us_stocks_sip/day_aggs_v1","etag":"\\"9a-b\\"","file_date":"2025-06-02",'
    '"first_seen":"2025-06-03T15:30:00.000000Z",'
    '"key":"us_stocks_sip/day_aggs_v1/2025/06/2025-06-02.csv.gz","known_basis":"observed",'
    f'"known_from":"2025-06-03T15:30:00.000001Z","landing_id":{LANDING_ID},'
    '"last_modified":"2025-06-03T14:00:01.000000Z","ordinal":2,"rule":"massive-flat-11",'
    '"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",'
    '"size_bytes":3,"source":"massive"'
)
LANDING_TEXT = f"""{{
 "checksum": "{sha256(f"{{{LANDING_VALUES}}}".encode()).hexdigest()}",
 "dataset": "us_stocks_sip/day_aggs_v1",
 "etag": "\\"9a-b\\"",
 "file_date": "2025-06-02",
 "first_seen": "2025-06-03T15:30:00.000000Z",
 "key": "us_stocks_sip/day_aggs_v1/2025/06/2025-06-02.csv.gz",
 "known_basis": "observed",
 "known_from": "2025-06-03T15:30:00.000001Z",
 "landing_id": {LANDING_ID},
 "last_modified": "2025-06-03T14:00:01.000000Z",
 "ordinal": 2,
 "rule": "massive-flat-11",
 "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
 "size_bytes": 3,
 "source": "massive"
}}
"""
DONE = Done(
    unit=Unit(
        "bronze.day_bars",
        Scope("massive", "us_stocks_sip/day_aggs_v1", date(2025, 6, 2), date(2025, 6, 3), -7),
        "00000000000000ff",
    ),
    outcome=Outcome.HELD,
    run="20250603T153000Z-0a1b2c3d",
    started=datetime(2025, 6, 3, 15, 30, tzinfo=UTC),
    ended=datetime(2025, 6, 3, 15, 30, 2, 500000, tzinfo=UTC),
    snapshot_id=4821,
    rows_in=10,
    rows_out=9,
    rows_refused=1,
    symbols=3,
    landing_ids=(-7, 8),
    reason="9 rows where 90 % of 11,000 were expected — held",
    details={"in_order": "yes"},
    code_version="0.1.0",
)
DONE_VALUES = (
    '"code_version":"0.1.0","details":{"in_order":"yes"},"ended":"2025-06-03T15:30:02.500000Z",'
    '"landing_ids":[-7,8],"number":3,"outcome":"held",'
    '"reason":"9 rows where 90 % of 11,000 were expected \\u2014 held",'
    '"rows_in":10,"rows_out":9,"rows_refused":1,"run":"20250603T153000Z-0a1b2c3d",'
    '"snapshot_id":4821,"started":"2025-06-03T15:30:00.000000Z","symbols":3,'
    '"unit":{"digest":"00000000000000ff","scope":{"dataset":"us_stocks_sip/day_aggs_v1",'
    '"end":"2025-06-03","landing_id":-7,"source":"massive","start":"2025-06-02"},'
    '"table":"bronze.day_bars"}'
)
DONE_TEXT = f"""{{
 "checksum": "{sha256(f"{{{DONE_VALUES}}}".encode()).hexdigest()}",
 "code_version": "0.1.0",
 "details": {{
  "in_order": "yes"
 }},
 "ended": "2025-06-03T15:30:02.500000Z",
 "landing_ids": [
  -7,
  8
 ],
 "number": 3,
 "outcome": "held",
 "reason": "9 rows where 90 % of 11,000 were expected \\u2014 held",
 "rows_in": 10,
 "rows_out": 9,
 "rows_refused": 1,
 "run": "20250603T153000Z-0a1b2c3d",
 "snapshot_id": 4821,
 "started": "2025-06-03T15:30:00.000000Z",
 "symbols": 3,
 "unit": {{
  "digest": "00000000000000ff",
  "scope": {{
   "dataset": "us_stocks_sip/day_aggs_v1",
   "end": "2025-06-03",
   "landing_id": -7,
   "source": "massive",
   "start": "2025-06-02"
  }},
  "table": "bronze.day_bars"
 }}
}}
"""
LANDING_PATH = "versions/massive/us_stocks_sip/day_aggs_v1/2025/06/2025-06-02.csv.gz/2.json"
DONE_PATH = (
    "units/bronze.day_bars/massive/us_stocks_sip.day_aggs_v1/2025-06-02/00000000000000ff/3.json"
)


def test_a_version_is_written_as_this_text() -> None:
    assert to_text(LANDING) == LANDING_TEXT
    assert path_of(LANDING) == LANDING_PATH
    assert from_text(LANDING_PATH, LANDING_TEXT) == LANDING


def test_a_done_record_is_written_as_this_text() -> None:
    assert to_text(NumberedDone(3, DONE)) == DONE_TEXT
    assert path_of(NumberedDone(3, DONE)) == DONE_PATH
    assert from_text(DONE_PATH, DONE_TEXT) == NumberedDone(3, DONE)


NOON = datetime(2025, 6, 4, 12, tzinfo=UTC)
DAY, NEXT = date(2025, 6, 2), date(2025, 6, 3)
OTHERS: dict[str, Record] = {
    '{"at":"2025-06-04T12:00:00.000000Z","by":"ann","decision":"rejected","key":"a/b",'
    '"landing_id":-5,"ordinal":2,"source":"massive"}': Decided(
        "massive", "a/b", 2, -5, Decision.REJECTED, NOON, "ann"
    ),
    '{"number":1,"snapshot_ids":[3,5],"table":"silver.bars"}': Expired("silver.bars", 1, (3, 5)),
    '{"number":1,"table":"silver.bars","units":[["a/x",2],["b/y",1]]}': Voided(
        "silver.bars", 1, (("a/x", 2), ("b/y", 1))
    ),
    '{"number":2,"results":[{"checked":9,"dimension":"accuracy","end":"2025-06-03",'
    '"ended":"2025-06-04T12:00:00.000000Z","examples":"[]","rule":"r","severity":"error",'
    '"start":"2025-06-02","started":"2025-06-04T12:00:00.000000Z","table":"silver.bars",'
    '"violations":0}],"run":"run"}': Checked(
        "run",
        2,
        (CheckResult("r", "accuracy", "error", "silver.bars", DAY, NEXT, 9, 0, "[]", NOON, NOON),),
    ),
    '{"at":"2025-06-04T12:00:00.000000Z","first":"2025-06-04T12:00:00.000000Z",'
    '"last":"2025-06-04T12:00:00.000000Z","number":1}': ClockAccepted(1, NOON, NOON, NOON),
    '{"bronze":"bronze.bars","calendar":"XNYS","connector":"csv","due_hours":null,'
    '"history_from":"2025-06-02","name":"bars","number":3,"options":[["zone","UTC"]],'
    '"per_day":true,"silver":null,"source":"mine"}': NumberedDataset(
        3,
        DatasetFacts(
            *("mine", "bars", "csv", "bronze.bars", None, "XNYS", DAY),
            per_day=True,
            due_hours=None,
            options=(("zone", "UTC"),),
        ),
    ),
}


@pytest.mark.parametrize("values", OTHERS, ids=[type(r).__name__ for r in OTHERS.values()])
def test_every_other_kind_is_written_as_these_values(values: str) -> None:
    record = OTHERS[values]
    body = json.loads(values) | {"checksum": sha256(values.encode()).hexdigest()}
    text = json.dumps(body, indent=1, sort_keys=True) + "\n"
    assert to_text(record) == text
    assert from_text(path_of(record), text) == record


def test_a_record_in_another_records_place_is_refused() -> None:
    path = DONE_PATH.replace("3.json", "4.json")
    with pytest.raises(
        DamagedFileError, match=r"4\.json is damaged: it holds the record of .*3\.js"
    ):
        from_text(path, DONE_TEXT)


def test_a_time_without_a_zone_is_never_written() -> None:
    naive = datetime(2025, 6, 4)  # noqa: DTZ001  (what must be refused)
    with pytest.raises(ValueError, match="has no zone"):
        to_text(Decided("massive", "a", 1, 1, Decision.ACCEPTED, naive, "ann"))


def test_a_unit_whose_name_climbs_out_of_the_store_is_refused() -> None:
    scope = Scope("..", "d", date(2025, 6, 2), date(2025, 6, 3))
    unit = Unit("silver.minute_bars", scope, "00")
    done = Done(unit, Outcome.DONE, "r", DONE.started, DONE.ended, None)
    with pytest.raises(LookAtDataError, match=r"'\.\.' is not a name"):
        path_of(NumberedDone(1, done))


instants = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001  (hypothesis adds the zone)
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
)
integers = st.integers(-(2**63), 2**63 - 1)
names = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=20)
scopes = st.builds(Scope, names, names, st.dates(), st.dates(), st.none() | integers)
dones = st.builds(
    Done,
    unit=st.builds(Unit, names, scopes, names),
    outcome=st.sampled_from(Outcome),
    run=st.text(),
    started=instants,
    ended=instants,
    snapshot_id=st.none() | integers,
    rows_in=integers,
    rows_out=integers,
    rows_refused=integers,
    symbols=integers,
    landing_ids=st.lists(integers).map(tuple),
    reason=st.text(st.characters()),
    details=st.dictionaries(st.text(), st.text()),
    code_version=st.text(),
)


@given(dones, st.integers(1, 10**9))
def test_any_done_record_comes_back_exactly(done: Done, number: int) -> None:
    record = NumberedDone(number, done)
    text = to_text(record)
    assert from_text(path_of(record), text.encode().decode()) == record
    assert done_of(to_line(done)) == done
