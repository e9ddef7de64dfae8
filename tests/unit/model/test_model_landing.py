"""A version's identity and the instant from which it may be used."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ingot.model.landing import (
    Decision,
    KnownBasis,
    Landing,
    LandingState,
    Outcome,
    landing_id,
)

KEY = "us_stocks_sip/minute_aggs_v1/2025/06/2025-06-02.csv.gz"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
KNOWN = datetime(2025, 6, 3, 15, tzinfo=UTC)
DECIDED = datetime(2025, 6, 4, 9, tzinfo=UTC)


def landing(ordinal: int = 1) -> Landing:
    return Landing(
        source="massive",
        dataset="us_stocks_sip/minute_aggs_v1",
        file_date=date(2025, 6, 2),
        key=KEY,
        ordinal=ordinal,
        sha256=EMPTY_SHA256,
        size_bytes=0,
        etag="etag",
        last_modified=None,
        first_seen=KNOWN,
        known_from=KNOWN,
        known_basis=KnownBasis.OBSERVED,
        rule="massive:11:00",
    )


@pytest.mark.parametrize(
    ("ordinal", "digest"),
    # printf 'massive|KEY|ORDINAL|SHA256' | sha256sum | cut -c1-16
    [(1, "884ddf4e0320b4e7"), (2, "85ceceec3847ff66")],
)
def test_a_landing_id_is_the_head_of_a_sha256(ordinal: int, digest: str) -> None:
    found = landing(ordinal).landing_id
    assert found % 2**64 == int(digest, 16)
    assert -(2**63) <= found < 2**63


def test_landing_ids_are_signed_as_published() -> None:
    assert landing(1).landing_id == -8624992185191713561
    assert landing(2).landing_id == -8804872707510894746


def test_a_landing_id_reads_text_as_utf_8() -> None:
    # printf 'x|é|10|00' | sha256sum
    assert landing_id("x", "é", 10, "00") == -9152503564862167430


def test_a_restored_version_has_an_id_of_its_own() -> None:
    first, restored = landing(1), landing(3)
    assert first.sha256 == restored.sha256
    assert first.landing_id != restored.landing_id


@pytest.mark.parametrize(
    ("outcome", "decision", "decided_at", "expected"),
    [
        (None, None, None, None),
        (Outcome.DONE, None, None, KNOWN),
        (Outcome.REFUSED, None, None, None),
        (Outcome.REFUSED, Decision.ACCEPTED, DECIDED, None),
        (Outcome.HELD, None, None, None),
        (Outcome.HELD, Decision.REJECTED, DECIDED, None),
        (Outcome.HELD, Decision.ACCEPTED, DECIDED, DECIDED),
    ],
)
def test_a_version_is_in_force_when_done_or_from_its_acceptance(
    outcome: Outcome | None,
    decision: Decision | None,
    decided_at: datetime | None,
    expected: datetime | None,
) -> None:
    state = LandingState(landing(), outcome, decision, decided_at)
    assert state.in_force_from == expected


def test_outcomes_and_decisions_are_written_as_their_words() -> None:
    assert f"{Outcome.HELD} {Decision.ACCEPTED} {KnownBasis.STATED}" == "held accepted stated"
